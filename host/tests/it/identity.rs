//! Filters that ask others who a client is: an authorization service
//! (`ext-auth`), an identity provider that publishes its keys (`jwt-auth`).

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use crate::support::{Gateway, Scripted, Upstream, Wire, one_route, within};

/// Somebody who is asked, and answers each question by what it says.
struct Asked {
    server: Scripted,
    questions: Arc<AtomicUsize>,
    /// Whether it breaks off instead.
    down: Arc<AtomicBool>,
}

impl Asked {
    fn start(answer: impl Fn(&str, &[u8]) -> String + Send + Sync + 'static) -> Self {
        let (questions, down) = (Arc::new(AtomicUsize::new(0)), Arc::default());
        let (count, is_down) = (Arc::clone(&questions), Arc::<AtomicBool>::clone(&down));
        let server = Scripted::start(move |mut wire| {
            loop {
                let head = wire.head().to_ascii_lowercase();
                if head.is_empty() || is_down.load(SeqCst) {
                    return;
                }
                count.fetch_add(1, SeqCst);
                let length = head
                    .lines()
                    .find_map(|line| line.strip_prefix("content-length: "));
                let body = wire.take(length.map_or(0, |length| length.parse().expect("a number")));
                wire.send(answer(&head, &body));
            }
        });
        Self {
            server,
            questions,
            down,
        }
    }

    fn questions(&self) -> usize {
        self.questions.load(SeqCst)
    }
}

fn answer(status: u16, fields: &str, body: &str) -> String {
    let length = body.len();
    format!("HTTP/1.1 {status} -\r\n{fields}content-length: {length}\r\n\r\n{body}")
}

/// Knows Ann, and refuses what begins with `evil`.
fn authority() -> Asked {
    Asked::start(|head, body| match head.contains("authorization: ann\r\n") {
        _ if body.starts_with(b"evil") => answer(403, "", "no"),
        true => answer(200, "x-user: ann\r\n", ""),
        false => answer(401, "www-authenticate: Demo\r\nx-internal: 1\r\n", "who?"),
    })
}

fn guarded(upstream: &Upstream, asked: &Asked, config: &str) -> Gateway {
    let url = format!("http://{}", asked.server.address);
    let step = format!(
        "plugin: ext-auth, allow: {{ http: [\"{url}\"] }}, \
         config: {{ url: \"{url}/check\", headers_to_take: [x-user]{config} }}"
    );
    let config = one_route(
        &[upstream.address],
        "",
        &format!("pipeline: [{{ {step} }}]"),
    );
    Gateway::start(&["ext-auth"], &config)
}

#[test]
fn an_authorization_service_decides_who_passes_and_as_whom() {
    let (upstream, asked) = (Upstream::start("a"), authority());
    let gateway = guarded(&upstream, &asked, ", cache: { ttl: 1m }");
    let refused = gateway.client().get("/", &[("x-user", "admin")]);
    assert_eq!(
        (refused.status.as_u16(), refused.text()),
        (401, "who?".to_owned())
    );
    assert_eq!(
        (
            refused.header("www-authenticate"),
            refused.header("x-internal")
        ),
        ("Demo", "")
    );
    assert_eq!(upstream.hits(), 0);

    let before = asked.questions();
    for _ in 0..20 {
        let headers = [("authorization", "ann"), ("x-user", "admin")];
        let passed = gateway.client().get("/", &headers).json();
        assert_eq!(passed["headers"]["x-user"], "ann", "{passed}");
    }
    assert!(
        asked.questions() - before <= 2,
        "each of two workers asks once"
    );

    asked.down.store(true, SeqCst);
    let known = gateway.client().get("/", &[("authorization", "ann")]);
    assert_eq!(known.status, 200);
    let unknown = gateway.client().get("/other", &[("authorization", "ann")]);
    assert_eq!(unknown.status, 503);
}

#[test]
fn no_body_gets_by_unasked() {
    let (upstream, asked) = (Upstream::start("a"), authority());
    let gateway = guarded(&upstream, &asked, ", send_body: true");
    let fields = "host: a\r\nauthorization: ann\r\nx-user: admin\r\n";
    for (body, expected) in [
        ("content-length: 4\r\n\r\ngood", 200),
        ("content-length: 4\r\n\r\nevil", 403),
        (
            "transfer-encoding: chunked\r\n\r\n2\r\ngo\r\n0\r\n\r\n",
            200,
        ),
        (
            "transfer-encoding: chunked\r\n\r\n2\r\nev\r\n2\r\nil\r\n0\r\n\r\n",
            403,
        ),
        ("\r\n", 200),
    ] {
        let mut wire = Wire::connect(gateway.address);
        wire.send(format!("POST / HTTP/1.1\r\n{fields}{body}"));
        let reply = wire.reply();
        assert_eq!(reply.status, expected, "{body}");
        if expected == 200 {
            assert_eq!(reply.json()["headers"]["x-user"], "ann", "{body}");
        }
    }
    assert_eq!(upstream.hits(), 3);
    // Whom it does not know does not pass either, whatever the framing promises.
    for body in [
        "content-length: 4\r\n\r\ngood",
        "content-length: 0\r\n\r\n",
        "transfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        "connection: upgrade\r\nupgrade: websocket\r\ncontent-length: 4\r\n\r\ngood",
    ] {
        let mut wire = Wire::connect(gateway.address);
        wire.send(format!("POST / HTTP/1.1\r\nhost: a\r\n{body}"));
        assert_eq!(wire.reply().status, 401, "{body}");
    }
    assert_eq!(upstream.hits(), 3);
}

