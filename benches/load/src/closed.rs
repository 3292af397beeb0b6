//! The closed loop: every connection has one request under way at all times.
//! Shows what a request costs when there is always another one waiting.

use std::{cell::RefCell, num::NonZeroUsize, rc::Rc, time::Duration};

use anyhow::{Context, Result};
use tokio::{
    task::JoinSet,
    time::{sleep, timeout},
};

use crate::{client::Client, tally::Tally, target::Target};

/// How long answers may take after the last request was sent.
pub(crate) const PATIENCE: Duration = Duration::from_secs(2);
/// The pause after a failure, so that a gateway that is gone is not knocked at
/// a hundred thousand times a second.
const AFTER_FAILURE: Duration = Duration::from_millis(10);

/// Sends for a while, and waits for the last answers. Runs in a `LocalSet`.
///
/// # Errors
///
/// If the connections cannot be made to begin with.
pub(crate) async fn run(
    target: Target,
    connections: NonZeroUsize,
    duration: Duration,
) -> Result<Tally> {
    let clients = connect(target, connections).await?;
    let tally = Rc::new(RefCell::new(Tally::new()));
    let mut loops = JoinSet::new();
    for client in clients {
        loops.spawn_local(keep_sending(client, Rc::clone(&tally), duration));
    }
    finish(loops, &tally, duration).await;
    Ok(tally.replace(Tally::new()))
}

/// All connections, before the clock starts.
pub(crate) async fn connect(target: Target, connections: NonZeroUsize) -> Result<Vec<Client>> {
    let target = Rc::new(target);
    let mut clients = Vec::new();
    for _ in 0..connections.get() {
        let client = Client::connect(Rc::clone(&target)).await;
        clients.push(client.with_context(|| format!("cannot connect to {}", target.address))?);
    }
    Ok(clients)
}

/// Waits until all loops have ended by themselves, though not for ever.
pub(crate) async fn finish(mut loops: JoinSet<()>, tally: &RefCell<Tally>, duration: Duration) {
    let all = async { while loops.join_next().await.is_some() {} };
    if timeout(duration + PATIENCE, all).await.is_err() {
        loops.abort_all();
    }
    tally.borrow_mut().give_up();
}

async fn keep_sending(mut client: Client, tally: Rc<RefCell<Tally>>, duration: Duration) {
    let started = tally.borrow().started();
    while started.elapsed() < duration {
        let sent = std::time::Instant::now();
        tally.borrow_mut().begin();
        let response = client.send().await;
        match response {
            Ok(answer) => tally.borrow_mut().answered(&answer, sent),
            Err(_) => {
                tally.borrow_mut().failed();
                sleep(AFTER_FAILURE).await;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::{runtime, task::LocalSet};

    use super::*;
    use crate::{
        open,
        origin::{self, Work},
    };

    const ONE: NonZeroUsize = NonZeroUsize::MIN;
    const SHORT: Duration = Duration::from_millis(200);

    fn run_alone(load: impl Future<Output = Result<Tally>>) -> serde_json::Value {
        let runtime = runtime::Builder::new_current_thread().enable_all().build();
        let tally = LocalSet::new().block_on(&runtime.unwrap(), load);
        tally.unwrap().to_json()
    }

    fn target() -> Target {
        let addresses =
            origin::start(&["127.0.0.1:0".parse().unwrap()], 1024, ONE, Work::NONE).unwrap();
        Target::new(&format!("http://{}/", addresses[0]), &[], None).unwrap()
    }

    #[test]
    fn both_loops_get_answers_from_an_origin() {
        let connections = NonZeroUsize::new(8).unwrap();
        let closed = run_alone(run(target(), connections, SHORT));
        let open = run_alone(open::run(target(), connections, SHORT, 500.0));
        for result in [closed, open] {
            let counts = ["non2xx", "errors"].map(|key| result[key].as_u64());
            assert_eq!(counts, [Some(0), Some(0)], "{result}");
            assert!(result["done"].as_u64() > Some(20), "{result}");
            assert!(result["p50_us"].as_f64() > Some(0.0), "{result}");
            assert!(result["p99_us"].as_f64() >= result["p50_us"].as_f64());
        }
    }

    #[test]
    fn stamps_are_held_against_the_echo() {
        let addresses =
            origin::start(&["127.0.0.1:0".parse().unwrap()], 9, ONE, Work::NONE).unwrap();
        let url = format!("http://{}/echo", addresses[0]);
        // Nobody stamps the response, so that all are wrong.
        let target = Target::new(&url, &["x-stamp: 1".into()], Some("x-stamp".into())).unwrap();
        let result = run_alone(run(target, ONE, SHORT));
        assert!(result["done"].as_u64() > Some(0), "{result}");
        assert_eq!(result["mixed"], result["done"]);
    }

    #[test]
    fn a_server_that_hangs_up_is_an_error_each_time() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || while listener.accept().is_ok() {});
        let target = Target::new(&format!("http://{address}/"), &[], None).unwrap();
        let result = run_alone(run(target, ONE, SHORT));
        assert_eq!(result["done"].as_u64(), Some(0), "{result}");
        assert!(result["errors"].as_u64() > Some(0), "{result}");
    }
}
