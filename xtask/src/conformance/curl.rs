//! `curl`: what a client of HTTP says and gets, over each version.

use anyhow::Result;

use super::{
    check::{Check, Outcome, said},
    install::is_there,
    stage::Stage,
};

/// SHA-256 of 5 MiB of zeros.
const DIGEST: &str = "c036cbb7553a909f8b8877d4461924307f27ecb66cff928eeeafd569c3887e29";

pub(super) const CHECKS: &[Check] = &[
    Check {
        name: "curl, GET",
        expected: "200 with 100,000 bytes",
        run: |stage, _| {
            all(stage, "/", &[], |answer| {
                answer.status == 200 && answer.size == 100_000
            })
        },
    },
    Check {
        name: "curl, upload of 5 MiB",
        expected: "200, the digest of what was sent",
        run: |stage, _| {
            let file = zeros(stage, 5 << 20)?;
            all(stage, "/upload", &["-T", &file], |answer| {
                answer.status == 200 && answer.text.contains(DIGEST)
            })
        },
    },
    Check {
        name: "curl, Expect: 100-continue",
        expected: "200 after an interim 100",
        run: |stage, _| {
            let file = zeros(stage, 2_000)?;
            let arguments = [
                "-v",
                "-H",
                "Expect: 100-continue",
                "--expect100-timeout",
                "5",
            ];
            let arguments = [&arguments[..], &["-T", &file]].concat();
            one(stage, "--http1.1", "/upload", &arguments, |answer| {
                answer.status == 200 && answer.text.contains("< HTTP/1.1 100")
            })
        },
    },
    Check {
        name: "curl, Expect: 100-continue refused",
        expected: "413, the service's last word",
        run: |stage, _| {
            let file = zeros(stage, 2_000)?;
            let arguments = [
                "-v",
                "-H",
                "Expect: 100-continue",
                "--expect100-timeout",
                "5",
            ];
            let arguments = [&arguments[..], &["-T", &file]].concat();
            one(stage, "--http1.1", "/refuses", &arguments, |answer| {
                answer.status == 413
            })
        },
    },
    Check {
        name: "curl, range",
        expected: "206 with 100 bytes and Content-Range",
        run: |stage, _| {
            all(stage, "/", &["-i", "-r", "100-199"], |answer| {
                let range = "content-range: bytes 100-199/100000";
                answer.status == 206 && answer.size == 100 && answer.has(range)
            })
        },
    },
    Check {
        name: "curl, range beyond the end",
        expected: "416 with Content-Range",
        run: |stage, _| {
            all(stage, "/", &["-i", "-r", "200000-"], |answer| {
                answer.status == 416 && answer.has("content-range: bytes */100000")
            })
        },
    },
    Check {
        name: "curl, HEAD",
        expected: "200, the length of GET, no body",
        run: |stage, _| {
            all(stage, "/", &["-I"], |answer| {
                answer.status == 200 && answer.size == 0 && answer.has("content-length: 100000")
            })
        },
    },
    Check {
        name: "curl, conditional",
        expected: "304 without a body, with ETag",
        run: |stage, _| {
            let since = "If-Modified-Since: Wed, 01 Jul 2026 00:00:00 GMT";
            all(stage, "/", &["-i", "-H", since], |answer| {
                answer.status == 304 && answer.size == 0 && answer.has("etag: \"")
            })
        },
    },
    Check {
        name: "curl, response in chunks",
        expected: "200 with all of its lines",
        run: |stage, _| {
            all(stage, "/streamed", &[], |answer| {
                answer.status == 200 && answer.text.contains("line 19 of a response")
            })
        },
    },
];

/// Over HTTP/1.1 and HTTP/2, without TLS and with it.
fn all(
    stage: &Stage,
    path: &str,
    arguments: &[&str],
    good: fn(&Answer) -> bool,
) -> Result<Outcome> {
    for version in ["--http1.1", "--http2-prior-knowledge", "--http2"] {
        let outcome = one(stage, version, path, arguments, good)?;
        if !matches!(outcome, Outcome::AsExpected) {
            return Ok(outcome);
        }
    }
    Ok(Outcome::AsExpected)
}

fn one(
    stage: &Stage,
    version: &str,
    path: &str,
    arguments: &[&str],
    good: fn(&Answer) -> bool,
) -> Result<Outcome> {
    if !is_there("curl") {
        return Ok(Outcome::NotRun("there is no curl".into()));
    }
    let url = match version {
        "--http2" => stage.https(path),
        _ => stage.http(path),
    };
    let root = stage.root();
    let format = "\n%{http_code} %{size_download} %{http_version}";
    let own = [
        "-s", version, "--cacert", &root, "-m", "20", "-w", format, &url,
    ];
    let text = said(30, "curl", &[&own[..], arguments].concat())?;
    let answer = Answer::of(&text);
    let came = format!(
        "{version}: {} with {} bytes over {}",
        answer.status, answer.size, answer.version
    );
    let expected = if version == "--http1.1" { "1.1" } else { "2" };
    Ok(Outcome::of(
        answer.version == expected && good(&answer),
        came,
    ))
}

/// What curl says of an answer.
struct Answer {
    text: String,
    status: u16,
    size: u64,
    version: String,
}

impl Answer {
    /// The last words are the format's, wherever curl's own words stand.
    fn of(text: &str) -> Self {
        let line = |line: &str| {
            let words: Vec<_> = line.split(' ').collect();
            let [status, size, version] = words[..] else {
                return None;
            };
            Some((status.parse().ok()?, size.parse().ok()?, version.to_owned()))
        };
        let found = text.lines().rev().find_map(line);
        let (status, size, version) = found.unwrap_or_default();
        Self {
            text: text.to_owned(),
            status,
            size,
            version,
        }
    }

    /// A line of the head, its name in lower case.
    fn has(&self, field: &str) -> bool {
        let mut lines = self.text.lines().map(|line| line.to_ascii_lowercase());
        lines.any(|line| line.starts_with(field))
    }
}

/// A file of so many zeros.
fn zeros(stage: &Stage, length: usize) -> Result<String> {
    let path = stage.folder().join(format!("zeros-{length}"));
    std::fs::write(&path, vec![0; length])?;
    Ok(path.display().to_string())
}
