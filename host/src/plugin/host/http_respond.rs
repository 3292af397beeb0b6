//! `http`, its third part: an answer that a filter puts together.

use bytes::Bytes;
use http_body_util::BodyExt;
use wasmtime::{Result, component::WasmList};

use crate::{
    exchange::{Answer, AnswerBody, Broken, Part, Parts},
    observe::Limit,
};

use super::{
    super::{
        data::Hook,
        wit::{self, Refusal},
    },
    Caller,
    exchange_response::{Fields, answer_headers},
    fields::MOST_FIELDS,
    rules,
};

/// Parts that one answer may have.
const MOST_PARTS: usize = 1_024;

pub(super) fn respond(
    mut caller: Caller<'_>,
    (status, fields, parts): (u16, Fields, WasmList<wit::Part>),
) -> Result<(Result<(), Refusal>,)> {
    caller.data().exchange()?;
    // First of all, since the calls in it are the gateway's from now on.
    let parts = match read(&mut caller, &parts)? {
        Ok(parts) => parts,
        Err(refusal) => return Ok((Err(refusal),)),
    };
    if matches!(caller.data().hook, Hook::Completion | Hook::Pick) {
        return Ok((Err(Refusal::WrongPhase),));
    }
    let status = match rules::status(status) {
        Ok(status) => status,
        Err(refusal) => return Ok((Err(refusal),)),
    };
    if fields.len() > MOST_FIELDS {
        return Ok((Err(Refusal::TooLarge),));
    }
    let headers = match answer_headers(&mut caller, &fields)? {
        Ok(headers) => headers,
        Err(refusal) => return Ok((Err(refusal),)),
    };
    caller.data_mut().exchange_mut()?.answer = Some(Answer {
        status,
        headers,
        body: AnswerBody::Parts(Parts::new(parts)),
    });
    Ok((Ok(()),))
}

/// Takes the parts over, all of them, also if they are refused.
fn read(caller: &mut Caller<'_>, list: &WasmList<wit::Part>) -> Result<Result<Vec<Part>, Refusal>> {
    if list.len() > MOST_PARTS {
        return Ok(Err(Refusal::TooLarge));
    }
    let most = caller.data().allowance.limits.response_size;
    let (mut parts, mut size) = (Vec::with_capacity(list.len()), 0_usize);
    for index in 0..list.len() {
        let Some(part) = list.get(&mut *caller, index) else {
            break;
        };
        match part? {
            wit::Part::Bytes(bytes) => {
                size = size.saturating_add(bytes.len());
                if size <= most {
                    let bytes = Bytes::copy_from_slice(bytes.as_le_slice(&*caller));
                    parts.push(Part::Bytes(bytes));
                }
            }
            wit::Part::RestOf(call) => {
                let held = caller.data_mut().table.delete(call)?;
                let rest = held.call.into_rest().map_err(Broken::from);
                parts.push(Part::Rest(rest.boxed_unsync()));
            }
        }
    }
    if size > most {
        caller.data().allowance.limited(Limit::ResponseSize);
        return Ok(Err(Refusal::TooLarge));
    }
    Ok(Ok(parts))
}
