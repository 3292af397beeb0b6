//! Load and reloads together, for `SOAK_SECONDS` (8 unless set).

use std::{
    env,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use crate::support::{
    Gateway, Load, Upstream, copy_plugin, eventually, one_route, open_descriptors,
    resident_memory, within,
};

const CLIENTS: usize = 64;

/// Reloads in that time; of these the first ten may still take memory.
const ROUNDS: u32 = 30;
const WARM: u32 = 10;

/// How much more memory and descriptors than after the first ten is no leak:
/// allocators and pools settle late.
const MORE_MEMORY: u64 = 16 << 20;
const MORE_DESCRIPTORS: usize = 16;

#[test]
fn nothing_fails_and_nothing_grows_under_load_and_reloads() {
    let upstreams = [Upstream::start("a"), Upstream::start("b")];
    let addresses = upstreams.each_ref().map(|upstream| upstream.address);
    let config = |round: u32| {
        let pipeline = format!(
            "pipeline:\n  - plugin: rate-limit\n    config: {{ requests: 1000000000, per: 1h }}\n  - plugin: circuit-breaker\n  - plugin: headers\n    config: {{ response: {{ set: {{ x-round: \"{round}\" }} }} }}"
        );
        one_route(&addresses, "balancer: { plugin: balancer }", &pipeline)
    };
    let gateway = Gateway::start_in(directory(&config(0)), &[]);
    let seconds = env::var("SOAK_SECONDS").map_or(8, |text| text.parse().expect("seconds"));
    let length = Duration::from_secs(seconds);

    let load = Clients::start(&gateway, length);
    let began = Instant::now();
    let mut warm = (0, 0);
    for round in 1..=ROUNDS {
        let balancer = ["round-robin", "random-two-choices"][(round % 2) as usize];
        copy_plugin(balancer, &gateway.plugins().join("balancer.wasm"));
        gateway.write_config(&config(round));
        eventually("the round is live", || {
            gateway.get("/").header("x-round") == round.to_string()
        });
        let next = length * round / ROUNDS;
        eventually("the next round", || began.elapsed() >= next);
        if round == WARM {
            warm = (resident_memory(gateway.pid()), open_descriptors(gateway.pid()));
        }
    }
    let memory = resident_memory(gateway.pid());
    let descriptors = open_descriptors(gateway.pid());
    load.finish();

    assert_eq!(gateway.refused_reloads(), 0.0);
    assert!(gateway.generation() > u64::from(ROUNDS), "{}", gateway.generation());
    assert!(memory <= warm.0 + MORE_MEMORY, "{memory} bytes, {} after {WARM}", warm.0);
    assert!(
        descriptors <= warm.1 + MORE_DESCRIPTORS,
        "{descriptors} descriptors, {} after {WARM}",
        warm.1
    );
    // All clients are gone; what served them goes as well.
    let idle = within(Duration::from_secs(10), || {
        gateway.metric("portcullis_requests_in_flight{route=\"r\"}").unwrap_or(0.0) == 0.0
    });
    assert!(idle, "requests are in flight that nobody waits for");
}

fn directory(config: &str) -> tempfile::TempDir {
    let plugins = ["rate-limit", "circuit-breaker", "headers"];
    let directory = crate::support::lay_out(&plugins, config);
    copy_plugin("round-robin", &directory.path().join("plugins/balancer.wasm"));
    directory
}

/// Sixty-four clients: `wrk` where it is installed, else our own.
enum Clients {
    Wrk(Child),
    Own(Load),
}

impl Clients {
    fn start(gateway: &Gateway, length: Duration) -> Self {
        let wrk = Command::new("wrk")
            .args(["--threads", "2", "--timeout", "10s"])
            .args(["--connections", &CLIENTS.to_string()])
            .args(["--duration", &format!("{}s", length.as_secs())])
            .arg(format!("http://{}/", gateway.address))
            .stdout(Stdio::piped())
            .spawn();
        match wrk {
            Ok(child) => Self::Wrk(child),
            Err(_) => Self::Own(Load::start(gateway.address, CLIENTS, "/", |reply| {
                reply.status == 200
            })),
        }
    }

    /// Waits for the end; no request may have failed.
    #[track_caller]
    fn finish(self) {
        match self {
            Self::Wrk(child) => {
                let output = child.wait_with_output().expect("wrk ends");
                let report = String::from_utf8_lossy(&output.stdout);
                assert!(output.status.success(), "{report}");
                assert!(report.contains("Requests/sec"), "{report}");
                for failed in ["Non-2xx", "Socket errors"] {
                    assert!(!report.contains(failed), "{report}");
                }
            }
            Self::Own(load) => {
                let (answered, failures) = load.stop();
                assert!(answered > CLIENTS, "only {answered} answers");
                assert!(failures.is_empty(), "of {answered}: {failures:?}");
            }
        }
    }
}
