//! A certificate for `localhost` that is its own root, as one of an authority would
//! be. Used by `conformance` and `release`.

use std::{fs, path::Path, process::Command};

use anyhow::{Context, Result, ensure};

/// Makes `key.pem` and `certificate.pem` in a folder, with OpenSSL.
pub(crate) fn make(folder: &Path) -> Result<()> {
    let mut command = Command::new("openssl");
    command.args(["req", "-x509", "-newkey", "ec"]);
    command.args(["-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]);
    command.args(["-days", "200", "-subj", "/CN=localhost"]);
    for extension in [
        "subjectAltName=DNS:localhost,IP:127.0.0.1",
        "basicConstraints=critical,CA:FALSE",
        "extendedKeyUsage=serverAuth",
        "crlDistributionPoints=URI:http://localhost/revoked",
    ] {
        command.args(["-addext", extension]);
    }
    command.arg("-keyout").arg(folder.join("key.pem"));
    command.arg("-out").arg(folder.join("certificate.pem"));
    let made = command.output();
    let made = made.context("cannot run openssl\n  hint: apt-get install openssl")?;
    let said = String::from_utf8_lossy(&made.stderr);
    ensure!(made.status.success(), "no certificate was made: {said}");
    ensure!(
        fs::exists(folder.join("certificate.pem"))?,
        "openssl made no certificate: {said}"
    );
    Ok(())
}
