//! A request, as a client would send it and the router would pass it on.

use ::http::{HeaderName, HeaderValue, Method};

use super::host::exchange::Flight;

/// A request for [`Gateway::exchange`](super::Gateway::exchange). By default
/// without header fields, to the host `localhost`, from `127.0.0.1`, over
/// plain HTTP, on the route `route`, to no service.
#[derive(Debug, Clone)]
pub struct Request {
    pub(super) flight: Flight,
}

impl Request {
    /// A `GET` of a path, with or without a query.
    pub fn get(path: &str) -> Self {
        Self::new("GET", path)
    }

    /// A `POST` to a path, with or without a query.
    pub fn post(path: &str) -> Self {
        Self::new("POST", path)
    }

    /// A request of any method.
    ///
    /// # Panics
    /// If the method or the path is not valid.
    pub fn new(method: &str, path: &str) -> Self {
        assert!(
            path.starts_with('/'),
            "the path `{path}` does not begin with `/`"
        );
        let (path, query) = match path.split_once('?') {
            Some((path, query)) => (path, Some(query.to_owned())),
            None => (path, None),
        };
        let flight = Flight {
            method: Method::from_bytes(method.as_bytes()).expect("the method is valid"),
            path: path.to_owned(),
            query,
            ..Flight::default()
        };
        Self { flight }
    }

    /// Adds a header field. `host` sets what `Exchange::host` says, too.
    ///
    /// # Panics
    /// If the name or the value is not valid.
    #[must_use]
    pub fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        let name = HeaderName::try_from(name).expect("the header's name is valid");
        let value = HeaderValue::from_bytes(value.as_ref()).expect("the header's value is valid");
        if name == ::http::header::HOST {
            let host = value
                .to_str()
                .expect("the host is text")
                .to_ascii_lowercase();
            self.flight.host = without_port(&host).to_owned();
        }
        self.flight.headers.append(name, value);
        self
    }

    /// Sets the client's address, without port.
    #[must_use]
    pub fn client(mut self, address: &str) -> Self {
        self.flight.client = address.to_owned();
        self
    }

    /// Sets the scheme: `http` or `https`.
    #[must_use]
    pub fn scheme(mut self, scheme: &str) -> Self {
        self.flight.scheme = scheme.to_owned();
        self
    }

    /// Sets the route's name.
    #[must_use]
    pub fn route(mut self, name: &str) -> Self {
        self.flight.route = name.to_owned();
        self
    }

    /// Sets a parameter of the route's path.
    #[must_use]
    pub fn path_parameter(mut self, name: &str, value: &str) -> Self {
        self.flight
            .parameters
            .insert(name.to_owned(), value.to_owned());
        self
    }

    /// Sets the service that the route names.
    #[must_use]
    pub fn service(mut self, name: &str) -> Self {
        self.flight.service = Some(name.to_owned());
        self
    }

    /// Sets the id of the request.
    #[must_use]
    pub fn request_id(mut self, id: &str) -> Self {
        self.flight.request_id = id.to_owned();
        self
    }

    /// Sets an attribute, as an earlier filter would have.
    #[must_use]
    pub fn attribute(mut self, name: &str, value: &str) -> Self {
        self.flight
            .attributes
            .insert(name.to_owned(), value.to_owned());
        self
    }

    /// Sets the address (`ip:port`) of the instance that was picked.
    #[must_use]
    pub fn instance(mut self, address: &str) -> Self {
        self.flight.instance = Some(address.to_owned());
        self
    }

    /// Notes instances that the request was already sent to, by index.
    #[must_use]
    pub fn tried(mut self, indices: impl IntoIterator<Item = u32>) -> Self {
        self.flight.tried.extend(indices);
        self
    }
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    }
}
