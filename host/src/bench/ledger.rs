//! How many calls there were, and those that did not just let an exchange pass.

use http::StatusCode;

use crate::observe::Hook;

use super::{Place, track::Row};

/// What came of the calls of each row.
#[derive(Debug, Clone)]
pub(super) struct Ledger(Vec<Entry>);

/// What came of the calls of one row.
#[derive(Debug, Clone, Default)]
pub(super) struct Entry {
    pub(super) calls: u64,
    /// Calls that ended with an answer, and the status of the first.
    pub(super) answers: u64,
    pub(super) status: Option<StatusCode>,
    /// Calls that failed, and how the first did.
    pub(super) failures: u64,
    pub(super) failure: Option<String>,
}

impl Ledger {
    pub(super) fn new(rows: usize) -> Self {
        Self(vec![Entry::default(); rows])
    }

    pub(super) fn row(&self, row: usize) -> &Entry {
        &self.0[row]
    }

    pub(super) fn called(&mut self, row: usize) {
        self.0[row].calls += 1;
    }

    pub(super) fn answered(&mut self, row: usize, status: StatusCode) {
        let entry = &mut self.0[row];
        entry.answers += 1;
        entry.status.get_or_insert(status);
    }

    pub(super) fn failed(&mut self, row: usize, error: &dyn std::error::Error) {
        let entry = &mut self.0[row];
        entry.failures += 1;
        entry.failure.get_or_insert_with(|| error.to_string());
    }
}

impl Entry {
    /// What is to be said of a row whose calls did not all just pass.
    pub(super) fn remark(&self, row: &Row) -> Option<String> {
        let who = match row.place {
            Place::Step(number) => format!("step {number} `{}`", row.plugin),
            Place::Balancer => format!("the balancer `{}`", row.plugin),
        };
        let (calls, hook) = (self.calls, row.hook.as_str());
        if let Some(failure) = &self.failure {
            let failures = share(self.failures, calls);
            return Some(format!(
                "{who} failed in {failures} of its {hook} hook: {failure}"
            ));
        }
        let status = self.status?;
        match self.answers == calls {
            true if row.hook == Hook::Request => Some(format!(
                "{who} answered every request with {status}, so that no later step ran, no balancer \
                 and no upstream\n  hint: give a request that it lets pass with --request FILE"
            )),
            true => Some(format!("{who} replaced every response with {status}")),
            false => Some(format!(
                "{who} answered with {status} in {} of its {hook} hook; the clock of its counters \
                 was then set forward by an hour",
                share(self.answers, calls)
            )),
        }
    }
}

fn share(some: u64, calls: u64) -> String {
    match some == calls {
        true => "every call".into(),
        false => format!("{some} of {calls} calls"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_of_a_row() {
        let row = Row {
            place: Place::Step(1),
            plugin: "guard".into(),
            hook: Hook::Request,
        };
        let mut ledger = Ledger::new(1);
        let remark = |ledger: &Ledger| ledger.row(0).remark(&row);
        ledger.called(0);
        assert_eq!(remark(&ledger), None);
        ledger.called(0);
        ledger.answered(0, StatusCode::TOO_MANY_REQUESTS);
        let said = remark(&ledger).unwrap();
        assert!(
            said.starts_with("step 1 `guard` answered with 429"),
            "{said}"
        );
        assert!(said.contains("1 of 2 calls"), "{said}");
        ledger.answered(0, StatusCode::UNAUTHORIZED);
        let said = remark(&ledger).unwrap();
        assert!(said.contains("every request with 429"), "{said}");
        assert!(said.contains("--request FILE"), "{said}");
        ledger.failed(0, &std::io::Error::other("broken"));
        let said = remark(&ledger).unwrap();
        assert!(
            said.contains("failed in 1 of 2 calls of its request hook: broken"),
            "{said}"
        );
    }
}
