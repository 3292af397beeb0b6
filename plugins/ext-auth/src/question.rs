//! What the service is asked, and what its answer means.

use portcullis_sdk::{
    http::{self, Request, Response},
    prelude::*,
};

/// What the service is told of the request, whatever the client says of that.
pub const ORIGINAL: [&str; 3] = ["x-original-method", "x-original-uri", "x-original-host"];

/// Header fields, with names in lower case.
pub type Fields = Vec<(String, Vec<u8>)>;

/// What the service says of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// It may pass.
    Pass {
        /// What goes upstream of the answer.
        request: Fields,
        /// What goes to the client of it.
        response: Fields,
    },
    /// It may not, and the client gets this.
    Refuse {
        /// 300 to 499.
        status: u16,
        /// What goes to the client of the answer's fields.
        headers: Fields,
        /// Its body.
        body: Vec<u8>,
    },
}

impl Decision {
    /// Roughly what it takes in memory.
    pub fn bytes(&self) -> usize {
        let size = |fields: &Fields| fields.iter().map(|(n, v)| n.len() + v.len()).sum::<usize>();
        match self {
            Self::Pass { request, response } => size(request) + size(response),
            Self::Refuse { headers, body, .. } => size(headers) + body.len(),
        }
    }
}

/// How a step asks.
#[derive(Debug)]
pub struct Question {
    /// To whom, without what belongs to the request in question.
    pub request: Request,
    /// Fields of the request that go along.
    pub headers: Vec<String>,
    /// Fields of the answer that go upstream.
    pub take: Vec<String>,
    /// Fields of the answer that go to the client with the response.
    pub response: Vec<String>,
    /// Fields of a refusal that go to the client.
    pub client: Vec<String>,
}

impl Question {
    /// Asks about a request.
    ///
    /// # Errors
    /// Why there is no answer that says anything, in words for the log.
    pub async fn ask(
        &self,
        exchange: &Exchange,
        body: Option<Vec<u8>>,
    ) -> Result<Decision, String> {
        let sent = self.about(exchange, body).send().await;
        let answer = sent.map_err(|error: http::Error| error.to_string())?;
        match answer.status() {
            200..=299 => Ok(Decision::Pass {
                request: chosen(&answer, &self.take),
                response: chosen(&answer, &self.response),
            }),
            300..=499 => Ok(self.refusal(answer).await),
            status => Err(format!("it answered with status {status}")),
        }
    }

    fn about(&self, exchange: &Exchange, body: Option<Vec<u8>>) -> Request {
        let mut uri = exchange.path();
        if let Some(query) = exchange.query() {
            uri = format!("{uri}?{query}");
        }
        let original = [exchange.method(), uri, exchange.host()];
        let mut request = self.request.clone();
        for (name, value) in ORIGINAL.into_iter().zip(original) {
            request = request.header(name, value);
        }
        for name in &self.headers {
            for value in exchange.request_header_values(name) {
                request = request.header(name.clone(), value);
            }
        }
        let Some(body) = body else { return request };
        if !self.headers.iter().any(|name| name == "content-type")
            && let Some(kind) = exchange.request_header("content-type")
        {
            request = request.header("content-type", kind);
        }
        request.body(body)
    }

    /// A refusal stays one if its body cannot be had.
    async fn refusal(&self, mut answer: Response) -> Decision {
        let mut headers = chosen(&answer, &self.client);
        let body = answer.bytes().await.unwrap_or_else(|_| {
            headers.retain(|(name, _)| name != "content-type");
            Vec::new()
        });
        Decision::Refuse {
            status: answer.status(),
            headers,
            body,
        }
    }
}

/// The fields of an answer that have one of these names.
fn chosen(answer: &Response, names: &[String]) -> Fields {
    answer
        .headers()
        .filter(|(name, _)| names.iter().any(|one| one == name))
        .map(|(name, value)| (name.to_owned(), value.to_vec()))
        .collect()
}
