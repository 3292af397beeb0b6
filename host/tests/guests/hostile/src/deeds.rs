//! What the plugin can be told to do.

use std::{cell::Cell, fs, hint::black_box, net::TcpStream, time::Duration};

use crate::bindings::portcullis::gateway::{
    counters,
    crypto::{self, VerificationKey},
    exchange, hooks, log, metrics,
};
use crate::floods;
use crate::random::wasi::random::random::get_random_bytes;

/// What comes of a deed, if the plugin survives it.
pub enum Outcome {
    Nothing,
    Respond,
    Fail,
    Unheard,
}

pub fn perform(deed: &str) -> Outcome {
    match deed {
        "nothing" => {}
        "as-asked" => return as_asked(),
        "count" => return count(),
        "header" => header(),
        "batch" => batch(),
        "respond" => return respond(200, "text/plain", b"answer"),
        "respond-nothing" => return Outcome::Respond,
        "fail" => return Outcome::Fail,
        "unheard" => return Outcome::Unheard,
        "answer-and-go-on" => {
            respond(200, "text/plain", b"dropped");
        }
        "note" => {
            exchange::set_note(exchange::note() + 1);
            found(&exchange::note().to_string());
        }
        "stage" => found(word(exchange::append_to_response(&[
            ("x-staged".into(), b"1".to_vec()),
            ("x-staged".into(), b"2".to_vec()),
        ]))),
        "skip-response" => hooks::skip(hooks::Hook::Response),
        "spin" => spin(),
        "spin-in-calls" => loop {
            black_box(exchange::method());
        },
        "spin-in-copies" => spin_in_copies(),
        "hog" => hog(),
        "recurse" => {
            black_box(recurse(1));
        }
        "panic" => panic!("it was told to"),
        "exit" => std::process::exit(3),
        "wait" => std::thread::sleep(Duration::from_secs(3_600)),
        "print" => print(),
        "keys" => keys(),
        "random" => random(),
        "long-key" => drop(counters::get(&"k".repeat(257))),
        "names" => {
            exchange::request_headers(&vec!["a".to_string(); 1_000]);
        }
        "digest" => {
            crypto::digest(crypto::DigestAlgorithm::Sha256, &vec![0; 2 << 20]);
        }
        "refusals" => found(&refusals()),
        "many-headers" => found(&many_headers()),
        "many-fields" => found(&many_fields()),
        "world" => found(&world()),
        #[cfg(feature = "outside")]
        "services" => found(&services()),
        #[cfg(feature = "outside")]
        "store" => crate::outside::store(),
        #[cfg(feature = "outside")]
        "discover" => found(&crate::outside::discover()),
        #[cfg(feature = "outside")]
        "tell-services" => {
            return respond(200, "text/plain", crate::outside::discover().as_bytes());
        }
        "answer" => return answer(),
        "flood-counters" => flood_counters(),
        "flood-log" => flood_log(),
        "flood-metrics" => flood_metrics(),
        "slow" => floods::slow(),
        "log-flood" => floods::log_lines(),
        "call-flood" => floods::calls(),
        "giants" => floods::giants(),
        "huge-random" => drop(get_random_bytes(u64::MAX)),
        "smuggle" => smuggle(),
        "nonsense" => {
            black_box((refusals(), many_fields()));
            return Outcome::Respond;
        }
        "dirty" => grown(1 << 20).fill(0x5e),
        "scan" => found(&format!("{}", grown(1 << 20).iter().any(|byte| *byte != 0))),
        "no-instance" => drop(crate::bindings::portcullis::gateway::balancing::in_flight(
            7,
        )),
        other => panic!("there is no deed {other}"),
    }
    Outcome::Nothing
}

/// Tells the test.
pub fn found(text: &str) {
    exchange::set_attribute("found", text).expect("a good attribute");
}

/// What the request itself says, or nothing.
fn as_asked() -> Outcome {
    match exchange::request_header("x-deed") {
        Some(deed) => perform(&String::from_utf8_lossy(&deed)),
        None => Outcome::Nothing,
    }
}

