//! Services that are spoken to over TLS: with whom, and with whom not.

use std::{fs, path::Path};

use crate::support::{
    Authority, Gateway, Signed, Upstream, check, eventually, get, one_route, put,
};

/// The lines of a service with TLS of these keys.
fn tls(keys: &[(&str, &Path)]) -> String {
    let keys = keys
        .iter()
        .map(|(key, file)| format!("{key}: \"{}\"", file.display()));
    format!("tls: {{ {} }}", keys.collect::<Vec<_>>().join(", "))
}

fn trusting(authority: &Authority) -> String {
    tls(&[("ca", &authority.ca())])
}

/// The status of one request through a gateway to this service.
#[track_caller]
fn status(upstream: &Upstream, service: &str) -> u16 {
    let gateway = Gateway::start(&[], &one_route(&[upstream.address], service, ""));
    gateway.get("/").status.as_u16()
}

#[test]
fn who_proves_the_name_of_the_instance_is_spoken_to() {
    let authority = Authority::new();
    let server = authority.sign(&["127.0.0.1", "localhost"]).server(None);
    let upstream = Upstream::start_secured("a", server);
    let gateway = Gateway::start(
        &[],
        &one_route(&[upstream.address], &trusting(&authority), ""),
    );
    let mut client = gateway.client();
    for _ in 0..3 {
        let reply = client.get("/x?y", &[]);
        assert_eq!(reply.status, 200);
        assert_eq!(reply.json()["instance"], "a");
        assert_eq!(reply.json()["path"], "/x?y");
    }
    // The connection is kept as one without TLS is.
    assert!(upstream.connections() <= 2, "{}", upstream.connections());

    let name = format!("localhost:{}", upstream.address.port());
    let config = one_route(&[upstream.address], &trusting(&authority), "");
    gateway.write_config(&config.replace(&upstream.address.to_string(), &name));
    eventually("the name is used", || gateway.generation() == 2);
    assert_eq!(gateway.get("/").status, 200);
}

#[test]
fn who_does_not_prove_it_is_not_spoken_to() {
    let authority = Authority::new();
    let server = authority.sign(&["users.internal"]).server(None);
    let upstream = Upstream::start_secured("a", server);
    let ca = authority.ca();
    let ca = ca.display();
    for (service, expected) in [
        (format!("tls: {{ ca: \"{ca}\" }}"), 502),
        (
            format!("tls: {{ ca: \"{ca}\", server_name: orders.internal }}"),
            502,
        ),
        (
            format!("tls: {{ ca: \"{ca}\", server_name: users.internal }}"),
            200,
        ),
        ("tls: { insecure_skip_verify: true }".to_owned(), 200),
        ("tls: false".to_owned(), 502),
    ] {
        assert_eq!(status(&upstream, &service), expected, "{service}");
    }
    let other = Authority::new();
    let service = format!(
        "tls: {{ ca: \"{}\", server_name: users.internal }}",
        other.ca().display()
    );
    assert_eq!(status(&upstream, &service), 502, "another authority");
    assert_eq!(upstream.hits(), 2);
}

#[test]
fn an_upstream_without_tls_is_not_spoken_to_where_tls_is_asked_for() {
    let authority = Authority::new();
    let upstream = Upstream::start("plain");
    assert_eq!(status(&upstream, &trusting(&authority)), 502);
    assert_eq!(upstream.hits(), 0);
}

#[test]
fn the_gateway_shows_its_certificate_to_those_who_ask() {
    let authority = Authority::new();
    let server = authority.sign(&["127.0.0.1"]).server(Some(&authority));
    let upstream = Upstream::start_secured("a", server);
    let Signed { certificate, key } = authority.sign(&["gateway"]);
    let ca = authority.ca();
    let own = tls(&[("ca", &ca), ("certificate", &certificate), ("key", &key)]);
    assert_eq!(status(&upstream, &own), 200);
    assert_eq!(status(&upstream, &trusting(&authority)), 502);
}

