//! Which connections are kept and used again, and which are not.

use std::time::Instant;

use super::*;

/// Answers every request with its own path.
async fn echo() -> Upstream {
    Upstream::start(async |mut peer: Peer| {
        while let Some(request) = peer.request().await {
            let path = request.split(' ').nth(1).expect("a path").to_owned();
            let length = path.len();
            let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n");
            peer.write(&(head + &path)).await;
        }
    })
    .await
}

#[test]
fn a_thousand_requests_use_one_connection() {
    run(async {
        let upstream = echo().await;
        let pool = TestPool::new(OPTIONS);
        for n in 0..1_000 {
            let path = format!("/{n}");
            assert_eq!(fetch(&pool, &upstream, &path).await, path);
        }
        let expected = Counts {
            opened: 1,
            reused: 999,
            stale: 0,
            open: 1,
        };
        assert_eq!(pool.counts(), expected);
        assert_eq!(upstream.connections.get(), 1);
    });
}

#[test]
fn concurrent_requests_never_share_and_few_stay() {
    run(async {
        let upstream = Rc::new(echo().await);
        let pool = Rc::new(TestPool::new(OPTIONS));
        let tasks: Vec<_> = (0..32)
            .map(|task| {
                let (pool, upstream) = (pool.clone(), upstream.clone());
                spawn_local(async move {
                    for n in 0..50 {
                        let path = format!("/{task}/{n}");
                        assert_eq!(fetch(&pool, &upstream, &path).await, path);
                    }
                })
            })
            .collect();
        for task in tasks {
            task.await.expect("no mix-up");
        }
        assert_eq!(pool.idle(), (1, 4));
        until("the others are closed", || pool.counts().open == 4).await;
    });
}

#[test]
fn keeps_what_is_over_and_closes_what_is_not() {
    const CHUNKED: &str = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntrailer: a\r\n\r\n\
                           2\r\nok\r\n0\r\na: b\r\n\r\n";
    let cases = [
        ("length", OK, 1),
        ("chunked with trailers", CHUNKED, 1),
        ("no content", "HTTP/1.1 204 No Content\r\n\r\n", 1),
        (
            "not modified",
            "HTTP/1.1 304 Not Modified\r\ncontent-length: 9\r\n\r\n",
            1,
        ),
        ("empty", "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", 1),
        (
            "interim",
            "HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n",
            1,
        ),
        (
            "1.0 kept",
            "HTTP/1.0 200 OK\r\nconnection: keep-alive\r\ncontent-length: 0\r\n\r\n",
            1,
        ),
        ("1.0", "HTTP/1.0 200 OK\r\ncontent-length: 0\r\n\r\n", 0),
        (
            "close",
            "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok",
            0,
        ),
        (
            "extra bytes",
            "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nokHTTP/1.1 200 OK\r\n",
            0,
        ),
        (
            "extra line",
            "HTTP/1.1 204 No Content\r\n\r\nhello\r\n\r\n",
            0,
        ),
    ];
    for (what, answer, kept) in cases {
        run(async move {
            let upstream = Upstream::answering(answer).await;
            let pool = TestPool::new(OPTIONS);
            fetch(&pool, &upstream, "/").await;
            assert_eq!(pool.idle().1, kept, "{what}");
            fetch(&pool, &upstream, "/").await;
            assert_eq!(pool.counts().reused as usize, kept, "{what}");
        });
    }
}

#[test]
fn a_response_to_head_has_no_body() {
    run(async {
        let upstream = Upstream::answering("HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n").await;
        let pool = TestPool::new(OPTIONS);
        for _ in 0..3 {
            let mut request = get("/");
            *request.method_mut() = Method::HEAD;
            let response = pool.send(&upstream.target, request).await.expect("a head");
            assert_eq!(response.headers()["content-length"], "1000");
            assert_eq!(text(response).await.expect("no body"), "");
        }
        assert_eq!(pool.counts().opened, 1);
    });
}

#[test]
fn a_later_answer_is_nobodys() {
    run(async {
        let stranger = "HTTP/1.1 200 OK\r\ncontent-length: 8\r\n\r\nstranger";
        let upstream = Upstream::start(async move |mut peer: Peer| {
            peer.request().await;
            peer.write(OK).await;
            peer.write(stranger).await;
            peer.end().await;
        })
        .await;
        let pool = TestPool::new(OPTIONS);
        for _ in 0..5 {
            assert_eq!(fetch(&pool, &upstream, "/").await, "ok");
            until("the connection is closed", || pool.counts().open == 0).await;
        }
        assert_eq!(pool.counts().reused, 0);
    });
}