/// A key set, and tokens of its one key, good until the year 2100; the second
/// names a key that there is not.
pub(crate) const KEYS: &str = r#"{"keys":[{"kty":"EC","crv":"P-256","kid":"demo","use":"sig","alg":"ES256","x":"Q8DIkLlIrh40B5PwoE3jhlx7KzysPv8Kbec6M2WyU9w","y":"DLVi_IaYsWdsi8l31110u2bW8H7M8GrfXFD3VIODZm4"}]}"#;
pub(crate) const KNOWN: &str = "Bearer eyJhbGciOiJFUzI1NiIsInR5cCI6IkpXVCIsImtpZCI6ImRlbW8ifQ.eyJpc3MiOiJodHRwOi8vMTI3LjAuMC4xOjkwMTAiLCJzdWIiOiJhbm4iLCJleHAiOjQxMDI0NDQ4MDB9.fas3iIVhQtBFArFChpaJVfhzi85C5LZ50J1U5xqsh2tAZAC3Qi2Oppw1E7gEq91So3lLt0dUHBH76mksueZ1aQ";
pub(crate) const UNKNOWN: &str = "Bearer eyJhbGciOiJFUzI1NiIsInR5cCI6IkpXVCIsImtpZCI6InVua25vd24ifQ.eyJpc3MiOiJodHRwOi8vMTI3LjAuMC4xOjkwMTAiLCJzdWIiOiJhbm4iLCJleHAiOjQxMDI0NDQ4MDB9.6EzlH2Ka4_5YpPq5ECwDvBVAm7KDsNFlD-Qf3VLj_Da-80UANPNHbxLG8l2V19_d59apg76MIKPM7XikK1F-9Q";

fn with_keys_of(upstream: &Upstream, issuer: &Asked, allow: &str) -> String {
    let url = format!("http://{}", issuer.server.address);
    let allow = allow.replace("URL", &format!("\"{url}\""));
    let step = format!(
        "plugin: jwt-auth, tick: 100ms, allow: {{ {allow} }}, config: {{ algorithms: [ES256], \
         jwks_url: \"{url}/keys\", jwks_refresh: {{ cool_down: 1s }} }}"
    );
    one_route(
        &[upstream.address],
        "",
        &format!("pipeline: [{{ {step} }}]"),
    )
}

#[test]
fn keys_that_are_published_are_fetched_once_for_all() {
    let upstream = Upstream::start("a");
    let issuer = Asked::start(|_, _| answer(200, "", KEYS));
    let config = with_keys_of(&upstream, &issuer, "http: [URL], store: true");
    let gateway = Gateway::start(&["jwt-auth"], &config);
    assert_eq!(issuer.questions(), 1, "before the first request");
    let ask = |token: &str| {
        gateway
            .client()
            .get("/", &[("authorization", token)])
            .status
            .as_u16()
    };
    for _ in 0..20 {
        assert_eq!(ask(KNOWN), 200);
    }
    assert_eq!(issuer.questions(), 1);

    // Unknown names, for as long as two cool-downs take.
    let mut unknown = 0;
    within(Duration::from_millis(2_100), || {
        unknown += 1;
        // While the issuer is being asked nothing can be said.
        assert!([401, 503].contains(&ask(UNKNOWN)));
        false
    });
    assert!(unknown > 20, "{unknown}");
    assert!(
        (2..=4).contains(&issuer.questions()),
        "{}",
        issuer.questions()
    );

    issuer.down.store(true, SeqCst);
    for _ in 0..20 {
        assert_eq!(ask(KNOWN), 200, "known keys stay");
    }
}

#[test]
fn a_gateway_starts_without_its_issuer_and_has_its_keys_once_it_answers() {
    let upstream = Upstream::start("a");
    let issuer = Asked::start(|_, _| answer(200, "", KEYS));
    issuer.down.store(true, SeqCst);
    let config = with_keys_of(&upstream, &issuer, "http: [URL], store: true");
    let gateway = Gateway::start(&["jwt-auth"], &config);
    let reply = gateway.client().get("/", &[("authorization", KNOWN)]);
    assert_eq!(
        (reply.status.as_u16(), reply.header("retry-after")),
        (503, "1")
    );
    issuer.down.store(false, SeqCst);
    let passes = || {
        gateway
            .client()
            .get("/", &[("authorization", KNOWN)])
            .status
            == 200
    };
    assert!(within(Duration::from_secs(20), passes));
}

#[test]
fn what_fetching_keys_takes_has_to_be_allowed() {
    let upstream = Upstream::start("a");
    let issuer = Asked::start(|_, _| answer(200, "", KEYS));
    for (allow, missing) in [("http: [URL]", "store: true"), ("store: true", "http: […]")] {
        // A static key needs neither; `guarded` routes of `auth.rs` allow nothing.
        let good =
            "pipeline: [{ plugin: jwt-auth, config: { algorithms: [HS256], secret: s3cret } }]";
        let gateway = Gateway::start(&["jwt-auth"], &one_route(&[upstream.address], "", good));
        gateway.write_config(&with_keys_of(&upstream, &issuer, allow));
        assert!(within(Duration::from_secs(20), || gateway
            .refused_reloads()
            == 1.0));
        let error = gateway.last_reload()["error"].to_string();
        assert!(error.contains(missing), "{error}");
    }
}
