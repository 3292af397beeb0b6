//! Chromium: a page that comes through the gateway, and a WebSocket that it opens there.

use anyhow::Result;

use super::{
    check::{Check, Outcome, said},
    install::{Tools, is_there},
    stage::Stage,
};

pub(super) const CHECKS: &[Check] = &[
    Check {
        name: "Chromium, WebSocket over HTTP/1.1",
        expected: "a page's messages come back, and a clean close; answered with 101",
        run: |stage, tools| ask(stage, tools, &stage.http("/browser"), "http/1.1"),
    },
    Check {
        name: "Chromium, WebSocket over HTTP/2 and TLS",
        expected: "the same by extended CONNECT (RFC 8441), answered with 200",
        run: |stage, tools| ask(stage, tools, &stage.https("/browser"), "h2"),
    },
];

fn ask(stage: &Stage, tools: &Tools, url: &str, protocol: &str) -> Result<Outcome> {
    if !is_there("chromium") {
        return Ok(Outcome::NotRun("there is no chromium".into()));
    }
    let Some(python) = tools.python_with("websockets") else {
        return Ok(Outcome::NotRun("there is no library websockets".into()));
    };
    let profile = stage.folder().join("browser").display().to_string();
    let script = stage.script("browser");
    let arguments = [&script, "chromium", url, &profile, protocol];
    let text = said(90, &python, &arguments)?;
    let last = text.trim().lines().next_back().unwrap_or("nothing");
    Ok(Outcome::of(last == "ok", last))
}
