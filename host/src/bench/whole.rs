//! The whole pipeline in one go, by the very code that serves: what it costs
//! with the gateway's own bookkeeping between the calls.

use crate::{
    discovery::InFlight,
    exchange::{Answer, Exchange, Outcome, Phase, ResponseHead},
    pipeline::{Progress, Run},
    respond::{self, Error},
};

use super::{
    canned::{Canned, RESPONSE_BYTES},
    passage::UPSTREAM,
    scene::Scene,
};

/// One exchange, ready to go.
pub(super) struct Whole {
    exchange: Box<Exchange>,
    reply: ResponseHead,
    run: Run,
    in_flight: Option<InFlight>,
}

impl Whole {
    pub(super) fn new(scene: &Scene, canned: &Canned) -> Self {
        scene.next_request();
        Self {
            exchange: canned.exchange(scene),
            reply: canned.response(),
            run: Run::default(),
            in_flight: None,
        }
    }

    /// Goes all the way. What was allocated for it is freed later, by dropping.
    pub(super) fn go(&mut self, scene: &Scene) {
        let pipeline = &scene.route().pipeline;
        let head = match self.request(scene) {
            Ok(None) => self.forward(scene),
            Ok(Some(answer)) => {
                scene.after_an_answer();
                Ok(head_of(answer))
            }
            Err(error) => Err(error),
        };
        let head = head
            .unwrap_or_else(|error| head_of(respond::answer(&error, &self.exchange.request_id)));
        let status = head.status.as_u16();
        self.exchange.response = Some(head);
        self.exchange.phase = Phase::Response;
        self.response(scene);
        self.exchange.phase = Phase::Complete;
        self.in_flight = None;
        let outcome = Outcome {
            status,
            forwarded: true,
            duration_us: UPSTREAM.as_micros() as u64,
            response_bytes: RESPONSE_BYTES,
            attempts: 1,
            ..Outcome::default()
        };
        self.run
            .completion(pipeline, &scene.slots, &mut self.exchange, &outcome);
    }

    fn request(&mut self, scene: &Scene) -> Result<Option<Answer>, Error> {
        let pipeline = &scene.route().pipeline;
        let Self { run, exchange, .. } = self;
        loop {
            if let Progress::Through(answer) = run.request(pipeline, &scene.slots, exchange)? {
                return Ok(answer);
            }
            let answer = scene.wait(run.request_waiting(pipeline, &scene.slots, exchange))?;
            if answer.is_some() {
                return Ok(answer);
            }
        }
    }

    fn response(&mut self, scene: &Scene) {
        let pipeline = &scene.route().pipeline;
        let Self { run, exchange, .. } = self;
        while let Progress::Waits = run.response(pipeline, &scene.slots, exchange) {
            scene.wait(run.response_waiting(pipeline, &scene.slots, exchange));
        }
    }

    fn forward(&mut self, scene: &Scene) -> Result<ResponseHead, Error> {
        self.exchange.phase = Phase::Upstream;
        let service = self.exchange.service.ok_or(Error::NoService)?;
        let instance = scene.balancer(service).pick(&mut self.exchange, 0)?;
        self.exchange.instance = Some(instance.address);
        self.exchange.tried.push(instance.number);
        instance.record_latency(UPSTREAM);
        self.in_flight = Some(instance.begin());
        let empty = ResponseHead {
            status: self.reply.status,
            headers: http::HeaderMap::new(),
        };
        Ok(std::mem::replace(&mut self.reply, empty))
    }
}

fn head_of(answer: Answer) -> ResponseHead {
    let Answer {
        status, headers, ..
    } = answer;
    ResponseHead { status, headers }
}
