//! grpcio's client and its server, with the gateway between them.

use anyhow::Result;

use super::{
    check::{Check, Outcome, said},
    install::Tools,
    stage::Stage,
};

pub(super) const CHECKS: &[Check] = &[
    Check {
        name: "grpcio, unary",
        expected: "the answer, and its trailer",
        run: |stage, tools| call(stage, tools, "unary"),
    },
    Check {
        name: "grpcio, stream from the service",
        expected: "1,000 messages in order",
        run: |stage, tools| call(stage, tools, "down"),
    },
    Check {
        name: "grpcio, stream from the client",
        expected: "1,000 messages arrive",
        run: |stage, tools| call(stage, tools, "up"),
    },
    Check {
        name: "grpcio, streams both ways",
        expected: "each of 100 answers before the next message",
        run: |stage, tools| call(stage, tools, "both"),
    },
    Check {
        name: "grpcio, an error",
        expected: "status and message of the service",
        run: |stage, tools| call(stage, tools, "status"),
    },
    Check {
        name: "grpcio, deadline",
        expected: "DEADLINE_EXCEEDED, and the service's call ends",
        run: |stage, tools| call(stage, tools, "deadline"),
    },
    Check {
        name: "grpcio, cancel",
        expected: "CANCELLED, and the service's call ends",
        run: |stage, tools| call(stage, tools, "cancel"),
    },
];

/// Without TLS and with it.
fn call(stage: &Stage, tools: &Tools, deed: &str) -> Result<Outcome> {
    let Some(python) = tools.python_with("grpc") else {
        return Ok(Outcome::NotRun("there is no grpcio".into()));
    };
    let (script, root) = (stage.script("grpc_client"), stage.root());
    let (http, https) = (stage.http(""), stage.https(""));
    let plain = http.trim_start_matches("http://");
    let secure = https.trim_start_matches("https://");
    for arguments in [&[plain, deed][..], &[secure, deed, &root]] {
        let text = said(30, &python, &[&[script.as_str()], arguments].concat())?;
        if text.trim() != "ok" {
            let last = text.trim().lines().next_back().unwrap_or("nothing");
            return Ok(Outcome::Otherwise(format!("{}: {last}", arguments[0])));
        }
    }
    Ok(Outcome::AsExpected)
}
