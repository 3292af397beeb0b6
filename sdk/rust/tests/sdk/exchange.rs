//! The fake exchange keeps the rules of `wit/exchange.wit`.

use portcullis_sdk::{prelude::*, testing::*};

/// Changes everything it can in the hook that it is told, and notes what was
/// refused and why.
#[derive(Default)]
struct Meddler {
    refusals: Vec<(&'static str, Option<Refusal>)>,
}

impl Meddler {
    fn meddle(&mut self, exchange: &mut Exchange) {
        let mut note = |what, result: Result<()>| {
            self.refusals
                .push((what, result.err().and_then(|error| error.refusal())));
        };
        note("request header", exchange.set_request_header("x-a", "1"));
        note("path", exchange.set_path("/new?x=2"));
        note("service", exchange.set_service("users"));
        note("status", exchange.set_response_status(418));
        note(
            "response header",
            exchange.append_response_header("x-b", "2"),
        );
        note("attribute", exchange.set_attribute("meddler.was", "here"));
    }
}

#[plugin(summary = "Changes what it can in every hook")]
impl Meddler {
    fn on_request(&mut self, exchange: &mut Exchange) -> Result<Verdict> {
        self.meddle(exchange);
        Ok(Verdict::Next)
    }

    fn on_response(&mut self, exchange: &mut Exchange) -> Result<Verdict> {
        self.meddle(exchange);
        Ok(Verdict::Next)
    }

    fn on_completion(&mut self, exchange: &mut Exchange, _outcome: &Outcome) {
        self.meddle(exchange);
    }
}

impl Meddler {
    fn refused(&mut self) -> Vec<&'static str> {
        let refusals = std::mem::take(&mut self.refusals);
        let late = refusals
            .iter()
            .filter(|(_, refusal)| *refusal == Some(Refusal::WrongPhase));
        late.map(|(what, _)| *what).collect()
    }
}

#[test]
fn each_hook_may_change_its_own_side() {
    let gateway = Gateway::new();
    let mut filter = Meddler::default();
    let exchange = gateway.exchange(Request::get("/old?x=1"));

    assert_eq!(exchange.run_request(&mut filter), Reply::Next);
    assert_eq!(filter.refused(), ["status", "response header"]);
    assert_eq!(
        (exchange.path(), exchange.query()),
        ("/new".into(), Some("x=2".into()))
    );
    assert_eq!(exchange.service().as_deref(), Some("users"));
    assert_eq!(exchange.request_header("X-A").as_deref(), Some("1"));

    exchange.respond_from_upstream(200, [("x-b", "1")]);
    assert_eq!(exchange.run_response(&mut filter), Reply::Next);
    assert_eq!(filter.refused(), ["request header", "path", "service"]);
    assert_eq!(exchange.response_status(), Some(418));
    assert_eq!(exchange.response_header_values("x-b"), ["1", "2"]);
    assert_eq!(exchange.attribute("meddler.was").as_deref(), Some("here"));

    exchange.run_completion(
        &mut filter,
        Outcome {
            status: 418,
            ..Outcome::default()
        },
    );
    let all = [
        "request header",
        "path",
        "service",
        "status",
        "response header",
    ];
    assert_eq!(filter.refused(), all);
}