/// Answers how often this instance did so before.
fn count() -> Outcome {
    thread_local!(static COUNT: Cell<u32> = const { Cell::new(0) });
    let before = COUNT.replace(COUNT.get() + 1);
    respond(200, "text/plain", before.to_string().as_bytes())
}

fn header() {
    if let Some(value) = exchange::request_header("x-in") {
        let _ = exchange::set_request_header("x-out", &value);
    }
}

fn batch() {
    let names = ["x-in", "absent", "host"].map(String::from);
    let values = exchange::request_headers(&names);
    found(&format!(
        "{:?}",
        values.iter().map(Option::is_some).collect::<Vec<_>>()
    ));
}

fn respond(status: u16, kind: &str, body: &[u8]) -> Outcome {
    let fields = [("content-type".to_string(), kind.as_bytes().to_vec())];
    match exchange::respond(status, &fields, body) {
        Ok(()) => Outcome::Respond,
        Err(_) => Outcome::Fail,
    }
}

pub fn spin() {
    let mut round = 0_u64;
    loop {
        round = black_box(round).wrapping_add(1);
    }
}

fn spin_in_copies() {
    let mut a = vec![1_u8; 8 << 20];
    let b = vec![2_u8; 8 << 20];
    loop {
        a.copy_from_slice(black_box(&b));
        black_box(&mut a);
    }
}

fn hog() {
    let mut held = Vec::new();
    loop {
        held.push(vec![1_u8; 1 << 20]);
        black_box(&mut held);
    }
}

#[expect(unconditional_recursion, reason = "that is the deed")]
fn recurse(depth: u64) -> u64 {
    let frame = black_box([depth; 8]);
    black_box(recurse(frame[0] + 1)) + frame[7]
}

fn print() {
    println!("on standard output");
    eprintln!("on standard error");
    for line in 0..2_000 {
        log::write(log::Level::Info, &format!("{line}\n{}", "x".repeat(5_000)));
    }
}

fn keys() {
    let mut held = Vec::new();
    for _ in 0..1_000_000 {
        held.push(VerificationKey::from_secret(b"secret"));
    }
}

fn random() {
    black_box(get_random_bytes(1 << 20));
}

/// What the gateway says to each change that it must refuse.
fn refusals() -> String {
    let said = [
        exchange::set_request_header("x-a", b"b\r\nc: d"),
        exchange::set_request_header("x a", b"b"),
        exchange::set_request_header(":path", b"/"),
        exchange::append_request_header("content-length", b"1"),
        exchange::set_request_header("x-long", &vec![b'x'; 65_537]),
        exchange::set_path("no-slash"),
        exchange::set_path("/a#b"),
        exchange::set_response_status(200),
        exchange::set_response_header("a", b"b"),
        exchange::set_service("nowhere"),
        exchange::set_attribute("Not Good", ""),
        exchange::set_attributes(&[("good".into(), "".into()), ("Not Good".into(), "".into())]),
        exchange::append_to_response(&[("a".into(), b"b".to_vec()), ("te".into(), b"b".to_vec())]),
        exchange::respond(99, &[], b""),
        exchange::respond(200, &[], &vec![0; (1 << 20) + 1]),
        exchange::respond(200, &[("upgrade".into(), b"h2c".to_vec())], b""),
        exchange::set_path("/fine"),
        exchange::set_service("users"),
    ];
    said.map(word).join(" ")
}

