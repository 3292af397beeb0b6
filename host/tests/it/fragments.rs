//! Targets with a fragment over HTTP/2 are refused, however they are said; and all
//! else is read as it was sent. Case 18.

use std::collections::VecDeque;

use crate::support::{
    Gateway, Upstream,
    frames::{ACK, END_HEADERS, END_STREAM, Frames, HEADERS, PING, RST_STREAM},
    one_route,
};

/// Characters whose codes have five bits, and six, in the order of their codes
/// (RFC 7541 appendix B).
const SHORT: &[u8] = b"012aceiost";
const LONGER: &[u8] = b" %-./3456789=A_bdfghlmnpru";

/// What a client's encoder may do, chosen by chance, with the table that it keeps.
struct Encoder {
    random: fastrand::Rng,
    table: VecDeque<(String, String)>,
    most: usize,
}

impl Encoder {
    fn new(seed: u64) -> Self {
        Self {
            random: fastrand::Rng::with_seed(seed),
            table: VecDeque::new(),
            most: 4096,
        }
    }

    /// Now and then another size of the table; only at the beginning of a head.
    fn resize(&mut self) -> Vec<u8> {
        if self.random.u8(..8) > 0 {
            return Vec::new();
        }
        self.most = self.random.usize(..=4096);
        self.fit(0);
        number(0x20, 5, self.most)
    }

    fn fit(&mut self, more: usize) {
        let size = |(name, value): &(String, String)| name.len() + value.len() + 32;
        while !self.table.is_empty()
            && self.table.iter().map(size).sum::<usize>() + more > self.most
        {
            self.table.pop_back();
        }
    }

    /// One field, in one of the ways that there are.
    fn field(&mut self, name: &str, known: usize, value: &str) -> Vec<u8> {
        let whole = |(a, b): &(String, String)| a == name && b == value;
        if let Some(place) = self.table.iter().position(whole)
            && self.random.bool()
        {
            return number(0x80, 7, place + 62);
        }
        let added = self.random.bool();
        let (first, bits) = match added {
            true => (0x40, 6),
            false => ([0, 0x10][self.random.usize(..2)], 4),
        };
        let place = self.table.iter().position(|(of, _)| of == name);
        let place = match (known, place) {
            (0, place) => place.map_or(0, |place| place + 62),
            (known, None) => known,
            (known, Some(place)) => [known, place + 62][self.random.usize(..2)],
        };
        let place = if self.random.u8(..4) == 0 { 0 } else { place };
        let mut bytes = number(first, bits, place);
        if place == 0 {
            bytes.extend(self.string(name));
        }
        bytes.extend(self.string(value));
        if added {
            let size = name.len() + value.len() + 32;
            self.fit(size);
            if size <= self.most {
                // What is refused is in the table of the library all the same.
                self.table.push_front((name.to_owned(), value.to_owned()));
            }
        }
        bytes
    }

    /// A string, in the code if it can be.
    fn string(&mut self, text: &str) -> Vec<u8> {
        let coded = coded(text).filter(|_| self.random.bool());
        match coded {
            Some(code) => [number(0x80, 7, code.len()), code].concat(),
            None => [number(0, 7, text.len()), text.as_bytes().to_vec()].concat(),
        }
    }

    /// A path or a value, which may be longer than any table.
    fn text(&mut self) -> String {
        let longest = [8, 60, 4_200][[0, 0, 0, 1, 1, 2][self.random.usize(..6)]];
        let length = self.random.usize(1..longest);
        let letters = (0..length).map(|_| char::from(b"abcdef0123456789"[self.random.usize(..16)]));
        letters.collect()
    }
}

fn number(first: u8, bits: u32, value: usize) -> Vec<u8> {
    let most = (1_usize << bits) - 1;
    if value < most {
        return vec![first | value as u8];
    }
    let (mut bytes, mut left) = (vec![first | most as u8], value - most);
    while left >= 0x80 {
        bytes.push(0x80 | (left & 0x7f) as u8);
        left >>= 7;
    }
    bytes.push(left as u8);
    bytes
}

