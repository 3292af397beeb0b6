//! The results as Markdown: medians, what one more filter costs, who was left
//! out, and how to read it.

use super::{
    contender::Gateway,
    own,
    results::{Mode, Results, Row, Sample, Settings},
    site::Pinning,
    statistics::{median, spread},
};

/// The whole text; the plot of that name lies beside it.
pub(crate) fn write(results: &Results, name: &str) -> String {
    let parts = [
        format!("# Under load\n\n`{}`\n", results.settings.command),
        results.machine.list(),
        medians(results),
        marks(&results.rows),
        one_more_filter(&results.rows),
        format!("![Processor time against the number of filters]({name}.svg)\n"),
        left_out(results),
        how_to_read(results),
    ];
    let parts: Vec<_> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    parts.join("\n")
}

fn medians(results: &Results) -> String {
    let yardstick = results.yardstick();
    let against = yardstick.map_or("nothing", |row| match row.contender.gateway {
        Gateway::Nginx => "nginx",
        _ => "no filters",
    });
    let rate = results.settings.rate;
    let mut table = format!(
        "| | CPU µs per request | least–most | × {against} | requests/s | p50 µs | p99 µs | \
         at {rate}/s: CPU µs | p50 µs | p99 µs | memory MiB | at most | failed |\n|---|{}\n",
        "---:|".repeat(12)
    );
    for row in &results.rows {
        table += &line(row, yardstick);
    }
    table
}

fn line(row: &Row, yardstick: Option<&Row>) -> String {
    let cpu = spread(row.values(Mode::Closed, |sample| sample.cpu_us));
    let ratio = yardstick.and_then(|base| {
        let pairs = row.cpu_beside(base);
        median(pairs.into_iter().map(|(mine, theirs)| mine / theirs))
    });
    let of =
        |mode, figure: fn(&Sample) -> f64, digits| number(median(row.values(mode, figure)), digits);
    let both = |figure: fn(&Sample) -> f64| {
        let values = row.samples.iter().map(figure);
        values.fold(None, |most: Option<f64>, value| {
            Some(most.map_or(value, |most| most.max(value)))
        })
    };
    let mark = if row.is_sound() { "" } else { "⚠ " };
    let cells = [
        format!("{mark}{}", row.contender.title),
        number(cpu.map(|cpu| cpu.median), 2),
        cpu.map_or("–".into(), |cpu| {
            format!("{:.2}–{:.2}", cpu.least, cpu.most)
        }),
        number(ratio, 2),
        of(Mode::Closed, |sample| sample.per_second, 0),
        of(Mode::Closed, |sample| sample.p50_us, 0),
        of(Mode::Closed, |sample| sample.p99_us, 0),
        of(Mode::Open, |sample| sample.cpu_us, 1),
        of(Mode::Open, |sample| sample.p50_us, 0),
        of(Mode::Open, |sample| sample.p99_us, 0),
        number(both(|sample| sample.resident_mib), 1),
        number(both(|sample| sample.peak_mib), 1),
        row.failures().0.to_string(),
    ];
    format!("| {} |\n", cells.join(" | "))
}

fn number(value: Option<f64>, digits: usize) -> String {
    value.map_or("–".into(), |value| format!("{value:.digits$}"))
}

/// Why rows are marked.
fn marks(rows: &[Row]) -> String {
    let mut text = String::new();
    for row in rows {
        let title = &row.contender.title;
        let (failed, all) = row.failures();
        if failed > 0 {
            text += &format!("⚠ {title}: {failed} of {all} requests failed; do not compare it.\n");
        }
        if let Some(epitaph) = &row.epitaph {
            text += &format!("⚠ {title}: did not stay to the end: {epitaph}\n");
        }
    }
    text
}

