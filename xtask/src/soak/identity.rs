//! `cargo xtask soak identity`: an identity provider that is down, while tokens
//! come whose keys are known and tokens whose keys are not.

use std::{
    fmt::Write as _,
    fs,
    sync::atomic::{
        AtomicBool, AtomicU64,
        Ordering::{Relaxed, SeqCst},
    },
    thread::{self, sleep},
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use serde_json::json;

use super::{
    arguments::Identity,
    issuer::{Client, Issuer, token},
    report::{self, Bound},
    stage::{Gateway, SMALL, Stage},
};
use crate::{interrupt, plugins};

/// The least between two fetches that the plugin is told to keep.
const COOL_DOWN: Duration = Duration::from_secs(5);
/// Clients with tokens of either kind.
const CLIENTS: usize = 4;
/// What one client waits between two requests.
const PAUSE: Duration = Duration::from_millis(5);

/// What came of one kind of token.
#[derive(Default)]
struct Told {
    sent: AtomicU64,
    /// Answers that should not be.
    wrong: AtomicU64,
}

/// Sends them, and holds the gateway to its bounds.
pub(crate) fn run(arguments: &Identity) -> Result<()> {
    let interrupted = interrupt::watch()?;
    let mut stage = Stage::set(&arguments.common, SMALL, &interrupted)?;
    let file = plugins::directory().join("jwt-auth.wasm");
    let plugin = fs::read(&file)
        .with_context(|| format!("{}: cargo xtask plugins builds it", file.display()))?;
    let issuer = Issuer::start()?;
    let mut gateway = stage.gateway("identity", &[("jwt-auth", &plugin)], &route(issuer.port))?;
    let at_start = issuer.asked();
    issuer.down.store(true, SeqCst);
    let (known, unknown, over) = (Told::default(), Told::default(), AtomicBool::new(false));
    let began = Instant::now();
    thread::scope(|scope| {
        let port = gateway.port;
        let clients: Vec<_> = (0..CLIENTS)
            .flat_map(|number| {
                let (known, unknown, over) = (&known, &unknown, &over);
                [
                    scope.spawn(move || show(port, over, known, &[200], |_| "demo".to_owned())),
                    scope.spawn(move || {
                        // While the provider is being asked nothing can be said.
                        show(port, over, unknown, &[401, 503], |count| {
                            format!("unknown-{number}-{count}")
                        })
                    }),
                ]
            })
            .collect();
        let result = watch(&stage, &mut gateway, arguments.seconds, began);
        over.store(true, SeqCst);
        for client in clients {
            client.join().expect("a client does not panic")?;
        }
        result
    })?;
    let fetches = issuer.asked() - at_start;
    let (table, record, bounds) = results(began.elapsed(), &known, &unknown, at_start, fetches);
    println!("\n{table}");
    report::write(&[("identity.md", &table), ("identity.json", &record)])?;
    report::judge(&bounds)
}

fn route(issuer: u16) -> String {
    let cool_down = COOL_DOWN.as_secs();
    let url = format!("http://127.0.0.1:{issuer}");
    format!(
        "  - name: guarded\n    match: {{ path: /guarded }}\n    service: origin\n    pipeline:\n    \
         - plugin: jwt-auth\n      tick: 1s\n      allow: {{ http: [\"{url}\"], store: true }}\n      \
         config: {{ algorithms: [ES256], jwks_url: \"{url}/keys\", \
         jwks_refresh: {{ every: 1m, cool_down: {cool_down}s, timeout: 1s }} }}\n"
    )
}

/// Shows one token after the other, until it is over.
fn show(
    port: u16,
    over: &AtomicBool,
    told: &Told,
    right: &[u16],
    key: impl Fn(u64) -> String,
) -> Result<()> {
    let mut client = Client::connect(port)?;
    for count in 0.. {
        if over.load(SeqCst) {
            break;
        }
        let answer = client.show(&token(&key(count)));
        told.sent.fetch_add(1, Relaxed);
        if !matches!(&answer, Ok(status) if right.contains(status)) {
            told.wrong.fetch_add(1, Relaxed);
        }
        if answer.is_err() {
            client = Client::connect(port)?;
        }
        sleep(PAUSE);
    }
    Ok(())
}

/// Waits until the time is over.
fn watch(stage: &Stage<'_>, gateway: &mut Gateway, seconds: u64, began: Instant) -> Result<()> {
    while began.elapsed() < Duration::from_secs(seconds) {
        stage.check()?;
        gateway.check()?;
        sleep(Duration::from_millis(100));
    }
    Ok(())
}

fn results(
    took: Duration,
    known: &Told,
    unknown: &Told,
    at_start: u64,
    fetches: u64,
) -> (String, String, Vec<Bound>) {
    // One fetch at once, and one more after each cool-down.
    let most = took.as_secs().div_ceil(COOL_DOWN.as_secs()) + 1;
    let wrong = known.wrong.load(SeqCst);
    let others = unknown.wrong.load(SeqCst);
    let bounds = vec![
        Bound {
            what: format!("{wrong} requests with a known key did not pass, none may"),
            holds: wrong == 0,
        },
        Bound {
            what: format!(
                "{others} requests with an unknown key were not told 401, or to come again"
            ),
            holds: others == 0,
        },
        Bound {
            what: format!(
                "the provider was asked {fetches} times; once in {} s is at most {most} times",
                COOL_DOWN.as_secs()
            ),
            holds: (1..=most).contains(&fetches),
        },
    ];
    let (notes, machine) = report::machine();
    let mut table = format!(
        "# An identity provider that is down\n\nFor {} s, while keys that are a minute old are to be \
         fetched anew. It was asked {at_start} times before.\n\n| tokens | requests | wrong answers |\n\
         |---|---:|---:|\n",
        took.as_secs()
    );
    for (name, told) in [
        ("of a known key", known),
        ("of keys that there are not", unknown),
    ] {
        let (sent, wrong) = (told.sent.load(SeqCst), told.wrong.load(SeqCst));
        let _ = writeln!(table, "| {name} | {sent} | {wrong} |");
    }
    let _ = write!(table, "\n## Bounds\n\n{}\n{notes}", report::list(&bounds));
    let record = json!({
        "seconds": took.as_secs_f64(),
        "known": known.sent.load(SeqCst),
        "unknown": unknown.sent.load(SeqCst),
        "fetches": fetches,
        "bounds": report::record(&bounds),
        "machine": machine,
    });
    (table, format!("{record:#}\n"), bounds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_bound_can_break() {
        let told = |wrong| Told {
            sent: AtomicU64::new(9),
            wrong: AtomicU64::new(wrong),
        };
        for (known, unknown, fetches, expected) in [
            (0, 0, 1, [true, true, true]),
            (0, 0, 13, [true, true, true]),
            (0, 0, 14, [true, true, false]),
            (0, 0, 0, [true, true, false]),
            (1, 2, 5, [false, false, true]),
        ] {
            let took = Duration::from_secs(60);
            let (_, _, bounds) = results(took, &told(known), &told(unknown), 1, fetches);
            let holds: Vec<_> = bounds.iter().map(|bound| bound.holds).collect();
            assert_eq!(holds, expected, "{known} {unknown} {fetches}");
        }
    }
}
