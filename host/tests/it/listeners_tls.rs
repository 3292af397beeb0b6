//! TLS on listeners: which certificate is shown, what clients have to show, and
//! what becomes of it.

use std::{
    fmt::Write as _,
    fs,
    io::Read,
    net::{SocketAddr, TcpStream},
    path::Path,
    time::{Duration, Instant, SystemTime},
};

use rustls::{
    ProtocolVersion,
    pki_types::{CertificateDer, pem::PemObject},
    version::{TLS12, TLS13},
};

use crate::support::{
    Authority, Gateway, Secure, Signed, Upstream, Wants, check, eventually, one_route, put,
};

/// A listener with these certificates, and more keys of `tls`.
fn listener(certificates: &[&Signed], more: &str) -> String {
    let mut pairs = String::new();
    for Signed { certificate, key } in certificates {
        let (certificate, key) = (certificate.display(), key.display());
        let pair = format!("{{ certificate: \"{certificate}\", key: \"{key}\" }}, ");
        pairs.push_str(&pair);
    }
    format!(
        "listeners:\n  - address: 127.0.0.1:0\n    tls: {{ certificates: [{pairs}], {more} }}\n"
    )
}

fn start(listener: &str, instances: &[SocketAddr], route: &str) -> Gateway {
    let config = format!("{listener}{}", one_route(instances, "", route));
    Gateway::start(&["headers"], &config)
}

fn certificate(path: &Path) -> CertificateDer<'static> {
    CertificateDer::from_pem_file(path).expect("a certificate")
}

/// A step that tells the upstream what is known of the connection.
const TELL: &str = "pipeline:\n  - plugin: headers\n    config: { request: { set: { \
    x-version: \"{attribute:tls.version}\", x-name: \"{attribute:tls.server_name}\", \
    x-subject: \"{attribute:tls.client.subject}\", x-san: \"{attribute:tls.client.san}\", \
    x-scheme: \"{scheme}\" } } }";

#[test]
fn a_request_comes_over_tls_and_says_so() {
    let authority = Authority::new();
    let upstream = Upstream::start("a");
    let own = authority.sign(&["a.example"]);
    let gateway = start(&listener(&[&own], ""), &[upstream.address], TELL);
    for (version, agreed, told) in [
        (&TLS12, ProtocolVersion::TLSv1_2, "1.2"),
        (&TLS13, ProtocolVersion::TLSv1_3, "1.3"),
    ] {
        let wants = Wants {
            versions: &[version],
            protocols: &["spdy/1", "http/1.1"],
            ..Wants::default()
        };
        let client = Secure::wanting(gateway.address, &authority, &wants);
        let claims = [("x-forwarded-proto", "http"), ("x-subject", "CN=me")];
        let (reply, session) = client.get("a.example", "/x", &claims).expect("a reply");
        assert_eq!(session.version, agreed);
        assert_eq!(session.protocol.as_deref(), Some("http/1.1"));
        let headers = &reply.json()["headers"];
        assert_eq!(headers["x-forwarded-proto"], "https");
        let forwarded = headers["forwarded"].as_str().expect("a field");
        assert!(forwarded.ends_with(";proto=https"), "{forwarded}");
        assert_eq!(headers["x-scheme"], "https");
        assert_eq!(headers["x-version"], told);
        assert_eq!(headers["x-name"], "a.example");
        assert!(headers.get("x-subject").is_none(), "{headers}");
    }
}

