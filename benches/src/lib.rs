//! What the benchmarks share: plugins from `target/plugins`, configured as a
//! gateway would, and an exchange to call them with.

use std::{
    collections::BTreeMap,
    net::IpAddr,
    num::NonZeroU32,
    path::{Path, PathBuf},
    sync::Arc,
};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use http::{HeaderMap, HeaderValue, Method, Uri};
use portcullis::{
    config::{self, Position, Service},
    exchange::{
        ClientAddr, Exchange, Phase, RequestId, ResponseHead, RouteIndex, Scheme, ServiceIndex,
    },
    plugin::{
        Configured, ConfiguredOptions, HostServices, Instance, Names, Plugin, Runtime,
        RuntimeOptions,
    },
};
use ring::hmac;
use serde_json::Value;

/// Loads plugins and makes instances of them.
pub struct Bench {
    runtime: Runtime,
    services: Arc<HostServices>,
    names: Arc<Names>,
}

impl Default for Bench {
    fn default() -> Self {
        Self::new()
    }
}

impl Bench {
    /// A runtime with default limits, one route and a few services.
    ///
    /// # Panics
    ///
    /// If this machine cannot run plugins.
    pub fn new() -> Self {
        Self {
            runtime: Runtime::new(RuntimeOptions::default()).expect("a plugin runtime"),
            services: Arc::new(HostServices::detached()),
            names: Arc::new(Names::new(["bench"], ["users", "users-v2"])),
        }
    }

    /// A plugin of `target/plugins`.
    ///
    /// # Panics
    ///
    /// If it is not there: `cargo xtask plugins` builds it.
    pub fn plugin(&self, name: &str) -> Arc<Plugin> {
        let file = plugins().join(format!("{name}.wasm"));
        let bytes = std::fs::read(&file).unwrap_or_else(|error| {
            panic!("{}: {error}; run `cargo xtask plugins`", file.display())
        });
        self.runtime.load(name, &bytes).expect("a plugin")
    }

    /// A plugin with a configuration.
    ///
    /// # Panics
    ///
    /// If the plugin refuses it.
    pub fn configured(&self, name: &str, config: &Value) -> Configured {
        let options = ConfiguredOptions {
            config: config.to_string(),
            limits: RuntimeOptions::default().limits,
            grants: None,
            names: Arc::clone(&self.names),
            services: Arc::clone(&self.services),
        };
        Configured::new(self.plugin(name), options).expect("a configuration")
    }

    /// A ready instance.
    ///
    /// # Panics
    ///
    /// If the plugin refuses the configuration.
    pub fn instance(&self, name: &str, config: &Value) -> Instance {
        let configured = self.configured(name, config);
        configured.instantiate().expect("an instance")
    }
}

/// Where `cargo xtask plugins` leaves plugins.
fn plugins() -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../target"),
        PathBuf::from,
    );
    target.join("plugins")
}

/// A request as a browser sends it: twelve headers.
pub fn exchange() -> Box<Exchange> {
    let headers: HeaderMap = [
        ("host", "api.example.com"),
        (
            "user-agent",
            "Mozilla/5.0 (X11; Linux x86_64) Gecko/20100101",
        ),
        ("accept", "application/json, text/plain, */*"),
        ("accept-language", "en-US,en;q=0.5"),
        ("accept-encoding", "gzip, deflate, br"),
        ("referer", "https://example.com/app"),
        ("origin", "https://example.com"),
        ("cookie", "session=0123456789abcdef; theme=dark"),
        ("x-forwarded-for", "192.0.2.7"),
        ("x-forwarded-proto", "http"),
        ("x-forwarded-host", "api.example.com"),
        ("x-request-id", "0123456789abcdef0123456789abcdef"),
    ]
    .into_iter()
    .map(|(name, value)| {
        (
            name.parse().expect("a header name"),
            HeaderValue::from_static(value),
        )
    })
    .collect();
    Box::new(Exchange {
        phase: Phase::Request,
        method: Method::GET,
        uri: Uri::from_static("/api/users/42?fields=name"),
        headers,
        host: "api.example.com".into(),
        scheme: Scheme::Http,
        client: ClientAddr(IpAddr::from([192, 0, 2, 7])),
        request_id: RequestId(HeaderValue::from_static("0123456789abcdef0123456789abcdef")),
        route: RouteIndex(0),
        service: Some(ServiceIndex(0)),
        response: Some(ResponseHead {
            status: http::StatusCode::OK,
            headers: HeaderMap::new(),
        }),
        ..Exchange::empty()
    })
}

/// A service with instances at these addresses.
pub fn service(name: &str, addresses: impl Iterator<Item = std::net::SocketAddr>) -> Service {
    Service {
        name: name.into(),
        instances: addresses
            .map(|address| config::Instance {
                address: address.to_string(),
                weight: NonZeroU32::MIN,
                metadata: BTreeMap::new(),
                at: Position::START,
            })
            .collect(),
        balancer: None,
        health_check: None,
        at: Position::START,
    }
}

/// A JSON Web Token, HS256, of issuer `example`, that expires in the year 2100.
pub fn token(secret: &str) -> String {
    let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    let header = encode(br#"{"alg":"HS256","typ":"JWT"}"#);
    let claims = encode(br#"{"iss":"example","sub":"ann","scope":"users:read","exp":4102444800}"#);
    let signed = format!("{header}.{claims}");
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    let signature = encode(hmac::sign(&key, signed.as_bytes()).as_ref());
    format!("{signed}.{signature}")
}
