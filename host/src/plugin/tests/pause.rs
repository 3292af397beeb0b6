//! A host function that waits, and a plugin in a few lines that calls it.

use std::{sync::Arc, time::Duration};

use wasmtime::Result;

use crate::plugin::{Plugin, linker::Linker};

use super::harness::runtime;

/// Defines `portcullis:gateway/pause`, which only tests have.
pub(in crate::plugin) fn link(linker: &mut Linker) -> Result<()> {
    let mut pause = linker.instance("portcullis:gateway/pause@0.1.0")?;
    // Never ready at once, however short it is.
    pause.func_wrap_async("wait", |_, (milliseconds,): (u32,)| {
        Box::pin(async move {
            tokio::task::yield_now().await;
            tokio::time::sleep(Duration::from_millis(milliseconds.into())).await;
            Ok(())
        })
    })?;
    // Ready at once.
    pause.func_wrap_async("pass", |_, (): ()| Box::pin(async { Ok(()) }))?;
    // Keeps its thread from running.
    pause.func_wrap("stall", |_, (milliseconds,): (u32,)| {
        std::thread::sleep(Duration::from_millis(milliseconds.into()));
        Ok(())
    })?;
    pause.func_wrap("look", |caller, (): ()| {
        caller.data().exchange()?;
        Ok(())
    })
}

/// A component whose hooks are these WebAssembly instructions. They can call
/// `$wait` with milliseconds, `$pass`, `$look`, which traps where there is no
/// exchange, and `$stall` with milliseconds, which is no waiting but a stand-still; request and response leave a verdict: 0 for `next`.
pub(crate) fn component(request: &str, response: &str, completion: &str) -> Vec<u8> {
    let text = text(request, response, completion);
    wat::parse_str(text).expect("the test's component is well-formed")
}

fn text(request: &str, response: &str, completion: &str) -> String {
    format!(
        r#"(component
  (import "portcullis:gateway/verdicts@0.1.0" (instance $verdicts
    (type $t (enum "next" "respond" "fail"))
    (export "verdict" (type (eq $t)))))
  (alias export $verdicts "verdict" (type $verdict))
  (import "portcullis:gateway/pause@0.1.0" (instance $pause
    (export "wait" (func (param "milliseconds" u32)))
    (export "pass" (func))
    (export "look" (func))
    (export "stall" (func (param "milliseconds" u32)))))
  (core func $wait (canon lower (func $pause "wait")))
  (core func $pass (canon lower (func $pause "pass")))
  (core func $look (canon lower (func $pause "look")))
  (core func $stall (canon lower (func $pause "stall")))
  (core module $m
    (import "pause" "wait" (func $wait (param i32)))
    (import "pause" "pass" (func $pass))
    (import "pause" "look" (func $look))
    (import "pause" "stall" (func $stall (param i32)))
    (global $calls (mut i32) (i32.const 0))
    (func $spin (param i32)
      (loop $again
        (local.set 0 (i32.sub (local.get 0) (i32.const 1)))
        (br_if $again (local.get 0))))
    (func (export "request") (result i32)
      (global.set $calls (i32.add (global.get $calls) (i32.const 1)))
      {request})
    (func (export "response") (result i32) {response})
    (func (export "completion") (param i32 i32 i32 i64 i64 i64 i32) {completion}))
  (core instance $i (instantiate $m
    (with "pause" (instance (export "wait" (func $wait)) (export "pass" (func $pass))
      (export "look" (func $look)) (export "stall" (func $stall))))))
  (func $request (result $verdict) (canon lift (core func $i "request")))
  (func $response (result $verdict) (canon lift (core func $i "response")))
  (type $failure
    (enum "none" "connect" "timeout" "upstream" "unavailable" "filter" "client"))
  (type $outcome (record (field "status" u16) (field "failure" $failure)
    (field "forwarded" bool) (field "duration-us" u64) (field "request-bytes" u64)
    (field "response-bytes" u64) (field "attempts" u32)))
  (func $completion (param "outcome" $outcome) (canon lift (core func $i "completion")))
  ;; An exported function may only mention types that are exported with it.
  (component $named
    (type $failure
      (enum "none" "connect" "timeout" "upstream" "unavailable" "filter" "client"))
    (import "failure" (type $failure-in (eq $failure)))
    (type $outcome (record (field "status" u16) (field "failure" $failure-in)
      (field "forwarded" bool) (field "duration-us" u64) (field "request-bytes" u64)
      (field "response-bytes" u64) (field "attempts" u32)))
    (import "outcome" (type $outcome-in (eq $outcome)))
    (import "on-completion-in" (func $f (param "outcome" $outcome-in)))
    (export $failure-out "failure-out" (type $failure))
    (type $renamed (record (field "status" u16) (field "failure" $failure-out)
      (field "forwarded" bool) (field "duration-us" u64) (field "request-bytes" u64)
      (field "response-bytes" u64) (field "attempts" u32)))
    (export $outcome-out "outcome-out" (type $renamed))
    (export "on-completion" (func $f) (func (param "outcome" $outcome-out))))
  (instance $completions (instantiate $named
    (with "failure" (type $failure)) (with "outcome" (type $outcome))
    (with "on-completion-in" (func $completion))))
  (export "portcullis:gateway/completion@0.1.0" (instance $completions))
  (instance $requests (export "on-request" (func $request)))
  (instance $responses (export "on-response" (func $response)))
  (export "portcullis:gateway/request@0.1.0" (instance $requests))
  (export "portcullis:gateway/response@0.1.0" (instance $responses)))"#
    )
}

/// A component whose hooks are these instructions, without `$wait` and `$pass`,
/// so that it never waits.
pub(crate) fn computing(request: &str, response: &str, completion: &str) -> Vec<u8> {
    let mut text = text(request, response, completion);
    for what_waits in [
        r#"(export "wait" (func (param "milliseconds" u32)))"#,
        r#"(export "pass" (func))"#,
        r#"(core func $wait (canon lower (func $pause "wait")))"#,
        r#"(core func $pass (canon lower (func $pause "pass")))"#,
        r#"(import "pause" "wait" (func $wait (param i32)))"#,
        r#"(import "pause" "pass" (func $pass))"#,
        r#"(export "wait" (func $wait)) (export "pass" (func $pass))"#,
    ] {
        assert!(text.contains(what_waits), "{what_waits}");
        text = text.replace(what_waits, "");
    }
    wat::parse_str(text).expect("the test's component is well-formed")
}

/// One that waits, loaded.
pub(crate) fn plugin(request: &str, response: &str) -> Arc<Plugin> {
    let bytes = component(request, response, "");
    runtime().load("waits", &bytes).unwrap()
}

/// One that does not, loaded.
pub(crate) fn computing_plugin(request: &str, response: &str, completion: &str) -> Arc<Plugin> {
    let bytes = computing(request, response, completion);
    runtime().load("computes", &bytes).unwrap()
}
