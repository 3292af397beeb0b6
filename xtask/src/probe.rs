//! Asking over HTTP, and waiting until something answers. Used by `demo` and
//! `bench`.
//!
//! A few dozen lines on a socket: an HTTP client would be a long build before
//! the demo can even say what it is doing.

use std::{
    io::{Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpStream},
    thread::sleep,
    time::{Duration, Instant},
};

use anyhow::{Result, bail};

const ONE_TRY: Duration = Duration::from_secs(1);

/// An answer; head and body as they came.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

/// Polls until `GET path` with headers, each a line with its end, is answered
/// 200. `look` is called between tries; its error ends the wait.
pub(crate) fn wait_until_ready(
    name: &str,
    port: u16,
    path: &str,
    headers: &str,
    within: Duration,
    mut look: impl FnMut() -> Result<()>,
) -> Result<()> {
    let deadline = Instant::now() + within;
    while get(port, path, headers).is_none_or(|answer| answer.status != 200) {
        look()?;
        if Instant::now() > deadline {
            bail!(
                "{name} did not answer 200 on 127.0.0.1:{port}{path} within {} s",
                within.as_secs()
            );
        }
        sleep(Duration::from_millis(50));
    }
    Ok(())
}

/// `GET path` on loopback, once, with headers, each a line with its end. `None`
/// if there is no answer.
pub(crate) fn get(port: u16, path: &str, headers: &str) -> Option<Answer> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let mut stream = TcpStream::connect_timeout(&address, ONE_TRY).ok()?;
    stream.set_read_timeout(Some(ONE_TRY)).ok()?;
    let request =
        format!("GET {path} HTTP/1.1\r\nhost: {address}\r\n{headers}connection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).ok()?;
    let mut answer = Vec::new();
    // An answer that breaks off, or whose sender does not hang up, is judged
    // by what there is of it.
    let _ = stream.read_to_end(&mut answer);
    let answer = String::from_utf8_lossy(&answer);
    let (head, body) = answer.split_once("\r\n\r\n")?;
    Some(Answer {
        status: head.strip_prefix("HTTP/1.1 ")?.get(..3)?.parse().ok()?,
        head: head.to_owned(),
        body: body.to_owned(),
    })
}
