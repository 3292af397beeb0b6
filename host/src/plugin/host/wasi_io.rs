//! WASI's streams and polling: an input that is closed, outputs that are the
//! gateway's log, and waiting that is an error.
//!
//! The stream types of wasmtime-wasi are names here: behind a handle is an
//! entry of our own in the table, which is bounded.

use std::time::Instant;

use wasmtime::{
    Result, bail,
    component::{Resource, ResourceType},
};
use wasmtime_wasi::p2::{
    DynInputStream, DynOutputStream, DynPollable, IoError, StreamError, StreamResult,
    bindings::sync::io::{poll, streams},
};

use super::{
    super::{data::Data, linker::Linker},
    Caller,
    output::Stream,
    wasi::{View, Wasi, viewer},
};

/// What `check-write` permits, and the most that one write takes.
const MOST_WRITTEN: u64 = 64 << 10;

/// The entry behind an input: it is closed.
struct ClosedInput;

/// The entry behind a pollable: ready always, or from some time on.
struct Alarm(Option<Instant>);

impl Alarm {
    fn rings(&self) -> bool {
        self.0.is_none_or(|at| at <= Instant::now())
    }
}

pub(super) fn link(linker: &mut Linker) -> Result<()> {
    let mut error = linker.instance("wasi:io/error@0.2.12")?;
    error.resource("error", ResourceType::host::<IoError>(), |_, _| Ok(()))?;
    error.func_wrap(
        "[method]error.to-debug-string",
        |_: Caller<'_>, (_,): (Resource<IoError>,)| Ok(("error",)),
    )?;
    let view = viewer(linker.counting);
    let linker = &mut linker.inner;
    poll::add_to_linker::<Data, Wasi>(linker, view)?;
    streams::add_to_linker::<Data, Wasi>(linker, view)
}

pub(super) fn closed_input(data: &mut Data) -> Result<Resource<DynInputStream>> {
    let entry = data.table.push(ClosedInput)?;
    Ok(Resource::new_own(entry.rep()))
}

pub(super) fn output(data: &mut Data, stream: Stream) -> Result<Resource<DynOutputStream>> {
    let entry = data.table.push(stream)?;
    Ok(Resource::new_own(entry.rep()))
}

/// A pollable that is ready from a time on; always, if there is none.
pub(super) fn pollable(data: &mut Data, at: Option<Instant>) -> Result<Resource<DynPollable>> {
    let entry = data.table.push(Alarm(at))?;
    Ok(Resource::new_own(entry.rep()))
}

impl View<'_> {
    fn alarm(&self, pollable: &Resource<DynPollable>) -> Result<&Alarm> {
        Ok(self
            .0
            .table
            .get(&Resource::<Alarm>::new_borrow(pollable.rep()))?)
    }

    fn write_to(&mut self, stream: &Resource<DynOutputStream>, bytes: &[u8]) -> StreamResult<()> {
        let entry = Resource::<Stream>::new_borrow(stream.rep());
        let stream = *self.0.table.get(&entry)?;
        if bytes.len() as u64 > MOST_WRITTEN {
            return Err(StreamError::trap(
                "it wrote more at once than `check-write` permits",
            ));
        }
        self.0.output(stream, bytes);
        Ok(())
    }

    fn write_zeroes_to(
        &mut self,
        stream: &Resource<DynOutputStream>,
        length: u64,
    ) -> StreamResult<()> {
        let length = usize::try_from(length.min(MOST_WRITTEN + 1)).unwrap_or(usize::MAX);
        self.write_to(stream, &vec![0; length])
    }
}

impl poll::Host for View<'_> {
    fn poll(&mut self, pollables: Vec<Resource<DynPollable>>) -> Result<Vec<u32>> {
        let mut ready = Vec::new();
        for (index, pollable) in (0..).zip(&pollables) {
            if self.alarm(pollable)?.rings() {
                ready.push(index);
            }
        }
        match ready.is_empty() {
            true => bail!("it waited, which is not for a plugin to do"),
            false => Ok(ready),
        }
    }
}

