//! WebSockets: the library `websockets` at both ends.

use super::{
    check::{Check, Outcome, said},
    install::Tools,
    stage::Stage,
};

pub(super) const CHECKS: &[Check] = &[Check {
    name: "websockets",
    expected: "messages and a ping come back, a close is answered",
    run: |stage, tools| ask(stage, tools, &stage.http("/websocket")),
}];

fn ask(stage: &Stage, tools: &Tools, url: &str) -> anyhow::Result<Outcome> {
    let Some(python) = tools.python_with("websockets") else {
        return Ok(Outcome::NotRun("there is no library websockets".into()));
    };
    let url = url.replacen("http", "ws", 1);
    let text = said(30, &python, &[&stage.script("websocket"), "ask", &url])?;
    let last = text.trim().lines().next_back().unwrap_or("nothing");
    Ok(Outcome::of(last == "ok", last))
}
