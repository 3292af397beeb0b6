//! Calls to real servers on this machine, from a thread that has a dispatcher.

use std::{
    cell::Cell,
    future::poll_fn,
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    rc::Rc,
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use http_body_util::BodyExt;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::{LocalSet, spawn_local, yield_now},
    time::timeout,
};

use crate::{
    body::RequestBody,
    config::{Allow, Capability, Reach},
    discovery::Instance,
    exchange::{Exchange, RequestId},
    observe::{HttpMetrics, Metrics},
    upstream::{Pool, PoolOptions},
};

use super::*;

const OPTIONS: PoolOptions = PoolOptions {
    connect_timeout: Duration::from_secs(30),
    idle_connections: 4,
    idle_timeout: Duration::from_secs(30),
    multiplexing: crate::upstream::Multiplexing::USUAL,
};

/// A thread without services.
struct Desert(Pool<RequestBody>);

impl Ground for Desert {
    fn pool(&self) -> &Pool<RequestBody> {
        &self.0
    }

    fn pick(&self, _: &str, _: &mut Box<Exchange>, _: u32) -> Option<Arc<Instance>> {
        None
    }
}

/// A server on this machine that treats its connections as a test says.
struct Server {
    address: SocketAddr,
    /// Connections that are open now, and that ever were.
    open: Rc<Cell<usize>>,
    seen: Rc<Cell<usize>>,
}

impl Server {
    async fn start<F: Future<Output = io::Result<()>> + 'static>(
        script: impl Fn(TcpStream) -> F + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("bound");
        let address = listener.local_addr().expect("an address");
        let (open, seen) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(0)));
        let server = Self {
            address,
            open: Rc::clone(&open),
            seen: Rc::clone(&seen),
        };
        let script = Rc::new(script);
        spawn_local(async move {
            while let Ok((stream, _)) = listener.accept().await {
                open.update(|count| count + 1);
                seen.update(|count| count + 1);
                let (open, script) = (Rc::clone(&open), Rc::clone(&script));
                spawn_local(async move {
                    // That the other side has left is for the test to judge.
                    let _ = script(stream).await;
                    open.update(|count| count - 1);
                });
            }
        });
        server
    }

    /// Answers each request with what `answer` makes of its head.
    async fn answering(answer: impl Fn(&str) -> String + 'static) -> Self {
        let answer = Rc::new(answer);
        Self::start(move |mut stream| {
            let answer = Rc::clone(&answer);
            async move {
                while let Some(head) = head(&mut stream).await? {
                    stream.write_all(answer(&head).as_bytes()).await?;
                }
                Ok(())
            }
        })
        .await
    }

    /// Reads all that comes and says nothing.
    async fn silent() -> Self {
        Self::start(|mut stream| async move {
            tokio::io::copy(&mut stream, &mut tokio::io::sink())
                .await
                .map(drop)
        })
        .await
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }
}

/// The next head; none at the connection's end.
async fn head(stream: &mut TcpStream) -> io::Result<Option<String>> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        if stream.read(&mut byte).await? == 0 {
            return Ok(None);
        }
        head.push(byte[0]);
    }
    Ok(Some(String::from_utf8_lossy(&head).into_owned()))
}

