//! Refuses schemas that would keep the validator busy for ever: references
//! that lead out, or round in a circle without consuming any of the value.

use std::collections::HashMap;

use serde_json::Value;

/// Parts that a schema may have, and references that a chain may follow.
const MOST_PARTS: usize = 20_000;
const LONGEST_CHAIN: usize = 32;

/// Keywords whose schemas apply to the same value as the schema around them.
const IN_PLACE: [&str; 7] = ["allOf", "anyOf", "oneOf", "not", "if", "then", "else"];

/// Says why a schema cannot be used.
pub(super) fn check(schema: &Value) -> Result<(), String> {
    let mut guard = Guard {
        root: schema,
        parts: 0,
        visited: HashMap::new(),
    };
    guard.walk(schema)
}

struct Guard<'a> {
    root: &'a Value,
    parts: usize,
    /// Schemas by address: true once it is known that no circle begins there.
    visited: HashMap<*const Value, bool>,
}

impl<'a> Guard<'a> {
    /// Every part of the schema may be one that a value is held against.
    fn walk(&mut self, part: &'a Value) -> Result<(), String> {
        self.parts += 1;
        if self.parts > MOST_PARTS {
            return Err(format!("it has more than {MOST_PARTS} parts"));
        }
        match part {
            Value::Object(fields) => {
                for key in ["$dynamicRef", "$recursiveRef"] {
                    if fields.contains_key(key) {
                        return Err(format!("`{key}` is not supported"));
                    }
                }
                self.follow(part, 0)?;
                fields.values().try_for_each(|value| self.walk(value))
            }
            Value::Array(items) => items.iter().try_for_each(|item| self.walk(item)),
            _ => Ok(()),
        }
    }

    /// Follows what applies to the same value.
    fn follow(&mut self, schema: &'a Value, depth: usize) -> Result<(), String> {
        let Value::Object(fields) = schema else {
            return Ok(());
        };
        match self.visited.get(&std::ptr::from_ref(schema)) {
            Some(true) => return Ok(()),
            Some(false) => return Err("it refers to itself in a circle".into()),
            None if depth > LONGEST_CHAIN => {
                return Err(format!(
                    "more than {LONGEST_CHAIN} schemas apply to one value"
                ));
            }
            None => self.visited.insert(schema, false),
        };
        if let Some(reference) = fields.get("$ref").and_then(Value::as_str) {
            let target = self.target(reference)?;
            self.follow(target, depth + 1)?;
        }
        for keyword in IN_PLACE {
            match fields.get(keyword) {
                Some(Value::Array(schemas)) => {
                    schemas
                        .iter()
                        .try_for_each(|schema| self.follow(schema, depth + 1))?;
                }
                Some(schema) => self.follow(schema, depth + 1)?,
                None => {}
            }
        }
        if let Some(Value::Object(dependent)) = fields.get("dependentSchemas") {
            dependent
                .values()
                .try_for_each(|schema| self.follow(schema, depth + 1))?;
        }
        self.visited.insert(schema, true);
        Ok(())
    }

    fn target(&self, reference: &str) -> Result<&'a Value, String> {
        let found = match reference.strip_prefix('#') {
            Some("") => Some(self.root),
            Some(pointer) if pointer.starts_with('/') => self.root.pointer(pointer),
            _ => None,
        };
        found.ok_or_else(|| {
            format!("`$ref` to `{reference}`: only references like `#/$defs/NAME` are followed")
        })
    }
}
