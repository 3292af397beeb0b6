//! Deeds with chunks.

use std::{cell::RefCell, collections::HashMap};

use crate::{
    Bodies,
    bindings::{
        exports::portcullis::gateway::{
            request_body::{self, ChunkVerdict},
            response_body,
        },
        portcullis::gateway::{body, exchange, metrics},
    },
    deed,
};

thread_local! {
    /// What is kept of bodies, by their numbers: bytes, and how many chunks came.
    static KEPT: RefCell<HashMap<u64, (Vec<u8>, usize)>> = RefCell::default();
}

fn chunk(stream: u64, length: u32, end: bool) -> ChunkVerdict {
    let (mut kept, count) = KEPT.with_borrow_mut(|all| all.remove(&stream)).unwrap_or_default();
    let verdict = match &*deed() {
        "pass" => ChunkVerdict::Pass,
        "first" => ChunkVerdict::PassRest,
        "small" if length > 32 << 10 => ChunkVerdict::Fail,
        "upper" => {
            let read = body::read();
            assert_eq!(read.len(), length as usize);
            body::write(&read.to_ascii_uppercase()).unwrap();
            ChunkVerdict::Replace
        }
        // Nothing until the end, and then all of it.
        "keep" => {
            kept.extend(body::read());
            if end {
                body::write(&kept).unwrap();
            }
            ChunkVerdict::Replace
        }
        "frame" => {
            if count == 0 {
                body::write(b"[").unwrap();
            }
            if !end {
                ChunkVerdict::Pass
            } else {
                body::write(&body::read()).unwrap();
                body::write(b"]").unwrap();
                ChunkVerdict::Replace
            }
        }
        "trailers" => {
            if end {
                let seen = body::trailers().len().to_string();
                body::remove_trailer("x-secret");
                body::set_trailer("x-length", seen.as_bytes()).unwrap();
                assert!(body::set_trailer("content-type", b"x").is_err());
            } else {
                assert!(body::set_trailer("x-length", b"0").is_err());
            }
            ChunkVerdict::Pass
        }
        "answer" => {
            exchange::respond(418, &[("x-by".into(), b"chunk".to_vec())], b"teapot").unwrap();
            ChunkVerdict::Respond
        }
        "answer-at-second" if count == 1 => {
            exchange::respond(418, &[], b"teapot").unwrap();
            ChunkVerdict::Respond
        }
        "fail-at-second" if count == 1 => ChunkVerdict::Fail,
        "trap-at-second" if count == 1 => panic!("as it was told"),
        "flood" => {
            let refused = (0..100).any(|_| body::write(&[b'x'; 100_000]).is_err());
            assert!(refused, "there is no bound");
            ChunkVerdict::Pass
        }
        _ => ChunkVerdict::Pass,
    };
    if !end {
        KEPT.with_borrow_mut(|all| all.insert(stream, (kept, count + 1)));
    }
    verdict
}

fn dropped(stream: u64) {
    let known = KEPT.with_borrow_mut(|all| all.remove(&stream)).is_some();
    metrics::add("dropped_total", &[("known".into(), known.to_string())], 1);
}

impl request_body::Guest for Bodies {
    fn on_request_body(stream: u64, length: u32, end: bool) -> ChunkVerdict {
        chunk(stream, length, end)
    }

    fn on_request_body_dropped(stream: u64) {
        dropped(stream);
    }
}

impl response_body::Guest for Bodies {
    fn on_response_body(stream: u64, length: u32, end: bool) -> response_body::ChunkVerdict {
        chunk(stream, length, end)
    }

    fn on_response_body_dropped(stream: u64) {
        dropped(stream);
    }
}
