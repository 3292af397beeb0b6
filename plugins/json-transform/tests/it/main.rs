//! What becomes of documents and lines.

mod changes;
mod configuration;
mod documents;
mod filter;
mod lines;
mod schema;

use json_transform::config::ChangesConfig;
use json_transform::transform::Transform;

/// Changes as they are written.
fn changes(json: &str) -> ChangesConfig {
    serde_json::from_str(json).expect("the configuration is valid")
}

fn transform(json: &str) -> Transform {
    Transform::new(&changes(json)).expect("the configuration is valid")
}

fn check(config: &str, cases: &[(&str, &str)]) {
    let transform = transform(config);
    for (document, expected) in cases {
        let changed = transform.document(document.as_bytes());
        let changed = changed.expect("the document is JSON");
        assert_eq!(
            String::from_utf8_lossy(&changed),
            *expected,
            "{config} of {document}"
        );
    }
}
