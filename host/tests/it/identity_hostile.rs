//! Tokens and issuers that mean harm (cases 28 and 29): nobody is asked whom a token
//! names, and whatever an issuer answers is bounded and leaves the keys that are known.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering::SeqCst},
    },
    thread,
    time::Duration,
};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

use crate::{
    identity::{KEYS, KNOWN, UNKNOWN},
    support::{Gateway, Scripted, Upstream, Wire, eventually, one_route},
};

const MIB: u64 = 1 << 20;

/// What an issuer does when it is asked for its keys.
#[derive(Clone, Copy, Debug)]
enum Deed {
    Answers,
    /// Sends the client elsewhere on this machine, or next to it.
    Redirects(&'static str),
    /// Sends 100 MiB, having said so, or not.
    Floods(&'static str),
    /// Says nothing, or a little at a time.
    Hangs,
    Drips,
}

const DEEDS: [Deed; 7] = [
    Deed::Answers,
    Deed::Redirects("http://127.0.0.1:PORT/keys"),
    Deed::Redirects("http://169.254.169.254/latest/meta-data/"),
    Deed::Floods("content-length: 104857600"),
    Deed::Floods("connection: close"),
    Deed::Hangs,
    Deed::Drips,
];

/// An issuer, and what became of the connections to it.
struct Issuer {
    server: Scripted,
    deed: Arc<AtomicUsize>,
    asked: Arc<AtomicUsize>,
    done: Arc<AtomicUsize>,
    /// Bytes of the last flood that were taken.
    taken: Arc<AtomicU64>,
}

impl Issuer {
    /// `elsewhere` is a port that it sends clients to.
    fn start(elsewhere: u16) -> Self {
        let [deed, asked, done] = [0; 3].map(|zero| Arc::new(AtomicUsize::new(zero)));
        let taken = Arc::<AtomicU64>::default();
        let issuer = (deed.clone(), asked.clone(), done.clone(), taken.clone());
        let server = Scripted::start(move |mut wire| {
            let (deed, asked, done, taken) = &issuer;
            // A connection may be kept, and is used again or not.
            while !wire.head().is_empty() {
                asked.fetch_add(1, SeqCst);
                let kept = act(&mut wire, DEEDS[deed.load(SeqCst)], elsewhere, taken);
                done.fetch_add(1, SeqCst);
                if !kept {
                    return;
                }
            }
        });
        Self {
            server,
            deed,
            asked,
            done,
            taken,
        }
    }
}

/// True if the connection is as it was.
fn act(wire: &mut Wire, deed: Deed, elsewhere: u16, taken: &AtomicU64) -> bool {
    let good = format!("content-length: {}\r\n\r\n{KEYS}", KEYS.len());
    match deed {
        Deed::Answers => wire.try_send(format!("HTTP/1.1 200 -\r\n{good}")),
        Deed::Redirects(to) => {
            let to = to.replace("PORT", &elsewhere.to_string());
            wire.try_send(format!("HTTP/1.1 302 -\r\nlocation: {to}\r\n{good}"))
        }
        Deed::Floods(field) => {
            taken.store(0, SeqCst);
            wire.try_send(format!("HTTP/1.1 200 -\r\n{field}\r\n\r\n{{\"keys\":["));
            let spaces = vec![b' '; 64 << 10];
            while taken.load(SeqCst) < 100 * MIB && wire.try_send(&spaces) {
                taken.fetch_add(spaces.len() as u64, SeqCst);
            }
            false
        }
        Deed::Hangs => {
            wire.rest();
            false
        }
        Deed::Drips => {
            wire.try_send("HTTP/1.1 200 -\r\ncontent-length: 1000\r\n\r\n");
            while wire.try_send(" ") {
                thread::park_timeout(Duration::from_millis(20));
            }
            false
        }
    }
}

fn with_keys_of(upstream: &Upstream, issuer: &Issuer) -> String {
    let url = format!("http://{}", issuer.server.address);
    let step = format!(
        "plugin: jwt-auth, allow: {{ http: [\"{url}\"], store: true }}, config: {{ \
         algorithms: [ES256], jwks_url: \"{url}/keys\", \
         jwks_refresh: {{ cool_down: 1s, timeout: 500ms }} }}"
    );
    let pipeline = format!("pipeline: [{{ {step} }}]");
    one_route(&[upstream.address], "", &pipeline)
}

fn ask(gateway: &Gateway, token: &str) -> u16 {
    let headers = [("authorization", token)];
    gateway.client().get("/", &headers).status.as_u16()
}

#[test]
fn whatever_an_issuer_answers_is_bounded_and_leaves_the_keys_that_are_known() {
    let upstream = Upstream::start("a");
    let elsewhere = Scripted::start(|mut wire| drop(wire.head()));
    let issuer = Issuer::start(elsewhere.address.port());
    let gateway = Gateway::start(&["jwt-auth"], &with_keys_of(&upstream, &issuer));
    assert_eq!(ask(&gateway, KNOWN), 200);
    for (number, deed) in DEEDS.iter().enumerate() {
        issuer.deed.store(number, SeqCst);
        let before = issuer.done.load(SeqCst);
        // A name that is not known makes it be asked, once the cool-down is over;
        // whatever it does meanwhile, and after it, the others are served.
        eventually(&format!("{deed:?} has an end"), || {
            assert!([401, 503].contains(&ask(&gateway, UNKNOWN)), "{deed:?}");
            assert_eq!(ask(&gateway, KNOWN), 200, "{deed:?}");
            issuer.done.load(SeqCst) > before
        });
        assert_eq!(ask(&gateway, KNOWN), 200, "{deed:?}");
        // What the sockets of both sides hold is not the gateway's.
        let taken = issuer.taken.load(SeqCst);
        assert!(taken < 20 * MIB, "{deed:?}: {taken}");
    }
    assert!(issuer.asked.load(SeqCst) >= DEEDS.len());
    assert_eq!(elsewhere.connections(), 0, "redirects are not followed");
}

#[test]
fn nobody_is_asked_whom_a_token_names() {
    let upstream = Upstream::start("a");
    let named = Scripted::start(|mut wire| drop(wire.head()));
    let issuer = Issuer::start(0);
    let gateway = Gateway::start(&["jwt-auth"], &with_keys_of(&upstream, &issuer));
    let (header, rest) = KNOWN
        .trim_start_matches("Bearer ")
        .split_once('.')
        .expect("a token");
    let header = URL_SAFE_NO_PAD.decode(header).expect("a header");
    let header: serde_json::Value = serde_json::from_slice(&header).expect("JSON");
    // The second is the issuer's own address, which the step may ask.
    for address in [named.address, issuer.server.address] {
        for member in ["jku", "x5u"] {
            let mut header = header.clone();
            header[member] = format!("http://{address}/evil").into();
            header["jwk"] = serde_json::json!({ "kty": "oct", "k": "AAAA" });
            let header = URL_SAFE_NO_PAD.encode(header.to_string());
            let token = format!("Bearer {header}.{rest}");
            assert_eq!(ask(&gateway, &token), 401, "{member}");
        }
    }
    assert_eq!(named.connections(), 0);
    assert_eq!(issuer.asked.load(SeqCst), 1, "at the start alone");
    assert_eq!(ask(&gateway, KNOWN), 200);
    assert_eq!(upstream.hits(), 1);
}
