//! What `soak reload` says: a table, a record, a plot of memory, and the bounds.

use serde_json::json;

use super::{
    arguments::Reload,
    reload::{Outcome, Sample},
    report::{self, Bound},
};
use crate::{
    bench::load::statistics::median,
    picture::{BOTTOM, LEFT, RIGHT, Scale, line, picture, text},
};

/// Reloads after which nothing may grow any more.
const WARM: usize = 20;
/// As many of the last samples are held against as many after the first ones:
/// allocators and pools go up and down a little.
const WINDOW: usize = 20;
/// What is no growth. A generation that stayed would be some hundred KiB, so
/// that a hundred of them are more than this.
const MORE_MIB: f64 = 16.0;
const MORE_DESCRIPTORS: f64 = 8.0;
/// More places than this no line needs.
const MOST_PLACES: usize = 2_000;

/// All that is written.
pub(crate) struct Results {
    pub(crate) table: String,
    pub(crate) record: String,
    pub(crate) plot: String,
    pub(crate) bounds: Vec<Bound>,
}

/// Makes it of what was measured.
pub(crate) fn results(arguments: &Reload, outcome: &Outcome) -> Results {
    let bounds = bounds(outcome);
    let (notes, machine) = report::machine();
    let table = format!(
        "# A plugin replaced under load\n\n{}\n![memory](reload.svg)\n\n## Bounds\n\n{}\n{notes}",
        table(arguments, outcome),
        report::list(&bounds),
    );
    let record = json!({
        "machine": machine,
        "reloads": outcome.samples.len(),
        "invalid": outcome.invalid,
        "seconds": outcome.took.as_secs_f64(),
        "requests": outcome.sent.done,
        "failed": outcome.sent.failed,
        "mixed": outcome.sent.mixed,
        "mixed_hooks": outcome.mixed_hooks,
        "memory_mib": outcome.samples.iter().map(memory).collect::<Vec<_>>(),
        "descriptors": outcome.samples.iter().map(descriptors).collect::<Vec<_>>(),
        "bounds": report::record(&bounds),
    });
    Results {
        table,
        record: format!("{record}\n"),
        plot: plot(&outcome.samples),
        bounds,
    }
}

fn memory(sample: &Sample) -> f64 {
    sample.memory_mib
}

fn descriptors(sample: &Sample) -> f64 {
    sample.descriptors as f64
}

/// The median after the first reloads, and that of the last.
fn ends(samples: &[Sample], figure: fn(&Sample) -> f64) -> (f64, f64) {
    let warm = samples.get(WARM..).unwrap_or_default();
    let first = &warm[..warm.len().min(WINDOW)];
    let last = &warm[warm.len().saturating_sub(WINDOW)..];
    let middle = |of: &[Sample]| median(of.iter().map(figure)).unwrap_or(f64::NAN);
    (middle(first), middle(last))
}

fn bounds(outcome: &Outcome) -> Vec<Bound> {
    let (sent, samples) = (&outcome.sent, &outcome.samples);
    let (warm, end) = ends(samples, memory);
    let (few, many) = ends(samples, descriptors);
    let bound = |holds, what| Bound { what, holds };
    vec![
        bound(
            sent.failed == 0 && sent.done > 0,
            format!("{} of {} requests failed, none may", sent.failed, sent.done),
        ),
        bound(
            sent.mixed == 0,
            format!(
                "{} requests and responses were stamped by two versions, none may be",
                sent.mixed
            ),
        ),
        bound(
            outcome.mixed_hooks == 0.0,
            format!(
                "{} hooks were of another version than the first of their exchange, none may be",
                outcome.mixed_hooks
            ),
        ),
        bound(
            end <= warm + MORE_MIB,
            format!(
                "memory is {end:.1} MiB in the end and was {warm:.1} MiB after {WARM} reloads; it may grow by {MORE_MIB} MiB"
            ),
        ),
        bound(
            many <= few + MORE_DESCRIPTORS,
            format!(
                "{many} descriptors are open in the end and {few} were after {WARM} reloads; there may be {MORE_DESCRIPTORS} more"
            ),
        ),
    ]
}

