//! A plugin that does, in the hook it is told, what no plugin should.
//!
//! Its configuration is `"HOOK:DEED"`, such as `"request:spin"`; the hook `every`
//! is each of them. What it finds out is put into the attribute `found`, so that
//! a test can look at it.

mod bindings {
    wit_bindgen::generate!({
        path: "../../../../wit",
        world: "portcullis:gateway/plugin",
        generate_all,
    });
}

/// WASI's random numbers without the bounds that a standard library has, and
/// of the first version of the interface.
mod random {
    wit_bindgen::generate!({
        inline: "
            package wasi:random@0.2.0;
            interface random {
                get-random-bytes: func(len: u64) -> list<u8>;
                get-random-u64: func() -> u64;
            }
            world numbers { import random; }
        ",
    });
}

mod deeds;
mod floods;
#[cfg(feature = "outside")]
mod outside;
mod stamp;

use std::cell::{Cell, RefCell};

use bindings::{
    exports::portcullis::gateway::{
        balancer, completion, configuration, metadata,
        request::{self, Verdict},
        response,
    },
    portcullis::gateway::balancing,
};
use deeds::Outcome;

struct Hostile;

bindings::export!(Hostile with_types_in bindings);

thread_local! {
    static HOOK: RefCell<String> = RefCell::default();
    static DEED: RefCell<String> = RefCell::default();
    static INSTANCES: Cell<u32> = const { Cell::new(0) };
}

#[cfg(feature = "spin-at-start")]
#[used]
#[unsafe(link_section = ".init_array")]
static START: extern "C" fn() = {
    extern "C" fn start() {
        deeds::spin();
    }
    start
};

/// Does the deed if it is for this hook.
fn deed_in(hook: &str) -> Outcome {
    match HOOK.with_borrow(|of| of == hook || of == "every") {
        true => DEED.with_borrow(|deed| match &**deed {
            "stamp" => stamp::press(hook),
            deed => deeds::perform(deed),
        }),
        false => Outcome::Nothing,
    }
}

fn verdict_in(hook: &str) -> Verdict {
    match deed_in(hook) {
        Outcome::Nothing => Verdict::Next,
        Outcome::Respond => Verdict::Respond,
        Outcome::Fail => Verdict::Fail,
        // What a plugin in another language might return by mistake.
        Outcome::Unheard => unsafe { std::mem::transmute::<u8, Verdict>(std::hint::black_box(9)) },
    }
}

impl metadata::Guest for Hostile {
    fn describe() -> metadata::Description {
        metadata::Description {
            summary: "Does what no plugin should".into(),
            version: "0.1.0".into(),
            config_schema: Some(r#"{"type":"string"}"#.into()),
        }
    }
}

impl configuration::Guest for Hostile {
    fn configure(config: String) -> Result<(), String> {
        let (hook, deed) = config
            .trim_matches('"')
            .split_once(':')
            .ok_or("the configuration is HOOK:DEED")?;
        HOOK.set(hook.into());
        // What follows `#` tells configurations apart, and nothing else.
        DEED.set(deed.split('#').next().unwrap_or_default().into());
        match deed_in("configure") {
            Outcome::Nothing => Ok(()),
            _ => Err("as it was told".into()),
        }
    }
}

impl request::Guest for Hostile {
    fn on_request() -> Verdict {
        verdict_in("request")
    }
}

impl response::Guest for Hostile {
    fn on_response() -> Verdict {
        verdict_in("response")
    }
}

impl completion::Guest for Hostile {
    fn on_completion(outcome: completion::Outcome) {
        deeds::found(&format!(
            "{} {} {:?}",
            outcome.status, outcome.duration_us, outcome.failure
        ));
        deed_in("completion");
    }
}

impl balancer::Guest for Hostile {
    fn instances_changed(instances: Vec<balancer::Instance>) {
        INSTANCES.set(instances.len() as u32);
        deed_in("instances");
    }

    fn pick(attempt: u32) -> Option<u32> {
        if let Outcome::Fail = deed_in("pick") {
            return None;
        }
        (0..INSTANCES.get())
            .find(|index| !balancing::tried(*index) && balancing::in_flight(*index) == attempt)
    }
}
