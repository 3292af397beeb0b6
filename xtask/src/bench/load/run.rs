//! The comparison from building to the written results, in order.

use std::{fs, path::PathBuf};

use anyhow::{Context, Result, bail};

use super::{
    Arguments, build,
    machine::Machine,
    own, peers, plot, record,
    results::Results,
    rounds,
    start::{self, Field},
    table,
};
use crate::{interrupt, workspace};

/// Builds, starts, measures, stops, writes.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let interrupted = interrupt::watch()?;
    let built = build::all(arguments)?;
    let (peers, missing) = peers::installed();
    let mut contenders = own::contenders(&built.gateway);
    contenders.extend(peers);
    contenders.retain(|contender| arguments.wants(&contender.id));
    if contenders.is_empty() {
        bail!("--only {} leaves nobody", arguments.only.join(","));
    }
    let machine = Machine::look(&contenders, arguments)?;

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