fn table(arguments: &Reload, outcome: &Outcome) -> String {
    let count = outcome.samples.len().max(1);
    let (warm, end) = ends(&outcome.samples, memory);
    let (few, many) = ends(&outcome.samples, descriptors);
    let since = count.saturating_sub(WARM + WINDOW).max(1) as f64;
    format!(
        "| reloads | of these refused | requests | failed | mixed | ms per reload | MiB after {WARM} | at the end \
         | KiB per reload since | descriptors after {WARM} | at the end | requests per second |\n\
         |---|---|---|---|---|---|---|---|---|---|---|---|\n\
         | {count} | {} | {} | {} | {} | {:.0} | {warm:.1} | {end:.1} | {:.2} | {few} | {many} | {} |\n",
        outcome.invalid,
        outcome.sent.done,
        outcome.sent.failed,
        outcome.sent.mixed,
        outcome.took.as_secs_f64() * 1e3 / count as f64,
        (end - warm) * 1024.0 / since,
        arguments.common.rate,
    )
}

/// Memory over reloads.
fn plot(samples: &[Sample]) -> String {
    let most = samples.iter().map(memory).fold(1.0, f64::max);
    let scale = Scale::up_to(most);
    let last = samples.len().saturating_sub(1).max(1) as f64;
    let x = |number: f64| LEFT + (RIGHT - LEFT) * number / last;
    let stride = samples.len().div_ceil(MOST_PLACES).max(1);
    let places: Vec<_> = (samples.iter().enumerate().step_by(stride))
        .map(|(number, sample)| (x(number as f64), scale.y(sample.memory_mib)))
        .collect();
    let marks = (0..=4).map(|quarter| {
        let number = last * f64::from(quarter) / 4.0;
        text(
            x(number),
            BOTTOM + 22.0,
            "middle",
            13,
            &format!("{number:.0}"),
        )
    });
    let body = [
        text(
            LEFT,
            30.0,
            "start",
            18,
            "Memory while a plugin is replaced under load",
        ),
        text(
            LEFT,
            52.0,
            "start",
            13,
            "resident memory of the gateway, MiB",
        ),
        scale.grid(),
        marks.collect(),
        text(
            f64::midpoint(LEFT, RIGHT),
            BOTTOM + 44.0,
            "middle",
            13,
            "reloads",
        ),
        line(&places, "#0969da", ""),
    ];
    picture(
        "Resident memory of the gateway over reloads",
        &body.concat(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::load::tool::Counted;

    fn outcome(growth: f64, failed: u64, mixed: u64) -> Outcome {
        let sample = |number: u32| Sample {
            memory_mib: 50.0 + f64::from(number) * growth,
            descriptors: 30 + (f64::from(number) * growth) as usize,
        };
        Outcome {
            samples: (0..500).map(sample).collect(),
            sent: Counted {
                done: 100,
                failed,
                mixed,
                ..Counted::default()
            },
            ..Outcome::default()
        }
    }

    #[test]
    fn growth_failures_and_mixed_versions_break_bounds() {
        for (growth, failed, mixed, expected) in [
            (0.0, 0, 0, [true, true, true, true, true]),
            (0.1, 0, 0, [true, true, true, false, false]),
            (-0.1, 0, 0, [true, true, true, true, true]),
            (0.0, 1, 2, [false, false, true, true, true]),
        ] {
            let found: Vec<_> = bounds(&outcome(growth, failed, mixed))
                .iter()
                .map(|b| b.holds)
                .collect();
            assert_eq!(found, expected, "{growth} {failed} {mixed}");
        }
        let nothing = bounds(&Outcome::default());
        assert!(
            !nothing[0].holds && !nothing[3].holds,
            "nothing measured is no success"
        );
    }

    #[test]
    fn the_plot_is_a_line_of_numbers() {
        let picture = plot(&outcome(0.1, 0, 0).samples);
        assert_eq!(picture.matches("<polyline").count(), 1);
        assert!(
            !picture.contains("NaN") && !picture.contains("inf"),
            "{picture}"
        );
        assert!(plot(&[]).ends_with("</svg>\n"));
    }
}
