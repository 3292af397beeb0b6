//! Two files of one plugin, measured in turn within one run: first one, then the
//! other, then the other way round, in blocks of some milliseconds, so that
//! whatever else happens on the machine happens to both.

use std::{
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use crate::{
    observe::Hook,
    plugin::{Runtime, Work},
};

use super::{
    Compare, Effort, Place,
    canned::Canned,
    command::OBSERVED,
    difference::Difference,
    interval,
    ledger::Ledger,
    measure::{observe, pass},
    request::Request,
    scene::{Plan, Replacement, Scene},
    track::Track,
    watch::Stopwatch,
};

/// Pairs of blocks: what is aimed at, and what there are at least.
const PAIRS: u32 = 200;
const LEAST_PAIRS: usize = 40;

/// Requests of one block.
const BLOCK: std::ops::RangeInclusive<u64> = 8..=4_096;

/// What two files differ in.
pub struct Comparison {
    pub(super) route: String,
    pub(super) plugin: String,
    pub(super) place: Place,
    pub(super) old: PathBuf,
    pub(super) new: PathBuf,
    pub(super) contrasts: Vec<Contrast>,
    pub(super) pairs: usize,
    pub(super) block: u64,
    /// What came of the calls of either file, if anything but success did.
    pub(super) remarks: Vec<String>,
}

/// One hook of both files.
pub(super) struct Contrast {
    pub(super) hook: &'static str,
    /// None if it was not called in both.
    pub(super) difference: Option<Difference>,
    pub(super) old: Option<Work>,
    pub(super) new: Option<Work>,
}

/// Measures both files at their place in the route.
pub(super) fn run(
    plan: &Plan,
    request: &Request,
    asked: &Compare,
    effort: Effort,
) -> Result<Comparison, String> {
    let place = match asked.place {
        Some(place) => place,
        None => place_of(plan, asked)?,
    };
    let plugin = plugin_at(plan, place)?;
    let (old_work, new_work) = {
        let runtime = plan.counting_runtime()?;
        let side = |file| Side::new(plan, &runtime, request, plugin, file);
        let (old, new) = (side(&asked.old)?, side(&asked.new)?);
        (old.work(place), new.work(place))
    };
    let runtime = plan.runtime()?;
    let mut old = Side::new(plan, &runtime, request, plugin, &asked.old)?;
    let mut new = Side::new(plan, &runtime, request, plugin, &asked.new)?;
    let (pairs, block) = in_turn(&mut old, &mut new, effort);
    let mut contrasts: Vec<Contrast> =
        [Hook::Request, Hook::Response, Hook::Completion, Hook::Pick]
            .into_iter()
            .filter(|hook| old.row(place, *hook).is_some() || new.row(place, *hook).is_some())
            .map(|hook| Contrast {
                hook: hook.as_str(),
                difference: Difference::of(&old.blocks(place, hook), &new.blocks(place, hook)),
                old: work_of(&old_work, hook),
                new: work_of(&new_work, hook),
            })
            .collect();
    if contrasts.iter().filter(|c| c.difference.is_some()).count() > 1 {
        contrasts.push(together(&old, &new, place));
    }
    let mut remarks = old.remarks(&asked.old);
    remarks.extend(new.remarks(&asked.new));
    Ok(Comparison {
        route: plan.route().name.clone(),
        plugin: plugin.to_owned(),
        place,
        old: asked.old.clone(),
        new: asked.new.clone(),
        contrasts,
        pairs,
        block,
        remarks,
    })
}

/// The place whose plugin one of the files is named for.
fn place_of(plan: &Plan, asked: &Compare) -> Result<Place, String> {
    let stems = [stem(&asked.new), stem(&asked.old)];
    let named = |plugin: &str| stems.iter().any(|stem| *stem == plugin.replace('_', "-"));
    let steps = plan.route().pipeline.iter().enumerate();
    let mut fitting: Vec<Place> = steps
        .filter(|(_, step)| named(&step.plugin))
        .map(|(number, _)| Place::Step(number))
        .collect();
    if plan
        .balancer()
        .is_some_and(|balancer| named(&balancer.plugin))
    {
        fitting.push(Place::Balancer);
    }
    match (fitting.as_slice(), plan.route().pipeline.len()) {
        ([place], _) => Ok(*place),
        ([], 1) if plan.balancer().is_none() => Ok(Place::Step(0)),
        (places, _) => Err(format!(
            "--compare: {} of what the route `{}` uses is named as these files are\n  \
             hint: say which is meant with --step: {}",
            if places.is_empty() {
                "nothing"
            } else {
                "more than one step"
            },
            plan.route().name,
            places_of(plan),
        )),
    }
}

/// The name of a file without `.wasm`, written as plugins are.
fn stem(file: &Path) -> String {
    let stem = file.file_stem().and_then(|stem| stem.to_str());
    stem.unwrap_or_default().replace('_', "-")
}

fn places_of(plan: &Plan) -> String {
    let steps = plan.route().pipeline.iter().enumerate();
    let steps = steps.map(|(number, step)| format!("{number} ({})", step.plugin));
    let balancer = plan.balancer().map(|b| format!("balancer ({})", b.plugin));
    steps.chain(balancer).collect::<Vec<_>>().join(", ")
}

fn plugin_at(plan: &Plan, place: Place) -> Result<&str, String> {
    let step = match place {
        Place::Step(number) => plan.route().pipeline.get(number),
        Place::Balancer => plan.balancer(),
    };
    step.map(|step| step.plugin.as_str()).ok_or_else(|| {
        format!(
            "--step: the route `{}` has no such step\n  hint: it has {}",
            plan.route().name,
            places_of(plan)
        )
    })
}

/// One file at its place, and what was measured of it.
struct Side {
    scene: Scene,
    canned: Canned,
    track: Track,
    ledger: Ledger,
    /// The time of every call.
    watch: Stopwatch<Vec<u64>>,
    /// The median call of each block, by row; none where there was no call.
    medians: Vec<Vec<Option<f64>>>,
}

impl Side {
    fn new(
        plan: &Plan,
        runtime: &Runtime,
        request: &Request,
        plugin: &str,
        file: &Path,
    ) -> Result<Self, String> {
        let scene = Scene::new(plan, runtime, Some(Replacement { plugin, file }))?;
        let canned = Canned::new(request, &scene)?;
        let track = Track::of(&scene);
        let rows = track.rows.len();
        Ok(Self {
            scene,
            canned,
            track,
            ledger: Ledger::new(rows),
            watch: Stopwatch::new(rows),
            medians: vec![Vec::new(); rows],
        })
    }

    fn row(&self, place: Place, hook: Hook) -> Option<usize> {
        let rows = &mut self.track.rows.iter();
        rows.position(|row| row.place == place && row.hook == hook)
    }

    /// The work of each hook of the place.
    fn work(&self, place: Place) -> Vec<(Hook, Option<Work>)> {
        let work = observe(&self.scene, &self.canned, OBSERVED);
        let rows = self.track.rows.iter().zip(work);
        rows.filter(|(row, _)| row.place == place)
            .map(|(row, work)| (row.hook, work))
            .collect()
    }

    /// One block, of which nothing is kept but the time it took.
    fn warm_up(&mut self, requests: u64) -> Duration {
        let started = Instant::now();
        self.requests(requests);
        self.watch.0.iter_mut().for_each(Vec::clear);
        started.elapsed()
    }

    fn block(&mut self, requests: u64) {
        self.requests(requests);
        for (calls, medians) in self.watch.0.iter_mut().zip(&mut self.medians) {
            calls.sort_unstable();
            medians.push(calls.get(calls.len() / 2).map(|nanos| *nanos as f64));
            calls.clear();
        }
    }

    fn requests(&mut self, requests: u64) {
        for _ in 0..requests {
            pass(
                &self.scene,
                &self.canned,
                &self.track,
                &mut self.watch,
                &mut self.ledger,
            );
        }
    }

    /// The blocks of a hook; nothing if one of them had no call.
    fn blocks(&self, place: Place, hook: Hook) -> Vec<f64> {
        let row = self.row(place, hook);
        let medians = row.map(|row| self.medians[row].iter().copied().collect());
        medians.flatten().unwrap_or_default()
    }

    fn remarks(&self, file: &Path) -> Vec<String> {
        let rows = self.track.rows.iter().enumerate();
        let remarks = rows.filter_map(|(number, row)| self.ledger.row(number).remark(row));
        remarks
            .map(|remark| format!("with {}: {remark}", file.display()))
            .collect()
    }
}

/// Blocks in turn until the effort is spent; how many pairs, of how many
/// requests each block.
fn in_turn(old: &mut Side, new: &mut Side, effort: Effort) -> (usize, u64) {
    let probe = 64;
    let took = old.warm_up(probe) + new.warm_up(probe);
    let (until, block, most) = match effort {
        Effort::Time(time) => {
            let pair = took.as_secs_f64() / probe as f64;
            let block = (time.as_secs_f64() / f64::from(PAIRS) / pair) as u64;
            (Some(Instant::now() + time), block, interval::MOST)
        }
        Effort::Requests(requests) => {
            let block = requests / LEAST_PAIRS as u64;
            (None, block, LEAST_PAIRS)
        }
    };
    let block = block.clamp(*BLOCK.start(), *BLOCK.end());
    old.warm_up(block);
    new.warm_up(block);
    let mut pairs = 0;
    let goes_on = |pairs| pairs < LEAST_PAIRS || until.is_some_and(|until| Instant::now() < until);
    while pairs < most && goes_on(pairs) {
        let (first, second) = match pairs % 2 {
            0 => (&mut *old, &mut *new),
            _ => (&mut *new, &mut *old),
        };
        first.block(block);
        second.block(block);
        pairs += 1;
    }
    (pairs, block)
}

fn work_of(work: &[(Hook, Option<Work>)], hook: Hook) -> Option<Work> {
    work.iter().find(|(of, _)| *of == hook)?.1
}

/// All hooks of the place, each as its median call.
fn together(old: &Side, new: &Side, place: Place) -> Contrast {
    let sums = |side: &Side| -> Vec<f64> {
        let rows = side.track.rows.iter().zip(&side.medians);
        let rows: Vec<_> = rows.filter(|(row, _)| row.place == place).collect();
        let blocks = rows.first().map_or(0, |(_, medians)| medians.len());
        let sum = |block: usize| rows.iter().filter_map(|(_, medians)| medians[block]).sum();
        (0..blocks).map(sum).collect()
    };
    Contrast {
        hook: "all",
        difference: Difference::of(&sums(old), &sums(new)),
        old: None,
        new: None,
    }
}
