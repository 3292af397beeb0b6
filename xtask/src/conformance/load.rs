//! `h2load`: many requests over few connections.

use anyhow::Result;

use super::{
    check::{Check, Outcome, said},
    install::is_there,
};

pub(super) const CHECKS: &[Check] = &[
    Check {
        name: "h2load, HTTP/1.1",
        expected: "5,000 requests succeed",
        run: |stage, _| load(&["--h1", "-m", "1", &stage.http("/cached")]),
    },
    Check {
        name: "h2load, HTTP/2 by prior knowledge",
        expected: "5,000 requests succeed",
        run: |stage, _| load(&["-m", "20", &stage.http("/cached")]),
    },
    Check {
        name: "h2load, HTTP/2 over TLS",
        expected: "5,000 requests succeed",
        run: |stage, _| load(&["-m", "20", &stage.https("/cached")]),
    },
];

fn load(arguments: &[&str]) -> Result<Outcome> {
    if !is_there("h2load") {
        return Ok(Outcome::NotRun("there is no h2load".into()));
    }
    let arguments = [&["-n", "5000", "-c", "10"], arguments].concat();
    let text = said(60, "h2load", &arguments)?;
    let good = text.contains("5000 succeeded, 0 failed, 0 errored, 0 timeout")
        && text.contains("status codes: 5000 2xx");
    let came = text.lines().find(|line| line.starts_with("requests:"));
    Ok(Outcome::of(good, came.unwrap_or(&text)))
}