impl poll::HostPollable for View<'_> {
    fn ready(&mut self, pollable: Resource<DynPollable>) -> Result<bool> {
        Ok(self.alarm(&pollable)?.rings())
    }

    fn block(&mut self, pollable: Resource<DynPollable>) -> Result<()> {
        match self.alarm(&pollable)?.rings() {
            true => Ok(()),
            false => bail!("it waited, which is not for a plugin to do"),
        }
    }

    fn drop(&mut self, pollable: Resource<DynPollable>) -> Result<()> {
        self.0
            .table
            .delete(Resource::<Alarm>::new_own(pollable.rep()))?;
        Ok(())
    }
}

impl streams::Host for View<'_> {
    fn convert_stream_error(&mut self, error: StreamError) -> Result<streams::StreamError> {
        match error {
            StreamError::Closed => Ok(streams::StreamError::Closed),
            StreamError::LastOperationFailed(error) | StreamError::Trap(error) => Err(error),
        }
    }
}

impl streams::HostInputStream for View<'_> {
    fn read(&mut self, _: Resource<DynInputStream>, _: u64) -> StreamResult<Vec<u8>> {
        Err(StreamError::Closed)
    }

    fn blocking_read(&mut self, _: Resource<DynInputStream>, _: u64) -> StreamResult<Vec<u8>> {
        Err(StreamError::Closed)
    }

    fn skip(&mut self, _: Resource<DynInputStream>, _: u64) -> StreamResult<u64> {
        Err(StreamError::Closed)
    }

    fn blocking_skip(&mut self, _: Resource<DynInputStream>, _: u64) -> StreamResult<u64> {
        Err(StreamError::Closed)
    }

    fn subscribe(&mut self, _: Resource<DynInputStream>) -> Result<Resource<DynPollable>> {
        pollable(self.0, None)
    }

    fn drop(&mut self, stream: Resource<DynInputStream>) -> Result<()> {
        self.0
            .table
            .delete(Resource::<ClosedInput>::new_own(stream.rep()))?;
        Ok(())
    }
}

impl streams::HostOutputStream for View<'_> {
    fn check_write(&mut self, _: Resource<DynOutputStream>) -> StreamResult<u64> {
        Ok(MOST_WRITTEN)
    }

    fn write(&mut self, stream: Resource<DynOutputStream>, bytes: Vec<u8>) -> StreamResult<()> {
        self.write_to(&stream, &bytes)
    }

    fn blocking_write_and_flush(
        &mut self,
        stream: Resource<DynOutputStream>,
        bytes: Vec<u8>,
    ) -> StreamResult<()> {
        self.write_to(&stream, &bytes)
    }

    fn flush(&mut self, _: Resource<DynOutputStream>) -> StreamResult<()> {
        Ok(())
    }

    fn blocking_flush(&mut self, _: Resource<DynOutputStream>) -> StreamResult<()> {
        Ok(())
    }

    fn subscribe(&mut self, _: Resource<DynOutputStream>) -> Result<Resource<DynPollable>> {
        pollable(self.0, None)
    }

    fn write_zeroes(&mut self, stream: Resource<DynOutputStream>, length: u64) -> StreamResult<()> {
        self.write_zeroes_to(&stream, length)
    }

    fn blocking_write_zeroes_and_flush(
        &mut self,
        stream: Resource<DynOutputStream>,
        length: u64,
    ) -> StreamResult<()> {
        self.write_zeroes_to(&stream, length)
    }

    fn splice(
        &mut self,
        _: Resource<DynOutputStream>,
        _: Resource<DynInputStream>,
        _: u64,
    ) -> StreamResult<u64> {
        Err(StreamError::Closed)
    }

    fn blocking_splice(
        &mut self,
        _: Resource<DynOutputStream>,
        _: Resource<DynInputStream>,
        _: u64,
    ) -> StreamResult<u64> {
        Err(StreamError::Closed)
    }

    fn drop(&mut self, stream: Resource<DynOutputStream>) -> Result<()> {
        self.0
            .table
            .delete(Resource::<Stream>::new_own(stream.rep()))?;
        Ok(())
    }
}
