//! WebSockets as far as tests need them (RFC 6455): the handshake, and messages.

use std::sync::{Mutex, mpsc};

use base64::{Engine, engine::general_purpose::STANDARD};
use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};

use super::{Gateway, Scripted, Wire, one_route};

/// The key that tests send, which is the example of RFC 6455 §1.3.
pub(crate) const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";

/// What proves to the sender of [`KEY`] that it was understood.
pub(crate) const PROOF: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

/// A client's request for a WebSocket, with more fields, a line each.
pub(crate) fn handshake(path: &str, fields: &str) -> String {
    format!(
        "GET {path} HTTP/1.1\r\nhost: a\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {KEY}\r\n{fields}\r\n"
    )
}

/// What a service answers to a handshake.
pub(crate) fn accepted(head: &str) -> String {
    let mut lines = head.lines();
    let key = lines.find_map(|line| line.strip_prefix("sec-websocket-key: "));
    let proof = proof(key.unwrap_or_default());
    format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {proof}\r\nSec-WebSocket-Protocol: chat\r\n\r\n"
    )
}

fn proof(key: &str) -> String {
    let guid = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
    let hash = digest(&SHA1_FOR_LEGACY_USE_ONLY, format!("{key}{guid}").as_bytes());
    STANDARD.encode(hash)
}

/// A service that sends every message back, until there is none.
pub(crate) fn echo(mut wire: Wire) {
    let head = wire.head();
    wire.send(accepted(&head));
    while let Some((opcode, message)) = receive(&mut wire) {
        if !wire.try_send(frame(opcode, &message, None)) || opcode == CLOSE {
            return;
        }
    }
}

/// Opcodes.
pub(crate) const TEXT: u8 = 1;
pub(crate) const BINARY: u8 = 2;
pub(crate) const CLOSE: u8 = 8;

/// A message in one frame (RFC 6455 §5.2); clients mask theirs.
pub(crate) fn frame(opcode: u8, message: &[u8], mask: Option<[u8; 4]>) -> Vec<u8> {
    let masked = if mask.is_some() { 0x80 } else { 0 };
    let mut bytes = vec![0x80 | opcode];
    match message.len() {
        length @ 0..126 => bytes.push(masked | length as u8),
        length @ 126..65_536 => {
            bytes.push(masked | 126);
            bytes.extend((length as u16).to_be_bytes());
        }
        length => {
            bytes.push(masked | 127);
            bytes.extend((length as u64).to_be_bytes());
        }
    }
    bytes.extend(mask.iter().flatten());
    let begin = bytes.len();
    bytes.extend(message);
    unmask(&mut bytes[begin..], mask);
    bytes
}

/// The next message; none when the other side ends.
#[track_caller]
pub(crate) fn receive(wire: &mut Wire) -> Option<(u8, Vec<u8>)> {
    let opcode = wire.byte()? & 0x0f;
    let length = wire.take(1)[0];
    let mut number = |bytes: usize| {
        let bytes = wire.take(bytes);
        let number = bytes
            .iter()
            .fold(0, |sum, byte| sum << 8 | u64::from(*byte));
        usize::try_from(number).expect("short")
    };
    let size = match length & 0x7f {
        126 => number(2),
        127 => number(8),
        size => size.into(),
    };
    let mask = (length & 0x80 != 0).then(|| wire.take(4).try_into().expect("four bytes"));
    let mut message = wire.take(size);
    unmask(&mut message, mask);
    Some((opcode, message))
}

fn unmask(message: &mut [u8], mask: Option<[u8; 4]>) {
    let Some(mask) = mask else {
        return;
    };
    for (byte, mask) in message.iter_mut().zip(mask.iter().cycle()) {
        *byte ^= mask;
    }
}

/// A gateway whose one route lets WebSockets pass to a service. `more` goes before it.
pub(crate) fn start(upstream: &Scripted, more: &str) -> Gateway {
    let route = one_route(&[upstream.address], "", "upgrades: [websocket]");
    Gateway::start(&[], &format!("{more}{route}"))
}

/// A client whose request was taken.
#[track_caller]
pub(crate) fn open(gateway: &Gateway) -> Wire {
    let mut wire = Wire::connect(gateway.address);
    wire.send(handshake("/chat", ""));
    assert_eq!(wire.reply_head().status, 101);
    wire
}

/// A message that comes back.
#[track_caller]
pub(crate) fn exchange(wire: &mut Wire, message: &[u8]) {
    wire.send(frame(BINARY, message, Some([1, 2, 3, 4])));
    let (opcode, back) = receive(wire).expect("a message");
    assert!((opcode, &*back) == (BINARY, message), "another message");
}

/// A figure of the gateway's; 0 if there is none.
pub(crate) fn figure(gateway: &Gateway, name: &str) -> f64 {
    let series = format!("portcullis_{name}");
    gateway.metric(&series).unwrap_or(0.0)
}

/// Waits until the test says so.
pub(crate) fn go_on(gone: &Mutex<mpsc::Receiver<()>>) {
    gone.lock()
        .expect("a lock")
        .recv()
        .expect("the test says when");
}
