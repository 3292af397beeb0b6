//! Bodies that become others, whatever chunks they come in.

use crate::Result;

/// Makes another body of one, from chunks of any size.
///
/// One for each body: let the hook take an `Option` of it as its state, and
/// hand every chunk to it.
///
/// ```
/// use portcullis_sdk::{body::Transform, prelude::*};
///
/// /// Doubles a byte, wherever it stands.
/// struct Doubler(u8);
///
/// impl Transform for Doubler {
///     fn push(&mut self, bytes: &[u8], output: &mut Vec<u8>) -> Result<()> {
///         for &byte in bytes {
///             output.extend(std::iter::repeat_n(byte, if byte == self.0 { 2 } else { 1 }));
///         }
///         Ok(())
///     }
/// }
///
/// struct Double {
///     byte: u8,
/// }
///
/// # #[config]
/// # struct Config { byte: u8 }
/// #[plugin(summary = "Doubles a byte of every response", config = Config)]
/// impl Double {
///     # fn configure(config: Config) -> Result<Self> { Ok(Self { byte: config.byte }) }
///     fn on_response_body(
///         &mut self,
///         _exchange: &mut Exchange,
///         doubler: &mut Option<Doubler>,
///         chunk: &mut Chunk,
///     ) -> Result<ChunkVerdict> {
///         chunk.transform(doubler.get_or_insert_with(|| Doubler(self.byte)))
///     }
/// }
/// # fn main() {
/// use portcullis_sdk::testing::*;
///
/// let gateway = Gateway::new();
/// let mut filter: Double = gateway.configure(json!({ "byte": b'l' })).unwrap();
/// let exchange = gateway.exchange(Request::get("/"));
/// exchange.respond_from_upstream(200, []);
/// let body = exchange.run_response_body(&mut filter, ["hel", "lo"]);
/// assert_eq!(body.text(), "hellllo");
/// # }
/// ```
pub trait Transform {
    /// Takes the next bytes, and adds to the output what can be said already.
    ///
    /// # Errors
    /// If the body is none that can be transformed.
    fn push(&mut self, bytes: &[u8], output: &mut Vec<u8>) -> Result<()>;

    /// Takes note of the end, and adds what is left.
    ///
    /// # Errors
    /// If the body is none that can be transformed.
    fn finish(&mut self, _output: &mut Vec<u8>) -> Result<()> {
        Ok(())
    }
}
