//! What plugins that behave get.

use std::sync::Arc;

use crate::{
    exchange::{AnswerBody, Exchange, Failure, Outcome, Phase},
    plugin::{Configured, Hooks, PluginErrorKind as Kind, Verdict},
};

use super::harness::*;

#[test]
fn a_verdict_is_an_answer_a_go_on_or_an_error() {
    for (deed, expected) in [
        ("request:nothing", Ok(Verdict::Next)),
        ("request:respond", Ok(Verdict::Respond)),
        ("request:answer-and-go-on", Ok(Verdict::Next)),
        ("request:respond-nothing", Err(Kind::Nonsense)),
        ("request:fail", Err(Kind::Fail)),
        ("response:respond", Ok(Verdict::Next)),
    ] {
        let mut instance = told(deed);
        let mut exchange = exchange();
        for _ in 0..3 {
            let verdict = instance
                .on_request(&mut exchange)
                .map_err(|error| error.kind);
            assert_eq!(verdict, expected, "{deed}");
            assert_eq!(
                exchange.answer.is_some(),
                verdict == Ok(Verdict::Respond),
                "{deed}"
            );
            assert_eq!(
                exchange.request_id.as_str(),
                "id-1",
                "the exchange came back"
            );
        }
        assert!(!instance.poisoned());
    }
}

#[test]
fn a_hook_that_a_plugin_skips_is_not_among_its_hooks() {
    let all = told("request:nothing").hooks();
    assert!(all.request && all.response && all.completion);
    let expected = Hooks {
        response: false,
        ..all
    };
    assert_eq!(told("configure:skip-response").hooks(), expected);
}

#[test]
fn an_answer_is_whole() {
    let mut exchange = answered();
    let verdict = told("response:respond").on_response(&mut exchange);
    assert_eq!(verdict, Ok(Verdict::Respond));
    let answer = exchange.answer.expect("an answer");
    assert_eq!(answer.status, 200);
    assert_eq!(answer.headers["content-type"], "text/plain");
    assert!(matches!(answer.body, AnswerBody::Whole(bytes) if bytes == "answer"));
}

#[test]
fn headers_are_read_and_set() {
    let mut exchange = exchange();
    told("request:header").on_request(&mut exchange).unwrap();
    assert_eq!(exchange.headers["x-out"], "value");
    told("request:batch").on_request(&mut exchange).unwrap();
    assert_eq!(found(&exchange), "[true, false, false]");
}

#[test]
fn what_a_client_could_not_send_is_refused_word_by_word() {
    let mut exchange = exchange();
    told("request:refusals").on_request(&mut exchange).unwrap();
    assert_eq!(
        found(&exchange),
        "invalid invalid forbidden forbidden too-large invalid invalid wrong-phase wrong-phase \
         unknown-service invalid invalid forbidden invalid too-large forbidden ok ok"
    );
    assert_eq!(exchange.uri, "/fine?c=d");
    assert_eq!(exchange.service.map(|service| service.0), Some(0));
    assert_eq!(exchange.headers.len(), 1, "nothing was set");

    told("request:many-headers")
        .on_request(&mut exchange)
        .unwrap();
    assert_eq!(found(&exchange), "127");
    told("request:many-fields")
        .on_request(&mut exchange)
        .unwrap();
    assert_eq!(found(&exchange), "too-large");
}

#[test]
fn a_note_belongs_to_one_step_and_lasts_as_long_as_the_exchange() {
    let mut exchange = exchange();
    for (step, expected) in [(0, "1"), (1, "1"), (0, "2")] {
        exchange.step = step;
        told("request:note").on_request(&mut exchange).unwrap();
        assert_eq!(found(&exchange), expected, "{step}");
    }
    exchange.step = 1;
    exchange.phase = Phase::Complete;
    let outcome = Outcome::default();
    told("completion:note")
        .on_completion(&mut exchange, &outcome)
        .unwrap();
    assert_eq!(found(&exchange), "2");
}

