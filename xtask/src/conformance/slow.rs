//! `slowhttptest`: clients that take their time to hold on to connections.

use anyhow::Result;

use super::{
    check::{Check, Outcome, said},
    install::is_there,
    stage::Stage,
};

pub(super) const CHECKS: &[Check] = &[
    Check {
        name: "slowhttptest -H, slow heads",
        expected: "all are closed, others are served",
        run: |stage, _| slow(stage, &["-H", "-x", "20"], "/"),
    },
    Check {
        name: "slowhttptest -B, slow bodies",
        expected: "all are closed, others are served",
        run: |stage, _| slow(stage, &["-B", "-s", "8192", "-x", "10"], "/upload"),
    },
    Check {
        name: "slowhttptest -R, ranges",
        expected: "all are closed, others are served",
        run: |stage, _| slow(stage, &["-R", "-a", "1", "-b", "3000", "-t", "HEAD"], "/"),
    },
    Check {
        name: "slowhttptest -X, slow reading",
        expected: "all are closed, others are served",
        run: |stage, _| {
            slow(
                stage,
                &["-X", "-n", "2", "-w", "256", "-y", "512", "-z", "16"],
                "/large",
            )
        },
    },
];

const CONNECTIONS: u32 = 300;

/// Many connections, and an eye on whether anybody else is served.
fn slow(stage: &Stage, arguments: &[&str], path: &str) -> Result<Outcome> {
    if !is_there("slowhttptest") {
        return Ok(Outcome::NotRun("there is no slowhttptest".into()));
    }
    let url = stage.http(path);
    let before = stage.given_up().unwrap_or_default();
    let connections = CONNECTIONS.to_string();
    let own = [
        "-c",
        &connections,
        "-r",
        "150",
        "-i",
        "2",
        "-l",
        "40",
        "-p",
        "3",
        "-u",
        &url,
    ];
    let text = said(60, "slowhttptest", &[arguments, &own].concat())?;
    let text = plain(&text);
    // The probe asks for what it is a probe of, which may be slow to come.
    let others = said(
        10,
        "curl",
        &[
            "-s",
            "-m",
            "3",
            "-o",
            "/dev/null",
            "-w",
            "%{http_code}",
            &stage.http("/cached"),
        ],
    )?;
    // A client that reads slowly finds out late that nobody sends any more.
    let given_up = stage.given_up().unwrap_or_default() - before;
    let ended = text.contains("No open connections left") || given_up >= f64::from(CONNECTIONS);
    let lines = text.lines().filter(|line| {
        [
            "Exit status:",
            "service available:",
            "connected:",
            "closed:",
        ]
        .iter()
        .any(|word| line.contains(word))
    });
    let last: Vec<_> = lines.map(str::trim).collect();
    let last = last[last.len().saturating_sub(4)..].join("; ");
    Ok(Outcome::of(
        ended && others.trim() == "200",
        format!("others: {}; {given_up} broken off; {last}", others.trim()),
    ))
}

/// Without colours.
fn plain(text: &str) -> String {
    let mut parts = text.split('\u{1b}');
    let first = parts.next().unwrap_or_default().to_owned();
    let rest = parts.map(|part| {
        part.split_once(['m', 'J', 'H'])
            .map_or("", |(_, text)| text)
    });
    std::iter::once(first.as_str()).chain(rest).collect()
}
