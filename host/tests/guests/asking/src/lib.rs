//! A plugin that asks whom its requests tell it to.
//!
//! The header `x-do` of a request says what: a word, and what the word needs.
//! Without it the request goes on. Its configuration may say what to ask when it
//! starts and when it ticks: `"start URL"`, `"tick URL"`, `"tick trap"`.

mod bindings {
    wit_bindgen::generate!({
        inline: "
            package tests:asking;
            world asking {
                include portcullis:gateway/imports@0.1.0;
                export portcullis:gateway/configuration@0.1.0;
                export portcullis:gateway/capabilities@0.1.0;
                export portcullis:gateway/startup@0.1.0;
                export portcullis:gateway/tick@0.1.0;
                export portcullis:gateway/request@0.1.0;
            }
        ",
        path: "../../../../wit",
        world: "tests:asking/asking",
        generate_all,
    });
}

use std::cell::RefCell;

use bindings::{
    exports::portcullis::gateway::{
        capabilities, configuration,
        request::{self, Verdict},
        startup, tick,
    },
    portcullis::gateway::{
        counters, exchange,
        http::{self, Call, Error, Part, Request},
    },
};

struct Asking;

bindings::export!(Asking with_types_in bindings);

thread_local! {
    static CONFIG: RefCell<String> = RefCell::default();
}

/// Long enough for any test.
const FOREVER_MS: u64 = 3_600_000;

impl configuration::Guest for Asking {
    fn configure(config: String) -> Result<(), String> {
        let config = config.trim_matches('"');
        CONFIG.set(match config {
            "{}" => String::new(),
            config => config.to_owned(),
        });
        Ok(())
    }
}

impl capabilities::Guest for Asking {
    fn optional() -> Vec<String> {
        match cfg!(feature = "modest") {
            true => vec!["http".into()],
            false => Vec::new(),
        }
    }
}

impl startup::Guest for Asking {
    fn on_start() -> Result<(), String> {
        let Some(url) = told("start") else {
            return Ok(());
        };
        counters::add("starts", 1, FOREVER_MS);
        match fetch(&ask(&url)) {
            Ok((200, _)) => Ok(()),
            Ok((status, _)) => Err(format!("{url} says {status}")),
            Err(error) => Err(format!("{url}: {}", name(error))),
        }
    }
}

impl tick::Guest for Asking {
    fn on_tick() {
        let Some(url) = told("tick") else {
            return;
        };
        counters::add("ticks", 1, FOREVER_MS);
        if url == "trap" {
            panic!("as it was told");
        }
        if let Ok((200, _)) = fetch(&ask(&url)) {
            counters::add("answers", 1, FOREVER_MS);
        }
    }
}

impl request::Guest for Asking {
    fn on_request() -> Verdict {
        let Some(deed) = exchange::request_header("x-do") else {
            return Verdict::Next;
        };
        let deed = String::from_utf8_lossy(&deed).into_owned();
        let mut words = deed.split(' ');
        let verb = words.next().unwrap_or_default();
        let words: Vec<&str> = words.collect();
        perform(verb, &words)
    }
}