fn ok(body: &str) -> String {
    format!(
        "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
}

fn moved(to: &str) -> String {
    format!("HTTP/1.1 302 Found\r\nlocation: {to}\r\ncontent-length: 0\r\n\r\n")
}

fn plugin(origins: &[String], calls: usize) -> Arc<Plugin> {
    let mut allow = Allow::default();
    allow.set(Capability::Http, true);
    if !origins.is_empty() {
        let origin = |text: &String| {
            crate::config::Origin::of(&url::Url::parse(text).expect("a URL")).expect("an origin")
        };
        allow.let_reach(Reach {
            origins: origins.iter().map(origin).collect(),
            ..Reach::default()
        });
    }
    Arc::new(Plugin {
        name: "p".into(),
        policy: Policy::of(&allow),
        calls,
        metrics: Arc::new(HttpMetrics::default()),
    })
}

fn nobody() -> Caller {
    Caller {
        client: IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        request_id: RequestId(http::HeaderValue::from_static("")),
    }
}

fn get(url: &str) -> Request {
    let request = Request::to_url("GET", url).expect("a valid request");
    request.within(Duration::from_secs(20))
}

fn call(plugin: &Arc<Plugin>, request: Request) -> Result<Call, Error> {
    start(plugin, nobody(), request, Bytes::new(), 1 << 20)
}

async fn text(call: &mut Call) -> Result<String, Error> {
    let mut text = Vec::new();
    while let Some(bytes) = poll_fn(|cx| call.poll_read(cx)).await? {
        text.extend(bytes);
    }
    Ok(String::from_utf8_lossy(&text).into_owned())
}

async fn status(call: &mut Call) -> Result<u16, Error> {
    poll_fn(|cx| {
        call.poll_head(cx)
            .map(|head| head.map(|head| head.status.as_u16()))
    })
    .await
}

async fn until(what: &str, condition: impl Fn() -> bool) {
    let waiting = async {
        while !condition() {
            yield_now().await;
        }
    };
    let waited = timeout(Duration::from_secs(40), waiting).await;
    assert!(waited.is_ok(), "waited in vain until {what}");
}

/// Runs a test on a thread with a dispatcher.
fn run(test: impl AsyncFnOnce(Rc<Dispatcher>)) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    LocalSet::new().block_on(&runtime.expect("a runtime"), async {
        let desert = Rc::new(Desert(Pool::new(OPTIONS)));
        let dispatcher = Dispatcher::new(desert, OPTIONS, Arc::default());
        let _lent = dispatcher.lend();
        let limited = timeout(Duration::from_secs(120), test(dispatcher));
        assert!(limited.await.is_ok(), "the test hangs");
    });
}

#[test]
fn what_is_named_is_asked_and_its_connection_kept() {
    run(async |dispatcher| {
        let server = Server::answering(|head| ok(head.lines().next().unwrap_or_default())).await;
        let plugin = plugin(&[server.url("")], 10);
        for path in ["/a?b=c", "/d"] {
            let mut call = call(&plugin, get(&server.url(path))).expect("allowed");
            assert_eq!(status(&mut call).await, Ok(200));
            assert_eq!(text(&mut call).await, Ok(format!("GET {path} HTTP/1.1")));
            until("it has ended", || dispatcher.in_flight("p") == 0).await;
        }
        assert_eq!(server.seen.get(), 1);
    });
}

#[test]
fn this_machine_is_denied_to_who_may_ask_everybody() {
    run(async |_| {
        let server = Server::answering(|_| ok("a secret")).await;
        let plugin = plugin(&[], 10);
        let port = server.address.port();
        for host in [
            "127.0.0.1",
            "0x7f.1",
            "[::1]",
            "[::ffff:127.0.0.1]",
            "0.0.0.0",
        ] {
            let denied = call(&plugin, get(&format!("http://{host}:{port}/"))).map(drop);
            assert_eq!(denied, Err(Error::Denied), "{host}");
        }
        // Known only once the name was asked for.
        for url in [
            format!("http://localhost:{port}/"),
            format!("http://LOCALHOST:{port}/"),
        ] {
            let mut call = call(&plugin, get(&url)).expect("a name is not denied by itself");
            assert_eq!(status(&mut call).await, Err(Error::Denied), "{url}");
        }
        assert_eq!(server.seen.get(), 0, "nobody has come as far as there");
    });
}

#[test]
fn a_name_that_is_granted_may_resolve_to_this_machine() {
    run(async |_| {
        let server = Server::answering(|head| ok(head.lines().nth(1).unwrap_or_default())).await;
        let url = format!("http://localhost:{}", server.address.port());
        let plugin = plugin(std::slice::from_ref(&url), 10);
        let mut call = call(&plugin, get(&url)).expect("allowed");
        let text = text(&mut call).await.expect("an answer");
        assert!(
            text.contains("user-agent: portcullis") || text.contains("host: localhost"),
            "{text}"
        );
    });
}

