//! What the kernel knows of this process. Read at rendering; where there is no
//! `/proc` these families are left out.

use std::{fs, time::SystemTime};

use super::exposition::{Exposition, Number, Type};

pub(super) fn render(started: SystemTime, out: &mut Exposition) {
    if let Some(bytes) = resident_bytes() {
        let name = "process_resident_memory_bytes";
        out.single(name, Type::Gauge, "Resident memory.", Number::Count(bytes));
    }
    if let Some(count) = open_files() {
        let name = "process_open_fds";
        out.single(
            name,
            Type::Gauge,
            "Open file descriptors.",
            Number::Count(count),
        );
    }
    if let Some(nanos) = processor_nanos() {
        let name = "process_cpu_seconds_total";
        out.single(
            name,
            Type::Counter,
            "User and system time.",
            Number::Nanos(nanos),
        );
    }
    let since_epoch = started
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    let number = Number::Float(since_epoch.as_secs_f64());
    let help = "Start of the process since the Unix epoch.";
    out.single("process_start_time_seconds", Type::Gauge, help, number);
}

fn resident_bytes() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kilobytes * 1024)
}

fn open_files() -> Option<u64> {
    let entries = fs::read_dir("/proc/self/fd").ok()?.count();
    // The directory itself is one of them while it is read.
    Some(entries.saturating_sub(1) as u64)
}

/// Fields 14 and 15 of `stat`, in hundredths of a second, whatever the kernel
/// was built with. The second field, a name, may contain anything but ends
/// with the last parenthesis.
fn processor_nanos() -> Option<u64> {
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    let mut fields = stat.rsplit_once(')')?.1.split_ascii_whitespace().skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some((user + system) * 10_000_000)
}
