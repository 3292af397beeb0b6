//! The demo from a fresh clone to its end, in order.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, Ordering::Relaxed},
    thread::sleep,
    time::Duration,
};

use anyhow::{Context, Result};

use super::{
    cast::{self, ADMIN_PORT, GATEWAY_PORT, INSTANCES},
    check::check_lines,
    children::Children,
    lines::{self, Places},
    ports,
};
use crate::{
    interrupt, plugins,
    probe::wait_until_ready,
    workspace::{self, cargo, succeed},
};

/// The example that is shown.
const EXAMPLE: &str = "examples/quickstart";
const CONFIG: &str = "portcullis.yaml";
/// How long a service, and how long the gateway with its plugins, may take to start.
const SERVICE_WITHIN: Duration = Duration::from_secs(10);
const GATEWAY_WITHIN: Duration = Duration::from_secs(60);

/// What the demo can be asked for.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Try the lines, compare the answers, stop; exit code 1 if one is wrong
    #[arg(long)]
    check: bool,
    /// Where the gateway listens
    #[arg(long, default_value_t = GATEWAY_PORT)]
    port: u16,
}

/// The demo, started, checked and stopped, where it usually is.
pub(crate) fn check() -> Result<()> {
    run(&Arguments {
        check: true,
        port: GATEWAY_PORT,
    })
}

/// Sets up, starts, shows or checks, and stops.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    plugins::run()?;
    println!("building the gateway and the services");
    // The whole workspace, so that the features are those of the tests, and
    // nothing is built twice.
    succeed(&mut cargo(&["build", "--workspace", "--bins"]))?;
    let home = furnish(arguments.port)?;
    ports::ensure_free(&needed_ports(arguments.port))?;

    let interrupted = interrupt::watch()?;
    let scratch = workspace::target().join("demo");
    let mut children = Children::new(&scratch);
    start_all(&mut children, &home.join(CONFIG), &interrupted)?;

    let places = Places {
        gateway: format!("127.0.0.1:{}", arguments.port),
        live: home.join("plugins"),
        built: plugins::directory(),
        scratch,
    };
    if arguments.check {
        let outcome = check_lines(&places, &interrupted);
        // What the gateway's end explains, it explains better than the lines.
        return children.tend().and(outcome);
    }
    lines::print(&places, &home.join(CONFIG));
    while !interrupted.load(Relaxed) {
        children.tend()?;
        sleep(Duration::from_millis(100));
    }
    println!("stopping");
    Ok(())
}

/// Puts the plugins that the configuration names next to it. On another port
/// than the usual this is a copy of the example, so that the example keeps to
/// what its README says.
fn furnish(port: u16) -> Result<PathBuf> {
    let example = Path::new(EXAMPLE);
    let config = fs::read_to_string(example.join(CONFIG))
        .with_context(|| format!("cannot read {EXAMPLE}/{CONFIG}"))?;
    let home = if port == GATEWAY_PORT {
        example.to_owned()
    } else {
        workspace::target().join(format!("demo/port-{port}"))
    };
    let live = home.join("plugins");
    fs::create_dir_all(&live)?;
    if home != example {
        let moved = config.replace(&format!(":{GATEWAY_PORT}"), &format!(":{port}"));
        fs::write(home.join(CONFIG), moved)?;
    }
    for name in plugins_named_in(&config) {
        let file = format!("{name}.wasm");
        plugins::replace(&plugins::directory().join(&file), &live.join(&file))?;
    }
    Ok(home)
}

/// Every `plugin: NAME` of a configuration. Read by eye rather than by a
/// parser: the gateway itself says what is wrong with the file, and better.
fn plugins_named_in(config: &str) -> Vec<&str> {
    let is_name = |letter: char| letter.is_ascii_alphanumeric() || "-_".contains(letter);
    let lines = config
        .lines()
        .filter(|line| !line.trim_start().starts_with('#'));
    let mentions = lines.flat_map(|line| line.split("plugin: ").skip(1));
    let mut names: Vec<_> = mentions
        .map(|rest| {
            rest.split(|letter| !is_name(letter))
                .next()
                .unwrap_or_default()
        })
        .collect();
    names.sort_unstable();
    names.dedup();
    names
}

fn needed_ports(gateway: u16) -> Vec<(u16, &'static str)> {
    let mut ports = vec![(gateway, "the gateway"), (ADMIN_PORT, "the admin API")];
    ports.extend(
        INSTANCES
            .iter()
            .map(|instance| (instance.port, instance.name)),
    );
    ports
}

fn start_all(children: &mut Children, config: &Path, interrupted: &AtomicBool) -> Result<()> {
    for instance in &INSTANCES {
        children.start(cast::service(instance))?;
    }
    children.start(cast::gateway(config))?;
    let mut look = || {
        interrupt::check(interrupted)?;
        children.tend()
    };
    for instance in &INSTANCES {
        wait_until_ready(
            instance.name,
            instance.port,
            "/health",
            "",
            SERVICE_WITHIN,
            &mut look,
        )?;
    }
    wait_until_ready(
        "the gateway",
        ADMIN_PORT,
        "/ready",
        "",
        GATEWAY_WITHIN,
        &mut look,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plugins_are_found_wherever_they_are_named() {
        let config = "balancer: { plugin: round-robin }\n  - plugin: jwt-auth\n# - plugin: no\n  - { plugin: jwt-auth, config: {} }";
        assert_eq!(plugins_named_in(config), ["jwt-auth", "round-robin"]);
    }
}