#[test]
fn a_redirect_is_held_against_the_policy_like_the_first_url() {
    run(async |_| {
        let inside = Server::answering(|_| ok("a secret")).await;
        let to = inside.url("/secret");
        let other = to.clone();
        let outside = Server::answering(move |head| match head {
            head if head.starts_with("GET /inside ") => moved(&other),
            head if head.starts_with("GET /twice ") => moved("/again"),
            head if head.starts_with("GET /again ") => moved("/end"),
            head if head.starts_with("GET /loop ") => moved("/loop"),
            _ => ok("the end"),
        })
        .await;
        let strict = plugin(&[outside.url("")], 10);
        let asked = async |plugin, path, redirects| {
            let request = get(&outside.url(path)).following(redirects).expect("few");
            let mut call = call(plugin, request).expect("allowed");
            match status(&mut call).await? {
                200 => text(&mut call).await,
                status => Ok(status.to_string()),
            }
        };
        assert_eq!(asked(&strict, "/inside", 5).await, Err(Error::Denied));
        assert_eq!(inside.seen.get(), 0);
        assert_eq!(asked(&strict, "/inside", 0).await.as_deref(), Ok("302"));
        assert_eq!(asked(&strict, "/twice", 2).await.as_deref(), Ok("the end"));
        assert_eq!(asked(&strict, "/twice", 1).await.as_deref(), Ok("302"));
        assert_eq!(asked(&strict, "/loop", 10).await.as_deref(), Ok("302"));
        let lenient = plugin(&[outside.url(""), to], 10);
        assert_eq!(
            asked(&lenient, "/inside", 1).await.as_deref(),
            Ok("a secret")
        );
    });
}

#[test]
fn who_takes_too_long_is_left() {
    run(async |dispatcher| {
        let server = Server::silent().await;
        let plugin = plugin(&[server.url("")], 10);
        let request = get(&server.url("/")).within(Duration::from_millis(30));
        let mut call = call(&plugin, request).expect("allowed");
        assert_eq!(status(&mut call).await, Err(Error::Timeout));
        until("all is freed", || {
            dispatcher.in_flight("p") == 0 && server.open.get() == 0
        })
        .await;
    });
}

#[test]
fn an_answer_that_stops_half_way_is_left_unless_a_client_reads_it() {
    run(async |_| {
        let server = Server::start(|mut stream| async move {
            head(&mut stream).await?;
            stream
                .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\none")
                .await?;
            tokio::time::sleep(Duration::from_millis(200)).await;
            stream.write_all(b"two").await
        })
        .await;
        let plugin = plugin(&[server.url("")], 10);
        let request = || get(&server.url("/")).within(Duration::from_millis(100));
        let mut read = call(&plugin, request()).expect("allowed");
        assert_eq!(text(&mut read).await, Err(Error::Timeout));
        let mut handed_on = call(&plugin, request()).expect("allowed");
        assert_eq!(status(&mut handed_on).await, Ok(200));
        let body = handed_on.into_rest().collect().await.expect("all of it");
        assert_eq!(body.to_bytes(), "onetwo");
    });
}

#[test]
fn calls_in_flight_are_bounded_and_each_that_ends_makes_room() {
    run(async |dispatcher| {
        let server = Server::silent().await;
        let plugin = plugin(&[server.url("")], 3);
        let begin = || call(&plugin, get(&server.url("/")));
        let calls: Vec<Call> = (0..3).map(|_| begin().expect("there is room")).collect();
        assert_eq!(begin().map(drop), Err(Error::Busy));
        until("all have come", || server.open.get() == 3).await;
        drop(calls);
        until("there is room", || dispatcher.in_flight("p") == 0).await;
        assert!(begin().is_ok());
    });
}

#[test]
fn ten_thousand_calls_that_are_left_leave_nothing_behind() {
    run(async |dispatcher| {
        let server = Server::silent().await;
        let plugin = plugin(&[server.url("")], 1_000);
        for round in 0..40 {
            let calls: Vec<Call> = (0..250)
                .map(|_| call(&plugin, get(&server.url("/"))).expect("there is room"))
                .collect();
            // Some are left before they are connected, some after.
            if round % 2 == 0 {
                until("they are connected", || server.open.get() == 250).await;
            }
            drop(calls);
            until("all is freed", || {
                dispatcher.in_flight("p") == 0 && server.open.get() == 0
            })
            .await;
        }
        assert_eq!(dispatcher.hosts.counts().open, 0);
    });
}

