//! A blocking client's stream of HTTP/2 that is no HTTP any more (RFC 8441).

use std::sync::Arc;

use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    runtime::Runtime,
};

/// One stream; dropping it ends it.
pub(crate) struct Stream {
    runtime: Arc<Runtime>,
    stream: TokioIo<Upgraded>,
}

impl Stream {
    pub(super) fn new(runtime: Arc<Runtime>, upgraded: Upgraded) -> Self {
        Self {
            runtime,
            stream: TokioIo::new(upgraded),
        }
    }

    /// Sends bytes.
    #[track_caller]
    pub(crate) fn send(&mut self, bytes: &[u8]) {
        let Self { runtime, stream } = self;
        let sent = runtime.block_on(stream.write_all(bytes));
        sent.expect("the other side takes bytes");
    }

    /// Exactly so many bytes.
    #[track_caller]
    pub(crate) fn take(&mut self, count: usize) -> Vec<u8> {
        let mut bytes = vec![0; count];
        let Self { runtime, stream } = self;
        let read = runtime.block_on(stream.read_exact(&mut bytes));
        read.expect("so many bytes");
        bytes
    }

    /// Says that nothing more will be sent.
    pub(crate) fn finish(&mut self) {
        let Self { runtime, stream } = self;
        let _ = runtime.block_on(stream.shutdown());
    }

    /// Everything until the other side ends.
    pub(crate) fn rest(&mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        let Self { runtime, stream } = self;
        let _ = runtime.block_on(stream.read_to_end(&mut bytes));
        bytes
    }
}
