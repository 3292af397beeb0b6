//! This gateway: without filters, with one to five that read a header and set
//! one, with a fresh instance for every request, and as one would run it.

use std::path::Path;

use serde_json::{Value, json};

use super::contender::{Contender, Gateway, Proof, SECRET};

/// The plugins of this repository that are configured here.
pub(crate) const STANDARD_PLUGINS: [&str; 6] = [
    "jwt-auth",
    "rate-limit",
    "circuit-breaker",
    "traffic-split",
    "headers",
    "round-robin",
];

const MOST_FILTERS: u32 = 5;

/// All ways in which this gateway takes part.
pub(crate) fn contenders(program: &Path) -> Vec<Contender> {
    let mut contenders: Vec<_> = (0..=MOST_FILTERS).map(|n| filtered(program, n)).collect();
    contenders.extend([1, MOST_FILTERS].map(|count| fresh(program, count)));
    contenders.push(Contender {
        id: "portcullis-standard-5".into(),
        title: "Portcullis, 5 standard plugins and a Wasm balancer".into(),
        filters: None,
        configuration: configuration(&standard_pipeline()),
        proof: Proof::StandardPlugins,
        ..filtered(program, 0)
    });
    contenders
}

/// With instances of its filters for each request alone.
fn fresh(program: &Path, count: u32) -> Contender {
    let reusing = filtered(program, count);
    let steps: Vec<_> = (1..=count)
        .map(|number| mark(number, "per_request"))
        .collect();
    Contender {
        id: format!("portcullis-per-request-{count}"),
        title: format!("{}, fresh instances per request", reusing.title),
        filters: None,
        configuration: configuration(&json!(steps)),
        ..reusing
    }
}

/// The same ways of another build of it, which is no part of the plot.
pub(crate) fn others(program: &Path) -> Vec<Contender> {
    let mut contenders = contenders(program);
    for contender in &mut contenders {
        contender.id = contender.id.replace("portcullis", "other");
        contender.title = contender.title.replace("Portcullis", "The other build");
        contender.filters = None;
    }
    contenders
}

fn filtered(program: &Path, count: u32) -> Contender {
    let filters = match count {
        0 => "no filters".to_owned(),
        1 => "1 filter".to_owned(),
        _ => format!("{count} filters"),
    };
    let steps: Vec<_> = (1..=count).map(|number| mark(number, "reuse")).collect();
    Contender {
        id: format!("portcullis-{count}"),
        title: format!("Portcullis, {filters}"),
        gateway: Gateway::Portcullis,
        filters: Some(count),
        program: program.to_owned(),
        preparation: &["check", "--config", "@CONFIGURATION@"],
        arguments: &["run", "--config", "@CONFIGURATION@", "--log", "warn"],
        configuration: configuration(&json!(steps)),
        file: "portcullis.yaml",
        proof: Proof::Marks(count),
    }
}

/// A step that reads a header and sets one.
fn mark(number: u32, isolation: &str) -> Value {
    json!({
        "plugin": "probe",
        "config": { "read": "authorization", "set": format!("x-bench-{number}") },
        "isolation": isolation,
    })
}

fn standard_pipeline() -> Value {
    json!([
        { "plugin": "jwt-auth", "config": {
            "algorithms": ["HS256"], "secret": SECRET, "issuer": "bench",
            "claims_to_headers": { "sub": "x-user" },
        } },
        { "plugin": "rate-limit", "config": {
            "algorithm": "token_bucket", "requests": 1_000_000_000, "per": "1s", "key": "subject",
        } },
        { "plugin": "circuit-breaker", "config": {} },
        { "plugin": "traffic-split", "config": { "services": [
            { "name": "canary", "weight": 20 }, { "name": "stable", "weight": 80 },
        ] } },
        { "plugin": "headers", "config": {
            "request": { "set": { "x-chosen": "{service}" } },
            "response": { "set": { "x-served-by": "{instance}" } },
        } },
    ])
}

/// JSON is YAML, so that a pipeline can stand in the template as it is.
fn configuration(pipeline: &Value) -> String {
    include_str!("peers/portcullis.yaml").replace("@PIPELINE@", &pipeline.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_plugin_that_is_configured_is_put_there() {
        for contender in contenders(Path::new("portcullis")) {
            let text = contender.configuration.replace('"', "");
            for part in text.split("plugin:").skip(1) {
                let name = part.trim_start().split([',', ' ', '}']).next().unwrap();
                let known = name == "probe" || STANDARD_PLUGINS.contains(&name);
                assert!(known, "{}: {name}", contender.id);
            }
        }
    }

    #[test]
    fn names_are_not_given_twice() {
        let mut contenders = contenders(Path::new("portcullis"));
        contenders.extend(others(Path::new("other")));
        let mut ids: Vec<_> = contenders.iter().map(|contender| &contender.id).collect();
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len(), contenders.len());
    }
}