#[test]
fn changes_are_refused_for_the_reason_the_interface_gives() {
    let gateway = Gateway::new();
    gateway.add_service("users");
    let large = "x".repeat((8 << 10) + 1);
    type Change<'a> = &'a dyn Fn(&mut Exchange) -> Result<()>;
    let cases: &[(Change<'_>, Option<Refusal>)] = &[
        (
            &|e| e.set_request_header("x y", "1"),
            Some(Refusal::Invalid),
        ),
        (
            &|e| e.set_request_header("x", "a\r\nb"),
            Some(Refusal::Invalid),
        ),
        (
            &|e| e.set_request_header("Transfer-Encoding", "chunked"),
            Some(Refusal::Forbidden),
        ),
        (
            &|e| e.append_request_header(":path", "/"),
            Some(Refusal::Forbidden),
        ),
        (&|e| e.set_request_header("x", [0xff, b'\t']), None),
        (
            &|e| (0..200).try_for_each(|_| e.append_request_header("x", "1")),
            Some(Refusal::TooLarge),
        ),
        (&|e| e.set_path("no/slash"), Some(Refusal::Invalid)),
        (&|e| e.set_path("/a b"), Some(Refusal::Invalid)),
        (&|e| e.set_path("/a#b"), Some(Refusal::Invalid)),
        (&|e| e.set_path("/a%2"), Some(Refusal::Invalid)),
        (&|e| e.set_path("/a%20b"), None),
        (
            &|e| e.set_service("products"),
            Some(Refusal::UnknownService),
        ),
        (&|e| e.set_service("users"), None),
        (
            &|e| e.set_attribute("Auth.Subject", "a"),
            Some(Refusal::Invalid),
        ),
        (
            &|e| e.set_attribute("auth..subject", "a"),
            Some(Refusal::Invalid),
        ),
        (
            &|e| e.set_attribute("auth.subject", &large),
            Some(Refusal::TooLarge),
        ),
        (
            &|e| (0..65).try_for_each(|i| e.set_attribute(&format!("a.{i}"), "")),
            Some(Refusal::TooLarge),
        ),
    ];
    for (number, (change, expected)) in cases.iter().enumerate() {
        let exchange = gateway.exchange(Request::get("/"));
        let refusal = exchange.with(|e| change(e).err().and_then(|error| error.refusal()));
        assert_eq!(refusal, *expected, "case {number}");
    }
}

#[test]
fn what_a_request_brings_can_be_read() {
    let gateway = Gateway::new();
    let request = Request::post("/a/b?c=1")
        .header("Host", "API.example.com:8080")
        .header("x-many", "1")
        .header("x-many", "2")
        .header("x-odd", [0xff])
        .client("10.0.0.9")
        .scheme("https")
        .route("users")
        .path_parameter("rest", "b")
        .attribute("auth.subject", "ann");
    gateway.exchange(request).with(|exchange| {
        assert_eq!(exchange.method(), "POST");
        assert_eq!(exchange.path(), "/a/b");
        assert_eq!(exchange.query().as_deref(), Some("c=1"));
        assert_eq!(exchange.host(), "api.example.com");
        assert_eq!(exchange.scheme(), "https");
        assert_eq!(exchange.client_address(), "10.0.0.9");
        assert_eq!(
            (exchange.route().as_str(), exchange.service()),
            ("users", None)
        );
        assert_eq!(exchange.path_parameter("rest").as_deref(), Some("b"));
        assert_eq!(exchange.attribute("auth.subject").as_deref(), Some("ann"));
        assert_eq!(exchange.request_header_values("X-Many"), [b"1", b"2"]);
        assert_eq!(exchange.request_header_text("x-odd"), None);
        let [many, none] = exchange.request_headers(["x-many", "x-none"]);
        assert_eq!((many.as_deref(), none), (Some(&b"1"[..]), None));
        assert_eq!(exchange.all_request_headers().len(), 4);
        assert_eq!(exchange.response_status(), None);
    });
}

/// Answers, or fails, as its header `x-do` says.
#[derive(Default)]
struct Moody;

#[plugin(summary = "Answers or fails")]
impl Moody {
    fn on_request(&mut self, exchange: &mut Exchange) -> Result<Verdict> {
        match exchange.request_header_text("x-do").as_deref() {
            Some("answer") => Ok(Answer::new(204).into()),
            Some("refuse") => Err(Answer::problem(401, "Unauthorized", "who?").into()),
            Some("nonsense") => Ok(Answer::new(42).into()),
            Some(other) => Err(Error::failure(format!("cannot {other}"))),
            None => Ok(Verdict::Next),
        }
    }
}

#[test]
fn answers_failures_and_nonsense_end_as_in_a_gateway() {
    let gateway = Gateway::new();
    let ask = |what| {
        gateway
            .exchange(Request::get("/").header("x-do", what))
            .run_request(&mut Moody)
    };
    assert_eq!(ask("answer"), Reply::Answer(Answer::new(204)));
    assert_eq!(ask("refuse").answer().map(Answer::status), Some(401));
    assert_eq!(
        ask("nonsense"),
        Reply::Failed("the answer was refused: not valid".to_owned())
    );
    assert_eq!(ask("dance"), Reply::Failed("cannot dance".to_owned()));
    assert_eq!(
        gateway.log_lines().last().map(String::as_str),
        Some("cannot dance")
    );
}

#[test]
fn an_answer_is_the_response_that_filters_before_see() {
    let gateway = Gateway::new();
    let exchange = gateway.exchange(Request::get("/").header("x-do", "refuse"));
    exchange.run_request(&mut Moody);
    assert_eq!(exchange.response_status(), Some(401));
    let mut before = Meddler::default();
    assert_eq!(exchange.run_response(&mut before), Reply::Next);
    assert_eq!(exchange.response_status(), Some(418));
}
