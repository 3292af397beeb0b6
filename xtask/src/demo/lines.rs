//! What to try in the demo, and what must come back: the one place that says so.
//!
//! Printed by `start` for people, run by `check`. The lines are run in this
//! order against a demo that has just started. In a command, `{gateway}`
//! stands for the gateway's address, `{live}` for the folder that it watches,
//! `{built}` for where plugins are built, `{scratch}` for logs and pid files.

use std::{path::Path, path::PathBuf, time::Duration};

use super::expect::{
    Expect::{self, Lines, Response, Share, Success},
    Value::{Any, Between, Holds},
};

/// The secret that the demo's tokens are signed with (HS256).
pub(crate) const SECRET: &str = "demo-secret-of-at-least-32-characters";

/// Tokens for the lines, as variables of the shell. They end in the year 2100,
/// so that what was printed or documented once works again another day.
pub(crate) const TOKENS: [(&str, &str); 3] = [
    // sub: ann, scope: users:read orders:write
    (
        "ANN",
        "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJpc3MiOiJwb3J0Y3VsbGlzLWRlbW8iLCJzdWIiOiJhbm4iLCJzY29wZSI6InVzZXJzOnJlYWQgb3JkZXJzOndyaXRlIiwiZXhwIjo0MTAyNDQ0ODAwfQ.NyosGqhGsx-FHzX-ENM7L9MpW1r2tQ_JwgIBVsvlqP4",
    ),
    // sub: bob, scope: orders:read
    (
        "BOB",
        "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJpc3MiOiJwb3J0Y3VsbGlzLWRlbW8iLCJzdWIiOiJib2IiLCJzY29wZSI6Im9yZGVyczpyZWFkIiwiZXhwIjo0MTAyNDQ0ODAwfQ.9jhTc0q-EJ8rfrIIlTDxpSviYrY9cCGI59bqQInVIUw",
    ),
    // sub: carol, scope: users:read
    (
        "CAROL",
        "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJpc3MiOiJwb3J0Y3VsbGlzLWRlbW8iLCJzdWIiOiJjYXJvbCIsInNjb3BlIjoidXNlcnM6cmVhZCIsImV4cCI6NDEwMjQ0NDgwMH0.RfpRzx62TfhKU7KhRakYBNr-We1bvpB3PZZZdfNkS1s",
    ),
];

/// One thing to try.
pub(crate) struct Line {
    /// What it shows.
    pub(crate) title: &'static str,
    /// A command line for a shell.
    pub(crate) command: &'static str,
    /// What it must print.
    pub(crate) expect: Expect,
    /// How long it may take until that is so: the line is repeated meanwhile.
    pub(crate) patience: Duration,
}

/// What the placeholders in commands stand for.
pub(crate) struct Places {
    /// The gateway's address.
    pub(crate) gateway: String,
    /// The folder of plugins that the gateway watches.
    pub(crate) live: PathBuf,
    /// Where plugins are built.
    pub(crate) built: PathBuf,
    /// Logs and pid files.
    pub(crate) scratch: PathBuf,
}

