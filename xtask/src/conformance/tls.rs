//! `sslscan` and `testssl.sh`: what the gateway agrees to over TLS.

use std::fs;

use anyhow::{Context, Result};
use serde_json::Value;

use super::{
    check::{Check, Outcome, said},
    install::is_there,
    stage::Stage,
};

pub(super) const SLOW: &[Check] = &[Check {
    name: "testssl.sh",
    expected: "nothing above low, but that the client chooses among the ciphers",
    run: |stage, _| testssl(stage),
}];

/// All that is offered is strong, so the client may choose: it knows what its processor is
/// quick at. Later releases of testssl.sh say no more of that than that it is so.
const EXCEPTED: &str = "cipher_order";

fn testssl(stage: &Stage) -> Result<Outcome> {
    if !is_there("testssl") {
        return Ok(Outcome::NotRun("there is no testssl".into()));
    }
    let record = stage.folder().join("testssl.json");
    // It adds to what is there.
    let _ = fs::remove_file(&record);
    let (root, url) = (stage.root(), stage.https("/cached"));
    let file = record.display().to_string();
    let how = [
        "--quiet",
        "--color",
        "0",
        "--warnings",
        "off",
        "--ip",
        "one",
    ];
    let files = ["--add-ca", &root, "--jsonfile", &file];
    let what = [
        "--protocols",
        "--std",
        "--fs",
        "--server-preference",
        "--server-defaults",
        "--headers",
        "--vulnerable",
        &url,
    ];
    let text = said(400, "testssl", &[&how[..], &files, &what].concat())?;
    let json = fs::read_to_string(&record).with_context(|| text.clone())?;
    let found: Vec<Value> = serde_json::from_str(&json).with_context(|| text.clone())?;
    let bad = above_low(&found);
    let came = if bad.is_empty() { text } else { bad.join("; ") };
    Ok(Outcome::of(bad.is_empty() && is_whole(&found), came))
}

fn above_low(found: &[Value]) -> Vec<String> {
    let above = ["MEDIUM", "HIGH", "CRITICAL", "FATAL"];
    let is_above = |finding: &&Value| above.iter().any(|word| finding["severity"] == *word);
    let bad = found.iter().filter(is_above);
    bad.filter(|finding| finding["id"] != EXCEPTED)
        .map(|finding| format!("{}: {}", finding["id"], finding["finding"]))
        .collect()
}

/// Whether it has come to its end, and found what is there.
fn is_whole(found: &[Value]) -> bool {
    let good = |id: &str| {
        let is_good = |finding: &Value| finding["id"] == id && finding["severity"] == "OK";
        found.iter().any(is_good)
    };
    good("TLS1_3") && good("RC4")
}

pub(super) const QUICK: &[Check] = &[Check {
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_above_low_counts_but_for_the_order_of_ciphers() {
        let finding =
            |id: &str, severity: &str| json!({ "id": id, "severity": severity, "finding": "f" });
        let good = [
            finding("TLS1_3", "OK"),
            finding("RC4", "OK"),
            finding("HSTS", "LOW"),
        ];
        assert!(is_whole(&good) && above_low(&good).is_empty());
        assert!(!is_whole(&good[..1]), "it broke off");
        for severity in ["MEDIUM", "HIGH", "CRITICAL", "FATAL"] {
            let found = [finding(EXCEPTED, severity), finding("BEAST", severity)];
            assert_eq!(above_low(&found), ["\"BEAST\": \"f\""]);
        }
    }
}
