//! `http`: requests of the plugin's own. `outbound` checks and makes them; here is
//! what of them crosses to the plugin, and what of them it may.

use std::{
    future::poll_fn,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use wasmtime::{
    Result, bail,
    component::{Resource, ResourceType, WasmList},
};

use crate::{
    observe::Limit,
    outbound::{self, Call},
};

use super::{
    super::{
        allowance::Allowance,
        data::Data,
        linker::{Functions, Linker},
        wit::{self, HttpError},
    },
    Caller, fields,
    http_request::{self, Asked},
    http_respond,
};

/// The interface.
const HTTP: &str = "portcullis:gateway/http@0.1.0";

/// The most that is copied of a written part at once, in bytes.
const SLICE: usize = 64 << 10;

/// Calls that can be waited for at once.
const MOST_AWAITED: usize = 1_024;

/// Defines the interface.
pub(in super::super) fn link(linker: &mut Linker) -> Result<()> {
    let mut instance = linker.instance(HTTP)?;
    resource(&mut instance)?;
    instance.func_wrap("[static]call.start", start)?;
    instance.func_wrap("[static]call.start-streaming", start_streaming)?;
    instance.func_wrap_async("[method]call.write", |caller, of| {
        Box::pin(write(caller, of))
    })?;
    instance.func_wrap("[method]call.finish", finish)?;
    instance.func_wrap_async("[method]call.head", |caller, of| Box::pin(head(caller, of)))?;
    instance.func_wrap_async("[method]call.read", |caller, of| Box::pin(read(caller, of)))?;
    instance.func_wrap("[method]call.trailers", trailers)?;
    instance.func_wrap_async("wait", |caller, of| Box::pin(wait(caller, of)))?;
    instance.func_wrap("respond", http_respond::respond)
}

/// Defines it for a plugin that can do without and has to: nothing is called, so
/// that nothing waits.
pub(in super::super) fn link_denied(linker: &mut Linker) -> Result<()> {
    type Started = (Result<Handle, HttpError>,);
    fn none<T>() -> Result<T> {
        bail!("there is no call: each was denied")
    }
    let mut instance = linker.instance(HTTP)?;
    resource(&mut instance)?;
    instance.func_wrap(
        "[static]call.start",
        |_, _: (wit::Request, WasmList<u8>)| Ok::<Started, _>((Err(HttpError::Denied),)),
    )?;
    instance.func_wrap("[static]call.start-streaming", |_, _: (wit::Request,)| {
        Ok::<Started, _>((Err(HttpError::Denied),))
    })?;
    instance.func_wrap("[method]call.write", |_, _: (Handle, WasmList<u8>)| {
        none::<Done>()
    })?;
    instance.func_wrap("[method]call.finish", |_, _: (Handle,)| none::<Done>())?;
    instance.func_wrap("[method]call.head", |_, _: (Handle,)| none::<Answered>())?;
    instance.func_wrap("[method]call.read", |_, _: (Handle,)| none::<Read>())?;
    instance.func_wrap("[method]call.trailers", |_, _: (Handle,)| {
        none::<Trailers>()
    })?;
    instance.func_wrap("wait", |_, _: (WasmList<Handle>,)| none::<(Vec<u32>,)>())?;
    instance.func_wrap("respond", http_respond::respond)
}

fn resource(instance: &mut Functions<'_>) -> Result<()> {
    let call = ResourceType::host::<Held>();
    instance.resource("call", call, |mut caller, handle| {
        let call = Handle::new_own(handle);
        caller.data_mut().table.delete(call)?;
        Ok(())
    })
}

/// A call, as its plugin holds it.
pub(super) type Handle = Resource<Held>;
type Done = (Result<(), HttpError>,);
type Answered = (Result<wit::Head, HttpError>,);
type Read = (Result<Option<Vec<u8>>, HttpError>,);
type Trailers = (Vec<fields::Field>,);

fn start(
    mut caller: Caller<'_>,
    (request, body): (wit::Request, WasmList<u8>),
) -> Result<(Result<Handle, HttpError>,)> {
    if body.len() > caller.data().allowance.limits.http.request_size {
        caller.data().allowance.limited(Limit::HttpRequestSize);
        return Ok((Err(HttpError::TooLarge),));
    }
    let asked = match http_request::read(&mut caller, &request)? {
        Ok(asked) => asked,
        Err(error) => return Ok((Err(error.into()),)),
    };
    let body = Bytes::copy_from_slice(body.as_le_slice(&caller));
    let data = caller.data();
    let (plugin, client) = (&data.allowance.http, http_request::on_behalf_of(data));
    let Asked { request, most, met } = asked;
    let begun = outbound::start(plugin, client, request, body, most);
    held(&mut caller, begun, met)
}

fn start_streaming(
    mut caller: Caller<'_>,
    (request,): (wit::Request,),
) -> Result<(Result<Handle, HttpError>,)> {
    let asked = match http_request::read(&mut caller, &request)? {
        Ok(asked) => asked,
        Err(error) => return Ok((Err(error.into()),)),
    };
    let data = caller.data();
    let (plugin, client) = (&data.allowance.http, http_request::on_behalf_of(data));
    let Asked { request, most, met } = asked;
    let begun = outbound::start_in_parts(plugin, client, request, most);
    held(&mut caller, begun, met)
}

fn held(
    caller: &mut Caller<'_>,
    begun: Result<Call, outbound::Error>,
    met: Met,
) -> Result<(Result<Handle, HttpError>,)> {
    let data = caller.data_mut();
    match begun {
        Ok(call) => Ok((Ok(data.table.push(Held { call, met })?),)),
        Err(error) => {
            if error == outbound::Error::Busy {
                data.allowance.limited(Limit::HttpCalls);
            }
            Ok((Err(error.into()),))
        }
    }
}

/// A call with what is counted if it fails.
pub(in super::super) struct Held {
    pub(super) call: Call,
    met: Met,
}

/// Which limits of the plugin a call meets: it may have asked for less by itself.
#[derive(Debug, Clone, Copy)]
pub(super) struct Met {
    pub(super) timeout: bool,
    pub(super) response_size: bool,
}

impl Held {
    /// Counts an error once, if a limit is behind it.
    fn failed(&mut self, allowance: &Allowance, error: outbound::Error) -> HttpError {
        match error {
            outbound::Error::Timeout if std::mem::take(&mut self.met.timeout) => {
                allowance.limited(Limit::HttpTimeout);
            }
            outbound::Error::TooLarge if std::mem::take(&mut self.met.response_size) => {
                allowance.limited(Limit::HttpResponseSize);
            }
            _ => {}
        }
        error.into()
    }
}

/// Polls a call in the table of the store that waits for it.
fn poll<T>(
    data: &mut Data,
    handle: &Handle,
    poll: impl FnOnce(&mut Call) -> Poll<Result<T, outbound::Error>>,
) -> Poll<Result<Result<T, HttpError>>> {
    let held = match data.table.get_mut(handle) {
        Ok(held) => held,
        Err(error) => return Poll::Ready(Err(error.into())),
    };
    let output = ready!(poll(&mut held.call));
    Poll::Ready(Ok(
        output.map_err(|error| held.failed(&data.allowance, error))
    ))
}

async fn head(mut caller: Caller<'_>, (handle,): (Handle,)) -> Result<Answered> {
    let head = poll_fn(|cx| {
        poll(caller.data_mut(), &handle, |call| {
            call.poll_head(cx).map(|head| head.map(wit::Head::from))
        })
    });
    Ok((head.await?,))
}

async fn read(mut caller: Caller<'_>, (handle,): (Handle,)) -> Result<Read> {
    let read = poll_fn(|cx| poll(caller.data_mut(), &handle, |call| call.poll_read(cx)));
    Ok((read.await?.map(|bytes| bytes.map(Vec::from)),))
}

/// Copies no more than there is room for, however much there is to write.
async fn write(mut caller: Caller<'_>, (handle, bytes): (Handle, WasmList<u8>)) -> Result<Done> {
    let held = caller.data().table.get(&handle)?;
    let Some(parts) = held.call.writer().map(|writer| writer.parts().clone()) else {
        return Ok((Err(HttpError::Invalid),));
    };
    let mut from = 0;
    while from < bytes.len() {
        let Ok(room) = parts.reserve().await else {
            let held = caller.data_mut().table.get(&handle)?;
            let error = held.call.error().unwrap_or(outbound::Error::Broken);
            return Ok((Err(error.into()),));
        };
        let to = bytes.len().min(from + SLICE);
        room.send(Bytes::copy_from_slice(
            &bytes.as_le_slice(&caller)[from..to],
        ));
        from = to;
    }
    Ok((Ok(()),))
}

fn finish(mut caller: Caller<'_>, (handle,): (Handle,)) -> Result<Done> {
    let held = caller.data_mut().table.get_mut(&handle)?;
    held.call.finish();
    Ok((Ok(()),))
}

fn trailers(caller: Caller<'_>, (handle,): (Handle,)) -> Result<Trailers> {
    let held = caller.data().table.get(&handle)?;
    Ok((held.call.trailers().map(fields::all).unwrap_or_default(),))
}

async fn wait(mut caller: Caller<'_>, (list,): (WasmList<Handle>,)) -> Result<(Vec<u32>,)> {
    if list.len() == 0 || list.len() > MOST_AWAITED {
        bail!(
            "waits for {} calls, the least is 1, the most {MOST_AWAITED}",
            list.len()
        );
    }
    let mut handles = Vec::with_capacity(list.len());
    for index in 0..list.len() {
        if let Some(handle) = list.get(&mut caller, index) {
            handles.push(handle?);
        }
    }
    let ready = poll_fn(|cx| match ready_of(caller.data_mut(), &handles, cx) {
        Ok(ready) if ready.is_empty() => Poll::Pending,
        ready => Poll::Ready(ready),
    });
    Ok((ready.await?,))
}

/// The indices of those that have something to give.
fn ready_of(data: &mut Data, handles: &[Handle], cx: &mut Context<'_>) -> Result<Vec<u32>> {
    let mut ready = Vec::new();
    for (index, handle) in (0..).zip(handles) {
        let held = data.table.get_mut(handle)?;
        if held.call.poll_ready(cx).is_ready() {
            ready.push(index);
        }
    }
    Ok(ready)
}
