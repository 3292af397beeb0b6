//! Reads what callgrind writes: the cost of functions with all that they call.

use std::collections::{BTreeMap, HashMap};

/// The inclusive cost of every function whose last name begins with a prefix,
/// by the rest of that name, from the calls of it.
///
/// The format: `fn=(1) NAME` begins a function and `cfn=(2) NAME` a call, where
/// NAME is left out when the number is known; after `calls=` comes one line
/// whose last number is the call's cost.
pub(crate) fn inclusive(text: &str, prefix: &str) -> BTreeMap<String, u64> {
    let mut names: HashMap<&str, &str> = HashMap::new();
    let mut costs = BTreeMap::new();
    let mut callee = "";
    let mut is_cost = false;
    for line in text.lines() {
        if let Some((key, reference)) = line.split_once("fn=(")
            && matches!(key, "" | "c")
            && let Some((number, name)) = reference.split_once(')')
        {
            if !name.is_empty() {
                names.insert(number, name.trim());
            }
            if key == "c" {
                callee = number;
            }
        } else if line.starts_with("calls=") {
            is_cost = true;
        } else if std::mem::take(&mut is_cost)
            && let Some(path) = path(names.get(callee).copied().unwrap_or_default(), prefix)
            && let Some(cost) = line.split_whitespace().last()
        {
            *costs.entry(path.to_owned()).or_default() += cost.parse().unwrap_or(0);
        }
    }
    costs
}

/// What the program did in all, of each kind of event that was counted.
pub(crate) fn totals(text: &str) -> BTreeMap<&str, u64> {
    let line = |name: &str| {
        let mut lines = text.lines();
        lines.find_map(|line| line.strip_prefix(name))
    };
    let events = line("events: ").unwrap_or_default().split_whitespace();
    let totals = line("totals: ").unwrap_or_default().split_whitespace();
    events
        .zip(totals)
        .filter_map(|(event, total)| Some((event, total.parse().ok()?)))
        .collect()
}

/// `empty_call` of `instructions::path_empty_call`.
fn path<'n>(name: &'n str, prefix: &str) -> Option<&'n str> {
    name.rsplit("::").next()?.strip_prefix(prefix)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cost_of_a_function_is_that_of_all_calls_of_it_and_the_total_that_of_all() {
        let text = "\
events: Ir
fn=(1) program::main
12 5
cfn=(2) program::path_one
calls=1 20
13 1000
cfn=(3) program::other
calls=2 30
+1 70
cfn=(2)
calls=1 20
14 500
fn=(2)
20 30
cfn=(4) program::path_two::h123
calls=1 1
21 9

totals: 1595
";
        let costs = inclusive(text, "path_");
        assert_eq!(costs, BTreeMap::from([("one".to_owned(), 1_500)]));
        assert_eq!(totals(text), BTreeMap::from([("Ir", 1_595)]));
        let cached = "events: Ir DLmr DLmw\nfn=(1) main\n12 5 1 2\ntotals: 5 1 2\n";
        let expected = BTreeMap::from([("Ir", 5), ("DLmr", 1), ("DLmw", 2)]);
        assert_eq!(totals(cached), expected);
    }
}