fn coded(text: &str) -> Option<Vec<u8>> {
    let mut bits = String::new();
    for byte in text.bytes() {
        let at = |table: &[u8]| table.iter().position(|of| *of == byte);
        match (at(SHORT), at(LONGER)) {
            (Some(code), _) => bits.push_str(&format!("{code:05b}")),
            (_, Some(code)) => bits.push_str(&format!("{:06b}", code + 0x14)),
            _ if byte == b'#' => bits.push_str("111111111010"),
            _ => return None,
        }
    }
    while !bits.len().is_multiple_of(8) {
        bits.push('1');
    }
    let bytes = bits.as_bytes().chunks(8).map(|byte| {
        let byte = std::str::from_utf8(byte).expect("bits");
        u8::from_str_radix(byte, 2).expect("bits")
    });
    Some(bytes.collect())
}

/// Sends a head, in as many frames as it takes and more, and reads its answer: the
/// body of the response, or none if the stream was reset.
fn ask(frames: &mut Frames, encoder: &mut Encoder, stream: u32, block: &[u8]) -> Option<String> {
    let cut = encoder.random.usize(0..=block.len());
    let padding = encoder.random.u8(..4);
    let payload = [&[padding], &block[..cut], &vec![b'#'; padding.into()]].concat();
    frames.send(HEADERS, END_STREAM | 8, stream, &payload);
    frames.send(9, END_HEADERS, stream, &block[cut..]);
    let mut body = Vec::new();
    loop {
        let frame = frames.next().expect("the connection goes on");
        match frame.kind {
            0 => {
                let size = u32::try_from(frame.payload.len()).expect("short");
                frames.send(8, 0, 0, &size.max(1).to_be_bytes());
                body.extend(frame.payload);
                if frame.flags & END_STREAM != 0 {
                    return Some(String::from_utf8(body).expect("text"));
                }
            }
            PING if frame.flags & ACK == 0 => frames.send(PING, ACK, 0, &frame.payload),
            RST_STREAM => {
                assert_eq!(frame.stream, stream);
                assert_eq!(frame.payload, [0, 0, 0, 1], "PROTOCOL_ERROR");
                return None;
            }
            _ => {}
        }
    }
}

#[test]
fn a_target_with_a_fragment_is_refused_however_it_is_said() {
    let upstream = Upstream::start("a");
    let limits = "limits: { http2: { resets: 10000, control_frames: 1000000 } }\n";
    let route = one_route(&[upstream.address], "", "");
    let gateway = Gateway::start(&[], &format!("{limits}{route}"));
    let (mut refused, mut served) = (0, 0);
    for seed in 0..4 {
        let mut encoder = Encoder::new(seed);
        let mut frames = Frames::connect(gateway.address);
        for number in 0..150 {
            let hash = encoder.random.u8(..3) == 0;
            let text = encoder.text();
            let path = if hash {
                format!("/{text}#{number}")
            } else {
                format!("/{text}")
            };
            let mut block = encoder.resize();
            block.extend(b"\x82\x86\x01\x01a");
            block.extend(encoder.field(":path", 4, &path));
            let fields: Vec<(String, String)> = (0..encoder.random.usize(..4))
                .map(|field| (format!("x-{field}"), format!("#{}#", encoder.text())))
                .collect();
            for (name, value) in &fields {
                block.extend(encoder.field(name, 0, value));
            }
            let answer = ask(&mut frames, &mut encoder, 2 * number + 1, &block);
            assert_eq!(answer.is_none(), hash, "{seed}, {number}: {path}");
            let Some(answer) = answer else {
                refused += 1;
                continue;
            };
            served += 1;
            let answer: serde_json::Value = serde_json::from_str(&answer).expect("JSON");
            assert_eq!(answer["path"], path);
            for (name, value) in fields {
                assert_eq!(answer["headers"][&name], value, "{seed}, {number}: {name}");
            }
        }
    }
    assert!(refused > 100 && served > 100, "{refused} and {served}");
    assert_eq!(upstream.hits(), served);
    let count = gateway.metric("portcullis_refused_total{reason=\"path\"}");
    assert_eq!(count, Some(f64::from(refused)));
}
