//! `exchange`, its second part: the response, and an answer of the filter's own.

use bytes::Bytes;
use http::HeaderMap;
use wasmtime::{
    Result,
    component::{WasmList, WasmStr},
};

use crate::{
    exchange::{Answer, Exchange},
    observe::Limit,
};

use super::{
    super::{data::Hook, linker::Functions, wit::Refusal},
    Caller,
    fields::{self, Field, MOST_FIELDS},
    rules,
};

pub(super) fn define(instance: &mut Functions<'_>) -> Result<()> {
    instance.func_wrap("response-status", response_status)?;
    instance.func_wrap("set-response-status", set_response_status)?;
    instance.func_wrap("response-header", response_header)?;
    instance.func_wrap("response-header-values", response_header_values)?;
    instance.func_wrap("all-response-headers", all_response_headers)?;
    instance.func_wrap("set-response-header", set_response_header)?;
    instance.func_wrap("append-response-header", append_response_header)?;
    instance.func_wrap("remove-response-header", remove_response_header)?;
    instance.func_wrap("append-to-response", append_to_response)?;
    instance.func_wrap("respond", respond)
}

fn headers(exchange: &Exchange) -> Option<&HeaderMap> {
    exchange.response.as_ref().map(|response| &response.headers)
}

fn response_status(caller: Caller<'_>, (): ()) -> Result<(Option<u16>,)> {
    let response = &caller.data().exchange()?.response;
    Ok((response.as_ref().map(|response| response.status.as_u16()),))
}

fn response_header(caller: Caller<'_>, (name,): (WasmStr,)) -> Result<(Option<Vec<u8>>,)> {
    let name = name.to_str(&caller)?;
    let headers = headers(caller.data().exchange()?);
    Ok((headers.and_then(|headers| fields::first(headers, &name)),))
}

fn response_header_values(caller: Caller<'_>, (name,): (WasmStr,)) -> Result<(Vec<Vec<u8>>,)> {
    let name = name.to_str(&caller)?;
    let headers = headers(caller.data().exchange()?);
    Ok((headers
        .map(|headers| fields::values(headers, &name))
        .unwrap_or_default(),))
}

fn all_response_headers(caller: Caller<'_>, (): ()) -> Result<(Vec<Field>,)> {
    let headers = headers(caller.data().exchange()?);
    Ok((headers.map(fields::all).unwrap_or_default(),))
}

/// `list<field>`, where it lies.
pub(super) type Fields = WasmList<(WasmStr, WasmList<u8>)>;

type Changed = Result<(Result<(), Refusal>,)>;

fn set_response_status(mut caller: Caller<'_>, (status,): (u16,)) -> Changed {
    let response = caller.data_mut().response()?;
    Ok((response.and_then(|response| {
        response.status = rules::status(status)?;
        Ok(())
    }),))
}

fn set_response_header(mut caller: Caller<'_>, (name, value): (WasmStr, WasmList<u8>)) -> Changed {
    let field = fields::checked(&caller, &name, &value)?;
    let response = caller.data_mut().response()?;
    Ok((response.and_then(|response| fields::set(&mut response.headers, field?)),))
}

fn append_response_header(
    mut caller: Caller<'_>,
    (name, value): (WasmStr, WasmList<u8>),
) -> Changed {
    let field = fields::checked(&caller, &name, &value)?;
    let response = caller.data_mut().response()?;
    Ok((response.and_then(|response| fields::append(&mut response.headers, field?)),))
}

fn remove_response_header(mut caller: Caller<'_>, (name,): (WasmStr,)) -> Result<(bool,)> {
    let name = name.to_str(&caller)?.into_owned();
    let response = caller.data_mut().response()?;
    Ok((response.is_ok_and(|response| fields::remove(&mut response.headers, &name)),))
}

fn append_to_response(mut caller: Caller<'_>, (fields,): (Fields,)) -> Changed {
    let exchange = caller.data().exchange()?;
    if caller.data().hook != Hook::Request {
        return Ok((Err(Refusal::WrongPhase),));
    }
    if exchange.staged.len() + fields.len() > MOST_FIELDS {
        return Ok((Err(Refusal::TooLarge),));
    }
    let mut staged = Vec::with_capacity(fields.len());
    for index in 0..fields.len() {
        let Some(field) = fields.get(&mut caller, index) else {
            break;
        };
        let (name, value) = field?;
        match fields::checked(&caller, &name, &value)? {
            Ok((name, value)) => staged.push((name, value)),
            Err(refusal) => return Ok((Err(refusal),)),
        }
    }
    let exchange = caller.data_mut().exchange_mut()?;
    let step = exchange.step;
    let staged = staged.into_iter().map(|(name, value)| (step, name, value));
    exchange.staged.extend(staged);
    Ok((Ok(()),))
}

fn respond(mut caller: Caller<'_>, (status, fields, body): (u16, Fields, WasmList<u8>)) -> Changed {
    caller.data().exchange()?;
    if matches!(caller.data().hook, Hook::Completion | Hook::Pick) {
        return Ok((Err(Refusal::WrongPhase),));
    }
    let status = match rules::status(status) {
        Ok(status) => status,
        Err(refusal) => return Ok((Err(refusal),)),
    };
    let allowance = &caller.data().allowance;
    if body.len() > allowance.limits.response_size {
        allowance.limited(Limit::ResponseSize);
        return Ok((Err(Refusal::TooLarge),));
    }
    if fields.len() > MOST_FIELDS {
        return Ok((Err(Refusal::TooLarge),));
    }
    let headers = match answer_headers(&mut caller, &fields)? {
        Ok(headers) => headers,
        Err(refusal) => return Ok((Err(refusal),)),
    };
    let body = Bytes::copy_from_slice(body.as_le_slice(&caller));
    caller.data_mut().exchange_mut()?.answer = Some(Answer {
        status,
        headers,
        body: body.into(),
    });
    Ok((Ok(()),))
}

pub(super) fn answer_headers(
    caller: &mut Caller<'_>,
    list: &Fields,
) -> Result<Result<HeaderMap, Refusal>> {
    let mut headers = HeaderMap::with_capacity(list.len());
    for index in 0..list.len() {
        let Some(field) = list.get(&mut *caller, index) else {
            break;
        };
        let (name, value) = field?;
        let added = fields::checked(caller, &name, &value)?
            .and_then(|field| fields::append(&mut headers, field));
        if let Err(refusal) = added {
            return Ok(Err(refusal));
        }
    }
    Ok(Ok(headers))
}
