//! Body hooks see what `wit/body.wit` says, in any split.

use portcullis_sdk::{body::Bodies, hooks, prelude::*, testing::*};

/// Does with every chunk what its header `x-do` says.
#[derive(Default)]
struct Streaming;

#[plugin(summary = "Plays with chunks")]
impl Streaming {
    fn on_request(&mut self, exchange: &mut Exchange) -> Result<Verdict> {
        match exchange.request_header_text("x-do").as_deref() {
            Some("skip") => exchange.skip_body(Side::Request)?,
            Some("wrong side") => exchange.hold_head(Side::Response)?,
            _ => {}
        }
        Ok(Verdict::Next)
    }

    fn on_response(&mut self, exchange: &mut Exchange) -> Result<Verdict> {
        exchange.hold_head(Side::Response)?;
        exchange.decode_body(Side::Response)?;
        Ok(Verdict::Next)
    }

    fn on_request_body(
        &mut self,
        exchange: &mut Exchange,
        seen: &mut Vec<u8>,
        chunk: &mut Chunk,
    ) -> Result<ChunkVerdict> {
        seen.extend(chunk.read());
        let what = exchange.request_header_text("x-do");
        match what.as_deref() {
            Some("before") => chunk.write(b"<").map(|()| ChunkVerdict::Pass),
            Some("rest") => chunk.write("<").map(|()| ChunkVerdict::PassRest),
            Some("nothing") => Ok(ChunkVerdict::Replace),
            Some("hold") if !chunk.is_end() => Ok(ChunkVerdict::Replace),
            Some("hold") => {
                seen.reverse();
                chunk.write(seen).map(|()| ChunkVerdict::Replace)
            }
            Some("answer") if seen.len() > 2 => Ok(Answer::new(413).into()),
            Some("refuse") => Err(Answer::new(400).into()),
            Some("fail") => Err(Error::failure("cannot")),
            Some("large") => chunk
                .write(vec![0; (1 << 20) + 1])
                .map(|()| ChunkVerdict::Pass),
            Some("head") => exchange
                .set_request_header("x", "1")
                .map(|()| ChunkVerdict::Pass),
            _ => Ok(ChunkVerdict::Pass),
        }
    }

    fn on_response_body(&mut self, _: &mut Exchange, chunk: &mut Chunk) -> Result<ChunkVerdict> {
        match &*chunk.read() {
            b"stop" => Ok(Answer::new(500).into()),
            _ => Ok(ChunkVerdict::Pass),
        }
    }
}

#[test]
fn chunks_pass_change_wait_and_stop() {
    let gateway = Gateway::new();
    let failed = |text: &str| Reply::Failed(text.to_owned());
    let answer = |status| Reply::Answer(Answer::new(status));
    let cases: &[(&str, &[&str], &str, usize, Reply)] = &[
        ("pass", &["ab", "c"], "abc", 2, Reply::Next),
        ("pass", &["ab", "", "c", ""], "abc", 3, Reply::Next),
        ("pass", &[], "", 1, Reply::Next),
        ("before", &["ab", "c"], "<ab<c", 2, Reply::Next),
        ("rest", &["ab", "c", "d"], "<abcd", 1, Reply::Next),
        ("nothing", &["ab", "c"], "", 2, Reply::Next),
        ("hold", &["ab", "c"], "cba", 2, Reply::Next),
        ("skip", &["ab", "c"], "abc", 0, Reply::Next),
        ("answer", &["ab", "c", "d"], "ab", 2, answer(413)),
        ("refuse", &["ab", "c"], "", 1, answer(400)),
        ("fail", &["ab", "c"], "", 1, failed("cannot")),
        (
            "large",
            &["ab"],
            "",
            1,
            failed("write was refused: over a limit of the gateway"),
        ),
        (
            "head",
            &["a"],
            "",
            1,
            failed("set-request-header was refused: too late or too early for it"),
        ),
    ];
    let mut filter = Streaming;
    for (what, chunks, text, calls, reply) in cases {
        let exchange = gateway.exchange(Request::post("/").header("x-do", what));
        assert_eq!(exchange.run_request(&mut filter), Reply::Next);
        let body = exchange.run_request_body(&mut filter, *chunks);
        assert_eq!(
            (&*body.text(), body.calls(), body.reply()),
            (*text, *calls, reply),
            "{what}"
        );
    }
    let exchange = gateway.exchange(Request::post("/").header("x-do", "wrong side"));
    let expected = failed("hold-head was refused: too late or too early for it");
    assert_eq!(exchange.run_request(&mut filter), expected);
}

