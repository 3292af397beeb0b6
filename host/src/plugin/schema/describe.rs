//! Words for what is wrong, for people who write configurations.

use jsonschema::{
    ValidationError,
    error::{TypeKind, ValidationErrorKind as Kind},
};
use serde_json::Value;

use super::SchemaViolation;

/// How deep alternatives within alternatives are looked into.
const DEEPEST: usize = 6;

/// Options that a message lists at most.
const MOST_OPTIONS: usize = 20;

/// Appends what an error means: one violation, or one per unknown key.
pub(super) fn describe(
    schema: &Value,
    error: &ValidationError<'_>,
    violations: &mut Vec<SchemaViolation>,
) {
    at_depth(schema, error, violations, 0);
}

fn at_depth(
    schema: &Value,
    error: &ValidationError<'_>,
    violations: &mut Vec<SchemaViolation>,
    depth: usize,
) {
    let pointer = error.instance_path().as_str();
    let violation = |pointer: String, message: String, hint| SchemaViolation {
        pointer,
        message,
        hint,
    };
    match error.kind() {
        Kind::AdditionalProperties { unexpected } | Kind::UnevaluatedProperties { unexpected } => {
            let known = known_keys(schema, error);
            violations.extend(unexpected.iter().map(|key| {
                let escaped = key.replace('~', "~0").replace('/', "~1");
                let hint = nearest(key, &known).map(|name| format!("did you mean `{name}`?"));
                violation(format!("{pointer}/{escaped}"), "unknown key".into(), hint)
            }));
        }
        Kind::AnyOf { context } | Kind::OneOfNotValid { context } => {
            match (literals(context), likeliest(pointer, context)) {
                (Some(options), _) => violations.push(violation(
                    pointer.into(),
                    format!("must be one of {}", list(&options)),
                    None,
                )),
                (None, Some(errors)) if depth < DEEPEST => {
                    errors
                        .iter()
                        .for_each(|error| at_depth(schema, error, violations, depth + 1));
                }
                _ => violations.push(violation(
                    pointer.into(),
                    "matches none of the forms that are possible here".into(),
                    None,
                )),
            }
        }
        _ => violations.push(violation(pointer.into(), message(error), None)),
    }
}

fn message(error: &ValidationError<'_>) -> String {
    match error.kind() {
        Kind::Required { property } => match property.as_str() {
            Some(name) => format!("`{name}` is missing"),
            None => "a key is missing".into(),
        },
        Kind::Type { kind } => format!("must be {}", types(kind)),
        Kind::Enum { options } => match &**options {
            Value::Array(options) => format!("must be one of {}", list(options)),
            _ => "must be one of the options".into(),
        },
        Kind::Constant { expected_value } => format!("must be {expected_value}"),
        Kind::Minimum { limit } => format!("must be at least {limit}"),
        Kind::Maximum { limit } => format!("must be at most {limit}"),
        Kind::ExclusiveMinimum { limit } => format!("must be more than {limit}"),
        Kind::ExclusiveMaximum { limit } => format!("must be less than {limit}"),
        Kind::MinLength { limit: 1 } | Kind::MinItems { limit: 1 } => "must not be empty".into(),
        Kind::MinLength { limit } => format!("must have at least {limit} characters"),
        Kind::MaxLength { limit } => format!("must have at most {limit} characters"),
        Kind::MinItems { limit } => format!("must have at least {limit} entries"),
        Kind::MaxItems { limit } => format!("must have at most {limit} entries"),
        Kind::Pattern { pattern } => format!("must match the pattern {pattern}"),
        Kind::Format { format } => format!("must be a valid {format}"),
        Kind::UniqueItems => "must not have the same entry twice".into(),
        _ => error.masked_with("the value").to_string(),
    }
}

