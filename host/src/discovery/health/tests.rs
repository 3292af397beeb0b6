//! Health checks against real sockets.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    net::SocketAddr,
    num::NonZeroU32,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::{LocalSet, yield_now},
    time::timeout,
};

use super::*;
use crate::tls::Clients;
use crate::{
    config::{self, Position},
    discovery::Registration,
};

/// What the instance answers from now on; empty: nothing at all.
type Answer = Rc<Cell<&'static str>>;

const WELL: &str = "HTTP/1.1 204 No Content\r\n\r\n";
const ILL: &str = "HTTP/1.1 500 Internal Server Error\r\ncontent-length: 0\r\n\r\n";
const BROKEN: &str = "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nshort";
const SILENT: &str = "";

struct Target {
    address: SocketAddr,
    answer: Answer,
    asked: Rc<RefCell<Vec<String>>>,
}

impl Target {
    async fn start(answer: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("bound");
        let target = Self {
            address: listener.local_addr().expect("an address"),
            answer: Rc::new(Cell::new(answer)),
            asked: Rc::default(),
        };
        let (answer, asked) = (target.answer.clone(), target.asked.clone());
        spawn_local(async move {
            while let Ok((stream, _)) = listener.accept().await {
                spawn_local(serve(stream, answer.clone(), asked.clone()));
            }
        });
        target
    }

    fn count(&self) -> usize {
        self.asked.borrow().len()
    }
}

async fn serve(mut stream: TcpStream, answer: Answer, asked: Rc<RefCell<Vec<String>>>) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        if !matches!(stream.read_buf(&mut head).await, Ok(1..)) {
            return;
        }
    }
    asked
        .borrow_mut()
        .push(String::from_utf8_lossy(&head).into_owned());
    if answer.get() == SILENT {
        let _ = stream.read_buf(&mut head).await;
    }
    let _ = stream.write_all(answer.get().as_bytes()).await;
}

fn service(addresses: &[SocketAddr], check: HealthCheck) -> config::Service {
    let instance = |address: &SocketAddr| config::Instance {
        address: address.to_string(),
        weight: NonZeroU32::MIN,
        metadata: BTreeMap::new(),
        at: Position::START,
    };
    config::Service {
        name: "a".to_owned(),
        instances: addresses.iter().map(instance).collect(),
        balancer: None,
        health_check: Some(check),
        tls: None,
        protocol: config::Protocol::default(),
        at: Position::START,
    }
}

fn check(path: &str, interval: u64) -> HealthCheck {
    HealthCheck {
        path: path.to_owned(),
        interval: Duration::from_millis(interval),
        timeout: Duration::from_millis(300),
        unhealthy_after: NonZeroU32::new(3).expect("not zero"),
        healthy_after: NonZeroU32::new(2).expect("not zero"),
    }
}

async fn until(what: &str, condition: impl Fn() -> bool) {
    let waiting = async {
        while !condition() {
            yield_now().await;
        }
    };
    let waited = timeout(Duration::from_secs(20), waiting).await;
    assert!(waited.is_ok(), "waited in vain until {what}");
}

fn run(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    LocalSet::new().block_on(&runtime, test);
}

fn checked(services: &[config::Service]) -> Arc<Registry> {
    let registry = Arc::new(Registry::new());
    registry
        .apply(services, &Clients::default())
        .expect("applied");
    spawn_local(Checker::run(registry.clone(), std::future::pending()));
    registry
}

fn listed(registry: &Registry) -> usize {
    let service = registry.service("a").expect("service a");
    service.list().instances.len()
}

#[test]
fn takes_instances_out_and_back() {
    run(async {
        let one = Target::start(WELL).await;
        let other = Target::start(WELL).await;
        let services = [service(&[one.address, other.address], check("/up?x=1", 5))];
        let registry = checked(&services);
        until("both were asked", || one.count() > 3 && other.count() > 3).await;
        assert_eq!(listed(&registry), 2);
        let request = one.asked.borrow()[0].clone();
        assert!(request.starts_with("GET /up?x=1 HTTP/1.1\r\n"), "{request}");
        assert!(
            request.contains(&format!("host: {}\r\n", one.address)),
            "{request}"
        );
        assert!(
            request.contains("user-agent: portcullis-health\r\n"),
            "{request}"
        );

        for answer in [ILL, BROKEN, SILENT, "nonsense\r\n\r\n"] {
            let before = one.count();
            one.answer.set(answer);
            until("it was taken out", || listed(&registry) == 1).await;
            assert!(one.count() >= before + 2, "after three failures in a row");
            let before = one.count();
            one.answer.set(WELL);
            until("it was taken back", || listed(&registry) == 2).await;
            assert!(one.count() > before, "after two successes in a row");
        }

        one.answer.set(ILL);
        other.answer.set(ILL);
        until("nobody is left", || listed(&registry) == 0).await;
    });
}

#[test]
fn takes_out_what_refuses_connections() {
    run(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("bound");
        let address = listener.local_addr().expect("an address");
        drop(listener);
        let registry = checked(&[service(&[address], check("/", 5))]);
        assert_eq!(listed(&registry), 1, "healthy until the contrary is known");
        until("it was taken out", || listed(&registry) == 0).await;
    });
}

#[test]
fn follows_changes_of_the_registry() {
    run(async {
        let one = Target::start(WELL).await;
        let other = Target::start(ILL).await;
        let registry = checked(&[service(&[one.address], check("/a", 5))]);
        until("it was asked", || one.count() > 0).await;

        let registration = Registration {
            address: other.address,
            weight: NonZeroU32::MIN,
            metadata: BTreeMap::new(),
            ttl: None,
        };
        registry
            .register("a", "other", registration)
            .expect("registered");
        assert_eq!(listed(&registry), 2, "at once");
        until("it was taken out", || listed(&registry) == 1).await;
        registry.deregister("a", "other").expect("deregistered");

        registry
            .apply(
                &[service(&[one.address], check("/b", 5))],
                &Clients::default(),
            )
            .expect("applied");
        let asked_for = |path: &str| {
            let start = format!("GET {path} ");
            one.asked
                .borrow()
                .last()
                .is_some_and(|r| r.starts_with(&start))
        };
        until("the new path is asked for", || asked_for("/b")).await;

        let before = (one.count(), other.count());
        registry.apply(&[], &Clients::default()).expect("applied");
        registry
            .apply(
                &[service(&[one.address], check("/c", 5))],
                &Clients::default(),
            )
            .expect("applied");
        until("it is asked again", || {
            one.count() > before.0 + 3 && asked_for("/c")
        })
        .await;
        assert!(other.count() <= before.1 + 1, "nobody asks what is gone");
    });
}

#[test]
fn stops_at_shutdown() {
    run(async {
        let one = Target::start(WELL).await;
        let registry = Arc::new(Registry::new());
        let services = [service(&[one.address], check("/", 1))];
        registry
            .apply(&services, &Clients::default())
            .expect("applied");
        let enough = until("it was asked", || one.count() > 2);
        Checker::run(registry.clone(), enough).await;
        drop(registry);
    });
}
