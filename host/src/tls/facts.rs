//! What plugins may know of a connection's TLS.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::HeaderValue;
use rustls::{ProtocolVersion, ServerConnection};

use crate::exchange::{ClientCertificate, TlsFacts};

use super::certificate::Facts;

/// How ALPN names HTTP/2.
pub(super) const HTTP2: &[u8] = b"h2";

/// How ALPN names HTTP/1.1.
pub(super) const HTTP1: &[u8] = b"http/1.1";

/// True if the two sides have agreed on HTTP/2.
pub fn is_http2(connection: &ServerConnection) -> bool {
    connection.alpn_protocol() == Some(HTTP2)
}

/// What a handshake that is over has shown.
pub fn facts(connection: &ServerConnection) -> TlsFacts {
    let shown = connection.peer_certificates().unwrap_or_default();
    TlsFacts {
        version: match connection.protocol_version() {
            Some(ProtocolVersion::TLSv1_2) => "1.2",
            _ => "1.3",
        },
        server_name: connection.server_name().map(Into::into),
        client: shown.first().and_then(Facts::of).map(|facts| {
            let Facts { subject, names, .. } = facts;
            ClientCertificate {
                subject: subject.into(),
                names: names.into(),
            }
        }),
    }
}

/// What `Client-Cert` says of a connection (RFC 9440 §2.2): the certificate as a
/// byte sequence of structured fields. None if the client has shown none.
pub fn client_cert(connection: &ServerConnection) -> Option<HeaderValue> {
    let certificate = connection.peer_certificates()?.first()?;
    let value = format!(":{}:", STANDARD.encode(certificate));
    let value = HeaderValue::try_from(value);
    Some(value.expect("invariant: Base64 is a header value"))
}
