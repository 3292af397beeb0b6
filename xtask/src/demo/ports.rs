//! Whether the demo's ports are free, and who is in the way if not. Used by
//! `start` before anything is started.

use std::{fs, net::TcpListener, path::Path};

use anyhow::{Result, bail};

/// Refuses with all ports that are taken, each with who has it.
pub(crate) fn ensure_free(ports: &[(u16, &str)]) -> Result<()> {
    let taken: Vec<_> = ports
        .iter()
        .filter(|(port, _)| TcpListener::bind(("127.0.0.1", *port)).is_err())
        .map(|(port, wanted_by)| {
            let holder = holder(*port).unwrap_or_else(|| "a process that cannot be seen".into());
            format!("port {port}, which {wanted_by} needs, is held by {holder}")
        })
        .collect();
    if taken.is_empty() {
        return Ok(());
    }
    bail!(
        "{}\n  hint: stop them (the gateway itself can move: --port N)",
        taken.join("\n  ")
    );
}

/// The process that listens on a port, as `NAME (pid N)`. Reads Linux's
/// `/proc`; elsewhere nobody is found.
fn holder(port: u16) -> Option<String> {
    let socket = ["/proc/net/tcp", "/proc/net/tcp6"]
        .iter()
        .find_map(|table| listening_socket(&fs::read_to_string(table).ok()?, port))?;
    let socket = format!("socket:[{socket}]");
    let processes = fs::read_dir("/proc").ok()?.flatten();
    let process = processes
        .map(|entry| entry.path())
        .filter(|path| pid(path).is_some())
        .find(|path| has_open(path, &socket))?;
    let name = fs::read_to_string(process.join("comm")).ok()?;
    Some(format!("{} (pid {})", name.trim(), pid(&process)?))
}

/// The inode of the socket that listens on a port, from the kernel's table.
fn listening_socket(table: &str, port: u16) -> Option<String> {
    const LISTENING: &str = "0A";
    table.lines().skip(1).find_map(|line| {
        let columns: Vec<_> = line.split_whitespace().collect();
        let (address, state, inode) = (columns.get(1)?, columns.get(3)?, columns.get(9)?);
        let local = u16::from_str_radix(address.rsplit(':').next()?, 16).ok()?;
        (local == port && *state == LISTENING).then(|| inode.to_string())
    })
}

/// The process that a folder of `/proc` is about; other folders there are about
/// none, or about ourselves once more.
fn pid(folder: &Path) -> Option<u32> {
    folder.file_name()?.to_str()?.parse().ok()
}

fn has_open(process: &Path, socket: &str) -> bool {
    let Ok(files) = fs::read_dir(process.join("fd")) else {
        return false;
    };
    let mut targets = files
        .flatten()
        .filter_map(|file| fs::read_link(file.path()).ok());
    targets.any(|target| target.as_os_str() == socket)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_taken_port_is_refused_with_the_name_of_its_holder() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let error = ensure_free(&[(port, "the gateway")])
            .unwrap_err()
            .to_string();
        assert!(
            error.contains(&format!("port {port}, which the gateway needs")),
            "{error}"
        );
        if cfg!(target_os = "linux") {
            assert!(
                error.contains(&format!("pid {}", std::process::id())),
                "{error}"
            );
        }
        drop(listener);
        ensure_free(&[(port, "the gateway")]).unwrap();
    }
}
