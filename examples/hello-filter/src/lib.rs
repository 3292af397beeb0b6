//! A filter to copy: answers `/hello` by itself, and puts `x-hello` on every
//! other response.

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

/// The filter: one per worker and step, made by `configure`.
pub struct Hello {
    name: String,
}

#[plugin(summary = "Answers /hello and puts x-hello on every other response", config = Config)]
impl Hello {
    fn configure(config: Config) -> Result<Self> {
        if config.name.is_empty() {
            return Err(Error::failure("`name` is empty: there is nobody to greet"));
        }
        Ok(Self { name: config.name })
    }

    fn on_request(&mut self, exchange: &mut Exchange) -> Result<Verdict> {
        if exchange.path() != "/hello" {
            return Ok(Verdict::Next);
        }
        let text = format!("hello, {}!\n", self.name);
        Ok(Answer::new(200)
            .header("content-type", "text/plain")
            .body(text)
            .into())
    }

    fn on_response(&mut self, exchange: &mut Exchange) -> Result<Verdict> {
        exchange.set_response_header("x-hello", &self.name)?;
        Ok(Verdict::Next)
    }
}

#[cfg(test)]
mod tests {
    use portcullis_sdk::testing::*;

    use super::*;

    #[test]
    fn answers_hello_and_marks_the_rest() {
        let gateway = Gateway::new();
        let mut filter: Hello = gateway.configure(json!({ "name": "Ann" })).unwrap();

        let Reply::Answer(answer) = gateway
            .exchange(Request::get("/hello"))
            .run_request(&mut filter)
        else {
            panic!("/hello is not answered");
        };
        assert_eq!(
            (answer.status(), &*answer.body_text()),
            (200, "hello, Ann!\n")
        );

        let exchange = gateway.exchange(Request::get("/other"));
        assert_eq!(exchange.run_request(&mut filter), Reply::Next);
        exchange.respond_from_upstream(404, []);
        assert_eq!(exchange.run_response(&mut filter), Reply::Next);
        assert_eq!(exchange.response_header("x-hello").as_deref(), Some("Ann"));
    }

    #[test]
    fn a_name_is_not_required_but_not_empty_either() {
        let gateway = Gateway::new();
        assert!(gateway.configure::<Hello>(json!({})).is_ok());
        assert!(gateway.configure::<Hello>(json!({ "name": "" })).is_err());
        assert!(
            gateway
                .configure::<Hello>(json!({ "nmae": "Ann" }))
                .is_err()
        );
    }
}
