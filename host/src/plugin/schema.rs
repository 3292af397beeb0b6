//! A step's configuration against the JSON Schema that its plugin carries.
//!
//! The schema is the plugin's, so it is not trusted: it is bounded, may not
//! refer to anything outside itself, and its patterns run in linear time.
//! Messages never show the configured values, which may be secrets.

mod describe;
mod guard;

use jsonschema::PatternOptions;
use serde_json::Value;

/// Violations reported at most.
const MOST: usize = 100;

/// The largest pattern of a schema, compiled, in bytes.
const LARGEST_PATTERN: usize = 1 << 20;

/// One thing that is wrong with a configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SchemaViolation {
    /// Where in the configuration, as a JSON pointer (RFC 6901).
    pub pointer: String,
    /// What is wrong.
    pub message: String,
    /// A way out, where there is one to guess.
    pub hint: Option<String>,
}

/// Checks a configuration, and says all that is wrong. A schema that cannot
/// be used is a violation too, of the whole.
pub fn check(schema: &str, config: &Value) -> Vec<SchemaViolation> {
    let unusable = |reason: String| {
        vec![SchemaViolation {
            pointer: String::new(),
            message: format!("the plugin's own schema cannot be used: {reason}"),
            hint: None,
        }]
    };
    let schema: Value = match serde_json::from_str(schema) {
        Ok(schema) => schema,
        Err(error) => return unusable(error.to_string()),
    };
    if let Err(reason) = guard::check(&schema) {
        return unusable(reason);
    }
    let patterns = PatternOptions::regex()
        .size_limit(LARGEST_PATTERN)
        .dfa_size_limit(LARGEST_PATTERN);
    let validator = jsonschema::options()
        .offline()
        .with_pattern_options(patterns)
        .build(&schema);
    let validator = match validator {
        Ok(validator) => validator,
        Err(error) => return unusable(error.masked().to_string()),
    };
    let mut violations = Vec::new();
    for error in validator.iter_errors(config) {
        describe::describe(&schema, &error, &mut violations);
        if violations.len() >= MOST {
            violations.truncate(MOST);
            break;
        }
    }
    violations
}

#[cfg(test)]
mod tests;
