//! Keys that the issuer publishes: fetched by one for all, kept while it is down.

use std::time::Duration;

use portcullis_sdk::http::Error;
use portcullis_sdk::testing::*;

use crate::world::{ISSUER, SECOND, SET, World, key_set, named};
use crate::*;

#[test]
fn all_instances_know_the_keys_that_one_has_fetched() {
    let issuer = Issuer::ec("ES256");
    let world = World::with_keys(json!([issuer.jwk("a")]));
    let mut first = world.started();
    let asked = world.gateway.http_requests();
    assert_eq!((asked.len(), asked[0].redirects()), (1, 0));
    let mut second = world.instance();
    let token = named(&issuer, "a");
    assert_eq!(world.status(&mut first, &token), 200);
    assert_eq!(world.status(&mut second, &token), 200);
    assert_eq!(
        world.status(&mut second, &issuer.token(&claims(json!({})))),
        200,
        "without a name"
    );
    assert_eq!(
        world.status(&mut second, &named(&Issuer::ec("ES256"), "a")),
        401
    );
    // A reload brings instances that start, and the keys are there.
    let mut reloaded = world.started();
    assert_eq!(
        (world.status(&mut reloaded, &token), world.asked()),
        (200, 0)
    );
}

#[test]
fn an_unknown_name_makes_the_issuer_be_asked_once_in_a_cool_down() {
    let (old, new) = (Issuer::ec("ES256"), Issuer::ed());
    let world = World::with_keys(json!([old.jwk("old")]));
    let mut instances = [world.started(), world.instance(), world.instance()];
    world.gateway.advance(30 * SECOND);
    world.asked();
    // Ten thousand tokens with names that nobody has heard of, over a minute.
    for number in 0..10_000 {
        let token = named(&old, &format!("unknown-{number}"));
        assert_eq!(world.status(&mut instances[number % 3], &token), 401);
        if number % 100 == 0 {
            world.gateway.advance(Duration::from_millis(599));
        }
    }
    assert_eq!(world.asked(), 2);
    assert_eq!(
        world
            .gateway
            .metric("jwt_auth_key_fetches_total", [("outcome", "good")]),
        Some(3.0)
    );
    // The issuer has a new key: the first token that names it fetches it.
    world.answers(key_set(json!([old.jwk("old"), new.jwk("new")])));
    world.gateway.advance(30 * SECOND);
    for step in &mut instances {
        assert_eq!(world.status(step, &named(&new, "new")), 200);
        assert_eq!(world.status(step, &named(&old, "old")), 200);
    }
    assert_eq!(world.asked(), 1);
}

#[test]
fn a_key_that_was_taken_back_is_good_no_longer() {
    let (old, new) = (Issuer::ec("ES256"), Issuer::ed());
    let world = World::with_keys(json!([old.jwk("old")]));
    let (mut ticking, mut other) = (world.started(), world.instance());
    let token = named(&old, "old");
    assert_eq!(
        world.status(&mut other, &token),
        200,
        "and the token is remembered"
    );
    world.answers(key_set(json!([new.jwk("new")])));
    world.gateway.advance(599 * SECOND);
    world.gateway.run_tick(&mut ticking);
    assert_eq!(
        world.asked(),
        1,
        "the start's alone: the keys are not old yet"
    );
    world.gateway.advance(SECOND);
    world.gateway.run_tick(&mut ticking);
    world.gateway.run_tick(&mut ticking);
    assert_eq!(world.asked(), 1);
    assert_eq!(world.status(&mut other, &token), 401);
    assert_eq!(world.status(&mut other, &named(&new, "new")), 200);
}

