//! The schema that is published is the one that the plugin describes.

use json_transform::JsonTransform;
use portcullis_sdk::testing::Gateway;

/// `UPDATE_SCHEMA=1 cargo test -p json-transform` writes the file anew.
#[test]
fn the_schema_file_is_up_to_date() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/schema.json");
    let described = Gateway::new().schema::<JsonTransform>();
    if std::env::var_os("UPDATE_SCHEMA").is_some() {
        let text = portcullis_sdk::serde_json::to_string_pretty(&described).unwrap();
        std::fs::write(path, text + "\n").unwrap();
    }
    let published = std::fs::read_to_string(path).unwrap();
    let published: portcullis_sdk::serde_json::Value =
        portcullis_sdk::serde_json::from_str(&published).unwrap();
    assert_eq!(
        published, described,
        "run with UPDATE_SCHEMA=1 to write `schema.json` anew"
    );
}