fn types(kind: &TypeKind) -> String {
    let article = |name: String| match name.as_str() {
        "null" => name,
        "object" => "an object (`key: value`)".into(),
        "array" => "a list".into(),
        "integer" => "a whole number".into(),
        _ => format!("a {name}"),
    };
    match kind {
        TypeKind::Single(one) => article(one.to_string()),
        TypeKind::Multiple(several) => {
            let names: Vec<String> = several.iter().map(|one| article(one.to_string())).collect();
            names.join(" or ")
        }
    }
}

fn list(options: &[Value]) -> String {
    let shown: Vec<String> = options
        .iter()
        .take(MOST_OPTIONS)
        .map(Value::to_string)
        .collect();
    let more = if options.len() > MOST_OPTIONS {
        ", …"
    } else {
        ""
    };
    format!("{}{more}", shown.join(", "))
}

type Branches = [Vec<ValidationError<'static>>];

/// The options, if every alternative is a literal or a list of such.
fn literals(branches: &Branches) -> Option<Vec<Value>> {
    let mut options = Vec::new();
    for branch in branches {
        match branch.iter().map(ValidationError::kind).next()? {
            Kind::Constant { expected_value } => options.push((**expected_value).clone()),
            Kind::Enum { options: these } => options.extend(these.as_array()?.iter().cloned()),
            _ if branch.len() > 1 => match branch.iter().find_map(constant) {
                Some(value) if branch.iter().all(|e| e.instance_path().as_str().is_empty()) => {
                    options.push(value);
                }
                _ => return None,
            },
            _ => return None,
        }
        let at = branch.first()?.instance_path().as_str();
        if branch
            .iter()
            .any(|error| error.instance_path().as_str() != at)
        {
            return None;
        }
    }
    // A literal deeper in is a tag of an alternative, not the alternative.
    let depth = |e: &ValidationError<'_>| e.instance_path().as_str().matches('/').count();
    let depths: Vec<usize> = branches.iter().flatten().map(depth).collect();
    (depths.iter().min() == depths.iter().max()).then_some(options)
}

fn constant(error: &ValidationError<'_>) -> Option<Value> {
    match error.kind() {
        Kind::Constant { expected_value } => Some((**expected_value).clone()),
        _ => None,
    }
}

/// The alternative that was most likely meant: the one whose tag and type
/// fit, if there is just one.
fn likeliest<'a>(pointer: &str, branches: &'a Branches) -> Option<&'a [ValidationError<'static>]> {
    let misfit = |error: &ValidationError<'_>| match error.kind() {
        Kind::Constant { .. } | Kind::Enum { .. } => true,
        Kind::Type { .. } => error.instance_path().as_str() == pointer,
        _ => false,
    };
    let mut fitting = branches.iter().filter(|branch| !branch.iter().any(misfit));
    match (fitting.next(), fitting.next()) {
        (Some(only), None) => Some(only),
        _ => None,
    }
}

/// The keys of the object schema that an error is about.
fn known_keys<'a>(schema: &'a Value, error: &ValidationError<'_>) -> Vec<&'a str> {
    let path = error.schema_path().as_str();
    let parent = path.rfind('/').map_or("", |end| &path[..end]);
    let properties = schema
        .pointer(parent)
        .and_then(|object| object.get("properties"));
    match properties {
        Some(Value::Object(properties)) => properties.keys().map(String::as_str).collect(),
        _ => Vec::new(),
    }
}

/// The known key that a wrong one is a slip of.
fn nearest<'a>(wrong: &str, known: &[&'a str]) -> Option<&'a str> {
    let allowed = (wrong.chars().count() / 3).max(1);
    let nearest = known
        .iter()
        .map(|name| (distance(wrong, name), *name))
        .min();
    nearest
        .filter(|(distance, _)| *distance <= allowed)
        .map(|(_, name)| name)
}

/// Letters to change, add or leave out.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().take(64).collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().take(64).enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let changed = diagonal + usize::from(x != *y);
            diagonal = row[j + 1];
            row[j + 1] = changed.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}
