//! Processor time and memory of processes with all their descendants, from
//! Linux's `/proc`. Used by `measure`.

use std::{collections::BTreeMap, fs, path::Path, time::Duration};

/// What the kernel counts in `/proc/*/stat`: a hundredth of a second, on all
/// architectures that this runs on (`USER_HZ`).
const TICK: Duration = Duration::from_millis(10);

/// A process, and all that it started.
pub(crate) fn family(root: u32) -> Vec<u32> {
    let parents: Vec<_> = processes()
        .filter_map(|pid| Some((pid, parent(pid)?)))
        .collect();
    let mut family = vec![root];
    let mut next = 0;
    while let Some(member) = family.get(next).copied() {
        let children = parents.iter().filter(|(_, parent)| *parent == member);
        family.extend(children.map(|(pid, _)| pid));
        next += 1;
    }
    family
}

fn processes() -> impl Iterator<Item = u32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

fn parent(pid: u32) -> Option<u32> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    fields(&stat).nth(1)?.parse().ok()
}

/// The fields after the name, which may itself hold spaces and parentheses; the
/// first is the state.
fn fields(stat: &str) -> impl Iterator<Item = &str> {
    let rest = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    rest.split_ascii_whitespace()
}

/// The processor time that each thread of some processes had so far.
pub(crate) struct Threads(BTreeMap<(u32, u32), Duration>);

impl Threads {
    pub(crate) fn of(processes: &[u32]) -> Self {
        let times = processes.iter().flat_map(|pid| {
            let folder = format!("/proc/{pid}/task");
            let threads = fs::read_dir(folder).into_iter().flatten().flatten();
            threads.filter_map(move |thread| {
                let id = thread.file_name().to_str()?.parse().ok()?;
                Some(((*pid, id), thread_time(&thread.path())?))
            })
        });
        Self(times.collect())
    }

    /// The processor time since an earlier look. Threads that ended in between
    /// are not counted, rather than counted as negative.
    pub(crate) fn since(&self, earlier: &Self) -> Duration {
        let times = self.0.iter().map(|(thread, time)| {
            let before = earlier.0.get(thread).copied().unwrap_or_default();
            time.saturating_sub(before)
        });
        times.sum()
    }
}

/// From `schedstat` in nanoseconds, or from `stat` where the kernel lacks it.
fn thread_time(thread: &Path) -> Option<Duration> {
    if let Ok(text) = fs::read_to_string(thread.join("schedstat")) {
        let nanoseconds = text.split_ascii_whitespace().next()?.parse().ok()?;
        return Some(Duration::from_nanos(nanoseconds));
    }
    let stat = fs::read_to_string(thread.join("stat")).ok()?;
    Some(ticks(fields(&stat).skip(11).take(2)))
}

/// The processor time of this process and of children that it waited for.
pub(crate) fn own_time() -> Duration {
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    ticks(fields(&stat).skip(11).take(4))
}

/// The time that all processors together were busy since the machine started.
pub(crate) fn machine_time() -> Duration {
    let stat = fs::read_to_string("/proc/stat").unwrap_or_default();
    busy(stat.lines().next().unwrap_or_default())
}

/// From `cpu user nice system idle iowait irq softirq …`.
fn busy(line: &str) -> Duration {
    let fields = line.split_ascii_whitespace().skip(1).enumerate();
    ticks(
        fields
            .filter(|(place, _)| matches!(place, 0..=2 | 5 | 6))
            .map(|(_, field)| field),
    )
}

fn ticks<'a>(fields: impl Iterator<Item = &'a str>) -> Duration {
    let ticks: u32 = fields.filter_map(|field| field.parse::<u32>().ok()).sum();
    TICK * ticks
}

/// Memory that is in use, and that was at most, in MiB. What processes share is
/// counted for each of them.
pub(crate) fn memory(processes: &[u32]) -> (f64, f64) {
    let statuses = processes.iter();
    let statuses =
        statuses.filter_map(|pid| fs::read_to_string(format!("/proc/{pid}/status")).ok());
    let sizes = statuses.map(|status| (kibibytes(&status, "VmRSS:"), kibibytes(&status, "VmHWM:")));
    let (now, most) = sizes.fold((0, 0), |sum, size| (sum.0 + size.0, sum.1 + size.1));
    (f64::from(now) / 1024.0, f64::from(most) / 1024.0)
}

fn kibibytes(status: &str, name: &str) -> u32 {
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    let number = line.and_then(|line| line.split_ascii_whitespace().next());
    number.and_then(|number| number.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_begin_after_the_name() {
        let stat = "7 (a (b) c) S 1 7 7 0 -1 4194560 1 2 3 4 50 60 7 8";
        assert_eq!(fields(stat).nth(1), Some("1"));
        assert_eq!(ticks(fields(stat).skip(11).take(2)), TICK * 110);
    }

    #[test]
    fn idle_time_is_not_busy() {
        let line = "cpu  1 2 4 1000 2000 8 16 4000 0 0";
        assert_eq!(busy(line), TICK * 31);
    }

    #[test]
    fn memory_is_read_from_a_status() {
        let status = "Name:\tx\nVmHWM:\t    2048 kB\nVmRSS:\t    1024 kB\n";
        assert_eq!(kibibytes(status, "VmRSS:"), 1024);
        assert_eq!(kibibytes(status, "VmSwap:"), 0);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_child_belongs_to_the_family_and_its_time_is_seen() {
        let mut command = std::process::Command::new("sh");
        let mut child = command.args(["-c", "sleep 5; true"]).spawn().unwrap();
        let processes = family(std::process::id());
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(processes.contains(&child.id()));
        let before = Threads(BTreeMap::new());
        let ourselves = [std::process::id()];
        assert!(Threads::of(&ourselves).since(&before) > Duration::ZERO);
        assert!(memory(&ourselves).0 > 0.0);
    }
}
