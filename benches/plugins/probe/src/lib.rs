//! A filter that does next to nothing: what a call costs, and what each use of
//! the exchange adds.

use portcullis_sdk::prelude::*;

/// How the filter is configured.
#[config]
pub struct Config {
    /// A request header to read.
    read: Option<String>,
    /// A request header to set: to `bearer` if what was read begins with
    /// `Bearer `, else to `none`.
    set: Option<String>,
}

/// The filter.
pub struct Probe {
    read: Option<String>,
    set: Option<String>,
}

#[plugin(summary = "Reads a header and sets a header, or neither", config = Config)]
impl Probe {
    fn configure(config: Config) -> Result<Self> {
        Ok(Self {
            read: config.read,
            set: config.set,
        })
    }

    fn on_request(&mut self, exchange: &mut Exchange) -> Result<Verdict> {
        let value = self
            .read
            .as_ref()
            .and_then(|name| exchange.request_header(name));
        if let Some(name) = &self.set {
            let word = match value.is_some_and(|value| value.starts_with(b"Bearer ")) {
                true => "bearer",
                false => "none",
            };
            exchange.set_request_header(name, word)?;
        }
        Ok(Verdict::Next)
    }
}

#[cfg(test)]
mod tests {
    use portcullis_sdk::testing::*;

    use super::*;

    #[test]
    fn says_whether_there_is_a_bearer_token() {
        for (config, authorization, expected) in [
            (
                json!({ "read": "authorization", "set": "x-a" }),
                "Bearer t",
                Some("bearer"),
            ),
            (
                json!({ "read": "authorization", "set": "x-a" }),
                "Basic t",
                Some("none"),
            ),
            (json!({ "read": "authorization" }), "Bearer t", None),
            (json!({}), "Bearer t", None),
        ] {
            let gateway = Gateway::new();
            let mut filter: Probe = gateway.configure(config).unwrap();
            let request = Request::get("/").header("authorization", authorization);
            let exchange = gateway.exchange(request);
            assert_eq!(exchange.run_request(&mut filter), Reply::Next);
            assert_eq!(exchange.request_header("x-a").as_deref(), expected);
        }
    }
}
