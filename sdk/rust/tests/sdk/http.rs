//! Requests of a plugin's own read naturally, run at once, and keep the rules
//! of `wit/http.wit`.

use std::{cell::Cell, rc::Rc, time::Duration};

use futures_util::{StreamExt, future, join, stream::FuturesUnordered};
use portcullis_sdk::{
    http::{self, Error as HttpError},
    prelude::*,
    testing::*,
};

macro_rules! asker {
    ($name:ident, $body:expr) => {
        #[derive(Default)]
        struct $name;

        #[plugin(summary = "Asks")]
        impl $name {
            async fn on_request(&mut self, _exchange: &mut Exchange) -> Result<Verdict> {
                #[expect(clippy::redundant_closure_call, reason = "the body is the test's")]
                (async || -> Result<Verdict> { $body })().await
            }
        }
    };
}

const SECOND: Duration = Duration::from_secs(1);

fn ask<P: Default + portcullis_sdk::Plugin>(gateway: &Gateway) -> Reply {
    gateway
        .exchange(Request::get("/"))
        .run_request(&mut P::default())
}

fn answer<P: Default + portcullis_sdk::Plugin>(gateway: &Gateway) -> String {
    match ask::<P>(gateway) {
        Reply::Answer(answer) => format!("{} {}", answer.status(), answer.body_text()),
        other => format!("{other:?}"),
    }
}