/// What the step from one number of filters to another costs, per filter.
fn one_more_filter(rows: &[Row]) -> String {
    let mut lines = String::new();
    for gateway in Gateway::ALL {
        let with = |filters: u32| {
            let mut rows = rows.iter().filter(|row| row.contender.gateway == gateway);
            rows.find(|row| row.contender.filters == Some(filters) && row.is_sound())
        };
        for (fewer, more) in [(0, 1), (1, 5)] {
            let (Some(base), Some(row)) = (with(fewer), with(more)) else {
                continue;
            };
            let pairs = row.cpu_beside(base).into_iter();
            let costs = pairs.map(|(mine, theirs)| (mine - theirs) / f64::from(more - fewer));
            if let Some(cost) = spread(costs) {
                lines += &format!(
                    "| {} | {fewer} → {more} | {:.2} | {:.2}–{:.2} |\n",
                    gateway.name(),
                    cost.median,
                    cost.least,
                    cost.most
                );
            }
        }
    }
    if lines.is_empty() {
        return lines;
    }
    format!(
        "One more filter that reads a header and sets one (Lua in the others):\n\n\
         | | filters | CPU µs per filter | least–most |\n|---|---|---:|---:|\n{lines}"
    )
}

fn left_out(results: &Results) -> String {
    let left_out = results.left_out.iter();
    let lines = left_out.map(|absent| format!("- {}: {}\n", absent.id, absent.reason));
    let lines: String = lines.collect();
    match lines.is_empty() {
        true => lines,
        false => format!("Left out:\n\n{lines}"),
    }
}

fn how_to_read(results: &Results) -> String {
    let Settings {
        seconds,
        rounds,
        connections,
        workers,
        rate,
        body,
        pinning,
        ..
    } = results.settings;
    let place = match pinning {
        Pinning::Apart => "Pinned: the gateway on processor 1, origin and load on processor 0.",
        Pinning::None => "Not pinned: gateway, origin and load share all processors.",
    };
    let samples = results.rows.iter().flat_map(|row| &row.samples);
    let plugins = own::STANDARD_PLUGINS.len() + 1;
    let elsewhere = number(median(samples.map(|sample| sample.busy_elsewhere)), 2);
    format!(
        "Medians of {rounds} interleaved rounds of {seconds} s. {connections} connections that are \
         kept alive, bodies of {body} bytes, {workers} worker thread(s). {place} CPU is the processor \
         time of the gateway and all its processes, per request. First figures: the closed loop, \
         each connection sending when it is answered. At {rate}/s: arrivals at random moments, \
         latencies from the moment a request was due. Ratios are of the same round, then their \
         median. Memory is resident, the most of all rounds; Portcullis \
         has {plugins} plugins loaded in each row. Processors busy elsewhere meanwhile, \
         median: {elsewhere}.\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::load::results::sample;

    #[test]
    fn ratios_are_taken_within_rounds() {
        let nginx = sample::row(Gateway::Nginx, 0, &[10.0, 20.0, 40.0], 0);
        let ours = sample::row(Gateway::Portcullis, 0, &[11.0, 22.0, 44.0], 0);
        let table = write(&sample::results(vec![ours, nginx]), "load");
        assert!(table.contains("× nginx"), "{table}");
        assert!(
            table.contains("| Portcullis with 0 | 22.00 | 11.00–44.00 | 1.10 |"),
            "{table}"
        );
    }

    #[test]
    fn without_nginx_the_yardstick_is_our_own_gateway() {
        let rows = vec![
            sample::row(Gateway::Portcullis, 0, &[10.0], 0),
            sample::row(Gateway::Portcullis, 1, &[10.5], 0),
            sample::row(Gateway::Portcullis, 5, &[12.5], 0),
        ];
        let table = write(&sample::results(rows), "load");
        assert!(table.contains("× no filters"), "{table}");
        assert!(
            table.contains("| Portcullis | 1 → 5 | 0.50 | 0.50–0.50 |"),
            "{table}"
        );
    }

    #[test]
    fn failures_are_marked_and_are_no_yardstick() {
        let rows = vec![
            sample::row(Gateway::Nginx, 0, &[10.0], 3),
            sample::row(Gateway::Portcullis, 0, &[], 0),
        ];
        let table = write(&sample::results(rows), "load");
        assert!(
            table.contains("⚠ nginx with 0: 6 of 2000 requests failed"),
            "{table}"
        );
        assert!(!table.contains("NaN") && !table.contains("inf"), "{table}");
        assert!(table.contains("- haproxy: not installed"), "{table}");
    }
}