#[test]
fn bodies_stream_both_ways_and_wait_for_who_reads_them() {
    run(async |_| {
        // Echoes chunk by chunk, as slowly as it is read.
        let server = Server::start(|mut stream| async move {
            head(&mut stream).await?;
            stream
                .write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
                .await?;
            let (mut from, mut to) = stream.split();
            tokio::io::copy(&mut from, &mut to).await.map(drop)
        })
        .await;
        let plugin = plugin(&[server.url("")], 10);
        let request = Request::to_url("POST", &server.url("/")).expect("a valid request");
        let request = request.within(Duration::from_secs(20));
        let mut call = start_in_parts(&plugin, nobody(), request, u64::MAX).expect("allowed");
        let part = Bytes::from(vec![b'x'; 64 << 10]);
        let parts = call.writer().expect("is open").parts().clone();
        let mut written = 0;
        while let Ok(sent) = timeout(Duration::from_millis(200), parts.send(part.clone())).await {
            sent.expect("somebody reads");
            written += part.len();
        }
        assert!(
            written < 64 << 20,
            "who is not read from takes no more: {written}"
        );
        let writer = spawn_local(async move { while parts.send(part.clone()).await.is_ok() {} });
        let mut read = 0;
        while read < 4 * written {
            let bytes = poll_fn(|cx| call.poll_read(cx)).await.expect("it goes on");
            read += bytes.expect("it goes on").len();
        }
        drop(call);
        writer.await.expect("the writer is told");
    });
}

#[test]
fn a_body_that_is_not_finished_breaks_the_call_off() {
    run(async |dispatcher| {
        let server = Server::silent().await;
        let plugin = plugin(&[server.url("")], 10);
        let begin = || {
            let request = Request::to_url("POST", &server.url("/")).expect("a valid request");
            let request = request.within(Duration::from_secs(20));
            start_in_parts(&plugin, nobody(), request, 100).expect("allowed")
        };
        let call = begin();
        until("it is connected", || server.open.get() == 1).await;
        drop(call);
        until("all is freed", || {
            dispatcher.in_flight("p") == 0 && server.open.get() == 0
        })
        .await;
        let mut call = begin();
        call.finish();
        assert!(call.writer().is_none());
    });
}

#[test]
fn errors_say_what_happened() {
    run(async |_| {
        let closed = TcpListener::bind("127.0.0.1:0").await.expect("bound");
        let address = closed.local_addr().expect("an address");
        drop(closed);
        let malformed = Server::answering(|_| "Hello!\r\n\r\n".to_owned()).await;
        let leaves = Server::start(async |mut stream| head(&mut stream).await.map(drop)).await;
        let short = Server::start(|mut stream| async move {
            head(&mut stream).await?;
            stream
                .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\none")
                .await
        })
        .await;
        for (url, expected) in [
            (format!("http://{address}"), Error::Connect),
            (malformed.url(""), Error::Broken),
            (leaves.url(""), Error::Broken),
            (short.url(""), Error::Broken),
            ("http://name.invalid".to_owned(), Error::Resolve),
        ] {
            let plugin = plugin(std::slice::from_ref(&url), 10);
            let mut call = call(&plugin, get(&url)).expect("allowed");
            assert_eq!(text(&mut call).await, Err(expected), "{url}");
        }
    });
}

#[test]
fn a_thread_without_a_dispatcher_makes_no_calls() {
    let plugin = plugin(&["http://127.0.0.1".to_owned()], 10);
    let begun = call(&plugin, get("http://127.0.0.1/"));
    assert_eq!(begun.map(drop), Err(Error::Unavailable));
}

#[test]
fn calls_are_counted_with_what_became_of_them() {
    let metrics = Metrics::new();
    let http = metrics.plugins().http("p");
    http.finished(Duration::from_secs(2), None);
    http.finished(Duration::from_secs(1), Some(Error::Timeout.as_str()));
    http.refused(Error::Busy.as_str());
    let text = metrics.render();
    for line in [
        "portcullis_plugin_http_calls_total{plugin=\"p\"} 3",
        "portcullis_plugin_http_duration_seconds_total{plugin=\"p\"} 3",
        "portcullis_plugin_http_errors_total{plugin=\"p\",kind=\"timeout\"} 1",
        "portcullis_plugin_http_errors_total{plugin=\"p\",kind=\"busy\"} 1",
    ] {
        assert!(text.contains(line), "{line} is not in\n{text}");
    }
}
