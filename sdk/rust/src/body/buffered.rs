//! A whole body.

use serde::{Serialize, de::DeserializeOwned};

use super::{checked, host};
use crate::Result;

/// The whole body of a request or response, in the hooks that see head and body
/// together before any of it has left.
///
/// ```
/// use portcullis_sdk::{prelude::*, serde_json::Value};
///
/// #[derive(Default)]
/// struct Stamp;
///
/// #[plugin(summary = "Says in a request's body who sent it")]
/// impl Stamp {
///     fn on_request_buffered(&mut self, exchange: &mut Exchange, body: &mut Body) -> Result<Verdict> {
///         let Ok(mut order) = body.json::<Value>() else {
///             return Err(Answer::problem(400, "Bad Request", "the body is no JSON").into());
///         };
///         order["customer"] = exchange.attribute("auth.subject").into();
///         body.set_json(&order)?;
///         Ok(Verdict::Next)
///     }
/// }
/// # fn main() {
/// use portcullis_sdk::testing::*;
///
/// let gateway = Gateway::new();
/// let exchange = gateway.exchange(Request::post("/orders").attribute("auth.subject", "ann"));
/// let reply = exchange.run_request_buffered(&mut Stamp, r#"{"item":7}"#);
/// assert!(reply.text().contains(r#""customer":"ann""#));
/// assert_eq!(exchange.run_request_buffered(&mut Stamp, "{").answer().map(Answer::status), Some(400));
/// # }
/// ```
#[derive(Debug)]
pub struct Body {
    length: u32,
    /// What takes its place when the hook ends.
    new: Option<Vec<u8>>,
    // Keeps it within its hook.
    current: std::marker::PhantomData<*const ()>,
}

impl Body {
    /// The one of the hook that runs. For the code that `#[plugin]` writes.
    #[doc(hidden)]
    pub const fn current(length: u32) -> Self {
        Self {
            length,
            new: None,
            current: std::marker::PhantomData,
        }
    }

    /// How many bytes it has now.
    pub fn len(&self) -> usize {
        match &self.new {
            Some(new) => new.len(),
            None => usize::try_from(self.length).unwrap_or(usize::MAX),
        }
    }

    /// True if it has none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Its bytes, as they are now. Each call copies them.
    pub fn bytes(&self) -> Vec<u8> {
        match &self.new {
            Some(new) => new.clone(),
            None => host::read(),
        }
    }

    /// Its text.
    ///
    /// # Errors
    /// If it is not UTF-8.
    pub fn text(&self) -> Result<String> {
        Ok(String::from_utf8(self.bytes())?)
    }

    /// Reads it as JSON.
    ///
    /// # Errors
    /// If it is not JSON that fits the type.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T> {
        Ok(serde_json::from_slice(&self.bytes())?)
    }

    /// Sets another body, which goes on when the hook ends. More than the
    /// plugin's limit `response_size` is the filter's failure then.
    pub fn set(&mut self, body: impl Into<Vec<u8>>) {
        self.new = Some(body.into());
    }

    /// Sets a value as JSON. What `content-type` says is left alone.
    ///
    /// # Errors
    /// If the value cannot be written as JSON.
    pub fn set_json(&mut self, value: &impl Serialize) -> Result<()> {
        self.set(serde_json::to_vec(value)?);
        Ok(())
    }

    /// The trailer fields.
    pub fn trailers(&self) -> Vec<(String, Vec<u8>)> {
        host::trailers()
    }

    /// Sets a trailer field to one value.
    ///
    /// # Errors
    /// If it may not stand in trailers (RFC 9110, 6.5.1).
    pub fn set_trailer(&mut self, name: &str, value: impl AsRef<[u8]>) -> Result<()> {
        checked("set-trailer", host::set_trailer(name, value.as_ref()))
    }

    /// Removes a trailer field; true if there was one.
    pub fn remove_trailer(&mut self, name: &str) -> bool {
        host::remove_trailer(name)
    }

    /// Hands on what was set.
    pub(crate) fn hand_on(&mut self) -> Result<()> {
        match self.new.take() {
            Some(new) => checked("the body", host::write(&new)),
            None => Ok(()),
        }
    }
}
