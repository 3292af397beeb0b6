//! Clients that ask without pause.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread::{self, JoinHandle},
};

use super::{Client, Reply};

/// Clients in threads of their own, each with a keep-alive connection.
/// Dropping it stops them.
pub(crate) struct Load {
    state: Arc<State>,
    threads: Vec<JoinHandle<Vec<String>>>,
}

#[derive(Default)]
struct State {
    stop: AtomicBool,
    answered: AtomicUsize,
}

impl Load {
    /// Starts clients that `GET` a path. `good` says what answer is none of a failure.
    pub(crate) fn start(
        address: SocketAddr,
        clients: usize,
        path: &'static str,
        good: fn(&Reply) -> bool,
    ) -> Self {
        let state = Arc::new(State::default());
        let threads = (0..clients).map(|_| {
            let state = Arc::clone(&state);
            thread::spawn(move || ask(address, path, good, &state))
        });
        Self {
            threads: threads.collect(),
            state,
        }
    }

    /// How many answers there were so far.
    pub(crate) fn answered(&self) -> usize {
        self.state.answered.load(Ordering::Relaxed)
    }

    /// Ends it; gives the answers' number and what failed.
    pub(crate) fn stop(mut self) -> (usize, Vec<String>) {
        self.state.stop.store(true, Ordering::Relaxed);
        let threads = std::mem::take(&mut self.threads);
        let failures = threads
            .into_iter()
            .flat_map(|thread| thread.join().expect("a client ends"));
        (self.answered(), failures.collect())
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.state.stop.store(true, Ordering::Relaxed);
    }
}

fn ask(
    address: SocketAddr,
    path: &'static str,
    good: fn(&Reply) -> bool,
    state: &State,
) -> Vec<String> {
    let mut client = Client::new(address);
    let mut failures = Vec::new();
    // A gateway that is gone would fail for ever.
    while !state.stop.load(Ordering::Relaxed) && failures.len() < 10 {
        match client.try_send("GET", path, &[], "") {
            Ok(reply) if good(&reply) => {}
            Ok(reply) => failures.push(format!("{} {}", reply.status, reply.text())),
            Err(error) => failures.push(error.to_string()),
        }
        state.answered.fetch_add(1, Ordering::Relaxed);
    }
    failures
}
