//! Deeds with whole bodies.

use crate::{
    Bodies,
    bindings::{
        exports::portcullis::gateway::{
            request_buffered::{self, Verdict},
            response_buffered,
        },
        portcullis::gateway::{body, exchange},
    },
    deed,
};

fn buffered(length: u32, set: impl Fn(&str, &[u8])) -> Verdict {
    match &*deed() {
        "pass" => Verdict::Next,
        "upper" => {
            let read = body::read();
            assert_eq!(read.len(), length as usize);
            set("x-length", length.to_string().as_bytes());
            body::write(&read.to_ascii_uppercase()).unwrap();
            Verdict::Next
        }
        "empty" => {
            body::write(b"").unwrap();
            Verdict::Next
        }
        "answer" => {
            exchange::respond(418, &[("x-by".into(), b"whole".to_vec())], b"teapot").unwrap();
            Verdict::Respond
        }
        "fail" => Verdict::Fail,
        "trap" => panic!("as it was told"),
        other => panic!("{other} is no deed"),
    }
}

impl request_buffered::Guest for Bodies {
    fn on_request_buffered(length: u32) -> Verdict {
        buffered(length, |name, value| {
            exchange::set_request_header(name, value).unwrap();
        })
    }
}

impl response_buffered::Guest for Bodies {
    fn on_response_buffered(length: u32) -> response_buffered::Verdict {
        buffered(length, |name, value| {
            exchange::set_response_header(name, value).unwrap();
        })
    }
}
