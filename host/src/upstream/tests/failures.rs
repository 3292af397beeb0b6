//! What is said when there is no response, and what may be done about it.

use std::error::Error as _;

use super::*;

#[test]
fn a_refused_connection_returns_the_request() {
    run(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("bound");
        let address = listener.local_addr().expect("an address");
        drop(listener);
        let pool = TestPool::new(OPTIONS);
        let error = pool
            .send(&Target::plain(address), post("/x", "body"))
            .await
            .expect_err("refused");
        assert_eq!(error.kind, SendErrorKind::Connect);
        assert_eq!(error.reason, Some(Reason::ConnectFailure));
        assert!(error.source().is_some());
        let request = error.unsent.expect("the request");
        assert_eq!(request.uri(), "/x");
        let body = request.into_body().collect().await.expect("a body");
        assert_eq!(body.to_bytes(), "body");
    });
}

#[test]
fn a_slow_connection_is_given_up() {
    run(async {
        let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None);
        let socket = socket.expect("a socket");
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        socket.bind(&any.into()).expect("bound");
        socket.listen(0).expect("listening");
        let address = socket.local_addr().expect("an address");
        let address = address.as_socket().expect("an internet address");
        // Nobody accepts, so that a few connections fill the queue; from then
        // on the kernel drops what asks for more.
        let mut waiting = Vec::new();
        let limit = Duration::from_millis(50);
        while let Ok(stream) = timeout(limit, TcpStream::connect(address)).await {
            waiting.push(stream.expect("connected"));
        }
        let pool = TestPool::new(PoolOptions {
            connect_timeout: limit,
            ..OPTIONS
        });
        let error = pool
            .send(&Target::plain(address), get("/"))
            .await
            .expect_err("too slow");
        assert_eq!(error.kind, SendErrorKind::ConnectTimeout);
        assert_eq!(error.reason, Some(Reason::ConnectFailure));
        assert!(error.unsent.is_some());
    });
}

#[test]
fn a_break_before_the_head_says_whether_to_try_again() {
    let cases = [
        "",
        "HTTP/1.1 200 OK\r\ncontent-le",
        "HTTP/1.1 100 Continue\r\n\r\n",
    ];
    for answer in cases {
        run(async move {
            let upstream = Upstream::start(async move |mut peer: Peer| {
                peer.request().await;
                if peer.number > 0 {
                    peer.write(OK).await;
                    peer.request().await;
                }
                peer.write(answer).await;
            })
            .await;
            let pool = TestPool::new(OPTIONS);
            let error = fail(&pool, &upstream, "/").await;
            assert_eq!(error.kind, SendErrorKind::Reset, "{answer:?}");
            assert_eq!(error.reason, Some(Reason::Reset), "{answer:?}");
            assert!(error.unsent.is_none(), "{answer:?}");

            assert_eq!(fetch(&pool, &upstream, "/").await, "ok");
            let error = fail(&pool, &upstream, "/").await;
            assert_eq!(error.reason, Some(Reason::Stale), "a kept connection");
            assert!(error.unsent.is_none(), "{answer:?}");
        });
    }
}

#[test]
fn nonsense_is_malformed_and_its_connection_is_closed() {
    let long = format!("HTTP/1.1 200 OK\r\nx: {}\r\n\r\n", "y".repeat(70_000));
    let many = format!("HTTP/1.1 200 OK\r\n{}\r\n", "x: y\r\n".repeat(101));
    let cases = [
        "SSH-2.0-OpenSSH_9.6\r\n\r\n",
        "HTTP/2.0 200 OK\r\n\r\n",
        "HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\nokk",
        "HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 2\r\n\r\nok",
        "HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        "HTTP/1.0 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        "HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n",
        &long,
        &many,
    ];
    for answer in cases {
        let answer = answer.to_owned();
        run(async move {
            let what = answer.chars().take(60).collect::<String>();
            let upstream = Upstream::start(move |mut peer: Peer| {
                let answer = answer.clone();
                async move {
                    peer.request().await;
                    peer.write(&answer).await;
                    peer.end().await;
                }
            })
            .await;
            let pool = TestPool::new(OPTIONS);
            let error = fail(&pool, &upstream, "/").await;
            assert_eq!(error.kind, SendErrorKind::Malformed, "{what:?}: {error:?}");
            assert!(
                error.unsent.is_none() && error.source().is_some(),
                "{what:?}"
            );
            until("it is closed", || pool.counts().open == 0).await;
            assert_eq!(pool.idle().1, 0, "{what:?}");
        });
    }
}

#[test]
fn a_body_that_breaks_off_is_an_error_and_not_an_end() {
    let cases = [
        "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nshort",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nshort\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0x5\r\nshort\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nfffffffffffffffff\r\n",
    ];
    for answer in cases {
        run(async move {
            let upstream = Upstream::start(async move |mut peer: Peer| {
                peer.request().await;
                peer.write(answer).await;
            })
            .await;
            let pool = TestPool::new(OPTIONS);
            let response = pool.send(&upstream.target, get("/")).await;
            let body = text(response.expect("a head")).await;
            assert!(body.is_err(), "{answer:?}");
            until("it is closed", || pool.counts().open == 0).await;
            assert_eq!(pool.idle().1, 0, "{answer:?}");
        });
    }
}

#[test]
fn a_broken_request_body_is_not_the_upstreams_fault() {
    run(async {
        let upstream = Upstream::start(async |mut peer: Peer| peer.end().await).await;
        let pool = TestPool::new(OPTIONS);
        let broken = request(Method::POST, "/", Broken(false).boxed_unsync());
        let error = pool
            .send(&upstream.target, broken)
            .await
            .expect_err("broken");
        assert_eq!(error.kind, SendErrorKind::RequestBody);
        assert_eq!(error.reason, None);
        assert!(error.unsent.is_none());
        until("it is closed", || pool.counts().open == 0).await;
    });
}

#[test]
fn a_late_answer_is_waited_for() {
    run(async {
        let go = Rc::new(tokio::sync::Notify::new());
        let wait = go.clone();
        let upstream = Upstream::start(move |mut peer: Peer| {
            let wait = wait.clone();
            async move {
                peer.request().await;
                peer.write("HTTP/1.1 200 OK\r\n").await;
                wait.notified().await;
                peer.write("content-length: 2\r\n\r\nok").await;
                peer.end().await;
            }
        })
        .await;
        let pool = Rc::new(TestPool::new(OPTIONS));
        let sending = {
            let pool = pool.clone();
            let address = upstream.address;
            spawn_local(async move {
                text(pool.send(&Target::plain(address), get("/")).await?)
                    .await
                    .map_err(Box::from)
            })
        };
        until("it is on its way", || upstream.connections.get() == 1).await;
        assert!(!sending.is_finished());
        go.notify_one();
        let answer: Result<_, Box<dyn std::error::Error>> = sending.await.expect("ended");
        assert_eq!(answer.expect("a response"), "ok");
        assert_eq!(pool.idle().1, 1);
    });
}
