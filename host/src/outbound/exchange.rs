//! One call from its start to its end: a local task of the thread that it was
//! made on.

use std::{
    net::IpAddr,
    rc::Rc,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use bytes::Bytes;
use http::{
    HeaderMap, HeaderValue, Method, Request as HttpRequest, Response, Version, header,
    uri::PathAndQuery,
};
use http_body_util::BodyExt;
use tokio::{
    sync::mpsc,
    time::{Instant, timeout_at},
};
use url::Host as Name;

use crate::{
    body::{Own, RequestBody},
    discovery::InFlight,
    exchange::{ClientAddr, Exchange, Phase},
    forwarding,
    tls::server_name,
    upstream::{Pool, SendError, SendErrorKind, Target, UpstreamBody},
};

use super::{
    Caller, Dispatcher, Error, Head, Plugin, Policy, Request,
    call::{Event, Link},
    dispatcher::Room,
    policy::Trust,
    redirect,
    request::{Host, Place, Sending},
    resolver,
};

/// Instances of a service, and addresses of a host, that are tried.
const TRIES: u32 = 3;

/// The longest that anything takes, where nobody says less.
const LONGEST: Duration = Duration::from_secs(86_400);

/// Connections to hosts on one thread, beyond which none is kept after use: who
/// asks many hosts shall not use up the descriptors.
const CONNECTIONS: u64 = 256;

/// What metrics call a call whose plugin has left.
const CANCELLED: &str = "cancelled";

/// A call that has begun.
pub(super) struct Task {
    pub(super) dispatcher: Rc<Dispatcher>,
    pub(super) plugin: Arc<Plugin>,
    pub(super) caller: Caller,
    pub(super) request: Request,
    pub(super) body: Sending,
    pub(super) link: Arc<Link>,
    pub(super) events: mpsc::Sender<Event>,
    pub(super) room: Room,
}

/// An answer whose body has not come yet.
struct Answer {
    response: Response<UpstreamBody<RequestBody>>,
    /// What the request had in `host`.
    host: String,
    /// Counts as a request at the instance while the body comes.
    _in_flight: Option<InFlight>,
}

/// Whether a place may be asked, as far as that is known without its addresses.
pub(super) fn permit(policy: &Policy, place: &Place) -> Result<(), Error> {
    match place {
        Place::Service { name, .. } => policy.service(name),
        Place::Host(host) => {
            let trust = policy.origin(&host.origin)?;
            match literal(host) {
                Some(address) => allowed(trust, &[address]),
                None => Ok(()),
            }
        }
    }
}

/// Asks, and hands over what is answered, until the end or until nobody wants it.
pub(super) async fn run(mut task: Task) {
    let begun = Instant::now();
    let deadline = begun + task.request.timeout.min(LONGEST);
    let (events, link) = (task.events.clone(), Arc::clone(&task.link));
    let plugin = Arc::clone(&task.plugin);
    let ended = tokio::select! {
        biased;
        () = events.closed() => None,
        ended = task.work(deadline) => Some(ended),
    };
    let failed = match ended {
        Some(Ok(())) => None,
        Some(Err(error)) => {
            // Nobody else sets it.
            let _ = link.error.set(error);
            Some(error.as_str())
        }
        None => Some(link.error.get().map_or(CANCELLED, |error| error.as_str())),
    };
    plugin.metrics.finished(begun.elapsed(), failed);
    drop(task.room);
}

impl Task {
    async fn work(&mut self, deadline: Instant) -> Result<(), Error> {
        let answer = timeout_at(deadline, self.answer()).await;
        let answer = answer.map_err(|_elapsed| Error::Timeout)??;
        self.hand_over(answer, deadline).await
    }

    /// The answer that is the last word, redirects followed.
    async fn answer(&mut self) -> Result<Answer, Error> {
        loop {
            permit(&self.plugin.policy, &self.request.place)?;
            let answer = match self.request.place.clone() {
                Place::Service { name, path } => self.ask_service(&name, &path).await?,
                Place::Host(host) => self.ask_host(&host).await?,
            };
            let (status, headers) = (answer.response.status(), answer.response.headers());
            let Self { request, body, .. } = self;
            if !redirect::follow(request, body, status, headers, &answer.host)? {
                return Ok(answer);
            }
        }
    }

    async fn ask_service(&mut self, name: &str, path: &PathAndQuery) -> Result<Answer, Error> {
        let dispatcher = Rc::clone(&self.dispatcher);
        let mut exchange = Box::new(self.image(name, path));
        let mut failed = Error::Unavailable;
        for attempt in 0..TRIES {
            let Some(instance) = dispatcher.ground.pick(name, &mut exchange, attempt) else {
                return Err(failed);
            };
            exchange.tried.push(instance.number);
            exchange.instance = Some(instance.address);
            let in_flight = instance.begin();
            let host = instance.target.host();
            let request = self.request(path, host.clone())?;
            let begun = Instant::now();
            match self
                .send(dispatcher.ground.pool(), &instance.target, request)
                .await
            {
                Ok(response) => {
                    instance.record_latency(begun.elapsed());
                    return Ok(Answer {
                        response,
                        host: host.to_str().unwrap_or_default().to_owned(),
                        _in_flight: Some(in_flight),
                    });
                }
                Err((error, Again::Yes)) => failed = error,
                Err((error, Again::No)) => return Err(error),
            }
        }
        Err(failed)
    }

    async fn ask_host(&mut self, host: &Host) -> Result<Answer, Error> {
        let dispatcher = Rc::clone(&self.dispatcher);
        let trust = self.plugin.policy.origin(&host.origin)?;
        let addresses: Rc<[IpAddr]> = match (literal(host), &host.origin.host) {
            (Some(address), _) => [address].into(),
            (None, name) => dispatcher.resolver.resolve(&name.to_string()).await?,
        };
        allowed(trust, &addresses)?;
        let authority = host.origin.authority();
        let field = HeaderValue::try_from(&*authority).map_err(|_| Error::Invalid)?;
        let mut failed = Error::Resolve;
        for address in addresses.iter().take(TRIES as usize) {
            let target = target(&dispatcher, host, *address).await?;
            let mut request = self.request(&host.path, field.clone())?;
            if dispatcher.hosts.counts().open >= CONNECTIONS {
                let close = HeaderValue::from_static("close");
                request.headers_mut().insert(header::CONNECTION, close);
            }
            match self.send(&dispatcher.hosts, &target, request).await {
                Ok(response) => {
                    return Ok(Answer {
                        response,
                        host: authority,
                        _in_flight: None,
                    });
                }
                Err((error, Again::Yes)) => failed = error,
                Err((error, Again::No)) => return Err(error),
            }
        }
        Err(failed)
    }

    async fn send(
        &mut self,
        pool: &Pool<RequestBody>,
        target: &Target,
        request: HttpRequest<RequestBody>,
    ) -> Result<Response<UpstreamBody<RequestBody>>, (Error, Again)> {
        let SendError { kind, unsent, .. } = match pool.send(target, request).await {
            Ok(response) => return Ok(response),
            Err(error) => error,
        };
        let again = match unsent {
            Some(request) => self.take_back(request.into_body()),
            None => Again::No,
        };
        Err(match kind {
            SendErrorKind::Connect | SendErrorKind::ConnectTimeout | SendErrorKind::Tls => {
                (Error::Connect, again)
            }
            _ => (Error::Broken, again),
        })
    }

    /// The request as it goes out.
    fn request(
        &mut self,
        path: &PathAndQuery,
        host: HeaderValue,
    ) -> Result<HttpRequest<RequestBody>, Error> {
        let body = match &mut self.body {
            Sending::Whole(bytes) if bytes.is_empty() => RequestBody::Empty,
            Sending::Whole(bytes) => RequestBody::Own(Box::new(Own::Whole(bytes.clone()))),
            Sending::Once(body) => RequestBody::Own(Box::new(body.take().ok_or(Error::Broken)?)),
        };
        let mut request = HttpRequest::new(body);
        *request.method_mut() = self.request.method.clone();
        *request.uri_mut() = path.clone().into();
        *request.version_mut() = Version::HTTP_11;
        *request.headers_mut() = self.request.headers.clone();
        request.headers_mut().insert(header::HOST, host);
        Ok(request)
    }

    /// Keeps a body that was not sent for the next try.
    fn take_back(&mut self, unsent: RequestBody) -> Again {
        match (&mut self.body, unsent) {
            (Sending::Once(place), RequestBody::Own(body)) => *place = Some(*body),
            (Sending::Once(_), _) => return Again::No,
            (Sending::Whole(_), _) => {}
        }
        Again::Yes
    }

    /// What a balancer sees of a request.
    fn image(&self, service: &str, path: &PathAndQuery) -> Exchange {
        Exchange {
            phase: Phase::Upstream,
            method: self.request.method.clone(),
            uri: path.clone().into(),
            headers: self.request.headers.clone(),
            host: service.into(),
            client: ClientAddr(self.caller.client),
            request_id: self.caller.request_id.clone(),
            ..Exchange::empty()
        }
    }

    async fn hand_over(&mut self, answer: Answer, deadline: Instant) -> Result<(), Error> {
        let Answer {
            response,
            _in_flight,
            ..
        } = answer;
        let (parts, mut body) = response.into_parts();
        let mut headers = parts.headers;
        forwarding::strip_hop_by_hop(&mut headers, false);
        let has_body = self.request.method != Method::HEAD;
        let head = Head {
            status: parts.status,
            headers,
            length: http_body::Body::size_hint(&body)
                .exact()
                .filter(|_| has_body),
        };
        self.tell(Event::Head(head), deadline).await?;
        let mut trailers = HeaderMap::new();
        while let Some(frame) = self.in_time(body.frame(), deadline).await? {
            let frame = frame.map_err(|_broken| Error::Broken)?;
            match frame.into_data() {
                Ok(data) => self.tell_data(data, deadline).await?,
                Err(frame) => trailers = frame.into_trailers().unwrap_or_default(),
            }
        }
        self.tell(Event::End(trailers), deadline).await
    }

    async fn tell_data(&self, data: Bytes, deadline: Instant) -> Result<(), Error> {
        match data.is_empty() {
            true => Ok(()),
            false => self.tell(Event::Data(data), deadline).await,
        }
    }

    /// Hands over an event when there is room for it. That nobody is there to take
    /// it ends the whole task.
    async fn tell(&self, event: Event, deadline: Instant) -> Result<(), Error> {
        if let Ok(room) = self.in_time(self.events.reserve(), deadline).await? {
            room.send(event);
        }
        Ok(())
    }

    /// The output of a future that comes in time; or in its own time, if it goes to
    /// a client by now, who may read as slowly as he likes.
    async fn in_time<F: Future>(&self, future: F, deadline: Instant) -> Result<F::Output, Error> {
        let mut future = std::pin::pin!(future);
        match timeout_at(deadline, future.as_mut()).await {
            Ok(output) => Ok(output),
            Err(_elapsed) if self.link.handed_on.load(Ordering::Acquire) => Ok(future.await),
            Err(_elapsed) => Err(Error::Timeout),
        }
    }
}

/// Whether what failed can be tried elsewhere.
enum Again {
    Yes,
    No,
}

/// The address that a URL has in place of a name.
fn literal(host: &Host) -> Option<IpAddr> {
    match &host.origin.host {
        Name::Ipv4(address) => Some((*address).into()),
        Name::Ipv6(address) => Some((*address).into()),
        Name::Domain(_) => None,
    }
}

/// Whether all of a host's addresses may be connected to: one that may not makes
/// the whole name a lie.
fn allowed(trust: Trust, addresses: &[IpAddr]) -> Result<(), Error> {
    let allows = |address: &IpAddr| {
        trust == Trust::Named || trust.allows(*address, resolver::is_here(*address))
    };
    match addresses.iter().all(allows) {
        true => Ok(()),
        false => Err(Error::Denied),
    }
}

/// Where a host is connected to: at an address that was checked, and if there is
/// TLS, only if it proves to be who the URL says.
async fn target(dispatcher: &Dispatcher, host: &Host, address: IpAddr) -> Result<Target, Error> {
    let address = (address, host.origin.port).into();
    if !host.origin.secure {
        return Ok(Target::plain(address));
    }
    let name = server_name(&host.origin.host.to_string()).map_err(|_| Error::Connect)?;
    let client = dispatcher.roots.read().await?;
    Ok(Target::secured(address, name, client))
}
