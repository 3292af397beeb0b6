//! The exchange in flight, as hooks read and change it.

use crate::{
    Error, Refusal, Result,
    body::Side,
    host::{body, exchange as host},
};

/// One request and, once there is one, its response.
///
/// Every method is one call of the gateway and copies what it returns, so ask
/// once and keep the answer, and ask for several headers at once with
/// [`request_headers`](Self::request_headers). Header names are compared
/// without regard to case. An exchange exists only while a hook runs: outside
/// of them there is none to be had.
///
/// ```
/// use portcullis_sdk::prelude::*;
///
/// fn tag(exchange: &mut Exchange) -> Result<Verdict> {
///     if exchange.path().starts_with("/beta/") {
///         exchange.set_request_header("x-channel", "beta")?;
///     }
///     Ok(Verdict::Next)
/// }
/// ```
#[derive(Debug)]
pub struct Exchange {
    // Keeps others from making one, and it from leaving its thread's hook.
    current: std::marker::PhantomData<*const ()>,
}

/// What can be read of the request.
impl Exchange {
    /// The one of the hook that runs. For the code that `#[plugin]` writes.
    #[doc(hidden)]
    pub const fn current() -> Self {
        Self {
            current: std::marker::PhantomData,
        }
    }

    /// The method, upper-case as sent.
    pub fn method(&self) -> String {
        host::method()
    }

    /// The path as it will be sent upstream, without the query.
    pub fn path(&self) -> String {
        host::path()
    }

    /// The query, without `?`; none if there is no `?`.
    pub fn query(&self) -> Option<String> {
        host::query()
    }

    /// The host that was asked for, without port, lower-case.
    pub fn host(&self) -> String {
        host::host()
    }

    /// The scheme the client used: `http` or `https`.
    pub fn scheme(&self) -> String {
        host::scheme()
    }

    /// A parameter of the route's path: `rest` for `/api/{*rest}`.
    pub fn path_parameter(&self, name: &str) -> Option<String> {
        host::path_parameter(name)
    }

    /// The first value of a request header.
    pub fn request_header(&self, name: &str) -> Option<Vec<u8>> {
        host::request_header(name)
    }

    /// The first value of a request header as text; none if it is absent or
    /// not UTF-8.
    pub fn request_header_text(&self, name: &str) -> Option<String> {
        String::from_utf8(self.request_header(name)?).ok()
    }

    /// The first values of several headers in one call, in the order asked for.
    ///
    /// ```
    /// # use portcullis_sdk::prelude::*;
    /// # fn example(exchange: &Exchange) {
    /// let [token, tenant] = exchange.request_headers(["authorization", "x-tenant"]);
    /// # let (_, _): (Option<Vec<u8>>, Option<Vec<u8>>) = (token, tenant);
    /// # }
    /// ```
    pub fn request_headers<const N: usize>(&self, names: [&str; N]) -> [Option<Vec<u8>>; N] {
        let mut values = host::request_headers(&names).into_iter();
        std::array::from_fn(|_| values.next().flatten())
    }

    /// All values of one request header, in order.
    pub fn request_header_values(&self, name: &str) -> Vec<Vec<u8>> {
        host::request_header_values(name)
    }

    /// All header fields of the request, in order, with lower-case names. The
    /// dear one: ask for what you need instead.
    pub fn all_request_headers(&self) -> Vec<(String, Vec<u8>)> {
        host::all_request_headers()
    }

    /// The route's name.
    pub fn route(&self) -> String {
        host::route()
    }

    /// The service the request goes to; none if neither the route nor a
    /// filter named one yet.
    pub fn service(&self) -> Option<String> {
        host::service()
    }

    /// The address (`ip:port`) of the instance that answered or was tried
    /// last; none before one was picked.
    pub fn instance(&self) -> Option<String> {
        host::instance()
    }

    /// The client's address, without port: the peer of the connection, or the
    /// one a trusted proxy names.
    pub fn client_address(&self) -> String {
        host::client_address()
    }

    /// The id that is sent upstream, to the client and to the log as
    /// `x-request-id`.
    pub fn request_id(&self) -> String {
        host::request_id()
    }

    /// An attribute that the gateway or an earlier filter set, such as
    /// `auth.subject`.
    pub fn attribute(&self, name: &str) -> Option<String> {
        host::attribute(name)
    }
}

/// What can be changed before the request goes upstream. An [`Error`] tells
/// why a change was refused ([`Error::refusal`]); nothing was changed then.
impl Exchange {
    /// Sets a request header to one value, in place of all it had.
    pub fn set_request_header(&mut self, name: &str, value: impl AsRef<[u8]>) -> Result<()> {
        let change = host::set_request_header(name, value.as_ref());
        checked("set-request-header", change)
    }

    /// Adds one value to those a request header has.
    pub fn append_request_header(&mut self, name: &str, value: impl AsRef<[u8]>) -> Result<()> {
        let change = host::append_request_header(name, value.as_ref());
        checked("append-request-header", change)
    }

