//! What the system says of a process. Linux.

use std::fs;

/// The memory that a process holds, in bytes.
pub(crate) fn resident_memory(pid: u32) -> u64 {
    size(pid, "VmRSS:")
}

/// The most memory that a process ever held, in bytes.
pub(crate) fn peak_memory(pid: u32) -> u64 {
    size(pid, "VmHWM:")
}

fn size(pid: u32, name: &str) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("a running process");
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    let kibibytes = line.and_then(|line| line.trim().strip_suffix(" kB"));
    let kibibytes: u64 = kibibytes.expect("a size").parse().expect("a number");
    kibibytes * 1024
}

/// How many descriptors a process has open.
pub(crate) fn open_descriptors(pid: u32) -> usize {
    let open = fs::read_dir(format!("/proc/{pid}/fd")).expect("a running process");
    open.count()
}

/// The processes that a process has started and not yet waited for.
pub(crate) fn children(pid: u32) -> Vec<u32> {
    let processes = fs::read_dir("/proc").expect("a file system of processes");
    processes
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter(|process| parent(*process) == Some(pid))
        .collect()
}

/// None if it has gone meanwhile.
fn parent(pid: u32) -> Option<u32> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name, in brackets, may hold anything; then come state and parent.
    let (_, fields) = stat.rsplit_once(')')?;
    fields.split_whitespace().nth(1)?.parse().ok()
}