#[test]
fn while_the_issuer_is_down_known_keys_stay() {
    let issuer = Issuer::ec("ES256");
    let world = World::with_keys(json!([issuer.jwk("a")]));
    let mut step = world.started();
    let token = issuer.with_header(
        json!({ "kid": "a" }),
        &claims(json!({ "exp": NOW + 90_000 })),
    );
    for answer in [
        HttpResponse::error(Error::Connect),
        HttpResponse::new(200).delay(60 * SECOND),
        HttpResponse::new(500),
        HttpResponse::new(302).header("location", "https://elsewhere.example/keys"),
        HttpResponse::new(200).body("{"),
        HttpResponse::new(200).json(&json!({ "keys": [] })),
        HttpResponse::new(200)
            .json(&json!({ "keys": [{ "kty": "oct", "k": "AAAA", "kid": "a" }] })),
        HttpResponse::new(200).body(vec![b' '; (512 << 10) + 1]),
        HttpResponse::new(200)
            .chunk("{\"keys\":[")
            .then_error(Error::Broken),
    ] {
        world.answers(answer.clone());
        world.gateway.advance(600 * SECOND);
        world.asked();
        world.gateway.run_tick(&mut step);
        assert_eq!(world.asked(), 1, "{answer:?}");
        assert_eq!(world.status(&mut step, &token), 200, "{answer:?}");
        assert_eq!(
            world.status(&mut world.instance(), &token),
            200,
            "{answer:?}"
        );
    }
    assert!(
        world
            .gateway
            .log_lines()
            .iter()
            .all(|line| line.starts_with("the keys of the issuer: "))
    );
}

#[test]
fn without_any_key_nothing_can_be_said_of_a_token() {
    let issuer = Issuer::ec("ES256");
    let world = World::with_keys(json!([issuer.jwk("a")]));
    world.answers(HttpResponse::error(Error::Connect));
    let mut step = world.started();
    let token = named(&issuer, "a");
    let reply = world
        .gateway
        .exchange(bearer(&token))
        .run_request(&mut step);
    let answer = reply.answer().expect("it is not known");
    assert_eq!(
        (answer.status(), answer.header_text("retry-after")),
        (503, Some("30"))
    );
    // What is no token is refused all the same, and the cool-down holds.
    assert_eq!(world.status(&mut step, "a.b.c"), 401);
    let other = Issuer::hs256(SECRET).token(&claims(json!({})));
    assert_eq!(world.status(&mut step, &other), 401);
    assert_eq!(world.asked(), 1);
    world.answers(key_set(json!([issuer.jwk("a")])));
    world.gateway.advance(30 * SECOND);
    assert_eq!(world.status(&mut step, &token), 200);
}

#[test]
fn what_an_issuer_says_of_itself_is_believed_for_itself() {
    let issuer = Issuer::ec("ES256");
    let config = || json!({ "algorithms": ["ES256"], "oidc_discovery": ISSUER });
    let world = World::with_keys(json!([issuer.jwk("a")]));
    let mut step = step(&world.gateway, config());
    assert_eq!(world.gateway.run_start(&mut step), Ok(()));
    assert_eq!(world.asked(), 2);
    let of = |iss: &str| issuer.with_header(json!({ "kid": "a" }), &claims(json!({ "iss": iss })));
    assert_eq!(world.status(&mut step, &of(ISSUER)), 200);
    assert_eq!(world.status(&mut step, &of("https://else.example")), 401);
    for description in [
        json!({ "issuer": "https://else.example", "jwks_uri": SET }),
        json!({ "issuer": format!("{ISSUER}/"), "jwks_uri": SET }),
        json!({ "jwks_uri": SET }),
        json!({ "issuer": ISSUER }),
        json!({ "issuer": ISSUER, "jwks_uri": "http://id.example.com/keys" }),
        json!({ "issuer": ISSUER, "jwks_uri": "/keys" }),
    ] {
        let gateway = Gateway::new();
        let (set, text) = (json!([issuer.jwk("a")]), description.clone());
        gateway.on_http(move |request| match request.url() {
            SET => key_set(set.clone()),
            _ => HttpResponse::new(200).json(&text),
        });
        let mut step = crate::step(&gateway, config());
        assert_eq!(gateway.run_start(&mut step), Ok(()));
        assert_eq!(gateway.http_requests().len(), 1, "{description}");
        assert_eq!(
            gateway
                .exchange(bearer(of(ISSUER)))
                .run_request(&mut step)
                .answer()
                .map(Answer::status),
            Some(503)
        );
    }
}

