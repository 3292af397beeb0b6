//! The comparison from building to the written results, in order.

use std::{fs, path::PathBuf};

use anyhow::{Context, Result, bail, ensure};

use super::{
    Arguments, build,
    contender::{Contender, Gateway},
    own, peers, plot, record,
    results::Results,
    rounds,
    start::{self, Field},
    table,
};
use crate::{
    bench::machine::{Machine, output},
    interrupt, workspace,
};

/// Builds, starts, measures, stops, writes.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let interrupted = interrupt::watch()?;
    let built = build::all(arguments.gateway.as_deref(), &arguments.profile)?;
    let (peers, missing) = peers::installed();
    let mut contenders = own::contenders(&built.gateway);
    if let Some(other) = &arguments.against {
        ensure!(other.exists(), "there is no {}", other.display());
        contenders.extend(own::others(&std::path::absolute(other)?));
    }
    contenders.extend(peers);
    contenders.retain(|contender| arguments.wants(&contender.id));
    if contenders.is_empty() {
        bail!("--only {} leaves nobody", arguments.only.join(","));
    }
    let machine = machine(&contenders, arguments)?;

    let Field {
        origin,
        mut runners,
        mut left_out,
        pinning,
    } = start::all(contenders, arguments, &built, &interrupted)?;
    let wanted = missing
        .into_iter()
        .filter(|absent| arguments.wants(&absent.id));
    left_out.extend(wanted);
    for absent in &left_out {
        println!("left out: {}: {}", absent.id, absent.reason);
    }
    let tool = built.tool(arguments, pinning, &interrupted);
    rounds::all(&mut runners, &origin, &tool, arguments)?;

    let rows = runners.into_iter().map(start::Runner::stop).collect();
    write(
        arguments,
        &Results {
            machine,
            settings: rounds::settings(arguments, pinning),
            rows,
            left_out,
        },
    )
}

/// This machine, what was built, and the versions of all gateways.
fn machine(contenders: &[Contender], arguments: &Arguments) -> Result<Machine> {
    ensure!(
        fs::exists("/proc/self/task").unwrap_or(false),
        "processor time is read from Linux's /proc, which is not here"
    );
    let mut more = vec![("build", profile(arguments))];
    if let Some(other) = &arguments.against {
        let version = output(&other.to_string_lossy(), &["--version"]);
        more.push(("the other build", version));
    }
    for gateway in Gateway::ALL {
        let of = |contender: &&Contender| contender.gateway == gateway;
        let version = contenders.iter().find(of).map(version);
        more.extend(version.map(|version| (gateway.name(), version)));
    }
    Ok(Machine::here(more))
}

fn profile(arguments: &Arguments) -> String {
    match &arguments.gateway {
        Some(_) => "a gateway that was built before".to_owned(),
        None => format!("cargo profile {}", arguments.profile),
    }
}

fn version(contender: &Contender) -> String {
    let flag = match contender.gateway {
        Gateway::Portcullis | Gateway::Envoy => "--version",
        Gateway::Nginx | Gateway::HaProxy => "-v",
    };
    let program = contender.program.to_string_lossy();
    // Some say first who they are, which is known, or where, which is nobody's business.
    let line = output(&program, &[flag]).replace(&*program, "");
    let words = line.split_whitespace();
    let words: Vec<_> = words.filter(|word| *word != "version:").collect();
    words.join(" ")
}

/// Writes table, record and plot, and shows the table.
fn write(arguments: &Arguments, results: &Results) -> Result<()> {
    let folder = arguments.out.clone();
    let folder = folder.unwrap_or_else(|| workspace::target().join("bench"));
    fs::create_dir_all(&folder)?;
    let name = &arguments.name;
    let table = table::write(results, name);
    println!("\n{table}");
    let put = |extension: &str, text: &str| -> Result<()> {
        let path: PathBuf = folder.join(format!("{name}.{extension}"));
        fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
        println!("written: {}", path.display());
        Ok(())
    };
    put("md", &table)?;
    put("json", &record::write(results))?;
    put("svg", &plot::draw(&plot::series(&results.rows)))
}