#[test]
fn the_certificate_is_that_of_the_host_that_is_asked_for() {
    let authority = Authority::new();
    let first = authority.sign(&["first.example"]);
    let second = authority.sign(&["second.example", "also.example"]);
    let wild = authority.sign(&["*.wild.example"]);
    let exact = authority.sign(&["one.wild.example"]);
    let all = [&first, &second, &wild, &exact];
    let gateway = start(&listener(&all, ""), &[], "");
    let client = Secure::new(gateway.address, &authority);
    for (host, expected) in [
        ("first.example", &first),
        ("second.example", &second),
        ("also.example", &second),
        ("ALSO.example", &second),
        ("two.wild.example", &wild),
        ("one.wild.example", &exact),
    ] {
        let (_, session) = client.get(host, "/", &[]).expect(host);
        assert_eq!(
            session.certificate,
            certificate(&expected.certificate),
            "{host}"
        );
    }
    for host in ["other.example", "a.b.wild.example", "wild.example"] {
        let error = client.get(host, "/", &[]).expect_err(host).to_string();
        assert!(
            error.contains("first.example"),
            "the first is shown: {error}"
        );
    }
}

#[test]
fn sessions_are_resumed() {
    let authority = Authority::new();
    let own = authority.sign(&["a.example"]);
    let gateway = start(&listener(&[&own], ""), &[], "");
    for version in [&TLS12, &TLS13] {
        let wants = Wants {
            versions: &[version],
            ..Wants::default()
        };
        let client = Secure::wanting(gateway.address, &authority, &wants);
        // On either worker: tickets are for all of them.
        for expected in [false, true, true, true, true] {
            let (_, session) = client.get("a.example", "/", &[]).expect("a reply");
            assert_eq!(session.resumed, expected, "{version:?}");
        }
    }
}

#[test]
fn an_old_version_can_be_refused() {
    let authority = Authority::new();
    let own = authority.sign(&["a.example"]);
    let gateway = start(&listener(&[&own], "min_version: \"1.3\""), &[], "");
    let old = Wants {
        versions: &[&TLS12],
        ..Wants::default()
    };
    let client = Secure::wanting(gateway.address, &authority, &old);
    assert!(client.get("a.example", "/", &[]).is_err());
    let client = Secure::new(gateway.address, &authority);
    assert!(client.get("a.example", "/", &[]).is_ok());
    let failures = "portcullis_tls_handshake_failures_total";
    eventually("it is counted", || gateway.metric(failures) == Some(1.0));
}

#[test]
fn a_client_shows_its_certificate_and_plugins_and_services_learn_of_it() {
    let (authority, clients) = (Authority::new(), Authority::new());
    let upstream = Upstream::start("a");
    let own = authority.sign(&["a.example"]);
    let ca = clients.ca().display().to_string();
    let auth = format!("client_auth: {{ ca: \"{ca}\", required: false, forward: true }}");
    let gateway = start(&listener(&[&own], &auth), &[upstream.address], TELL);

    let identity = clients.sign_with(&["orders.example", "10.0.0.1"], |params| {
        let uri = "spiffe://example/orders".try_into().expect("text");
        params.subject_alt_names.push(rcgen::SanType::URI(uri));
    });
    let wants = Wants {
        identity: Some(&identity),
        ..Wants::default()
    };
    let claims = [("client-cert", ":AAAA:"), ("client-cert-chain", ":AAAA:")];
    let client = Secure::wanting(gateway.address, &authority, &wants);
    for resumed in [false, true] {
        let (reply, session) = client.get("a.example", "/", &claims).expect("a reply");
        assert_eq!(session.resumed, resumed);
        let headers = &reply.json()["headers"];
        assert_eq!(headers["x-subject"], "CN=orders.example");
        let names = "DNS:orders.example,IP:10.0.0.1,URI:spiffe://example/orders";
        assert_eq!(headers["x-san"], names);
        let shown = headers["client-cert"].as_str().expect("a field");
        assert_eq!(shown, field_of(&certificate(&identity.certificate)));
        assert!(headers.get("client-cert-chain").is_none(), "{headers}");
    }

    let nobody = Secure::new(gateway.address, &authority);
    let (reply, _) = nobody.get("a.example", "/", &claims).expect("a reply");
    let headers = &reply.json()["headers"];
    assert!(headers.get("client-cert").is_none(), "{headers}");
    assert!(headers.get("x-subject").is_none(), "{headers}");

    let identity = authority.sign(&["orders.example"]);
    let wants = Wants {
        identity: Some(&identity),
        ..Wants::default()
    };
    let stranger = Secure::wanting(gateway.address, &authority, &wants);
    assert!(stranger.get("a.example", "/", &[]).is_err());
    assert_eq!(upstream.hits(), 3);
}