/// Tries to get into the message what could be read as another one.
fn smuggle() {
    let bad: [(&str, &[u8]); 12] = [
        ("x-a", b"b\r\nx-smuggled: 1"),
        ("x-a", b"b\nx-smuggled: 1"),
        ("x-a", b"b\rsmuggled"),
        ("x-a", b"b\0smuggled"),
        ("x-a\r\nx-smuggled", b"1"),
        ("x-smuggled:", b"1"),
        (":path", b"/smuggled"),
        (":status", b"999"),
        ("content-length", b"0"),
        ("transfer-encoding", b"chunked"),
        ("Connection", b"upgrade"),
        ("", b"smuggled"),
    ];
    for (name, value) in bad {
        let field = [(name.to_string(), value.to_vec())];
        let said = [
            exchange::set_request_header(name, value),
            exchange::append_request_header(name, value),
            exchange::set_response_header(name, value),
            exchange::append_response_header(name, value),
            exchange::append_to_response(&field),
            exchange::respond(200, &field, b"smuggled"),
        ];
        assert!(
            said.iter().all(Result::is_err),
            "{name:?} was taken: {}",
            said.map(word).join(" ")
        );
    }
    for path in [
        "/a\r\nx-smuggled: 1",
        "/a b",
        "smuggled",
        "/a\0",
        "http://smuggled/",
    ] {
        assert!(exchange::set_path(path).is_err(), "{path:?} was taken");
    }
    let good = [
        exchange::set_request_header("x-good", b"1"),
        exchange::set_response_header("x-good", b"1"),
    ];
    assert!(
        good.iter().any(Result::is_ok),
        "{}",
        good.map(word).join(" ")
    );
}

pub fn word(said: Result<(), exchange::Refusal>) -> &'static str {
    said.map_or_else(|refusal| refusal.name(), |()| "ok")
}

fn many_headers() -> String {
    let count = (0..100_000)
        .take_while(|index| exchange::append_request_header(&format!("x-{index}"), b"y").is_ok())
        .count();
    count.to_string()
}

fn many_fields() -> String {
    let fields = vec![("a".to_string(), b"b".to_vec()); 33_000];
    word(exchange::respond(200, &fields, b"")).into()
}

/// What there is of a world outside.
fn world() -> String {
    let file = fs::read("/etc/passwd").is_err();
    let directory = fs::read_dir("/").is_err();
    let network = TcpStream::connect("127.0.0.1:1").is_err();
    let environment = std::env::vars().next().is_none();
    let input = std::io::Read::read(&mut std::io::stdin(), &mut [0]).is_ok_and(|n| n == 0);
    let clock = std::time::SystemTime::now() > std::time::UNIX_EPOCH;
    format!("{file} {directory} {network} {environment} {input} {clock}")
}

/// Answers with as many bytes as the request asks for in `x-bytes`.
fn answer() -> Outcome {
    respond(200, "text/plain", &vec![b'a'; number("x-bytes")])
}

/// A number in a header of the request.
pub fn number(header: &str) -> usize {
    let value = exchange::request_header(header).unwrap_or_default();
    String::from_utf8_lossy(&value).parse().unwrap_or(0)
}

fn flood_counters() {
    for index in 0..number("x-count") {
        counters::add(&format!("{index}"), 1, 3_600_000);
    }
}

fn flood_log() {
    for index in 0..number("x-count") {
        log::write(log::Level::Info, &format!("line {index} of a flood"));
    }
}

fn flood_metrics() {
    for index in 0..number("x-count") {
        metrics::add("flood_total", &[("of".into(), index.to_string())], 1);
    }
}

#[cfg(feature = "outside")]
fn services() -> String {
    let added = counters::add("c", 2, 60_000) + counters::add("c", 3, 60_000);
    let bucket = counters::Bucket {
        capacity: 2,
        refill: 1,
        per_ms: 60_000,
    };
    let taken = [2, 1].map(|cost| counters::token_bucket("b", bucket, cost).allowed);
    let kept = crate::outside::keeps();
    let digest = crypto::digest(crypto::DigestAlgorithm::Sha256, b"");
    let key = VerificationKey::from_secret(b"k");
    let forged = key.verify(crypto::Algorithm::Hs256, b"m", b"s");
    let refused = VerificationKey::from_pem("x").is_err();
    metrics::add("calls_total", &[("of".into(), "test".into())], 1);
    let known = crate::outside::knows_nothing();
    format!(
        "{added} {taken:?} {kept} {:02x} {forged} {refused} {known}",
        digest[0]
    )
}

/// Fresh memory, straight from the host.
fn grown(bytes: usize) -> &'static mut [u8] {
    let before = core::arch::wasm32::memory_grow(0, bytes / 65_536);
    assert_ne!(before, usize::MAX, "memory was refused");
    unsafe { std::slice::from_raw_parts_mut((before * 65_536) as *mut u8, bytes) }
}
