//! `http`: what a test answers, on the clock of the test.

use std::{cell::RefCell, collections::VecDeque, time::Duration};

use super::{
    exchange::{self, Phase},
    with,
};
pub(crate) use crate::bindings::imports::portcullis::gateway::http::{Error, Head, Request};
use crate::{
    Refusal,
    testing::{HttpRequest, HttpResponse},
};

/// What a gateway allows unless it is configured.
const LONGEST: Duration = Duration::from_secs(5);
const LARGEST: u64 = 1 << 20;
const LARGEST_REQUEST: usize = 1 << 20;
const MOST_REDIRECTS: u32 = 10;

/// The status of an [`HttpResponse::error`].
const NO_HEAD: u16 = 0;

/// A request in flight.
#[derive(Debug)]
pub(crate) struct Call(Box<RefCell<State>>);

#[derive(Debug)]
struct State {
    request: HttpRequest,
    /// When the gateway gives up.
    deadline: Duration,
    most: u64,
    /// None until the request's body has ended.
    answer: Option<Answer>,
}

/// What is still to come of an answer.
#[derive(Debug)]
struct Answer {
    /// When the next of it is there.
    next: Duration,
    pause: Duration,
    /// None once it was taken.
    head: Option<Head>,
    chunks: VecDeque<Vec<u8>>,
    trailers: Vec<(String, Vec<u8>)>,
    /// Why it does not come to its end.
    error: Option<Error>,
    taken: u64,
}

/// A part of an answer of the filter's own.
#[derive(Debug)]
pub(crate) enum Part {
    Bytes(Vec<u8>),
    RestOf(Call),
}

impl Call {
    pub(crate) fn start(request: Request<'_>, body: &[u8]) -> Result<Self, Error> {
        if body.len() > LARGEST_REQUEST {
            return Err(Error::TooLarge);
        }
        let call = Self::start_streaming(request)?;
        call.write(body)?;
        call.finish()?;
        Ok(call)
    }

    pub(crate) fn start_streaming(request: Request<'_>) -> Result<Self, Error> {
        let request = HttpRequest::checked(&request)?;
        if with(|state| state.http.is_none()) {
            return Err(Error::Denied);
        }
        let timeout = match request.timeout() {
            Duration::ZERO => LONGEST,
            timeout => timeout.min(LONGEST),
        };
        let most = match request.limit() {
            0 => LARGEST,
            most => most.min(LARGEST),
        };
        Ok(Self(Box::new(RefCell::new(State {
            deadline: super::now() + timeout,
            most,
            request,
            answer: None,
        }))))
    }

    pub(crate) fn write(&self, bytes: &[u8]) -> Result<(), Error> {
        let mut state = self.0.borrow_mut();
        match state.answer {
            Some(_) => Err(Error::Broken),
            None => {
                state.request.body.extend(bytes);
                Ok(())
            }
        }
    }

    pub(crate) fn finish(&self) -> Result<(), Error> {
        let request = self.0.borrow().request.clone();
        let handler = with(|state| {
            state.asked.push(request.clone());
            state.http.clone()
        });
        let response = handler.ok_or(Error::Denied)?(&request);
        self.0.borrow_mut().answer = Some(Answer::of(response));
        Ok(())
    }

    pub(crate) fn head(&self) -> Result<Head, Error> {
        self.come()?;
        let mut state = self.0.borrow_mut();
        let answer = state.answer.as_mut().ok_or(Error::Broken)?;
        if let (
            Some(Head {
                status: NO_HEAD, ..
            }),
            Some(error),
        ) = (&answer.head, answer.error)
        {
            return Err(error);
        }
        answer.next += answer.pause;
        Ok(answer
            .head
            .take()
            .expect("a trap: the head was taken before"))
    }

    pub(crate) fn read(&self) -> Result<Option<Vec<u8>>, Error> {
        self.come()?;
        let mut state = self.0.borrow_mut();
        let most = state.most;
        let answer = state.answer.as_mut().ok_or(Error::Broken)?;
        assert!(answer.head.is_none(), "a trap: the head comes first");
        let Some(chunk) = answer.chunks.pop_front() else {
            return answer.error.map_or(Ok(None), Err);
        };
        answer.next += answer.pause;
        answer.taken += u64::try_from(chunk.len()).unwrap_or(u64::MAX);
        match answer.taken <= most {
            true => Ok(Some(chunk)),
            false => Err(Error::TooLarge),
        }
    }

