//! When a plugin is not called, and how it comes back; time is passed in.

use super::*;

const SECOND: Duration = Duration::from_secs(1);

/// A quarantine and a clock.
struct Scene {
    quarantine: Quarantine,
    metrics: Arc<Metrics>,
    now: Instant,
}

fn scene(change: impl FnOnce(&mut QuarantinePolicy)) -> Scene {
    let mut policy = QuarantinePolicy::default();
    change(&mut policy);
    let metrics = Arc::new(Metrics::new());
    let now = Instant::now();
    Scene {
        quarantine: Quarantine::new("p".into(), policy, Arc::clone(&metrics), now),
        metrics,
        now,
    }
}

impl Scene {
    /// One call of a hook, which goes well or not; false if it is not made.
    fn call(&self, hook: Hook, well: bool) -> bool {
        let admission = match self.quarantine.is_healthy() {
            true => Admission::Free,
            false => match self.quarantine.admit(None, self.now) {
                Ok(admission) => admission,
                Err(_) => return false,
            },
        };
        match well {
            true if admission == Admission::Free => {}
            true => drop(self.quarantine.succeeded(hook, admission, self.now)),
            false => self.quarantine.failed(hook, admission, self.now),
        }
        true
    }

    fn fail(&self, times: usize) {
        for _ in 0..times {
            assert!(self.call(Hook::Request, false), "it is called");
        }
    }

    fn pass(&mut self, time: Duration) {
        self.now += time;
        self.quarantine.sweep(self.now);
    }

    /// How long no call is made from now on.
    fn refused_for(&self) -> Option<Duration> {
        let refused = self.quarantine.admit(None, self.now).err()?;
        assert!(!self.quarantine.is_healthy());
        Some(refused.after)
    }

    fn probe(&self) -> Probe {
        match self.quarantine.admit(None, self.now) {
            Ok(Admission::Probe(probe)) => probe,
            other => panic!("no probe: {other:?}"),
        }
    }
}

#[test]
fn the_fifth_failure_in_ten_seconds_is_one_too_many() {
    let scene = scene(|_| {});
    scene.fail(4);
    assert_eq!(scene.refused_for(), None);
    scene.fail(1);
    assert_eq!(scene.refused_for(), Some(SECOND));
    let figures = scene.quarantine.figures(scene.now);
    assert_eq!((figures.failures, figures.quarantines), (5, 1));
    let shown = scene.metrics.render();
    assert!(shown.contains("portcullis_plugin_quarantines_total{plugin=\"p\"} 1\n"));
}

#[test]
fn failures_that_are_long_ago_do_not_count() {
    let mut scene = scene(|_| {});
    for _ in 0..10 {
        scene.fail(4);
        scene.pass(11 * SECOND);
        assert!(scene.quarantine.is_healthy(), "the sweep forgets them");
    }
    // Nor without a sweep.
    scene.fail(4);
    scene.now += 11 * SECOND;
    scene.fail(4);
    assert_eq!(scene.refused_for(), None);
}

#[test]
fn a_few_failures_among_many_calls_take_it_from_nobody() {
    let scene = scene(|_| {});
    scene.fail(1);
    for _ in 0..1_000 {
        assert!(scene.call(Hook::Request, true));
        assert!(scene.call(Hook::Request, true));
        assert!(scene.call(Hook::Request, false), "a third of all");
    }
}

#[test]
fn each_hook_is_judged_by_its_own_calls() {
    let scene = scene(|_| {});
    for _ in 0..5 {
        for hook in [Hook::Request, Hook::Completion] {
            assert!(scene.call(hook, true));
        }
        assert!(scene.call(Hook::Response, false));
    }
    assert!(scene.refused_for().is_some(), "every response fails");
}

#[test]
fn every_failed_probe_doubles_the_time_up_to_a_minute() {
    let mut scene = scene(|_| {});
    scene.fail(5);
    for seconds in [1, 2, 4, 8, 16, 32, 60, 60, 60] {
        assert_eq!(scene.refused_for(), Some(seconds * SECOND));
        scene.pass(seconds * SECOND - Duration::from_nanos(1));
        assert!(scene.refused_for().is_some(), "{seconds}");
        scene.pass(Duration::from_nanos(1));
        assert!(scene.call(Hook::Request, false), "a probe after {seconds}");
    }
}

#[test]
fn one_probe_at_a_time() {
    let mut scene = scene(|_| {});
    scene.fail(5);
    scene.pass(SECOND);
    let probe = scene.probe();
    assert_eq!(scene.refused_for(), Some(SECOND), "the others wait");
    // The request that probes goes on to its later hooks.
    let held = scene.quarantine.admit(Some(probe), scene.now);
    assert_eq!(held, Ok(Admission::Probe(probe)));
    // It takes its time; then another may.
    scene.pass(SECOND);
    let second = scene.probe();
    assert_ne!(probe, second);
    // The first is given back too late, and takes nothing from the second.
    scene.quarantine.abandon(probe);
    assert!(scene.refused_for().is_some());
    scene.quarantine.abandon(second);
    scene.probe();
}

#[test]
fn one_of_many_threads_gets_the_probe() {
    let mut scene = scene(|_| {});
    scene.fail(5);
    scene.pass(SECOND);
    let quarantine = &scene.quarantine;
    let probes = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8)
            .map(|_| scope.spawn(|| quarantine.admit(None, scene.now).is_ok()))
            .collect();
        let probed = threads.into_iter().map(|thread| thread.join().unwrap());
        probed.filter(|probed| *probed).count()
    });
    assert_eq!(probes, 1);
}

#[test]
fn a_good_probe_of_the_hook_that_failed_ends_it() {
    let mut scene = scene(|_| {});
    for _ in 0..5 {
        assert!(scene.call(Hook::Response, false));
    }
    scene.pass(SECOND);
    let probe = Admission::Probe(scene.probe());
    let good = |hook| scene.quarantine.succeeded(hook, probe, scene.now);
    assert!(!good(Hook::Request), "that was not what failed");
    assert!(scene.refused_for().is_some());
    assert!(good(Hook::Response));
    assert_eq!(scene.refused_for(), None);
    scene.pass(11 * SECOND);
    assert!(scene.quarantine.is_healthy());
}

#[test]
fn who_fails_soon_again_waits_longer_and_who_was_healthy_for_long_does_not() {
    let mut scene = scene(|_| {});
    scene.fail(5);
    scene.pass(SECOND);
    assert!(scene.call(Hook::Request, true));
    scene.pass(30 * SECOND);
    scene.fail(5);
    assert_eq!(scene.refused_for(), Some(2 * SECOND), "soon again");
    scene.pass(2 * SECOND);
    assert!(scene.call(Hook::Request, true));
    scene.pass(60 * SECOND);
    scene.fail(5);
    assert_eq!(
        scene.refused_for(),
        Some(SECOND),
        "after a minute of health"
    );
}

#[test]
fn a_call_from_before_the_quarantine_changes_nothing() {
    let mut scene = scene(|_| {});
    scene.fail(5);
    for admission in [Admission::Free, Admission::Counted] {
        scene.quarantine.failed(Hook::Request, admission, scene.now);
        assert!(
            !scene
                .quarantine
                .succeeded(Hook::Request, admission, scene.now)
        );
    }
    assert_eq!(scene.refused_for(), Some(SECOND));
    scene.pass(SECOND);
    scene.probe();
}

#[test]
fn switched_off_it_only_counts() {
    let scene = scene(|policy| policy.enabled = false);
    scene.fail(100);
    assert!(scene.quarantine.is_healthy());
    assert_eq!(scene.quarantine.figures(scene.now).failures, 100);
}
