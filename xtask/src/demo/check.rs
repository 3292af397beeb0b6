//! Runs the demo's lines and compares what they answer. Used by `start`.

use std::{
    fs::{self, File},
    path::Path,
    process::{Command, Stdio},
    sync::atomic::AtomicBool,
    thread::sleep,
    time::{Duration, Instant},
};

use anyhow::{Result, bail};

use super::lines::{LINES, Line, Places, TOKENS};
use crate::interrupt;

/// The longest one line may run.
const ONE_LINE: Duration = Duration::from_secs(60);

/// Runs all lines, in order, and prints one line for each. An error if one
/// answered otherwise than expected.
pub(crate) fn check_lines(places: &Places, interrupted: &AtomicBool) -> Result<()> {
    let mut failed = Vec::new();
    for line in LINES {
        interrupt::check(interrupted)?;
        let command = places.fill(line.command);
        match answer(line, &command, &places.scratch) {
            Ok(()) => println!("ok    {}", line.title),
            Err(reason) => {
                println!("WRONG {}", line.title);
                failed.push((line, command, reason));
            }
        }
    }
    println!(
        "{} lines as expected, {} not",
        LINES.len() - failed.len(),
        failed.len()
    );
    for (line, command, reason) in &failed {
        println!(
            "{}\n  {command}\n  expected: {}\n  but {reason}",
            line.title, line.expect
        );
    }
    if !failed.is_empty() {
        bail!(
            "the demo does not do what it says; the logs are in {}",
            places.scratch.display()
        );
    }
    Ok(())
}

/// Runs a line until it answers as expected or its patience is at an end.
fn answer(line: &Line, command: &str, scratch: &Path) -> Result<(), String> {
    let deadline = Instant::now() + line.patience;
    loop {
        let compared = output(command, scratch).and_then(|output| line.expect.compare(&output));
        if compared.is_ok() || Instant::now() >= deadline {
            return compared;
        }
        sleep(Duration::from_millis(50));
    }
}

/// What a command prints, if it succeeds in time. By way of a file: a pipe
/// that nobody reads while we wait would fill up.
fn output(command: &str, scratch: &Path) -> Result<String, String> {
    let path = scratch.join("check.out");
    let file = File::create(&path).map_err(|error| error.to_string())?;
    let mut shell = Command::new("sh");
    shell.args(["-c", command]).envs(TOKENS);
    shell
        .stdin(Stdio::null())
        .stdout(file)
        .stderr(Stdio::null());
    let mut process = shell.spawn().map_err(|error| format!("sh: {error}"))?;
    let deadline = Instant::now() + ONE_LINE;
    let status = loop {
        match process.try_wait().map_err(|error| error.to_string())? {
            Some(status) => break status,
            None if Instant::now() > deadline => {
                let _ = process.kill();
                let _ = process.wait();
                return Err(format!("it takes more than {} s", ONE_LINE.as_secs()));
            }
            None => sleep(Duration::from_millis(5)),
        }
    };
    let printed = String::from_utf8_lossy(&fs::read(&path).unwrap_or_default()).into_owned();
    if status.success() {
        return Ok(printed);
    }
    Err(format!(
        "it ended with {status} after printing `{}`",
        printed.trim()
    ))
}
