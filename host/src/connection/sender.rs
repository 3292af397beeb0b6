//! The PROXY protocol, versions 1 and 2 (the specification of HAProxy's makers):
//! who is behind a proxy that passes bytes on and knows nothing of HTTP.
//!
//! Not a byte beyond the head is read, since what follows belongs to TLS or
//! HTTP. All of it is bounded: a head of version 1 by the specification, one of
//! version 2 here.

#[cfg(test)]
mod tests;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use tokio::io::{AsyncRead, AsyncReadExt};

/// What a head of version 2 begins with.
const SIGNATURE: &[u8; 12] = b"\r\n\r\n\0\r\nQUIT\n";

/// The longest head of version 1, with its line's end.
const LONGEST_LINE: usize = 107;

/// The most that follows the first 16 bytes of version 2: addresses, and what is
/// said of TLS, which nobody reads here.
const LONGEST_REST: usize = 4 << 10;

/// Why it is not known who is behind a connection.
#[derive(Debug, thiserror::Error)]
pub(super) enum SenderError {
    /// The sender broke off.
    #[error("{0}")]
    Broken(#[from] std::io::Error),
    /// It is none of those who may say so.
    #[error("the sender may not say for whom it connects")]
    Stranger,
    /// It took too long.
    #[error("it took too long")]
    Timeout,
    /// This is no such head.
    #[error("the head of the PROXY protocol is malformed")]
    Malformed,
}

/// Reads a head: the address behind the sender, or none where the sender speaks
/// for itself (`LOCAL`, `UNKNOWN`) or of no address of the internet.
pub(super) async fn sender(
    stream: &mut (impl AsyncRead + Unpin),
) -> Result<Option<SocketAddr>, SenderError> {
    // No head of either version is shorter.
    let mut begin = [0; SIGNATURE.len()];
    stream.read_exact(&mut begin).await?;
    if begin == *SIGNATURE {
        return version_2(stream).await;
    }
    if !begin.starts_with(b"PROXY ") {
        return Err(SenderError::Malformed);
    }
    let mut line = begin.to_vec();
    // One by one, since the line's end is nowhere announced.
    while !line.ends_with(b"\r\n") {
        if line.len() == LONGEST_LINE {
            return Err(SenderError::Malformed);
        }
        line.push(stream.read_u8().await?);
    }
    let text = std::str::from_utf8(&line[..line.len() - 2]).map_err(|_| SenderError::Malformed)?;
    of_line(text).ok_or(SenderError::Malformed)
}

async fn version_2(
    stream: &mut (impl AsyncRead + Unpin),
) -> Result<Option<SocketAddr>, SenderError> {
    let (version, family) = (stream.read_u8().await?, stream.read_u8().await?);
    let length = usize::from(stream.read_u16().await?);
    if length > LONGEST_REST {
        return Err(SenderError::Malformed);
    }
    let mut rest = vec![0; length];
    stream.read_exact(&mut rest).await?;
    of_block(version, family, &rest).ok_or(SenderError::Malformed)
}

/// `PROXY TCP4 192.0.2.1 10.0.0.1 56324 443`; none if it is malformed.
fn of_line(line: &str) -> Option<Option<SocketAddr>> {
    let mut words = line.split(' ').skip(1);
    let family = words.next()?;
    if family == "UNKNOWN" {
        return Some(None);
    }
    let [from, to, port, to_port] = [(); 4].map(|()| words.next());
    let (from, to): (IpAddr, IpAddr) = (from?.parse().ok()?, to?.parse().ok()?);
    let (port, _) = (port_of(port?)?, port_of(to_port?)?);
    let right = match family {
        "TCP4" => from.is_ipv4() && to.is_ipv4(),
        "TCP6" => from.is_ipv6() && to.is_ipv6(),
        _ => false,
    };
    (right && words.next().is_none()).then_some(Some(SocketAddr::new(from, port)))
}

fn port_of(word: &str) -> Option<u16> {
    let digits = word.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| word.parse().ok())?
}

/// The same of version 2; `rest` is what follows the first 16 bytes.
fn of_block(version: u8, family: u8, rest: &[u8]) -> Option<Option<SocketAddr>> {
    match version {
        0x20 => return Some(None),
        0x21 => {}
        _ => return None,
    }
    if family & 0xf > 2 {
        return None;
    }
    let port = |at: usize| Some(u16::from_be_bytes(*rest.get(at..)?.first_chunk()?));
    match family >> 4 {
        0 => Some(None),
        1 => {
            let address: [u8; 4] = *rest.first_chunk()?;
            // Behind both addresses and the other port, so all of it is here.
            port(10)?;
            let address = Ipv4Addr::from(address).into();
            Some(Some(SocketAddr::new(address, port(8)?)))
        }
        2 => {
            let address: [u8; 16] = *rest.first_chunk()?;
            port(34)?;
            let address = Ipv6Addr::from(address).into();
            Some(Some(SocketAddr::new(address, port(32)?)))
        }
        // Sockets of files, which have no address.
        3 => (rest.len() >= 216).then_some(None),
        _ => None,
    }
}
