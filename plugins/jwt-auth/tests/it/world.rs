//! An issuer that publishes its keys, and a gateway beside it.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use portcullis_sdk::testing::*;

use crate::*;

pub(crate) const SET: &str = "https://id.example.com/keys";
pub(crate) const ISSUER: &str = "https://id.example.com";
pub(crate) const SECOND: Duration = Duration::from_secs(1);

/// A gateway beside an issuer whose answers can be changed.
pub(crate) struct World {
    pub(crate) gateway: Gateway,
    set: Rc<RefCell<HttpResponse>>,
}

impl World {
    pub(crate) fn with_keys(keys: Value) -> Self {
        let gateway = Gateway::new();
        let set = Rc::new(RefCell::new(key_set(keys)));
        let answer = Rc::clone(&set);
        gateway.on_http(move |request| match request.url() {
            SET => answer.borrow().clone(),
            "https://id.example.com/.well-known/openid-configuration" => {
                HttpResponse::new(200).json(&json!({ "issuer": ISSUER, "jwks_uri": SET }))
            }
            _ => HttpResponse::new(404),
        });
        Self { gateway, set }
    }

    pub(crate) fn answers(&self, response: HttpResponse) {
        self.set.replace(response);
    }

    /// An instance on some worker; its start hook is not called.
    pub(crate) fn instance(&self) -> JwtAuth {
        step(
            &self.gateway,
            json!({ "algorithms": ["ES256", "EdDSA"], "jwks_url": SET }),
        )
    }

    /// The first instance, which starts.
    pub(crate) fn started(&self) -> JwtAuth {
        let mut step = self.instance();
        assert_eq!(self.gateway.run_start(&mut step), Ok(()));
        step
    }

    /// What a token gets of an instance.
    pub(crate) fn status(&self, step: &mut JwtAuth, token: &str) -> u16 {
        match self.gateway.exchange(bearer(token)).run_request(step) {
            Reply::Next => 200,
            Reply::Answer(answer) => answer.status(),
            Reply::Failed(why) => panic!("{why}"),
        }
    }

    /// How often the issuer was asked since the last call.
    pub(crate) fn asked(&self) -> usize {
        self.gateway.http_requests().len()
    }
}

pub(crate) fn key_set(keys: Value) -> HttpResponse {
    HttpResponse::new(200).json(&json!({ "keys": keys }))
}

/// A token of a key with this name.
pub(crate) fn named(issuer: &Issuer, kid: &str) -> String {
    issuer.with_header(
        json!({ "kid": kid }),
        &claims(json!({ "exp": NOW + 90_000 })),
    )
}
