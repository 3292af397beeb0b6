//! Load and reloads together, for `SOAK_SECONDS`.

use std::{
    env,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use crate::support::{
    Gateway, Load, Reply, Upstream, copy_plugin, eventually, hostile, one_route, open_descriptors,
    put, resident_memory, start_with_files, within,
};

const CLIENTS: usize = 64;

/// Changes of plugin and configuration in that time; the first ten may still take memory.
const ROUNDS: u32 = 30;
const WARM: u32 = 10;

/// How much more memory and descriptors than after the first ten is no leak:
/// allocators and pools settle late, and not little by little. A generation
/// that stayed would be some megabytes, twenty of them far more than this.
const MORE_MEMORY: u64 = 24 << 20;
const MORE_DESCRIPTORS: usize = 16;

#[test]
fn nothing_fails_and_nothing_grows_under_load_and_reloads() {
    let upstreams = [Upstream::start("a"), Upstream::start("b")];
    let addresses = upstreams.each_ref().map(|upstream| upstream.address);
    // On a machine that others use one may be taken for a plugin that takes long, and
    // then more wait than usually may; this is about reloads.
    let patient = "limits: { queue: 1000 }";
    let config = |round: u32| {
        let pipeline = format!(
            "pipeline:\n  - plugin: rate-limit\n    config: {{ requests: 1000000000, per: 1h }}\n    {patient}\n  - plugin: circuit-breaker\n    {patient}\n  - plugin: headers\n    config: {{ response: {{ set: {{ x-round: \"{round}\" }} }} }}\n    {patient}"
        );
        let balancer = format!("balancer: {{ plugin: balancer, {patient} }}");
        one_route(&addresses, &balancer, &pipeline)
    };
    let gateway = Gateway::start_in(directory(&config(0)), &[]);
    let length = length();

    // Longer than the rounds, so that they all end under load.
    let load = Clients::start(&gateway, length + Duration::from_secs(2));
    let began = Instant::now();
    let (mut round, mut warm) = (0, (0, 0));
    // A slow machine has fewer rounds, but enough to tell.
    while began.elapsed() < length || round < WARM + 5 {
        round += 1;
        let balancer = ["round-robin", "random-two-choices"][(round % 2) as usize];
        copy_plugin(balancer, &gateway.plugins().join("balancer.wasm"));
        gateway.write_config(&config(round));
        eventually("the round is live", || {
            gateway.get("/a").header("x-round") == round.to_string()
        });
        if round == WARM {
            warm = held(&gateway);
        }
        let next = (length * round / ROUNDS).min(length);
        eventually("the next round", || began.elapsed() >= next);
    }
    let (memory, descriptors) = held(&gateway);
    load.finish();

    eprintln!("{round} rounds; after {WARM} and at the end: {warm:?}, ({memory}, {descriptors})");
    assert_eq!(gateway.refused_reloads(), 0.0);
    assert!(gateway.generation() > u64::from(round));
    assert!(memory <= warm.0 + MORE_MEMORY, "{memory}, was {}", warm.0);
    assert!(
        descriptors <= warm.1 + MORE_DESCRIPTORS,
        "{descriptors}, was {}",
        warm.1
    );
    // All clients are gone, and so is what served them.
    let idle = within(Duration::from_secs(10), || {
        gateway
            .metric("portcullis_requests_in_flight{route=\"r\"}")
            .unwrap_or(0.0)
            == 0.0
    });
    assert!(idle, "requests are in flight that nobody waits for");
}

/// Reloads of a plugin by another version of it, every tenth of them by a file
/// that is no plugin. `cargo xtask soak reload` does the same ten thousand times.
const VERSIONS: u32 = 20;

#[test]
fn one_version_of_a_plugin_has_a_request_in_all_its_hooks() {
    let upstream = Upstream::start("a");
    let step = "pipeline: [{ plugin: hostile, config: \"every:stamp\" }]";
    let config = one_route(&[upstream.address], "", step);
    let first = hostile();
    let versions = [next_version(first), first.to_vec()];
    let gateway = start_with_files(&[("hostile", first)], "{}", &config);
    let file = gateway.plugins().join("hostile.wasm");
    // Both are compiled before there is load: that is done with what it leaves over,
    // which on a small machine may be next to nothing.
    for (version, generation) in versions.iter().zip(2..) {
        put(version, &file);
        eventually("the version is live", || gateway.generation() == generation);
    }
    // Some are under way, between two hooks, whenever a version comes.
    upstream.delay(Duration::from_millis(2));
    let load = Load::start(gateway.address, 8, "/a", is_of_one_version);
    let mut live = 0;
    for round in 1..=VERSIONS {
        let (version, generation) = (&versions[live % 2], gateway.generation());
        if round % 10 == 0 {
            let before = gateway.refused_reloads();
            put(&version[..version.len() / 2], &file);
            eventually("half a file is refused", || {
                gateway.refused_reloads() > before
            });
            assert_eq!(gateway.generation(), generation);
        } else {
            live += 1;
            put(version, &file);
            eventually("the version is live", || gateway.generation() > generation);
        }
    }
    let (answered, failures) = load.stop();
    assert!(answered > 1_000, "only {answered} answers");
    assert!(failures.is_empty(), "of {answered}: {failures:?}");
    let metrics = gateway.admin("/metrics").text();
    let of_completion = "portcullis_plugin_stamps_total{plugin=\"hostile\",hook=\"completion\"}";
    assert!(metrics.contains(of_completion), "{metrics}");
    assert!(!metrics.contains("stamps_mixed"), "{metrics}");
}

/// The plugin with another stamp.
fn next_version(plugin: &[u8]) -> Vec<u8> {
    const VERSION: &[u8] = b"stamp-of-version-0000001";
    let mut places = (0..plugin.len()).filter(|at| plugin[*at..].starts_with(VERSION));
    let (place, none) = (places.next().expect("a stamp"), places.next());
    assert_eq!(none, None, "the stamp is there twice");
    let mut next = plugin.to_vec();
    next[place + VERSION.len() - 1] = b'2';
    next
}

/// The upstream says what stamp the request had when it came there.
fn is_of_one_version(reply: &Reply) -> bool {
    let stamp = reply.header("x-stamp");
    reply.status == 200 && !stamp.is_empty() && reply.json()["headers"]["x-stamp"] == stamp
}

/// `SOAK_SECONDS`; without it a short time, but in continuous integration.
fn length() -> Duration {
    let usual = if env::var_os("CI").is_some() { 30 } else { 8 };
    let seconds = env::var("SOAK_SECONDS").map(|text| text.parse().expect("seconds"));
    Duration::from_secs(seconds.unwrap_or(usual))
}

/// The memory and the descriptors that the gateway holds.
fn held(gateway: &Gateway) -> (u64, usize) {
    let pid = gateway.pid();
    (resident_memory(pid), open_descriptors(pid))
}

fn directory(config: &str) -> tempfile::TempDir {
    let plugins = ["rate-limit", "circuit-breaker", "headers"];
    let directory = crate::support::lay_out(&plugins, config);
    copy_plugin(
        "round-robin",
        &directory.path().join("plugins/balancer.wasm"),
    );
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
            .arg(format!("http://{}/a", gateway.address))
            .stdout(Stdio::piped())
            .spawn();
        match wrk {
            Ok(child) => Self::Wrk(child),
            Err(_) => Self::Own(Load::start(gateway.address, CLIENTS, "/a", |reply| {
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