#[test]
fn a_response_can_be_stopped_while_its_head_is_held() {
    let gateway = Gateway::new();
    let run = |hold: bool, chunks: &[&str]| {
        let exchange = gateway.exchange(Request::get("/"));
        exchange.respond_from_upstream(200, [("content-encoding", "gzip")]);
        if hold {
            assert_eq!(exchange.run_response(&mut Streaming), Reply::Next);
            assert!(exchange.holds_head(Side::Response) && exchange.decodes_body(Side::Response));
            assert_eq!(exchange.response_header("content-encoding"), None);
        }
        let body = exchange.run_response_body(&mut Streaming, chunks);
        (body.reply().clone(), exchange.response_status())
    };
    assert_eq!(
        run(true, &["stop"]),
        (Reply::Answer(Answer::new(500)), Some(500))
    );
    for late in [run(true, &["a", "stop"]), run(false, &["stop"])] {
        assert!(matches!(late, (Reply::Failed(_), Some(200))), "{late:?}");
    }
    let exchange = gateway.exchange(Request::get("/"));
    exchange.respond_from_upstream(200, [("content-encoding", "zstd")]);
    assert!(matches!(
        exchange.run_response(&mut Streaming),
        Reply::Failed(_)
    ));
}

/// Changes trailers at the end, and tries before.
#[derive(Default)]
struct Trailers;

#[plugin(summary = "Changes trailers")]
impl Trailers {
    fn on_request_body(&mut self, _: &mut Exchange, chunk: &mut Chunk) -> Result<ChunkVerdict> {
        let set = chunk
            .set_trailer("x-b", "2")
            .map_err(|error| error.refusal());
        if !chunk.is_end() {
            assert_eq!(
                (set, chunk.trailers().len()),
                (Err(Some(Refusal::WrongPhase)), 0)
            );
            return Ok(ChunkVerdict::Pass);
        }
        assert_eq!(
            chunk.trailers(),
            [("x-a", "1"), ("x-b", "2")].map(|(n, v)| (n.into(), v.into()))
        );
        for name in ["content-length", "Authorization", "set-cookie", "trailer"] {
            let refused = chunk
                .set_trailer(name, "1")
                .map_err(|error| error.refusal());
            assert_eq!(refused, Err(Some(Refusal::Forbidden)), "{name}");
        }
        assert!(chunk.remove_trailer("X-A") && !chunk.remove_trailer("x-a"));
        Ok(ChunkVerdict::Pass)
    }
}

#[test]
fn trailers_are_there_at_the_end() {
    let gateway = Gateway::new();
    let exchange = gateway.exchange(Request::post("/"));
    exchange.send_trailers([("x-a", "1")]);
    let body = exchange.run_request_body(&mut Trailers, ["a", "b"]);
    assert_eq!(
        (body.trailer("x-a"), body.trailer("X-B").as_deref()),
        (None, Some("2"))
    );
    assert_eq!(body.reply(), &Reply::Next);
}

/// Does with a whole body what it says.
#[derive(Default)]
struct Whole;