#[test]
fn health_is_asked_for_over_tls() {
    let authority = Authority::new();
    let good = Upstream::start_secured("good", authority.sign(&["127.0.0.1"]).server(None));
    let other = Authority::new();
    let bad = Upstream::start_secured("bad", other.sign(&["127.0.0.1"]).server(None));
    let check = "health_check: { path: /health, interval: 50ms, unhealthy_after: 1 }";
    let service = format!("{}\n{check}", trusting(&authority));
    let gateway = Gateway::start(&[], &one_route(&[good.address, bad.address], &service, ""));
    eventually("the impostor is taken out", || {
        let services = gateway.admin("/api/v1/services").json();
        let instances = services.to_string();
        instances.matches("\"healthy\":false").count() == 1
    });
    for _ in 0..4 {
        assert_eq!(gateway.get("/").json()["instance"], "good");
    }
}

#[test]
fn a_changed_file_is_taken_and_a_broken_one_is_not() {
    let (first, second) = (Authority::new(), Authority::new());
    let upstream = Upstream::start_secured("a", second.sign(&["127.0.0.1"]).server(None));
    let ca = first.ca();
    let config = one_route(&[upstream.address], &tls(&[("ca", &ca)]), "");
    let gateway = Gateway::start(&[], &config);
    assert_eq!(gateway.get("/").status, 502, "it is another authority's");

    put(&fs::read(second.ca()).expect("a file"), &ca);
    eventually("the other authority is trusted", || {
        gateway.get("/").status == 200
    });
    let generation = gateway.generation();

    put(b"no certificate", &ca);
    eventually("it is refused", || gateway.refused_reloads() > 0.0);
    let why = gateway.last_reload()["error"].to_string();
    assert!(why.contains("services.s.tls.ca"), "{why}");
    assert!(why.contains("has no certificate in it"), "{why}");
    assert_eq!(gateway.generation(), generation);
    assert_eq!(get(gateway.address, "/").status, 200);
}

#[test]
fn mistakes_in_files_are_told_with_file_and_key() {
    let authority = Authority::new();
    let one = authority.sign(&["one"]);
    let two = authority.sign(&["two"]);
    let (ca, key) = (authority.ca(), two.key.clone());
    let missing = ca.with_file_name("missing.pem");
    for (keys, key, message) in [
        (&[("ca", &missing)][..], "ca", "missing.pem cannot be read"),
        (&[("ca", &key)], "ca", "has no certificate in it"),
        (
            &[("certificate", &one.certificate), ("key", &two.key)],
            "key",
            "does not go with its certificate",
        ),
        (
            &[("certificate", &one.certificate), ("key", &ca)],
            "key",
            "has no private key in it",
        ),
        (&[("key", &one.key)], "certificate", "missing"),
    ] {
        let keys: Vec<_> = keys
            .iter()
            .map(|(key, path)| (*key, path.as_path()))
            .collect();
        let config = format!(
            "listeners: [{{ address: \"127.0.0.1:0\" }}]\nservices:\n  s:\n    {}\n",
            tls(&keys)
        );
        let output = check(&[], &config, &[]);
        let error = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{error}");
        assert!(error.contains(":4:"), "{error}");
        assert!(
            error.contains(&format!("services.s.tls.{key}: ")),
            "{error}"
        );
        assert!(error.contains(message), "{error}");
    }
}

#[test]
fn check_warns_where_nothing_is_verified() {
    let config = "listeners: [{ address: \"127.0.0.1:0\" }]\nservices:\n  s: { tls: { insecure_skip_verify: true } }\n";
    let output = check(&[], config, &[]);
    assert_eq!(output.status.code(), Some(0));
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.contains("warnings:"), "{text}");
    assert!(
        text.contains("services.s.tls.insecure_skip_verify"),
        "{text}"
    );
}
