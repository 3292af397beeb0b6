//! One client connection: HTTP/1.1 through hyper, until it ends or drains.

use std::{
    cell::{Cell, RefCell},
    collections::HashMap,
    convert::Infallible,
    future::{Future, poll_fn},
    net::SocketAddr,
    pin::pin,
    rc::Rc,
    task::{Poll, Waker},
};

use http::{HeaderValue, Request, header};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{net::TcpStream, sync::Notify};

use crate::{exchange::Scheme, forwarding::ClientFields, proxy, worker::Worker};

/// The connections of one worker that are open, and whether they drain.
///
/// Whether to close is looked at on each poll of each connection, so it is a
/// plain flag of the worker's own; setting it wakes the connections once.
#[derive(Clone, Default)]
pub struct Open(Rc<State>);

#[derive(Default)]
struct State {
    draining: Cell<bool>,
    closing: Cell<bool>,
    next: Cell<u64>,
    tasks: RefCell<HashMap<u64, Waker>>,
    none_left: Notify,
}

impl Open {
    /// How many there are.
    pub fn count(&self) -> usize {
        self.0.tasks.borrow().len()
    }

    /// Makes every answer from now on the last of its connection.
    ///
    /// Connections without a request stay open for now: one may be on its way,
    /// above all on those that were accepted last, and closing would lose it.
    pub fn drain(&self) {
        self.0.draining.set(true);
    }

    /// Closes every connection that is not at a request, and the others after
    /// it. To be called some time after `drain`.
    pub fn close_idle(&self) {
        self.0.closing.set(true);
        for task in self.0.tasks.borrow().values() {
            task.wake_by_ref();
        }
    }

    /// Waits until there is none. Cancel safe.
    pub async fn closed(&self) {
        while self.count() > 0 {
            self.0.none_left.notified().await;
        }
    }

    fn enter(&self) -> Entered {
        let number = self.0.next.get();
        self.0.next.set(number + 1);
        let tasks = &mut *self.0.tasks.borrow_mut();
        tasks.insert(number, Waker::noop().clone());
        Entered {
            number,
            state: Rc::clone(&self.0),
        }
    }
}

/// One open connection.
struct Entered {
    number: u64,
    state: Rc<State>,
}

impl Entered {
    fn draining(&self) -> bool {
        self.state.draining.get()
    }

    fn closing(&self) -> bool {
        self.state.closing.get()
    }

    /// Wakes this task when idle connections are closed. A task's waker never changes, so
    /// once is enough.
    async fn watch(&self) {
        poll_fn(|cx| {
            let mut tasks = self.state.tasks.borrow_mut();
            tasks.insert(self.number, cx.waker().clone());
            Poll::Ready(())
        })
        .await;
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        let left = {
            let mut tasks = self.state.tasks.borrow_mut();
            tasks.remove(&self.number);
            tasks.len()
        };
        if left == 0 {
            self.state.none_left.notify_one();
        }
    }
}

/// Serves a connection in a task of its own.
pub fn spawn(stream: TcpStream, peer: SocketAddr, worker: &Rc<Worker>, open: &Open) {
    let entered = open.enter();
    let worker = Rc::clone(worker);
    tokio::task::spawn_local(async move {
        let _metric = worker.metrics().connection();
        entered.watch().await;
        serve(stream, peer, &worker, &entered).await;
    });
}

async fn serve(stream: TcpStream, peer: SocketAddr, worker: &Worker, entered: &Entered) {
    // Without it small answers wait for the client's acknowledgement.
    let _ = stream.set_nodelay(true);
    let client = ClientFields::new(peer.ip().to_canonical(), Scheme::Http);
    let service = service_fn(|request: Request<Incoming>| async {
        let mut response = proxy::serve(worker, &client, request).await;
        if entered.draining() {
            let close = HeaderValue::from_static("close");
            response.headers_mut().insert(header::CONNECTION, close);
        }
        Ok::<_, Infallible>(response)
    });
    let limits = worker.limits();
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head_timeout)
        .max_headers(limits.request_headers)
        .max_buf_size(limits.request_head)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = pin!(connection);
    let mut told = false;
    let ended = poll_fn(|cx| {
        if !told && entered.closing() {
            told = true;
            connection.as_mut().graceful_shutdown();
        }
        connection.as_mut().poll(cx)
    })
    .await;
    if let Err(error) = ended {
        tracing::debug!(%peer, "connection ended: {error}");
    }
}