#[test]
fn an_answer_is_read_as_bytes_text_or_json() {
    #[derive(Deserialize)]
    #[serde(crate = "portcullis_sdk::serde")]
    struct User {
        name: String,
    }
    asker!(Asker, {
        let mut answer = http::Request::post("/users?x=1")
            .service("users")
            .header("X-A", "1")
            .json(&["a", "b"])?
            .timeout(SECOND)
            .send()
            .await?;
        assert_eq!((answer.status(), answer.is_success()), (201, true));
        assert_eq!(answer.header_text("X-kind"), Some("user"));
        let user: User = answer.json().await?;
        assert_eq!(answer.bytes().await?, b"", "it was taken");
        Ok(Answer::new(200).body(user.name).into())
    });
    let gateway = Gateway::new();
    gateway.on_http(|_| {
        HttpResponse::new(201)
            .header("x-Kind", "user")
            .chunk(r#"{"name":"#)
            .chunk(r#""Ann"}"#)
    });
    assert_eq!(answer::<Asker>(&gateway), "200 Ann");
    let asked = gateway.http_requests();
    let [asked] = &asked[..] else {
        panic!("{asked:?}")
    };
    assert_eq!(
        (asked.method(), asked.url(), asked.service()),
        ("POST", "/users?x=1", Some("users"))
    );
    assert_eq!(asked.header("x-a").as_deref(), Some("1"));
    assert_eq!(
        asked.header("content-type").as_deref(),
        Some("application/json")
    );
    assert_eq!(
        (&*asked.body_text(), asked.timeout()),
        (r#"["a","b"]"#, SECOND)
    );
}

#[test]
fn what_is_sent_before_it_is_awaited_runs_at_once() {
    asker!(OneByOne, {
        for _ in 0..3 {
            http::Request::get("http://a.example/").send().await?;
        }
        Ok(Verdict::Next)
    });
    asker!(Sent, {
        let sent = [0; 3].map(|_| http::Request::get("http://a.example/").send());
        for answer in sent {
            answer.await?;
        }
        Ok(Verdict::Next)
    });
    asker!(Joined, {
        let send = || http::Request::get("http://a.example/").send();
        let (a, b, c) = join!(send(), send(), send());
        a.and(b).and(c)?;
        Ok(Verdict::Next)
    });
    for (ask, seconds) in [
        (ask::<OneByOne> as fn(&Gateway) -> Reply, 3),
        (ask::<Sent>, 1),
        (ask::<Joined>, 1),
    ] {
        let gateway = Gateway::new();
        gateway.on_http(|_| HttpResponse::new(204).delay(SECOND));
        let start = gateway.now();
        assert_eq!(ask(&gateway), Reply::Next);
        assert_eq!(gateway.now() - start, SECOND * seconds);
    }
}

#[test]
fn the_first_of_several_is_there_first() {
    asker!(InTurn, {
        let url = |seconds| format!("http://a.example/{seconds}");
        let mut sent: FuturesUnordered<_> = [3, 1, 2]
            .map(|seconds| async move {
                let mut answer = http::Request::get(url(seconds)).send().await?;
                Ok::<_, Error>((seconds, answer.text().await?))
            })
            .into_iter()
            .collect();
        let mut order = String::new();
        while let Some(answer) = sent.next().await {
            order += &answer?.1;
        }
        Ok(Answer::new(200).body(order).into())
    });
    asker!(Either, {
        let slow = http::Request::get("http://a.example/3").send();
        let fast = http::Request::get("http://a.example/1").send();
        let first = match future::select(slow, fast).await {
            future::Either::Left((answer, _)) | future::Either::Right((answer, _)) => answer,
        };
        // The other is broken off, and nobody waits for it any more.
        let after = http::Request::get("http://a.example/2")
            .send()
            .await?
            .text()
            .await?;
        Ok(Answer::new(200).body(first?.text().await? + &after).into())
    });
    let gateway = Gateway::new();
    gateway.on_http(|request| {
        let seconds = request.url().rsplit('/').next().unwrap_or_default();
        let delay = seconds.parse().map(Duration::from_secs).unwrap_or_default();
        HttpResponse::new(200).body(seconds).delay(delay)
    });
    assert_eq!(answer::<InTurn>(&gateway), "200 123");
    let start = gateway.now();
    assert_eq!(answer::<Either>(&gateway), "200 12");
    assert_eq!(gateway.now() - start, 3 * SECOND, "one, and two after it");
}

#[test]
fn errors_say_what_went_wrong() {
    asker!(Asker, {
        let asked = http::Request::get("https://a.example/")
            .limit(4)
            .timeout(SECOND)
            .send()
            .await;
        let error = match asked {
            Ok(mut answer) => answer.bytes().await.err(),
            Err(error) => Some(error),
        };
        Ok(Answer::new(200).body(format!("{error:?}")).into())
    });
    let gateway = Gateway::new();
    assert_eq!(answer::<Asker>(&gateway), "200 Some(Denied)");
    let half = Duration::from_millis(500);
    for (response, expected) in [
        (HttpResponse::new(200).body("1234"), "None"),
        (HttpResponse::new(200).body("12345"), "Some(TooLarge)"),
        (
            HttpResponse::new(200).chunk("123").chunk("45"),
            "Some(TooLarge)",
        ),
        (HttpResponse::new(200).delay(half), "None"),
        (HttpResponse::new(200).delay(SECOND), "Some(Timeout)"),
        (
            HttpResponse::new(200)
                .chunk("a")
                .chunk("b")
                .delay(half)
                .pause(half),
            "Some(Timeout)",
        ),
        (HttpResponse::error(HttpError::Connect), "Some(Connect)"),
        (
            HttpResponse::new(200)
                .chunk("a")
                .then_error(HttpError::Broken),
            "Some(Broken)",
        ),
    ] {
        gateway.on_http(move |_| response.clone());
        assert_eq!(answer::<Asker>(&gateway), format!("200 {expected}"));
    }
}

#[test]
fn what_is_no_request_is_refused() {
    asker!(Asker, {
        let get = http::Request::get;
        let requests = [
            get("a.example/"),
            get("ftp://a.example/"),
            get("http:///x"),
            get("http://a.example/a b"),
            get("http://a.example/").service("users"),
            get("/").header("x y", "1"),
            get("http://a.example/").header("x", "a\nb"),
            get("http://a.example/").redirects(11),
            http::Request::new("G ET", "http://a.example/"),
        ];
        for request in requests {
            let error = request.clone().send().await.err();
            assert_eq!(error, Some(HttpError::Invalid), "{request:?}");
        }
        Ok(Verdict::Next)
    });
    let gateway = Gateway::new();
    gateway.on_http(|_| HttpResponse::new(200));
    assert_eq!(ask::<Asker>(&gateway), Reply::Next);
    assert_eq!(gateway.http_requests(), []);
}

#[test]
fn fields_of_the_gateway_are_left_out_and_a_whole_body_is_bounded() {
    asker!(Asker, {
        let request = http::Request::post("http://a.example/")
            .header("transfer-encoding", "chunked")
            .header("Host", "b.example")
            .header("x-a", "1");
        let large = request.clone().body(vec![0; (1 << 20) + 1]).send().await;
        assert_eq!(large.err(), Some(HttpError::TooLarge));
        request.body(vec![0; 1 << 20]).send().await?;
        Ok(Verdict::Next)
    });
    let gateway = Gateway::new();
    gateway.on_http(|_| HttpResponse::new(200));
    assert_eq!(ask::<Asker>(&gateway), Reply::Next);
    assert_eq!(gateway.http_requests()[0].header_names(), ["x-a"]);
}

#[test]
fn bodies_stream_both_ways() {
    asker!(Asker, {
        let mut upload = http::Request::post("/in")
            .service("files")
            .body("a")
            .send_streaming()?;
        upload.write("b")?;
        upload.write(b"c")?;
        let mut answer = upload.finish().await?;
        let mut chunks = Vec::new();
        while let Some(chunk) = answer.chunk().await? {
            chunks.push(String::from_utf8(chunk)?);
        }
        let trailers = answer.trailers();
        assert_eq!(trailers, [("x-sum".to_owned(), b"3".to_vec())]);
        Ok(Answer::new(200).body(chunks.join("|")).into())
    });
    let gateway = Gateway::new();
    gateway.on_http(|request| {
        HttpResponse::new(200)
            .chunk(request.body())
            .chunk("d")
            .trailer("x-sum", "3")
    });
    assert_eq!(answer::<Asker>(&gateway), "200 abc|d");
}

#[test]
fn an_answer_can_be_made_of_parts_that_were_not_read() {
    asker!(Asker, {
        let mut first = http::Request::get("/1").service("a").send().await?;
        let second = http::Request::get("/2").service("a").send().await?;
        assert_eq!(first.chunk().await?.as_deref(), Some(&b"first "[..]));
        let answer = Answer::new(203)
            .header("x-a", "1")
            .part("[")
            .part(first)
            .part(second)
            .part("]");
        Ok(answer.into())
    });
    let gateway = Gateway::new();
    gateway.on_http(|request| match request.url() {
        "/1" => HttpResponse::new(200).chunk("first ").chunk("second "),
        _ => HttpResponse::new(200).body(vec![b'x'; 2 << 20]),
    });
    let reply = ask::<Asker>(&gateway);
    let answer = reply.answer().expect("the filter answers");
    assert_eq!(
        (answer.status(), answer.header_text("x-a")),
        (203, Some("1"))
    );
    let body = format!("[second {}]", "x".repeat(2 << 20));
    assert!(
        answer.body_text() == body,
        "more than a plugin may hold goes by it"
    );
}

#[test]
fn start_and_tick_may_ask_and_others_may_not() {
    #[derive(Default)]
    struct Background(Rc<Cell<u32>>);

    #[plugin(summary = "Asks in the background", optional(http))]
    impl Background {
        async fn on_start(&mut self) -> Result<()> {
            let answer = http::Request::get("http://a.example/").send().await?;
            self.0.set(answer.status().into());
            Ok(())
        }

        async fn on_tick(&mut self) -> Result<()> {
            self.on_start().await
        }

        fn on_completion(&mut self, _exchange: &mut Exchange, _outcome: &Outcome) {
            let _ = portcullis_sdk::executor::run(self.on_start());
        }
    }
    let gateway = Gateway::new();
    let mut plugin = Background::default();
    assert!(
        gateway
            .run_start(&mut plugin)
            .unwrap_err()
            .contains("not allowed")
    );
    gateway.run_tick(&mut plugin);
    assert!(gateway.log_lines()[0].contains("not allowed"));
    gateway.on_http(|_| HttpResponse::new(299));
    assert_eq!(
        (gateway.run_start(&mut plugin), plugin.0.get()),
        (Ok(()), 299)
    );
    let exchange = gateway.exchange(Request::get("/"));
    let completion = std::panic::AssertUnwindSafe(|| {
        exchange.run_completion(&mut plugin, Outcome::default());
    });
    let trap = std::panic::catch_unwind(completion).unwrap_err();
    assert_eq!(trap.downcast_ref(), Some(&"a trap: this hook cannot wait"));
}
