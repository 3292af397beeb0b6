//! Bodies: chunk by chunk as they stream by, or whole.

mod bodies;
mod buffered;
mod chunk;
mod transform;

#[doc(hidden)]
pub use bodies::Bodies;
pub use buffered::Body;
pub use chunk::{Chunk, ChunkVerdict};
pub use transform::Transform;

pub use crate::bindings::imports::portcullis::gateway::body::Side;

use crate::{Error, Refusal, Result, host::body as host};

fn checked(change: &'static str, result: Result<(), Refusal>) -> Result<()> {
    result.map_err(|refusal| Error::refused(change, refusal))
}