#[test]
fn what_the_upstream_closed_is_replaced_for_any_method() {
    run(async {
        let upstream = Upstream::start(async |mut peer: Peer| {
            peer.request().await;
            peer.write(OK).await;
        })
        .await;
        let pool = TestPool::new(OPTIONS);
        for _ in 0..3 {
            let response = pool.send(&upstream.target, post("/", "body")).await;
            assert_eq!(
                text(response.expect("a response")).await.expect("a body"),
                "ok"
            );
            until("it was closed", || pool.counts().open == 0).await;
        }
        assert_eq!(upstream.connections.get(), 3);
        assert_eq!(
            pool.counts().stale,
            0,
            "what is known to be closed is not tried"
        );
        pool.prune(Instant::now());
        assert_eq!(pool.idle(), (0, 0));
    });
}

#[test]
fn a_request_that_was_not_written_goes_elsewhere() {
    run(async {
        let seen = Rc::new(Cell::new(0));
        let bodies = seen.clone();
        let upstream = Upstream::start(move |mut peer: Peer| {
            let bodies = bodies.clone();
            async move {
                while let Some(request) = peer.request().await {
                    bodies.set(bodies.get() + usize::from(request.ends_with("only once")));
                    peer.write(OK).await;
                }
            }
        })
        .await;
        let pool = Rc::new(TestPool::new(OPTIONS));
        let busy: Vec<_> = (0..4)
            .map(|_| pool.send(&upstream.target, get("/")))
            .map(Box::pin)
            .collect();
        for response in futures_of(busy).await {
            text(response.expect("a response")).await.expect("a body");
        }
        assert_eq!(pool.idle().1, 4);

        pool.break_idle();
        let response = pool.send(&upstream.target, post("/", "only once")).await;
        assert_eq!(
            text(response.expect("a response")).await.expect("a body"),
            "ok"
        );
        assert_eq!(seen.get(), 1);
        assert!(pool.counts().stale > 0);
        assert_eq!(pool.counts().opened, 5);
    });
}

/// Drives all at the same time and returns what comes of them, in order.
async fn futures_of<F: Future>(mut futures: Vec<Pin<Box<F>>>) -> Vec<F::Output> {
    let mut outputs: Vec<Option<F::Output>> = futures.iter().map(|_| None).collect();
    std::future::poll_fn(|context| {
        for (future, output) in futures.iter_mut().zip(&mut outputs) {
            if output.is_none()
                && let Poll::Ready(ready) = future.as_mut().poll(context)
            {
                *output = Some(ready);
            }
        }
        match outputs.iter().all(Option::is_some) {
            true => Poll::Ready(outputs.drain(..).flatten().collect()),
            false => Poll::Pending,
        }
    })
    .await
}

#[test]
fn dropping_closes() {
    run(async {
        let upstream = Upstream::start(async |mut peer: Peer| {
            peer.request().await;
            if peer.number > 0 {
                peer.write("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nbegin")
                    .await;
            }
            peer.end().await;
        })
        .await;
        let pool = TestPool::new(OPTIONS);
        let never = pool.send(&upstream.target, get("/"));
        assert!(timeout(Duration::from_millis(20), never).await.is_err());
        until("the request is given up", || pool.counts().open == 0).await;

        let response = pool.send(&upstream.target, get("/")).await.expect("a head");
        let mut body = response.into_body();
        assert!(body.frame().await.is_some());
        assert_eq!(pool.counts().open, 1);
        drop(body);
        until("the body is given up", || pool.counts().open == 0).await;
        assert_eq!(pool.idle().1, 0);
    });
}

#[test]
fn an_answer_before_the_requests_end_arrives_and_the_rest_is_not_sent() {
    run(async {
        let upstream = Upstream::start(async |mut peer: Peer| {
            peer.read().await;
            peer.write("HTTP/1.1 413 Content Too Large\r\ncontent-length: 3\r\n\r\nbig")
                .await;
            peer.end().await;
        })
        .await;
        let pool = TestPool::new(OPTIONS);
        let endless = request(Method::POST, "/", Endless.boxed_unsync());
        let response = pool.send(&upstream.target, endless).await.expect("a head");
        assert_eq!(response.status(), 413);
        assert_eq!(text(response).await.expect("a body"), "big");
        until("the connection is closed", || pool.counts().open == 0).await;
        assert_eq!(pool.idle().1, 0);
    });
}

#[test]
fn idle_connections_are_closed_in_time() {
    run(async {
        let upstream = echo().await;
        let other = echo().await;
        let pool = TestPool::new(OPTIONS);
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        fetch(&pool, &upstream, "/").await;
        pool.prune(at(30));
        fetch(&pool, &other, "/").await;
        pool.prune(at(54));
        assert_eq!(pool.idle(), (2, 2));
        pool.prune(at(56));
        assert_eq!(pool.idle(), (1, 1), "what was used later stays");
        until("it is closed", || pool.counts().open == 1).await;
        pool.prune(at(90));
        assert_eq!(pool.idle(), (0, 0));
        until("both are closed", || pool.counts().open == 0).await;
        assert_eq!(fetch(&pool, &upstream, "/again").await, "/again");
    });
}
