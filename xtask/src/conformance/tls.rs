//! `sslscan`: what the gateway agrees to over TLS.

use super::{
    check::{Check, Outcome, said},
    install::is_there,
};

pub(super) const CHECKS: &[Check] = &[Check {
    name: "sslscan",
    expected: "TLS 1.2 and 1.3 alone, no weak cipher, no old mistake",
    run: |stage, _| {
        if !is_there("sslscan") {
            return Ok(Outcome::NotRun("there is no sslscan".into()));
        }
        let url = stage.https("");
        let target = url.trim_start_matches("https://");
        let text = said(120, "sslscan", &["--no-colour", "--show-sigs", target])?;
        let is_bad = |line: &&str| {
            let words: Vec<_> = line.split_whitespace().collect();
            let old = matches!(
                words[..],
                ["SSLv2" | "SSLv3" | "TLSv1.0" | "TLSv1.1", "enabled", ..]
            );
            let cipher = matches!(words.first(), Some(&("Preferred" | "Accepted")));
            let weak = ["RC4", "DES", "NULL", "EXP", "anon", "MD5", "CBC"];
            old || cipher && weak.iter().any(|weak| line.contains(weak))
                || line.ends_with("vulnerable to heartbleed") && !line.contains("not vulnerable")
                || line.contains("Compression enabled")
                || line.contains("Insecure session renegotiation")
        };
        let bad: Vec<_> = text.lines().map(str::trim).filter(is_bad).collect();
        let spoken = ["TLSv1.2   enabled", "TLSv1.3   enabled"];
        let good = bad.is_empty() && spoken.iter().all(|version| text.contains(version));
        let came = if bad.is_empty() { text } else { bad.join("; ") };
        Ok(Outcome::of(good, came))
    },
}];
