//! Every single measurement as JSON, so that others can reckon anew.

use serde_json::{Value, json};

use super::results::{Results, Row, Sample};

/// The whole record.
pub(crate) fn write(results: &Results) -> String {
    let left_out = results.left_out.iter();
    let left_out: Vec<_> = left_out
        .map(|absent| json!({ "id": absent.id, "reason": absent.reason }))
        .collect();
    let settings = &results.settings;
    let record = json!({
        "machine": results.machine.json(),
        "settings": {
            "command": settings.command,
            "seconds": settings.seconds,
            "rounds": settings.rounds,
            "connections": settings.connections,
            "workers": settings.workers,
            "rate": settings.rate,
            "body": settings.body,
            "pinned": settings.pinning == super::site::Pinning::Apart,
        },
        "contenders": results.rows.iter().map(row).collect::<Vec<_>>(),
        "left_out": left_out,
    });
    format!("{record:#}\n")
}

fn row(row: &Row) -> Value {
    json!({
        "id": row.contender.id,
        "title": row.contender.title,
        "filters": row.contender.filters,
        "ended": row.epitaph,
        "samples": row.samples.iter().map(sample).collect::<Vec<_>>(),
    })
}

fn sample(sample: &Sample) -> Value {
    let thousandths = |value: f64| (value * 1000.0).round() / 1000.0;
    json!({
        "round": sample.round,
        "loop": sample.mode.name(),
        "done": sample.done,
        "failed": sample.failed,
        "per_second": sample.per_second,
        "p50_us": sample.p50_us,
        "p99_us": sample.p99_us,
        "p999_us": sample.p999_us,
        "cpu_us": thousandths(sample.cpu_us),
        "resident_mib": thousandths(sample.resident_mib),
        "peak_mib": thousandths(sample.peak_mib),
        "busy_elsewhere": thousandths(sample.busy_elsewhere),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::load::{contender::Gateway, results::sample};

    #[test]
    fn every_measurement_is_in_the_record() {
        let row = sample::row(Gateway::Nginx, 0, &[10.0, 11.5, 12.0], 0);
        let text = write(&sample::results(vec![row]));
        let record: Value = serde_json::from_str(&text).unwrap();
        let samples = record["contenders"][0]["samples"].as_array().unwrap();
        assert_eq!(samples.len(), 6);
        assert_eq!(samples[1]["cpu_us"], json!(11.5));
        assert_eq!(record["machine"]["processor"], json!("one"));
        assert_eq!(record["left_out"][0]["id"], json!("haproxy"));
    }
}
