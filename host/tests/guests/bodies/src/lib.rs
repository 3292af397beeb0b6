//! A filter that does with bodies what it is told.
//!
//! Its configuration is `"SIDE:DEED WISHES"`: the side `request`, `response` or
//! `both`, a deed of those below, and any of `decode`, `hold` and `skip`, which
//! it asks for in the hook that sees the head.

#[cfg(not(feature = "buffered"))]
mod bindings {
    wit_bindgen::generate!({
        inline: "
            package test:streaming;
            world bodies {
                include portcullis:gateway/imports@0.1.0;
                export portcullis:gateway/configuration@0.1.0;
                export portcullis:gateway/request@0.1.0;
                export portcullis:gateway/response@0.1.0;
                export portcullis:gateway/request-body@0.1.0;
                export portcullis:gateway/response-body@0.1.0;
            }
        ",
        path: "../../../../wit",
        world: "test:streaming/bodies",
        generate_all,
    });
}

#[cfg(feature = "buffered")]
mod bindings {
    wit_bindgen::generate!({
        inline: "
            package test:buffering;
            world bodies {
                include portcullis:gateway/imports@0.1.0;
                export portcullis:gateway/configuration@0.1.0;
                export portcullis:gateway/request@0.1.0;
                export portcullis:gateway/response@0.1.0;
                export portcullis:gateway/request-buffered@0.1.0;
                export portcullis:gateway/response-buffered@0.1.0;
            }
        ",
        path: "../../../../wit",
        world: "test:buffering/bodies",
        generate_all,
    });
}

#[cfg(feature = "buffered")]
mod buffered;
#[cfg(not(feature = "buffered"))]
mod streaming;

use std::cell::RefCell;

use bindings::{
    exports::portcullis::gateway::{
        configuration,
        request::{self, Verdict},
        response,
    },
    portcullis::gateway::{
        body::{self, Side},
        exchange,
    },
};

struct Bodies;

bindings::export!(Bodies with_types_in bindings);

thread_local! {
    static DEED: RefCell<String> = RefCell::default();
    static WISHES: RefCell<Vec<String>> = RefCell::default();
}

fn deed() -> String {
    DEED.with_borrow(Clone::clone)
}

impl configuration::Guest for Bodies {
    fn configure(config: String) -> Result<(), String> {
        let mut words = config.trim_matches('"').split(' ');
        let (side, deed) = words
            .next()
            .and_then(|word| word.split_once(':'))
            .ok_or("the configuration is SIDE:DEED WISHES")?;
        DEED.set(deed.into());
        WISHES.set(words.map(str::to_owned).collect());
        if side == "request" {
            body::skip(Side::Response).map_err(|error| format!("{error:?}"))?;
        }
        if side == "response" {
            body::skip(Side::Request).map_err(|error| format!("{error:?}"))?;
        }
        Ok(())
    }
}

/// Asks for what the configuration says. What is refused is put into an
/// attribute and into the head.
fn wish(side: Side) {
    let refused = WISHES.with_borrow(|wishes| {
        let wanted = wishes.iter().map(|wish| match &**wish {
            "decode" => body::decode(side),
            "hold" => body::hold_head(side),
            "skip" => body::skip(side),
            "trailer" => match side {
                Side::Request => exchange::set_request_header("trailer", b"x-length"),
                Side::Response => exchange::set_response_header("trailer", b"x-length"),
            },
            "early" => body::skip(Side::Response).and(body::decode(Side::Response)),
            other => panic!("{other} is no wish"),
        });
        wanted.filter_map(Result::err).last()
    });
    if let Some(refused) = refused {
        let text = format!("{refused:?}");
        let _ = match side {
            Side::Request => exchange::set_request_header("x-refused", text.as_bytes()),
            Side::Response => exchange::set_response_header("x-refused", text.as_bytes()),
        };
    }
}

impl request::Guest for Bodies {
    fn on_request() -> Verdict {
        wish(Side::Request);
        Verdict::Next
    }
}

impl response::Guest for Bodies {
    fn on_response() -> Verdict {
        wish(Side::Response);
        Verdict::Next
    }
}