/// A byte sequence of structured fields (RFC 8941 §3.3.5).
fn field_of(certificate: &CertificateDer<'_>) -> String {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    format!(":{}:", STANDARD.encode(certificate))
}

#[test]
fn a_client_without_a_certificate_is_refused_where_one_is_required() {
    let authority = Authority::new();
    let upstream = Upstream::start("a");
    let own = authority.sign(&["a.example"]);
    let auth = format!("client_auth: {{ ca: \"{}\" }}", authority.ca().display());
    let gateway = start(&listener(&[&own], &auth), &[upstream.address], "");
    let nobody = Secure::new(gateway.address, &authority);
    assert!(nobody.get("a.example", "/", &[]).is_err());
    assert_eq!(upstream.hits(), 0);
}

#[test]
fn where_one_listener_forwards_certificates_no_other_takes_a_clients_word() {
    let authority = Authority::new();
    let upstream = Upstream::start("a");
    let own = authority.sign(&["a.example"]);
    let ca = authority.ca().display().to_string();
    for (forward, expected) in [("true", false), ("false", true)] {
        let auth = format!("client_auth: {{ ca: \"{ca}\", forward: {forward} }}");
        let mut listeners = listener(&[&own], &auth);
        listeners.push_str("  - address: 127.0.0.1:0\n");
        let gateway = start(&listeners, &[upstream.address], "");
        let plain = gateway.addresses[1];
        let mut client = crate::support::Client::new(plain);
        let reply = client.get("/", &[("client-cert", ":AAAA:")]);
        let headers = &reply.json()["headers"];
        assert_eq!(headers.get("client-cert").is_some(), expected, "{forward}");
    }
}

#[test]
fn a_renewed_certificate_is_taken_while_connections_go_on() {
    let authority = Authority::new();
    let upstream = Upstream::start("a");
    let own = authority.sign(&["a.example"]);
    let gateway = start(&listener(&[&own], ""), &[upstream.address], "");
    upstream.delay(Duration::from_millis(1500));
    let address = gateway.address;
    std::thread::scope(|scope| {
        let slow = scope.spawn(|| {
            let client = Secure::new(address, &authority);
            client
                .get("a.example", "/slow", &[])
                .map_err(|error| error.to_string())
        });
        eventually("the slow one is upstream", || upstream.hits() == 1);
        upstream.delay(Duration::ZERO);
        let old = certificate(&own.certificate);
        // The same names: it takes the place of the old files.
        let renewed = authority.sign(&["a.example"]);
        assert_eq!(renewed.certificate, own.certificate);
        let client = Secure::new(address, &authority);
        eventually("the new certificate is shown", || {
            let (_, session) = client.get("a.example", "/", &[]).expect("a reply");
            session.certificate == certificate(&own.certificate)
        });
        assert_ne!(old, certificate(&own.certificate));
        let (reply, session) = slow.join().expect("no panic").expect("a reply");
        assert_eq!(reply.status, 200);
        assert_eq!(session.certificate, old);
    });
}