#[test]
fn fields_for_the_response_wait_until_it_comes_back_to_their_step() {
    let mut exchange = exchange();
    exchange.step = 1;
    told("request:stage").on_request(&mut exchange).unwrap();
    assert_eq!(found(&exchange), "ok");
    let mut exchange = Box::new(Exchange {
        phase: Phase::Response,
        response: answered().response,
        ..*exchange
    });
    let staged = |exchange: &Exchange| {
        let response = exchange.response.as_ref().unwrap();
        response.headers.get_all("x-staged").iter().count()
    };
    exchange.unstage(2);
    assert_eq!(staged(&exchange), 0, "another step's turn");
    exchange.unstage(1);
    exchange.unstage(1);
    assert_eq!(staged(&exchange), 2);
    told("response:stage").on_response(&mut exchange).unwrap();
    assert_eq!(found(&exchange), "wrong-phase");
}

#[test]
fn a_request_that_went_upstream_stays_as_it_is() {
    let mut exchange = answered();
    told("response:header").on_response(&mut exchange).unwrap();
    assert!(!exchange.headers.contains_key("x-out"));
    exchange.phase = Phase::Complete;
    let outcome = Outcome {
        status: 504,
        failure: Failure::Timeout,
        duration_us: 7,
        ..Outcome::default()
    };
    told("completion:header")
        .on_completion(&mut exchange, &outcome)
        .unwrap();
    assert_eq!(found(&exchange), "504 7 Failure::Timeout");
}

#[test]
fn what_the_gateway_lends_works() {
    let mut exchange = exchange();
    told("request:services").on_request(&mut exchange).unwrap();
    assert_eq!(found(&exchange), "7 [true, false] true e3 false true true");
}

#[test]
fn a_balancer_sees_instances_their_load_and_what_was_tried() {
    let mut instance = told("pick:nothing");
    let list = list(3);
    let mut exchange = exchange();
    instance.instances_changed(&list).unwrap();
    assert_eq!(instance.pick(&mut exchange, 0), Ok(Some(0)));
    exchange.tried.push(list.instances[0].number);
    assert_eq!(instance.pick(&mut exchange, 0), Ok(Some(1)));
    let busy = Arc::clone(&list.instances[1]).begin();
    assert_eq!(instance.pick(&mut exchange, 0), Ok(Some(2)));
    assert_eq!(instance.pick(&mut exchange, 1), Ok(Some(1)));
    drop(busy);
    assert_eq!(instance.pick(&mut exchange, 1), Ok(None));
}

/// On a worker, in its event loop: nothing of WASI may block or wait there.
#[tokio::test]
async fn the_world_outside_is_empty_and_the_clock_goes() {
    let mut exchange = exchange();
    told("request:world").on_request(&mut exchange).unwrap();
    assert_eq!(found(&exchange), "true true true true true true");
}

#[tokio::test]
async fn output_goes_to_the_log_in_bounded_lines() {
    let lines = logged(|| {
        let mut options = options("request:print");
        options.limits.call_timeout = std::time::Duration::from_secs(10);
        let configured = Configured::new(plugin(), options).unwrap();
        let mut instance = configured.instantiate().unwrap();
        instance.on_request(&mut exchange()).unwrap();
    });
    let text = |line: &str| lines.iter().any(|of| of.contains(line));
    assert!(
        text("INFO") && text("on standard output") && text("WARN") && text("on standard error")
    );
    let line = lines
        .iter()
        .find(|line| line.contains("17\\n"))
        .expect("the 17th line");
    for field in [
        "plugin=\"hostile\"",
        "route=\"home\"",
        "request_id=\"id-1\"",
    ] {
        assert!(line.contains(field), "{line}");
    }
    assert!(lines.iter().all(|line| line.len() < 5_000), "lines are cut");
    // The second may change while it prints.
    assert!(
        (1_000..=2_010).contains(&lines.len()),
        "{} lines",
        lines.len()
    );
}

/// The lines that are logged meanwhile.
pub(super) fn logged(run: impl FnOnce()) -> Vec<String> {
    use std::{io, sync::Mutex};

    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Kept {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    let kept = Kept::default();
    let writer = kept.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .finish();
    tracing::subscriber::with_default(subscriber, run);
    let bytes = kept.0.lock().unwrap();
    String::from_utf8_lossy(&bytes)
        .lines()
        .map(str::to_owned)
        .collect()
}