#[plugin(summary = "Reads whole bodies")]
impl Whole {
    async fn on_request_buffered(
        &mut self,
        exchange: &mut Exchange,
        body: &mut Body,
    ) -> Result<Verdict> {
        exchange.set_request_header("x-length", body.len().to_string())?;
        match body.text()?.as_str() {
            "empty" => body.set(""),
            "twice" => {
                body.set("once");
                assert_eq!((body.text()?.as_str(), body.len()), ("once", 4));
                body.set(b"twice!");
            }
            "large" => body.set(vec![0; (1 << 20) + 1]),
            "answer" => return Ok(Answer::new(422).into()),
            _ => {}
        }
        Ok(Verdict::Next)
    }

    fn on_response_buffered(
        &mut self,
        exchange: &mut Exchange,
        body: &mut Body,
    ) -> Result<Verdict> {
        let number: u64 = body.json()?;
        exchange.set_response_status(201)?;
        body.set_json(&(number + 1))?;
        Ok(Verdict::Next)
    }
}

#[test]
fn a_whole_body_is_seen_with_its_head() {
    let gateway = Gateway::new();
    for (body, expected, reply) in [
        ("other", "other", Some(Reply::Next)),
        ("empty", "", Some(Reply::Next)),
        ("twice", "twice!", Some(Reply::Next)),
        ("answer", "", Some(Reply::Answer(Answer::new(422)))),
        ("large", "", None),
    ] {
        let exchange = gateway.exchange(Request::post("/"));
        let run = exchange.run_request_buffered(&mut Whole, body);
        assert_eq!(run.text(), expected, "{body}");
        match reply {
            Some(reply) => assert_eq!(run.reply(), &reply),
            None => assert!(matches!(run.reply(), Reply::Failed(_)), "{run:?}"),
        }
        let length = body.len().to_string();
        assert_eq!(exchange.request_header("x-length"), Some(length));
    }
    let exchange = gateway.exchange(Request::post("/"));
    exchange.respond_from_upstream(200, []);
    assert_eq!(
        exchange.run_response_buffered(&mut Whole, "41").text(),
        "42"
    );
    assert_eq!(exchange.response_status(), Some(201));
}

/// Has no use for what its configuration does not name.
struct OneSide;

#[config]
struct OneSideConfig {
    side: String,
}

#[plugin(summary = "Looks at one side", config = OneSideConfig)]
impl OneSide {
    fn configure(config: OneSideConfig) -> Result<Self> {
        match config.side.as_str() {
            "request" => hooks::skip_body(Side::Response),
            _ => hooks::skip_body(Side::Request),
        }
        Ok(Self)
    }

    fn on_request_body(&mut self, _: &mut Exchange, _: &mut Chunk) -> Result<ChunkVerdict> {
        Ok(ChunkVerdict::Pass)
    }

    fn on_response_body(&mut self, _: &mut Exchange, _: &mut Chunk) -> Result<ChunkVerdict> {
        Ok(ChunkVerdict::Pass)
    }
}

#[test]
fn a_configuration_can_do_without_a_side() {
    let gateway = Gateway::new();
    let _: OneSide = gateway.configure(json!({ "side": "request" })).unwrap();
    assert_eq!(gateway.skipped_bodies(), [Side::Response]);
    let _: OneSide = gateway.configure(json!({ "side": "response" })).unwrap();
    assert_eq!(gateway.skipped_bodies(), [Side::Request]);
}

#[test]
fn each_body_has_a_state_of_its_own_until_it_ends() {
    let mut bodies = Bodies::<String>::new();
    for (stream, text) in [(1, "a"), (2, "x"), (1, "b"), (2, "y")] {
        let state = bodies.take(stream) + text;
        bodies.put(stream, state);
    }
    assert_eq!((bodies.take(1), bodies.len()), ("ab".to_owned(), 1));
    bodies.dropped(2);
    bodies.dropped(3);
    assert!(bodies.is_empty());
    assert_eq!(bodies.take(2), "", "a number that comes again begins anew");
}