    pub(crate) fn trailers(&self) -> Vec<(String, Vec<u8>)> {
        let state = self.0.borrow();
        let answer = state.answer.as_ref();
        answer
            .map(|answer| answer.trailers.clone())
            .unwrap_or_default()
    }

    /// Waits, on the clock of the test, until there is something to take.
    fn come(&self) -> Result<(), Error> {
        wait(&[self]);
        let state = self.0.borrow();
        match state
            .answer
            .as_ref()
            .is_some_and(|answer| answer.next < state.deadline)
        {
            true => Ok(()),
            false => Err(Error::Timeout),
        }
    }

    /// When there is something to take.
    fn next(&self) -> Duration {
        let state = self.0.borrow();
        let next = state.answer.as_ref().map(|answer| answer.next);
        next.map_or(state.deadline, |next| next.min(state.deadline))
    }

    /// All that has not been taken; nothing limits it.
    fn rest(self) -> Vec<u8> {
        let answer = (*self.0).into_inner().answer;
        answer
            .map(|answer| answer.chunks.into_iter().flatten().collect())
            .unwrap_or_default()
    }
}

impl Answer {
    fn of(response: HttpResponse) -> Self {
        Self {
            next: super::now() + response.delay,
            pause: response.pause,
            head: Some(Head {
                status: response.status,
                headers: response.headers,
            }),
            chunks: response.chunks.into(),
            trailers: response.trailers,
            error: response.error.map(Error::from),
            taken: 0,
        }
    }
}

pub(crate) fn wait(calls: &[&Call]) -> Vec<u32> {
    assert!(!calls.is_empty(), "a trap: there is nothing to wait for");
    with(|state| {
        let phase = state.current.as_ref().map(|flight| flight.phase);
        let may_wait = match phase {
            None => !state.configuring,
            Some(phase) => phase.may_wait(),
        };
        assert!(may_wait, "a trap: this hook cannot wait");
    });
    let first = calls.iter().map(|call| call.next()).min();
    with(|state| state.now = state.now.max(first.unwrap_or_default()));
    let now = super::now();
    let ready = (0..).zip(calls).filter(|(_, call)| call.next() <= now);
    ready.map(|(index, _)| index).collect()
}

pub(crate) fn respond(
    status: u16,
    headers: &[(&str, &[u8])],
    parts: Vec<Part>,
) -> Result<(), Refusal> {
    let body: Vec<u8> = parts.into_iter().flat_map(Part::into_bytes).collect();
    exchange::respond_with(status, headers, &body)
}

impl Part {
    fn into_bytes(self) -> Vec<u8> {
        match self {
            Self::Bytes(bytes) => bytes,
            Self::RestOf(call) => call.rest(),
        }
    }
}

impl Phase {
    fn may_wait(self) -> bool {
        matches!(
            self,
            Self::Request | Self::Response | Self::RequestBuffered | Self::ResponseBuffered
        )
    }
}

impl HttpRequest {
    /// Takes a request as a gateway would.
    fn checked(request: &Request<'_>) -> Result<Self, Error> {
        let is_url = match request.service {
            Some(_) => request.url.starts_with('/'),
            None => ["http://", "https://"].iter().any(|scheme| {
                let rest = request.url.strip_prefix(scheme);
                rest.is_some_and(|rest| !rest.is_empty() && !rest.starts_with('/'))
            }),
        };
        let is_plain = request.url.bytes().all(|byte| byte.is_ascii_graphic());
        let is_method = ::http::Method::from_bytes(request.method.as_bytes()).is_ok();
        let is_whole = is_url && is_plain && is_method && request.redirects <= MOST_REDIRECTS;
        if !is_whole {
            return Err(Error::Invalid);
        }
        let mut headers = Vec::new();
        for &(name, value) in request.headers {
            let name = name.to_ascii_lowercase();
            match super::rules::checked(&name, value) {
                Ok(_) if name != "host" => headers.push((name, value.to_vec())),
                // The gateway's own: they are left out.
                Ok(_) | Err(Refusal::Forbidden) => {}
                Err(_) => return Err(Error::Invalid),
            }
        }
        Ok(Self {
            method: request.method.to_owned(),
            url: request.url.to_owned(),
            service: request.service.map(str::to_owned),
            headers,
            body: Vec::new(),
            timeout: Duration::from_millis(request.timeout_ms.into()),
            limit: request.most,
            redirects: request.redirects,
        })
    }
}
