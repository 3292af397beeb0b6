//! The next version of `examples/hello-filter`: takes the same configuration
//! and says something else, so that the demo can show a plugin being replaced
//! while it runs.

use portcullis_sdk::prelude::*;

/// The `config` of a step with this filter.
#[config]
pub struct Config {
    /// Who is greeted.
    #[serde(default = "world")]
    name: String,
}

fn world() -> String {
    "world".to_owned()
}

/// The filter.
pub struct HelloAgain {
    text: String,
}

#[plugin(summary = "Greets once more, in place of hello-filter", config = Config)]
impl HelloAgain {
    fn configure(config: Config) -> Result<Self> {
        Ok(Self {
            text: format!("hello again, {}!\n", config.name),
        })
    }

    fn on_request(&mut self, _: &mut Exchange) -> Result<Verdict> {
        Ok(Answer::new(200)
            .header("content-type", "text/plain")
            .body(self.text.clone())
            .into())
    }
}

#[cfg(test)]
mod tests {
    use portcullis_sdk::testing::*;

    use super::*;

    #[test]
    fn greets_whoever_is_configured() {
        let gateway = Gateway::new();
        let mut filter: HelloAgain = gateway.configure(json!({ "name": "Ann" })).unwrap();
        let Reply::Answer(answer) = gateway
            .exchange(Request::get("/hello"))
            .run_request(&mut filter)
        else {
            panic!("/hello is not answered");
        };
        assert_eq!(answer.body_text(), "hello again, Ann!\n");
    }
}
