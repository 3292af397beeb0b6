//! A client that speaks TLS, one connection for each request, and remembers
//! what was agreed.

use std::{error::Error, net::SocketAddr, sync::Arc};

use bytes::Bytes;
use http::{Request, Response, header};
use http_body_util::{BodyExt, Empty};
use hyper::{
    body::Incoming,
    client::conn::{http1, http2},
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::{
    ClientConfig, HandshakeKind, ProtocolVersion, RootCertStore, SupportedProtocolVersion,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject},
};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::{Authority, Reply, Signed};

/// A client that trusts one authority.
pub(crate) struct Secure {
    address: SocketAddr,
    config: Arc<ClientConfig>,
}

/// What a client asks for.
#[derive(Default)]
pub(crate) struct Wants<'a> {
    pub(crate) identity: Option<&'a Signed>,
    pub(crate) versions: &'a [&'static SupportedProtocolVersion],
    pub(crate) protocols: &'a [&'a str],
}

/// What was agreed with the server.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) version: ProtocolVersion,
    pub(crate) resumed: bool,
    pub(crate) protocol: Option<String>,
    pub(crate) certificate: CertificateDer<'static>,
}

impl Secure {
    pub(crate) fn new(address: SocketAddr, authority: &Authority) -> Self {
        Self::wanting(address, authority, &Wants::default())
    }

    pub(crate) fn wanting(address: SocketAddr, authority: &Authority, wants: &Wants<'_>) -> Self {
        let mut roots = RootCertStore::empty();
        let root = CertificateDer::from_pem_file(authority.ca()).expect("a certificate");
        roots.add(root).expect("a root");
        let versions = match wants.versions {
            [] => rustls::DEFAULT_VERSIONS,
            some => some,
        };
        let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_protocol_versions(versions)
            .expect("versions")
            .with_root_certificates(roots);
        let mut config = match wants.identity {
            None => builder.with_no_client_auth(),
            Some(Signed { certificate, key }) => {
                let certificate = CertificateDer::from_pem_file(certificate).expect("one");
                let key = PrivateKeyDer::from_pem_file(key).expect("a key");
                builder
                    .with_client_auth_cert(vec![certificate], key)
                    .expect("a pair")
            }
        };
        let protocols = wants.protocols.iter();
        config.alpn_protocols = protocols.map(|name| name.as_bytes().to_vec()).collect();
        let config = Arc::new(config);
        Self { address, config }
    }

    /// One `GET`, and what was agreed. `host` is asked for by SNI and `Host`.
    pub(crate) fn get(
        &self,
        host: &str,
        path: &str,
        fields: &[(&str, &str)],
    ) -> Result<(Reply, Session), Box<dyn Error>> {
        let runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = { runtime }.enable_all().build()?;
        runtime.block_on(self.exchange(host, path, fields))
    }

    async fn exchange(
        &self,
        host: &str,
        path: &str,
        fields: &[(&str, &str)],
    ) -> Result<(Reply, Session), Box<dyn Error>> {
        let stream = TcpStream::connect(self.address).await?;
        let name = ServerName::try_from(host.to_owned())?;
        let connector = TlsConnector::from(Arc::clone(&self.config));
        let stream = connector.connect(name, stream).await?;
        let state = stream.get_ref().1;
        let mut session = Session {
            version: state.protocol_version().expect("after the handshake"),
            resumed: state.handshake_kind() == Some(HandshakeKind::Resumed),
            protocol: state
                .alpn_protocol()
                .map(|name| String::from_utf8_lossy(name).into_owned()),
            certificate: CertificateDer::from(Vec::new()),
        };
        if let Some([first, ..]) = state.peer_certificates() {
            session.certificate = first.clone().into_owned();
        }
        let h2 = session.protocol.as_deref() == Some("h2");
        let mut request = match h2 {
            true => Request::get(format!("https://{host}{path}")),
            false => Request::get(path).header(header::HOST, host),
        };
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        let request = request.body(Empty::<Bytes>::new())?;
        if h2 {
            let executor = TokioExecutor::new();
            let (mut sender, connection) = http2::handshake(executor, TokioIo::new(stream)).await?;
            tokio::spawn(connection);
            let reply = whole(sender.send_request(request).await?).await?;
            return Ok((reply, session));
        }
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        let connection = tokio::spawn(connection);
        let reply = whole(sender.send_request(request).await?).await?;
        // The session's ticket may come after all else: it is read until the end.
        drop(sender);
        let _ = connection.await;
        Ok((reply, session))
    }
}

async fn whole(response: Response<Incoming>) -> hyper::Result<Reply> {
    let (parts, body) = response.into_parts();
    Ok(Reply {
        status: parts.status,
        headers: parts.headers,
        body: body.collect().await?.to_bytes(),
    })
}