fn perform(verb: &str, words: &[&str]) -> Verdict {
    match (verb, words) {
        ("get", [url]) => answer(fetch(&ask(url))),
        ("service", [service, path]) => answer(fetch(&to_service(service, path))),
        ("follow", [url]) => answer(fetch(&Request {
            redirects: 5,
            ..ask(url)
        })),
        ("within", [milliseconds, url]) => {
            let timeout_ms = milliseconds.parse().expect("a number");
            answer(fetch(&Request {
                timeout_ms,
                ..ask(url)
            }))
        }
        ("at-most", [bytes, url]) => {
            let most = bytes.parse().expect("a number");
            answer(fetch(&Request { most, ..ask(url) }))
        }
        ("pass-on", [url]) => {
            let headers = exchange::all_request_headers();
            answer(fetch(&Request {
                headers,
                ..ask(url)
            }))
        }
        ("circle", [url]) => {
            let deed = exchange::request_header("x-do").unwrap_or_default();
            let headers = vec![("x-do".into(), deed)];
            answer(fetch(&Request {
                headers,
                ..ask(url)
            }))
        }
        ("hold", [url]) => {
            let held = Call::start(&ask(url), &[]);
            held.map_or_else(
                |error| answer(Err(error)),
                |call| {
                    http::wait(&[&call]);
                    Verdict::Next
                },
            )
        }
        ("join", urls) => join(urls),
        ("upload", [url, kibibytes]) => answer(upload(url, kibibytes.parse().expect("a number"))),
        ("abandon", [url]) => {
            let request = Request {
                method: "POST".into(),
                ..ask(url)
            };
            let call = Call::start_streaming(&request).expect("it starts");
            call.write(b"begun").expect("it is written");
            drop(call);
            say("abandoned")
        }
        ("body", [size, url]) => {
            let body = vec![b'x'; size.parse().expect("a number")];
            let request = Request {
                method: "POST".into(),
                ..ask(url)
            };
            answer(Call::start(&request, &body).and_then(|call| read(&call)))
        }
        ("parameter", [name]) => say(&exchange::path_parameter(name).unwrap_or_default()),
        ("count", [counter]) => say(&counters::get(counter).unwrap_or(0).to_string()),
        _ => Verdict::Fail,
    }
}

/// Joins the bodies of several answers into one, without reading them.
fn join(urls: &[&str]) -> Verdict {
    let mut parts = vec![Part::Bytes(b"<".to_vec())];
    for url in urls {
        match Call::start(&ask(url), &[]) {
            Ok(call) => parts.extend([Part::RestOf(call), Part::Bytes(b">".to_vec())]),
            Err(error) => return answer(Err(error)),
        }
    }
    match http::respond(
        200,
        &[("content-type".into(), b"text/plain".to_vec())],
        parts,
    ) {
        Ok(()) => Verdict::Respond,
        Err(_) => Verdict::Fail,
    }
}

fn upload(url: &str, kibibytes: usize) -> Result<(u16, String), Error> {
    let request = Request {
        method: "POST".into(),
        ..ask(url)
    };
    let call = Call::start_streaming(&request)?;
    let part = vec![b'x'; 256 << 10];
    for _ in 0..kibibytes.div_ceil(256) {
        call.write(&part)?;
    }
    call.finish()?;
    read(&call)
}

fn ask(url: &str) -> Request {
    Request {
        method: "GET".into(),
        url: url.into(),
        service: None,
        headers: Vec::new(),
        timeout_ms: 0,
        most: 0,
        redirects: 0,
    }
}

fn to_service(service: &str, path: &str) -> Request {
    Request {
        service: Some(service.into()),
        ..ask(path)
    }
}

fn fetch(request: &Request) -> Result<(u16, String), Error> {
    read(&Call::start(request, &[])?)
}

fn read(call: &Call) -> Result<(u16, String), Error> {
    let status = call.head()?.status;
    let mut body = Vec::new();
    while let Some(bytes) = call.read()? {
        body.extend(bytes);
    }
    Ok((status, String::from_utf8_lossy(&body).into_owned()))
}

fn answer(result: Result<(u16, String), Error>) -> Verdict {
    match result {
        Ok((status, body)) => say(&format!("{status} {body}")),
        Err(error) => say(name(error)),
    }
}

fn say(text: &str) -> Verdict {
    match exchange::respond(200, &[], text.as_bytes()) {
        Ok(()) => Verdict::Respond,
        Err(_) => Verdict::Fail,
    }
}

fn name(error: Error) -> &'static str {
    match error {
        Error::Denied => "denied",
        Error::Invalid => "invalid",
        Error::Unavailable => "unavailable",
        Error::Resolve => "resolve",
        Error::Connect => "connect",
        Error::Timeout => "timeout",
        Error::Broken => "broken",
        Error::TooLarge => "too-large",
        Error::Busy => "busy",
    }
}

/// What the configuration says to a hook.
fn told(hook: &str) -> Option<String> {
    CONFIG.with_borrow(|config| Some(config.strip_prefix(hook)?.trim().to_owned()))
}
