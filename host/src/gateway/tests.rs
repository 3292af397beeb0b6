//! What clients notice of filters that wait or take long: a gateway of one
//! worker, with host functions that only tests have.

use std::{
    fs,
    io::{self, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{Arc, mpsc},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use tokio::{sync::oneshot, task::LocalSet};

use crate::plugin::{Compiler, tests::pause};

use super::Gateway;

/// Longer than any machine needs for a request that does not wait.
const LONG: Duration = Duration::from_secs(60);

/// A gateway on a thread of its own, with a plugin `waits`.
struct Started {
    address: SocketAddr,
    admin: SocketAddr,
    end: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
    _directory: tempfile::TempDir,
}

impl Started {
    /// The plugin waits for so many milliseconds in the request hook, and shortly
    /// in the response hook.
    fn new(milliseconds: u32, step: &str, route: &str) -> Self {
        let wait = |milliseconds| format!("(call $wait (i32.const {milliseconds})) (i32.const 0)");
        let file = pause::component(&wait(milliseconds), &wait(1), "(call $look)");
        Self::with(&file, step, route)
    }

    fn with(file: &[u8], step: &str, route: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let plugins = directory.path().join("plugins");
        fs::create_dir(&plugins).unwrap();
        fs::write(plugins.join("waits.wasm"), file).unwrap();
        let config = format!(
            "workers: 1\nlisteners: [{{ address: \"127.0.0.1:0\" }}]\nadmin: {{ address: \"127.0.0.1:0\" }}\n\
             plugins: {{ directory: plugins, cache: false }}\n\
             services:\n  s: {{ instances: [{{ address: \"{}\" }}] }}\nroutes:\n\
             - {{ name: waits, match: {{ path: /waits }}, pipeline: [{{ plugin: waits{step} }}], service: s{route} }}\n\
             - {{ name: fine, match: {{ path: /fine }}, service: s }}\n",
            upstream()
        );
        let file = directory.path().join("portcullis.yaml");
        fs::write(&file, config).unwrap();
        let (send, receive) = mpsc::channel();
        let (end, ended) = oneshot::channel();
        let thread = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            LocalSet::new().block_on(&runtime, async move {
                let environment = Arc::new(|_: &str| None);
                let gateway = Gateway::start(file, environment, Compiler::Here).await;
                let gateway = gateway.unwrap_or_else(|error| panic!("{error}"));
                let admin = gateway.admin_address().unwrap();
                send.send((gateway.addresses()[0], admin)).unwrap();
                let _ = ended.await;
                gateway.drain().await;
            });
        });
        let (address, admin) = receive.recv().expect("the gateway starts");
        Self {
            address: address.1,
            admin,
            end: Some(end),
            thread: Some(thread),
            _directory: directory,
        }
    }

    /// Sends a request and does not wait for its answer.
    fn ask(&self, path: &str) -> Asked {
        Asked::new(self.address, path)
    }

    /// The value of a series.
    fn metric(&self, series: &str) -> f64 {
        let text = Asked::new(self.admin, "/metrics").answer();
        let line = text.lines().find_map(|line| line.strip_prefix(series));
        line.map_or(0.0, |value| value.trim().parse().unwrap())
    }

    fn traps(&self) -> f64 {
        self.metric("portcullis_plugin_traps_total{plugin=\"waits\"}")
    }

    fn in_flight(&self) -> f64 {
        self.metric("portcullis_requests_in_flight{route=\"waits\"}")
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        // Fails only if the gateway has ended by a panic, which is told.
        let _ = self.end.take().map(|end| end.send(()));
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
            && !thread::panicking()
        {
            panic!("the gateway ended by a panic");
        }
    }
}

/// A request on a connection of its own.
struct Asked(TcpStream);

impl Asked {
    fn new(address: SocketAddr, path: &str) -> Self {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(LONG)).unwrap();
        write!(
            stream,
            "GET {path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n"
        )
        .unwrap();
        Self(stream)
    }

    /// The whole answer.
    fn answer(&mut self) -> String {
        let mut answer = String::new();
        self.0.read_to_string(&mut answer).unwrap();
        answer
    }

    #[track_caller]
    fn status(&mut self) -> u16 {
        let answer = self.answer();
        answer[9..12].parse().unwrap_or_else(|_| panic!("{answer}"))
    }

    /// True if nothing has come yet.
    fn waits(&self) -> bool {
        self.0.set_nonblocking(true).unwrap();
        let read = self.0.peek(&mut [0]);
        self.0.set_nonblocking(false).unwrap();
        read.is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
    }
}