#[test]
fn a_pair_that_does_not_go_together_keeps_the_old_one() {
    let authority = Authority::new();
    let own = authority.sign(&["a.example"]);
    let gateway = start(&listener(&[&own], ""), &[], "");
    let other = authority.sign(&["b.example"]);
    let refused = gateway.refused_reloads();
    put(&fs::read(&other.key).expect("a key"), &own.key);
    eventually("it is refused", || gateway.refused_reloads() > refused);
    let why = gateway.last_reload()["error"].to_string();
    assert!(
        why.contains("listeners[0].tls.certificates[0].key"),
        "{why}"
    );
    assert!(why.contains("does not go with its certificate"), "{why}");
    let client = Secure::new(gateway.address, &authority);
    let (_, session) = client.get("a.example", "/", &[]).expect("a reply");
    assert_eq!(session.certificate, certificate(&own.certificate));
}

#[test]
fn who_does_not_shake_hands_is_let_go() {
    let authority = Authority::new();
    let own = authority.sign(&["a.example"]);
    let limits = "limits: { handshake_timeout: 300ms }\n";
    let gateway = start(&format!("{limits}{}", listener(&[&own], "")), &[], "");
    let begun = Instant::now();
    let mut silent: Vec<_> = (0..20)
        .map(|_| TcpStream::connect(gateway.address).expect("a connection"))
        .collect();
    for stream in &mut silent {
        stream
            .set_read_timeout(Some(Duration::from_secs(20)))
            .expect("a socket");
        let ended = stream.read(&mut [0; 64]);
        assert!(matches!(ended, Ok(0) | Err(_)), "{ended:?}");
    }
    let elapsed = begun.elapsed();
    assert!(elapsed >= Duration::from_millis(300), "{elapsed:?}");
    assert!(elapsed < Duration::from_secs(10), "{elapsed:?}");
    let client = Secure::new(gateway.address, &authority);
    assert!(client.get("a.example", "/", &[]).is_ok());
    let failures = "portcullis_tls_handshake_failures_total";
    eventually("all are counted", || gateway.metric(failures) == Some(20.0));
}

#[test]
fn a_drain_does_not_wait_for_handshakes() {
    let authority = Authority::new();
    let own = authority.sign(&["a.example"]);
    let limits = "limits: { handshake_timeout: 1h, drain_timeout: 1h }\n";
    let mut gateway = start(&format!("{limits}{}", listener(&[&own], "")), &[], "");
    let _silent = TcpStream::connect(gateway.address).expect("a connection");
    eventually("it is open", || {
        gateway.metric("portcullis_connections") >= Some(1.0)
    });
    gateway.terminate();
    eventually("it ends", || gateway.exit_code() == Some(0));
}

#[test]
fn the_end_of_certificates_is_told() {
    let authority = Authority::new();
    let day = Duration::from_secs(86_400);
    let now = SystemTime::now();
    let until = |until: SystemTime| {
        move |params: &mut rcgen::CertificateParams| params.not_after = until.into()
    };
    let long = authority.sign_with(&["long.example"], until(now + day * 60));
    let soon = authority.sign_with(&["soon.example"], until(now + day * 10));
    let over = authority.sign_with(&["over.example"], until(now - day));
    let mut config = listener(&[&long, &soon, &over], "");
    let gateway = start(&config, &[], "");
    let days = |of: &Signed| {
        let file = of.certificate.display();
        let series = format!("portcullis_certificate_expiry_seconds{{file=\"{file}\"}}");
        gateway
            .metric(&series)
            .map(|seconds| (seconds / 86_400.0).ceil())
    };
    assert_eq!(
        [days(&long), days(&soon), days(&over)],
        [Some(60.0), Some(10.0), Some(-1.0)]
    );
    eventually("the log warns", || {
        gateway.log().contains("soon.example.crt expires in 9 days")
    });

    write!(config, "services: {{}}").expect("text");
    let output = check(&[], &config, &[]);
    let text = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{text}");
    assert!(
        text.contains("listeners[0].tls.certificates[1].certificate"),
        "{text}"
    );
    assert!(
        text.contains("soon.example.crt expires in 9 days"),
        "{text}"
    );
    assert!(text.contains("over.example.crt has expired"), "{text}");
    assert!(!text.contains("long.example.crt"), "{text}");
}