    /// Removes all values of a request header; true if there were any.
    pub fn remove_request_header(&mut self, name: &str) -> bool {
        host::remove_request_header(name)
    }

    /// Sets the path, and the query if the new value holds a `?`; without one
    /// the query stays as it is. Starts with `/`. Routing is over: this
    /// changes what goes upstream, not the route.
    pub fn set_path(&mut self, path: &str) -> Result<()> {
        checked("set-path", host::set_path(path))
    }

    /// Chooses the service. In the request hook only.
    pub fn set_service(&mut self, name: &str) -> Result<()> {
        checked("set-service", host::set_service(name))
    }

    /// A number of this step's own that lasts as long as the exchange: what
    /// [`set_note`](Self::set_note) set in an earlier hook, 0 before. The cheapest
    /// way from one hook to the next, and nobody else sees it.
    pub fn note(&self) -> u64 {
        host::note()
    }

    /// Sets the step's number.
    pub fn set_note(&mut self, note: u64) {
        host::set_note(note);
    }

    /// Adds header fields to the response, whatever it will be, where this
    /// filter's response hook would: all of them or, if one is refused, none.
    /// For a filter that knows what it has to say while it looks at the request:
    /// it needs no response hook then, which saves a call. In the request hook
    /// only, and of no use together with an answer of the filter's own.
    pub fn append_to_response(&mut self, fields: &[(&str, &[u8])]) -> Result<()> {
        checked("append-to-response", host::append_to_response(fields))
    }

    /// Sets an attribute for later filters, the balancer and the log. Names
    /// are dotted lower-case words, at most 128 bytes; values at most 8 KiB;
    /// at most 64 attributes per exchange.
    pub fn set_attribute(&mut self, name: &str, value: impl AsRef<str>) -> Result<()> {
        checked("set-attribute", host::set_attribute(name, value.as_ref()))
    }

    /// Sets several attributes in one call of the gateway: all of them, or
    /// none if one is refused.
    pub fn set_attributes(&mut self, attributes: &[(&str, &str)]) -> Result<()> {
        checked("set-attributes", host::set_attributes(attributes))
    }
}

/// The response, from the response hook on.
impl Exchange {
    /// The status; none before there is a response.
    pub fn response_status(&self) -> Option<u16> {
        host::response_status()
    }

    /// Sets the status, 200 to 599.
    pub fn set_response_status(&mut self, status: u16) -> Result<()> {
        checked("set-response-status", host::set_response_status(status))
    }

    /// The first value of a response header.
    pub fn response_header(&self, name: &str) -> Option<Vec<u8>> {
        host::response_header(name)
    }

    /// The first value of a response header as text; none if it is absent or
    /// not UTF-8.
    pub fn response_header_text(&self, name: &str) -> Option<String> {
        String::from_utf8(self.response_header(name)?).ok()
    }

    /// All values of one response header, in order.
    pub fn response_header_values(&self, name: &str) -> Vec<Vec<u8>> {
        host::response_header_values(name)
    }

    /// All header fields of the response, in order, with lower-case names.
    pub fn all_response_headers(&self) -> Vec<(String, Vec<u8>)> {
        host::all_response_headers()
    }

    /// Sets a response header to one value, in place of all it had.
    pub fn set_response_header(&mut self, name: &str, value: impl AsRef<[u8]>) -> Result<()> {
        let change = host::set_response_header(name, value.as_ref());
        checked("set-response-header", change)
    }

    /// Adds one value to those a response header has.
    pub fn append_response_header(&mut self, name: &str, value: impl AsRef<[u8]>) -> Result<()> {
        let change = host::append_response_header(name, value.as_ref());
        checked("append-response-header", change)
    }

    /// Removes all values of a response header; true if there were any.
    pub fn remove_response_header(&mut self, name: &str) -> bool {
        host::remove_response_header(name)
    }
}

/// What is to become of a body, said in the hook that sees its head:
/// `on_request` for the request's, `on_response` for the response's.
impl Exchange {
    /// This filter has no use for this body: its body hooks are not called, and
    /// the body passes it by without a copy. `on_request` may say so of the
    /// response's body, too.
    pub fn skip_body(&mut self, side: Side) -> Result<()> {
        checked("skip", body::skip(side))
    }

    /// Asks for the body without its `content-encoding` (gzip, deflate, br). This
    /// filter, those after it and the receiver get the plain bytes. Refused as
    /// [`Refusal::Invalid`] if the coding is another; nothing happens if there is
    /// none.
    pub fn decode_body(&mut self, side: Side) -> Result<()> {
        checked("decode", body::decode(side))
    }

    /// Holds the head back until the first bytes have come out of the last
    /// filter, or the body has ended: until then a hook that sees the body as it
    /// streams by may answer instead.
    pub fn hold_head(&mut self, side: Side) -> Result<()> {
        checked("hold-head", body::hold_head(side))
    }
}

fn checked(change: &'static str, result: Result<(), Refusal>) -> Result<()> {
    result.map_err(|refusal| Error::refused(change, refusal))
}
