//! The schema that is published is the one that the plugin describes.

use ext_auth::ExtAuth;
use portcullis_sdk::testing::Gateway;

/// `UPDATE_SCHEMA=1 cargo test -p ext-auth` writes the file anew.
#[test]
fn the_schema_file_is_up_to_date() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/schema.json");
    let described = Gateway::new().schema::<ExtAuth>();
    if std::env::var_os("UPDATE_SCHEMA").is_some() {
        let text = serde_json::to_string_pretty(&described).unwrap();
        std::fs::write(path, text + "\n").unwrap();
    }
    let published = std::fs::read_to_string(path).unwrap();
    let published: serde_json::Value = serde_json::from_str(&published).unwrap();
    assert_eq!(
        published, described,
        "run with UPDATE_SCHEMA=1 to write `schema.json` anew"
    );
}
