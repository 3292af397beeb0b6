//! Waiting until something answers over HTTP. Used by `start`.
//!
//! A dozen lines on a socket: an HTTP client would be a long build before the
//! demo can even say what it is doing.

use std::{
    io::{Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpStream},
    thread::sleep,
    time::{Duration, Instant},
};

use anyhow::{Result, bail};

const ONE_TRY: Duration = Duration::from_secs(1);

/// Polls until `GET path` is answered 200. `look` is called between tries; its
/// error ends the wait.
pub(crate) fn wait_until_ready(
    name: &str,
    port: u16,
    path: &str,
    within: Duration,
    mut look: impl FnMut() -> Result<()>,
) -> Result<()> {
    let deadline = Instant::now() + within;
    while status(port, path) != Some(200) {
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

fn status(port: u16, path: &str) -> Option<u16> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let mut stream = TcpStream::connect_timeout(&address, ONE_TRY).ok()?;
    stream.set_read_timeout(Some(ONE_TRY)).ok()?;
    let request = format!("GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).ok()?;
    let mut head = [0; 12];
    stream.read_exact(&mut head).ok()?;
    let head = std::str::from_utf8(&head).ok()?;
    head.strip_prefix("HTTP/1.1 ")?.parse().ok()
}