#[test]
fn a_hundred_keys_that_can_verify_are_taken_and_no_secret() {
    let issuer = Issuer::ec("ES256");
    let mut keys = vec![
        json!({ "kty": "oct", "k": "c2VjcmV0LXRoYXQtZXZlcnlib2R5LXNlZXM", "alg": "HS256", "kid": "s" }),
        json!({ "kty": "new", "kid": "n" }),
        json!(7),
    ];
    let mut encrypting = issuer.jwk("e");
    encrypting["use"] = "enc".into();
    keys.push(encrypting);
    let mut private = issuer.jwk("p");
    private["d"] = "c2VjcmV0".into();
    keys.push(private);
    // Large ones, so that the set is more than one value of the store.
    keys.extend((0..200).map(|number| Issuer::rsa("RS256").jwk(&format!("r{number}"))));
    let world = World::with_keys(json!(keys));
    let config = json!({ "algorithms": ["ES256", "RS256", "HS256"], "jwks_url": SET });
    let mut step = crate::step(&world.gateway, config);
    assert_eq!(world.gateway.run_start(&mut step), Ok(()));
    let rsa = Issuer::rsa("RS256");
    assert_eq!(world.status(&mut step, &named(&issuer, "p")), 200);
    assert_eq!(world.status(&mut step, &named(&issuer, "e")), 401);
    assert_eq!(world.status(&mut step, &named(&rsa, "r98")), 200);
    assert_eq!(
        world.status(&mut step, &named(&rsa, "r99")),
        401,
        "the hundred and first"
    );
    let secret = Issuer::hs256("secret-that-everybody-sees");
    assert_eq!(world.status(&mut step, &named(&secret, "s")), 401);
    let stored = (0..9).filter_map(stored).flatten().collect::<Vec<u8>>();
    let stored = String::from_utf8_lossy(&stored).into_owned();
    assert!(
        stored.contains("r98") && !stored.contains("c2VjcmV0"),
        "nothing secret is kept"
    );
}

/// A part of the one version of the keys of `SET` that the store has.
fn stored(part: usize) -> Option<Vec<u8>> {
    use portcullis_sdk::crypto::{DigestAlgorithm, digest};
    let name = digest(DigestAlgorithm::Sha256, format!("set {SET}"));
    let id: String = name
        .iter()
        .take(16)
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let version = portcullis_sdk::counters::get(&format!("jwks:{id}:version"))?;
    portcullis_sdk::store::get(&format!("jwks:{id}:{version}:{part}"))
}

#[test]
fn what_the_step_does_not_allow_is_said_at_the_start() {
    let gateway = Gateway::new();
    let mut step = step(
        &gateway,
        json!({ "algorithms": ["ES256"], "jwks_url": SET }),
    );
    let error = gateway.run_start(&mut step).unwrap_err();
    assert!(error.contains("`allow: { http: […] }`"), "{error}");
}

#[test]
fn a_step_with_its_own_keys_asks_nobody() {
    let world = World::with_keys(json!([]));
    let mut step = step(&world.gateway, demo(json!({})));
    assert_eq!(world.gateway.run_start(&mut step), Ok(()));
    world.gateway.run_tick(&mut step);
    assert_eq!(world.status(&mut step, &token(json!({}))), 200);
    let unknown = Issuer::hs256(SECRET).with_header(json!({ "kid": "x" }), &claims(json!({})));
    assert_eq!(world.status(&mut step, &unknown), 401);
    assert_eq!(world.asked(), 0);
}

#[test]
fn nonsense_about_where_keys_are_is_refused() {
    let gateway = Gateway::new();
    for (config, says) in [
        (
            json!({ "jwks_url": SET, "oidc_discovery": ISSUER }),
            "give one of",
        ),
        (json!({ "jwks_url": "id.example.com" }), "`jwks_url` is no"),
        (json!({ "jwks_url": "file:///keys" }), "`jwks_url` is no"),
        (
            json!({ "oidc_discovery": "https://a b" }),
            "`oidc_discovery` is no",
        ),
        (
            json!({ "oidc_discovery": "https://a#b" }),
            "`oidc_discovery` is no",
        ),
        (
            json!({ "jwks_url": SET, "jwks_refresh": { "every": "1s" } }),
            "`jwks_refresh.every`",
        ),
        (
            json!({ "jwks_url": SET, "jwks_refresh": { "cool_down": "0s" } }),
            "`jwks_refresh.cool_down`",
        ),
        (
            json!({ "jwks_url": SET, "jwks_refresh": { "timeout": "2m" } }),
            "`jwks_refresh.timeout`",
        ),
    ] {
        let mut config = config;
        config["algorithms"] = json!(["ES256"]);
        let error = gateway
            .configure::<JwtAuth>(config.clone())
            .map(drop)
            .unwrap_err();
        assert!(error.contains(says), "{config}: {error}");
    }
}
