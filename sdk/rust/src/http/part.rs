//! Answers with parts that were not read. Apart from [`Answer`], so that only a
//! plugin that has such parts imports what it takes to hand them over.

use std::{cell::RefCell, rc::Rc};

use super::{call::Call, host};
use crate::{
    Answer, Refusal,
    answer::{Part, Rest},
};

/// What has not been read yet of an answer, until it is handed over.
type Slot = RefCell<Option<Rc<Call>>>;

/// Some bytes and, after them, what has not been read yet.
pub(super) fn rest(read: Vec<u8>, call: Rc<Call>) -> Part {
    let slot: Slot = RefCell::new(Some(call));
    Part::rest(read, Rest::new(Rc::new(slot), respond))
}

/// Hands an answer over. What was not read is the gateway's then, so it works
/// once for each answer and its clones.
fn respond(answer: &Answer) -> Result<(), Refusal> {
    let mut parts = vec![host::Part::Bytes(answer.body_bytes().to_vec())];
    for (rest, after) in answer.streams() {
        let slot = rest.call().downcast_ref::<Slot>();
        let call = slot.and_then(RefCell::take).and_then(Rc::into_inner);
        parts.push(host::Part::RestOf(call.ok_or(Refusal::WrongPhase)?.host));
        parts.push(host::Part::Bytes(after.to_vec()));
    }
    parts.retain(|part| !matches!(part, host::Part::Bytes(bytes) if bytes.is_empty()));
    let headers: Vec<(&str, &[u8])> = answer.headers().collect();
    host::respond(answer.status(), &headers, parts)
}
