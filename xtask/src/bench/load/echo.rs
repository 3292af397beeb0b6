//! Whether a contender really forwards, and its filters really run: the origin
//! answers `/echo` with what it received. Used by `start` before anything is
//! measured, since nothing is as fast as a filter that does not run.

use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};

use super::contender::{Proof, TOKEN};
use crate::probe::{self, Answer, wait_until_ready};

/// Waits until there is an answer through the contender.
pub(crate) fn wait_until_answering(
    port: u16,
    within: Duration,
    look: impl FnMut() -> Result<()>,
) -> Result<()> {
    wait_until_ready("it", port, "/", &authorization(), within, look)
}

/// The header that every request carries, as a line.
fn authorization() -> String {
    format!("authorization: Bearer {TOKEN}\r\n")
}

/// Looks for the traces that prove what a contender is said to do.
pub(crate) fn check(port: u16, proof: Proof) -> Result<()> {
    let echo = ask(port)?;
    match proof {
        Proof::Marks(count) => check_marks(&echo.body, count),
        Proof::StandardPlugins => {
            check_traces(&echo)?;
            check_refusal(port)?;
            check_balancer(port)
        }
    }
}

fn ask(port: u16) -> Result<Answer> {
    let answer = probe::get(port, "/echo", &authorization()).context("/echo has no answer")?;
    ensure!(answer.status == 200, "/echo is answered {}", answer.status);
    ensure!(
        answer.body.starts_with("GET /echo HTTP/1.1"),
        "the answer to /echo is not that of the origin: {:?}",
        answer.body
    );
    Ok(answer)
}

fn check_marks(sent: &str, count: u32) -> Result<()> {
    let marks = sent.lines().filter(|line| is_mark(line)).count();
    if marks != count as usize {
        bail!("{count} filters should have set a header, and {marks} did");
    }
    Ok(())
}

fn is_mark(line: &str) -> bool {
    let line = line.to_ascii_lowercase();
    line.starts_with("x-bench-") && line.ends_with(": bearer")
}

fn check_traces(echo: &Answer) -> Result<()> {
    let traces = [
        ("jwt-auth", &echo.body, "x-user: ann"),
        ("traffic-split", &echo.body, "x-chosen: "),
        ("rate-limit", &echo.head, "ratelimit: "),
        ("headers", &echo.head, "x-served-by: "),
    ];
    for (plugin, text, trace) in traces {
        let mut lines = text.lines().map(str::to_ascii_lowercase);
        ensure!(
            lines.any(|line| line.starts_with(trace)),
            "there is no trace of {plugin}: no `{trace}`"
        );
    }
    Ok(())
}

fn check_refusal(port: u16) -> Result<()> {
    let status = probe::get(port, "/echo", "").map(|answer| answer.status);
    ensure!(
        status == Some(401),
        "without a token it answers {status:?} and not 401"
    );
    Ok(())
}

/// Both instances get requests.
fn check_balancer(port: u16) -> Result<()> {
    let mut served_by = Vec::new();
    for _ in 0..20 {
        let answer = ask(port)?;
        let by = answer
            .head
            .lines()
            .find(|line| line.starts_with("x-served-by"));
        served_by.extend(by.map(str::to_owned));
    }
    served_by.sort();
    served_by.dedup();
    ensure!(
        served_by.len() == 2,
        "the balancer should use two instances, and uses {served_by:?}"
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_are_counted_by_what_they_set() {
        let sent = "GET /echo HTTP/1.1\r\nX-Bench-1: bearer\r\nx-bench-2: bearer\r\n\
            x-bench-3: none\r\nx-other: bearer\r\n";
        check_marks(sent, 2).unwrap();
        assert!(check_marks(sent, 0).is_err());
        assert!(check_marks(sent, 3).is_err());
    }
}