/// Everything to try, in order.
pub(crate) const LINES: &[Line] = &[
    line(
        "a good token passes, and the service is told whose it is",
        r#"curl -i -H "Authorization: Bearer $ANN" http://{gateway}/api/users/1"#,
        Response {
            status: 200,
            headers: &[("x-request-id", Any)],
            holds: &[
                r#""name":"Ann""#,
                r#""x-user":"ann""#,
                r#""x-forwarded-for":"127.0.0.1""#,
            ],
        },
    ),
    line(
        "no token: 401, and what is wanted instead",
        "curl -i http://{gateway}/api/users/1",
        Response {
            status: 401,
            headers: &[("www-authenticate", Holds("Bearer"))],
            holds: &[],
        },
    ),
    line(
        "a token without the scope users:read: 403",
        r#"curl -i -H "Authorization: Bearer $BOB" http://{gateway}/api/users/1"#,
        Response {
            status: 403,
            headers: &[("www-authenticate", Holds("insufficient_scope"))],
            holds: &[],
        },
    ),
    line(
        "no such route: 404 as problem details",
        "curl -i http://{gateway}/no/such/path",
        Response {
            status: 404,
            headers: &[("content-type", Holds("application/problem+json"))],
            holds: &[r#""status":404"#],
        },
    ),
    line(
        "no such method there: 405, and those there are",
        "curl -i -X DELETE http://{gateway}/api/users/1",
        Response {
            status: 405,
            headers: &[("allow", Holds("GET")), ("allow", Holds("POST"))],
            holds: &[],
        },
    ),
    line(
        "an API key instead of a token; the service sees the consumer, not the key",
        "curl -i -H 'X-Api-Key: demo-key-of-the-warehouse' http://{gateway}/partners/products/2",
        Response {
            status: 200,
            headers: &[],
            holds: &[
                r#""x-consumer-name":"warehouse""#,
                r#""path":"/api/products/2""#,
                r#""name":"Rope""#,
            ],
        },
    ),
    line(
        "no key: 401",
        "curl -i http://{gateway}/partners/products/2",
        Response {
            status: 401,
            headers: &[("www-authenticate", Any)],
            holds: &[],
        },
    ),
    line(
        "weights 3 and 1: of eight requests six go to users-1",
        r#"curl -s -H "Authorization: Bearer $ANN" 'http://{gateway}/api/users/1?n=[1-8]' | grep -o '"instance":"[^"]*"' | sort | uniq -c"#,
        Lines(&[r#"6 "instance":"users-1""#, r#"2 "instance":"users-2""#]),
    ),
    line(
        "25 requests at once: the burst of 20 passes, the rest is 429",
        r#"curl -s -o /dev/null -w '%{http_code}\n' -H "Authorization: Bearer $CAROL" 'http://{gateway}/api/users/1?n=[1-25]' | sort | uniq -c"#,
        Lines(&["20 200", "5 429"]),
    ),
    line(
        "429 says when to come back",
        r#"curl -i -H "Authorization: Bearer $CAROL" http://{gateway}/api/users/1"#,
        Response {
            status: 429,
            headers: &[
                ("retry-after", Between(1, 2)),
                ("ratelimit", Any),
                ("ratelimit-policy", Any),
            ],
            holds: &[],
        },
    ),
    line(
        "whoever comes back then, passes: curl waits as long as Retry-After says",
        r#"curl -s --retry 2 -o {scratch}/answer -w '%{http_code}\n' -H "Authorization: Bearer $CAROL" http://{gateway}/api/users/1"#,
        Lines(&["200"]),
    ),
    line(
        "a canary: 20 % of 5,000 requests go to version 2 of the orders",
        r#"curl -s 'http://{gateway}/api/orders/1?n=[1-5000]' | grep -o '"version":"[^"]*"' | sort | uniq -c"#,
        Share {
            of: "v2",
            percent: 20,
            within: 2,
        },
    ),
    line(
        "the version in the path, for whoever wants to choose",
        "curl -i http://{gateway}/api/v2/orders/1",
        Response {
            status: 200,
            headers: &[],
            holds: &[r#""version":"v2""#, r#""path":"/api/orders/1""#],
        },
    ),
    line(
        "both products fail from now on",
        "curl -s -X POST 'http://127.0.0.1:[9003-9004]/control?mode=fail'",
        Success,
    ),
    line(
        "after three failures the circuit breaker opens",
        r#"curl -s -o /dev/null -w '%{http_code}\n' 'http://{gateway}/api/products/1?n=[1-6]' | uniq -c"#,
        Lines(&["3 500", "3 503"]),
    ),
    line(
        "open: 503 at once, and no request reaches the products",
        r#"products() { curl -s 'http://127.0.0.1:[9003-9004]/control'; }; before=$(products); curl -i http://{gateway}/api/products/1; [ "$before" = "$(products)" ] && echo untouched"#,
        Response {
            status: 503,
            headers: &[("retry-after", Between(1, 3))],
            holds: &["untouched"],
        },
    ),
    line(
        "both products recover",
        "curl -s -X POST 'http://127.0.0.1:[9003-9004]/control?mode=ok'",
        Success,
    ),
    line(
        "the breaker lets a trial through after the time in Retry-After, and closes",
        r#"curl -s --retry 4 -o {scratch}/answer -w '%{http_code}\n' 'http://{gateway}/api/products/1?n=[1-5]' | uniq -c"#,
        Lines(&["5 200"]),
    ),
    line(
        "a killed instance costs no client an error (it comes back after 10 s)",
        r#"kill -9 $(cat {scratch}/products-1.pid); curl -s -o /dev/null -w '%{http_code}\n' 'http://{gateway}/api/products/1?n=[1-300]' | sort | uniq -c"#,
        Lines(&["300 200"]),
    ),
    line(
        "a filter of your own: examples/hello-filter",
        "curl -i http://{gateway}/hello",
        Response {
            status: 200,
            headers: &[],
            holds: &["hello, world!"],
        },
    ),
    line(
        "its next version, copied over the running one",
        "cp {built}/hello-again.wasm {live}/hello-filter.wasm",
        Success,
    ),
    soon(
        "answers within a second",
        "curl -i http://{gateway}/hello",
        Response {
            status: 200,
            headers: &[],
            holds: &["hello again, world!"],
        },
    ),
    line(
        "a broken file in its place",
        "echo broken > {live}/hello-filter.wasm",
        Success,
    ),
    soon(
        "is refused, and the admin API says why",
        "curl -i http://127.0.0.1:9901/api/v1/config",
        Response {
            status: 200,
            headers: &[],
            holds: &[r#""ok":false"#, "hello-filter"],
        },
    ),
    line(
        "what ran keeps running",
        "curl -i http://{gateway}/hello",
        Response {
            status: 200,
            headers: &[],
            holds: &["hello again, world!"],
        },
    ),
    line(
        "the first version again",
        "cp {built}/hello-filter.wasm {live}/hello-filter.wasm",
        Success,
    ),
    soon(
        "is live again",
        "curl -i http://{gateway}/hello",
        Response {
            status: 200,
            headers: &[],
            holds: &["hello, world!"],
        },
    ),
    line(
        "what the gateway counts, the breaker's state among it",
        "curl -s http://127.0.0.1:9901/metrics | grep circuit_breaker",
        Success,
    ),
];

const fn line(title: &'static str, command: &'static str, expect: Expect) -> Line {
    Line {
        title,
        command,
        expect,
        patience: Duration::ZERO,
    }
}

/// A line that answers so only after a moment.
const fn soon(title: &'static str, command: &'static str, expect: Expect) -> Line {
    Line {
        title,
        command,
        expect,
        patience: Duration::from_secs(5),
    }
}

impl Places {
    /// The command as it is typed.
    pub(crate) fn fill(&self, command: &str) -> String {
        command
            .replace("{gateway}", &self.gateway)
            .replace("{live}", &self.live.to_string_lossy())
            .replace("{built}", &self.built.to_string_lossy())
            .replace("{scratch}", &self.scratch.to_string_lossy())
    }
}

/// Prints all lines for people: comments and commands that a shell takes as they are.
pub(crate) fn print(places: &Places, config: &Path) {
    println!(
        "\n# The gateway serves http://{}. Try, in this folder:",
        places.gateway
    );
    for (name, token) in TOKENS {
        println!("export {name}={token}");
    }
    for line in LINES {
        println!("\n# {}", line.title);
        println!("{}", places.fill(line.command));
        println!("#   expected: {}", line.expect);
    }
    println!(
        "\n# More to try: POST /control?mode=slow, flaky or hang to an instance (ports 9001 to 9006)."
    );
    println!(
        "# Edit {} and save: it goes live at once.",
        config.display()
    );
    println!(
        "# Logs: {}/*.log. Stop with Ctrl-C.",
        places.scratch.display()
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example's README shows the lines and tokens of the demo, not others.
    #[test]
    fn the_readme_shows_what_the_demo_does() {
        let readme = include_str!("../../../examples/quickstart/README.md");
        let places = Places {
            gateway: "127.0.0.1:8080".into(),
            live: "examples/quickstart/plugins".into(),
            built: "target/plugins".into(),
            scratch: "target/demo".into(),
        };
        let commands: Vec<_> = LINES.iter().map(|line| places.fill(line.command)).collect();
        let shown = readme.lines().filter_map(|line| line.strip_prefix("$ "));
        for command in shown.filter(|command| !command.starts_with("cargo")) {
            assert!(commands.iter().any(|known| known == command), "{command}");
        }
        for (name, token) in TOKENS {
            assert!(
                readme.contains(&format!("export {name}={token}\n")),
                "{name}"
            );
        }
        assert!(readme.contains(&format!("export JWT_SECRET={SECRET}\n")));
    }
}