/// A service that answers `ok` to everything.
fn upstream() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            thread::spawn(move || serve(stream));
        }
    });
    address
}

fn serve(mut stream: TcpStream) {
    let mut head = Vec::new();
    let mut buffer = [0; 1_024];
    while let Ok(read @ 1..) = stream.read(&mut buffer) {
        head.extend_from_slice(&buffer[..read]);
        if head.ends_with(b"\r\n\r\n") {
            head.clear();
            // Whoever has gone away is not answered.
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");
        }
    }
}

#[track_caller]
fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + LONG;
    while !holds() {
        assert!(Instant::now() < deadline, "never: {what}");
        thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_filter_that_waits_holds_up_nobody_else() {
    let gateway = Started::new(2_000, "", "");
    let mut waiting: Vec<Asked> = (0..50).map(|_| gateway.ask("/waits")).collect();
    eventually("they wait", || gateway.in_flight() == 50.0);
    let started = Instant::now();
    for _ in 0..20 {
        assert_eq!(gateway.ask("/fine").status(), 200);
    }
    assert!(started.elapsed() < Duration::from_secs(2));
    assert!(waiting.iter().all(Asked::waits), "they wait all the time");
    for asked in &mut waiting {
        let answer = asked.answer();
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }
    assert!(started.elapsed() < Duration::from_secs(10), "one by one");
}

#[test]
fn beyond_the_bound_the_answer_is_503_at_once() {
    let gateway = Started::new(60_000, ", limits: { instances: 2 }", "");
    let _waiting = [gateway.ask("/waits"), gateway.ask("/waits")];
    eventually("they wait", || gateway.in_flight() == 2.0);
    let answer = gateway.ask("/waits").answer();
    assert!(answer.starts_with("HTTP/1.1 503"), "{answer}");
    assert!(answer.contains("retry-after: 1\r\n"), "{answer}");
    assert!(
        answer.contains("a plugin has as many requests at work as it may"),
        "{answer}"
    );
    let limited = "portcullis_plugin_limited_total{plugin=\"waits\",limit=\"instances\"}";
    assert_eq!(gateway.metric(limited), 1.0);
    assert_eq!(gateway.ask("/fine").status(), 200);
}

#[test]
fn a_client_that_leaves_ends_the_call_and_completion_sees_the_exchange() {
    let gateway = Started::new(60_000, ", limits: { instances: 1 }", "");
    for left in 1..=20 {
        let asked = gateway.ask("/waits");
        eventually("it waits", || gateway.in_flight() == 1.0);
        drop(asked);
        eventually("it is gone", || gateway.in_flight() == 0.0);
        let completed = "portcullis_filter_calls_total{route=\"waits\",plugin=\"waits\",hook=\"completion\",position=\"0\"}";
        eventually("completion ran", || {
            gateway.metric(completed) == f64::from(left)
        });
    }
    let refused = "portcullis_plugin_limited_total{plugin=\"waits\",limit=\"instances\"}";
    assert_eq!(
        gateway.metric(refused),
        0.0,
        "there was room again each time"
    );
    // It would have trapped where there is no exchange.
    assert_eq!(gateway.traps(), 0.0);
}

#[test]
fn waiting_ends_with_the_limit_or_with_the_routes_time() {
    let limited = Started::new(60_000, ", limits: { wait_timeout: 100ms }", "");
    assert_eq!(limited.ask("/waits").status(), 503);
    let met = "portcullis_plugin_limited_total{plugin=\"waits\",limit=\"wait_timeout\"}";
    assert_eq!(limited.metric(met), 1.0);

    let routed = Started::new(60_000, "", ", timeout: 100ms");
    let answer = routed.ask("/waits").answer();
    assert!(answer.starts_with("HTTP/1.1 504"), "{answer}");
    assert!(
        answer.contains("a plugin waited too long for others"),
        "{answer}"
    );

    let skipped = Started::new(
        60_000,
        ", on_error: skip, limits: { wait_timeout: 100ms }",
        "",
    );
    assert_eq!(skipped.ask("/waits").status(), 200);
}

#[test]
fn a_request_that_has_an_instance_to_itself_waits_likewise() {
    let gateway = Started::new(10, ", isolation: per_request", "");
    let mut waiting: Vec<Asked> = (0..5).map(|_| gateway.ask("/waits")).collect();
    for asked in &mut waiting {
        assert_eq!(asked.status(), 200);
    }
}

/// Computes for some hundred milliseconds.
const LONG_DEED: &str = "(call $spin (i32.const 15000000))";
const AS_LONG_AS_IT_LIKES: &str = ", limits: { call_timeout: 10s, wait_timeout: 60s }";
/// A busy machine leaves threads aside little time.
const NO_HURRY: &str = ", timeout: 60s";

#[test]
fn a_filter_that_takes_long_holds_up_nobody_else() {
    let deed = format!("{LONG_DEED} (i32.const 0)");
    for isolation in ["reuse", "per_request"] {
        let step = format!("{AS_LONG_AS_IT_LIKES}, isolation: {isolation}");
        for (request, response) in [(&*deed, "(i32.const 0)"), ("(i32.const 0)", &deed)] {
            let file = pause::computing(request, response, "(call $look)");
            let gateway = Started::with(&file, &step, NO_HURRY);
            assert_eq!(gateway.ask("/waits").status(), 200);
            let slow = "portcullis_plugin_slow{plugin=\"waits\"}";
            assert_eq!(gateway.metric(slow), 1.0, "it is found out at once");
            let mut waiting: Vec<Asked> = (0..6).map(|_| gateway.ask("/waits")).collect();
            eventually("they are under way", || gateway.in_flight() == 6.0);
            assert_eq!(gateway.ask("/fine").status(), 200);
            assert!(
                waiting.iter().any(Asked::waits),
                "it came before the last of them"
            );
            for asked in &mut waiting {
                assert_eq!(asked.status(), 200);
            }
            assert_eq!(gateway.traps(), 0.0);
        }
    }
}

#[test]
fn who_takes_long_when_all_is_over_holds_up_nobody_either() {
    let deed = format!("(call $look) {LONG_DEED}");
    let file = pause::computing("(i32.const 0)", "(i32.const 0)", &deed);
    let gateway = Started::with(&file, AS_LONG_AS_IT_LIKES, NO_HURRY);
    let completed = || {
        gateway.metric("portcullis_filter_calls_total{route=\"waits\",plugin=\"waits\",hook=\"completion\",position=\"0\"}")
    };
    assert_eq!(gateway.ask("/waits").status(), 200);
    eventually("it is found out", || completed() == 1.0);
    for _ in 0..5 {
        assert_eq!(gateway.ask("/waits").status(), 200);
    }
    assert!(completed() < 6.0, "nobody waits for it");
    eventually("it is told of all", || completed() == 6.0);
    assert_eq!(gateway.traps(), 0.0);
}

#[test]
fn a_line_of_calls_that_take_long_has_an_end() {
    let file = pause::computing(&format!("{LONG_DEED} (i32.const 0)"), "(i32.const 0)", "");
    let gateway = Started::with(
        &file,
        ", limits: { call_timeout: 10s, wait_timeout: 60s, queue: 2 }",
        NO_HURRY,
    );
    assert_eq!(gateway.ask("/waits").status(), 200);
    let mut waiting: Vec<Asked> = (0..6).map(|_| gateway.ask("/waits")).collect();
    let mut statuses: Vec<u16> = waiting.iter_mut().map(Asked::status).collect();
    statuses.sort_unstable();
    assert_eq!(statuses[0], 200, "{statuses:?}");
    assert_eq!(statuses[5], 503, "{statuses:?}");
    let met = "portcullis_plugin_limited_total{plugin=\"waits\",limit=\"queue\"}";
    let refused = statuses.iter().filter(|status| **status == 503).count();
    // Completion hooks stand in the same line.
    assert!(gateway.metric(met) >= refused as f64);
}
