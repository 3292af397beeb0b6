//! What the benchmarks share: plugins from `target/plugins`, configured as a
//! gateway would, and an exchange to call them with.

use std::{
    collections::BTreeMap,
    net::{IpAddr, SocketAddr},
    num::NonZeroU32,
    path::{Path, PathBuf},
    sync::Arc,
};

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri};
use portcullis::{
    config::{self, Allow, Match, Position, QuarantinePolicy, Service},
    discovery::{InstanceList, Registry},
    exchange::{
        ClientAddr, Exchange, Phase, RequestId, ResponseHead, RouteIndex, Scheme, ServiceIndex,
    },
    plugin::{
        Configured, ConfiguredOptions, HostServices, Instance, Names, Plugin, Runtime,
        RuntimeOptions,
    },
    router::Router,
};
use ring::{
    hmac,
    rand::SystemRandom,
    signature::{RSA_PKCS1_SHA256, RsaKeyPair},
};
use serde_json::{Value, json};

/// The gateway's allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// What the benchmark's tokens are signed with.
pub const SECRET: &str = "a-secret-of-at-least-thirty-two-bytes";

/// The configuration of a `probe` that reads a header and sets this one.
pub fn probe(set: &str) -> Value {
    json!({ "read": "authorization", "set": set })
}

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
        Self::with(RuntimeOptions::default())
    }

    /// The same, with a directory for compiled plugins.
    ///
    /// # Panics
    ///
    /// If this machine cannot run plugins.
    pub fn with_cache(directory: &Path) -> Self {
        Self::with(RuntimeOptions {
            cache: Some(directory.to_owned()),
            ..RuntimeOptions::default()
        })
    }

    /// The same, whose compiled code is the same on every machine.
    ///
    /// # Panics
    ///
    /// If this machine cannot run plugins.
    pub fn portable(cache: &Path) -> Self {
        Self::with(RuntimeOptions {
            cache: Some(cache.to_owned()),
            portable: true,
            ..RuntimeOptions::default()
        })
    }

    fn with(options: RuntimeOptions) -> Self {
        Self {
            runtime: Runtime::new(options).expect("a plugin runtime"),
            services: Arc::new(HostServices::detached()),
            names: Arc::new(Names::new(["bench"], ["users", "users-v2"])),
        }
    }

    /// Where plugins are loaded.
    pub fn runtime(&self) -> &Runtime {
        &self.runtime
    }

    /// A plugin by its name.
    ///
    /// # Panics
    ///
    /// As [`bytes()`].
    pub fn plugin(&self, name: &str) -> Arc<Plugin> {
        self.runtime.load(name, &bytes(name)).expect("a plugin")
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
            allow: Allow::all(),
            namespace: name.to_owned(),
            quarantine: QuarantinePolicy::default(),
            service: None,
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

/// A plugin's file: one of the standard plugins, or of those in
/// `benches/plugins`.
///
/// # Panics
///
/// If it is not there: `cargo xtask plugins` builds all of them.
pub fn bytes(name: &str) -> Vec<u8> {
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../target"),
        PathBuf::from,
    );
    let found = ["plugins", "bench-plugins"]
        .iter()
        .find_map(|folder| std::fs::read(target.join(folder).join(format!("{name}.wasm"))).ok());
    found.unwrap_or_else(|| panic!("there is no {name}.wasm; run `cargo xtask plugins`"))
}

/// What a hook may change and the next call must not find: so that every call
/// does the work of a first one.
pub struct Fresh {
    headers: HeaderMap,
    uri: Uri,
    /// The names of the headers that the first call added.
    added: Vec<HeaderName>,
}

impl Fresh {
    /// What an exchange is to be like again.
    pub fn of(exchange: &Exchange) -> Self {
        Self {
            headers: exchange.headers.clone(),
            uri: exchange.uri.clone(),
            added: Vec::new(),
        }
    }

    /// Makes it so. Headers that were added are removed by their names; a copy of all
    /// would cost more than what is measured.
    pub fn restore(&mut self, exchange: &mut Exchange) {
        exchange.attributes.clear();
        exchange.notes.clear();
        exchange.staged.clear();
        if exchange.headers.len() != self.headers.len() {
            if self.added.is_empty() {
                let names = exchange.headers.keys();
                let added = names.filter(|name| !self.headers.contains_key(*name));
                self.added = added.cloned().collect();
            }
            for name in &self.added {
                exchange.headers.remove(name);
            }
            if exchange.headers.len() != self.headers.len() {
                exchange.headers.clone_from(&self.headers);
            }
        }
        if exchange.uri.path().len() != self.uri.path().len() {
            exchange.uri = self.uri.clone();
        }
    }
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
pub fn service(name: &str, addresses: impl Iterator<Item = SocketAddr>) -> Service {
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
        tls: None,
        protocol: config::Protocol::default(),
        at: Position::START,
    }
}

/// The list of a service with so many instances.
///
/// # Panics
///
/// Never: the addresses are well-formed.
pub fn instances(count: u16) -> Arc<InstanceList> {
    let registry = Registry::new();
    let service = service(
        "users",
        (0..count).map(|port| SocketAddr::from(([127, 0, 0, 1], 20_000 + port))),
    );
    registry
        .apply(&[service], &portcullis::tls::Clients::default())
        .expect("a service");
    registry.service("users").expect("just applied").list()
}

/// A router for so many services, with three routes each.
///
/// # Panics
///
/// Never: no two routes match alike.
pub fn router(count: usize) -> Router {
    let pattern = |text: String| Match {
        path: Some(text.parse().expect("a pattern")),
        ..Match::default()
    };
    let matches: Vec<Match> = (0..count)
        .flat_map(|service| {
            [
                pattern(format!("/service-{service}/status")),
                pattern(format!("/service-{service}/users/{{id}}")),
                pattern(format!("/service-{service}/files/{{*path}}")),
            ]
        })
        .collect();
    Router::build((0..).map(RouteIndex).zip(&matches)).expect("no two alike")
}

/// A JSON Web Token, HS256, of issuer `example`, that expires in the year 2100.
pub fn token(secret: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    signed("HS256", |text| hmac::sign(&key, text).as_ref().to_vec())
}

/// The same, RS256, for the key whose public half is [`RSA_PUBLIC`].
///
/// # Panics
///
/// Never: the key is well-formed.
pub fn rsa_token() -> String {
    let pem = include_str!("../../plugins/jwt-auth/tests/data/rsa-private.pem");
    let body: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
    let der = STANDARD.decode(body).expect("a key in base64");
    let key = RsaKeyPair::from_pkcs8(&der).expect("a key");
    signed("RS256", |text| {
        let mut signature = vec![0; key.public().modulus_len()];
        key.sign(
            &RSA_PKCS1_SHA256,
            &SystemRandom::new(),
            text,
            &mut signature,
        )
        .expect("a signature");
        signature
    })
}

/// The key of [`rsa_token`], as PEM.
pub const RSA_PUBLIC: &str = include_str!("../../plugins/jwt-auth/tests/data/rsa-public.pem");

fn signed(algorithm: &str, sign: impl Fn(&[u8]) -> Vec<u8>) -> String {
    let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    let header = encode(format!(r#"{{"alg":"{algorithm}","typ":"JWT"}}"#).as_bytes());
    let claims = encode(br#"{"iss":"example","sub":"ann","scope":"users:read","exp":4102444800}"#);
    let text = format!("{header}.{claims}");
    let signature = encode(&sign(text.as_bytes()));
    format!("{text}.{signature}")
}
