//! What is counted of a client's frames, however they are cut.

use super::*;

const PING: u8 = 6;
const SETTINGS: u8 = 4;

fn frame(kind: u8, flags: u8, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("short").to_be_bytes();
    let mut bytes = length[1..].to_vec();
    bytes.extend([kind, flags, 0, 0, 0, 1]);
    bytes.extend(payload);
    bytes
}

/// A scanner behind the preface.
fn begun(most: u32) -> Frames {
    let mut frames = Frames::new(most);
    assert_eq!(
        frames.feed(&mut b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_owned()),
        24
    );
    frames
}

/// What flood many of a frame are, at most `most` of which may come.
fn flood(of: &[u8], count: usize, most: u32) -> Option<Refused> {
    let bytes = of.repeat(count);
    let mut found = Vec::new();
    for cut in [bytes.len(), 1, 7, 16] {
        let mut frames = begun(most);
        for part in bytes.clone().chunks_mut(cut) {
            if frames.feed(part) < part.len() {
                break;
            }
        }
        found.push(frames.flood);
    }
    assert!(found.windows(2).all(|pair| pair[0] == pair[1]), "{found:?}");
    found[0]
}

#[test]
fn frames_that_carry_nothing_are_a_flood_and_others_are_none() {
    let request = frame(HEADERS, END_HEADERS, b"x");
    let both = |more: &[u8]| [&request, more].concat();
    for (of, expected) in [
        (frame(PING, 0, &[0; 8]), Some(Refused::ControlFrames)),
        (frame(SETTINGS, 0, &[]), Some(Refused::ControlFrames)),
        (frame(2, 0, &[0; 5]), Some(Refused::ControlFrames)),
        (frame(0xee, 0, b"x"), Some(Refused::ControlFrames)),
        (frame(DATA, 0, &[]), Some(Refused::ControlFrames)),
        (frame(CONTINUATION, 0, &[]), Some(Refused::ControlFrames)),
        (frame(RST_STREAM, 0, &[0; 4]), Some(Refused::Resets)),
        (both(&frame(RST_STREAM, 0, &[0; 4])), Some(Refused::Resets)),
        (frame(DATA, 0, b"x"), None),
        (frame(DATA, END_STREAM, &[]), None),
        (frame(WINDOW_UPDATE, 0, &[0; 4]), None),
        (request.clone(), None),
        (both(&frame(PING, 0, &[0; 8])), None),
    ] {
        let kind = of[3];
        assert_eq!(flood(&of, 200, 100), expected, "{kind}");
        assert_eq!(flood(&of, 50, 100), None, "{kind}");
    }
}

#[test]
fn what_comes_slowly_is_no_flood() {
    let mut rate = Rate {
        count: 0,
        since: Instant::now() - WHILE,
    };
    assert!((0..100).all(|_| !rate.is_flood(100)));
    // The second hundred came at once.
    assert!((0..99).all(|_| !rate.is_flood(100)) && rate.is_flood(100));
}

#[test]
fn a_head_is_waited_for_until_it_is_whole() {
    let steps: [(&[u8], Awaited); 9] = [
        (b"PRI * HTTP/2.0\r\n\r\nSM", Awaited::Head),
        (b"\r\n\r\n", Awaited::Nothing),
        (b"\0\0\0", Awaited::Head),
        (b"\x04\0\0\0\0\0", Awaited::Nothing),
        (b"\0\0\x02\x01\0\0\0\0\x01a", Awaited::Head),
        (b"b", Awaited::Head),
        (b"\0\0\0\x09\x04\0\0\0\x01", Awaited::Nothing),
        (b"\0\0\x02\0\0\0\0\0\x01a", Awaited::Nothing),
        (b"b", Awaited::Nothing),
    ];
    let mut frames = Frames::new(100);
    for (bytes, expected) in steps {
        assert_eq!(frames.feed(&mut bytes.to_vec()), bytes.len());
        assert_eq!(frames.awaited(), expected, "{}", bytes.escape_ascii());
    }
}

#[test]
fn any_bytes_are_read_however_they_are_cut() {
    let mut random = fastrand::Rng::with_seed(3);
    for _ in 0..2_000 {
        let mut bytes: Vec<u8> = (0..random.usize(..400))
            .map(|_| random.u8(..) % random.u8(1..))
            .collect();
        let (mut whole, mut cut) = (begun(10), begun(10));
        let good = whole.feed(&mut bytes.clone());
        let mut fed = 0;
        for part in bytes.chunks_mut(random.usize(1..20)) {
            let step = cut.feed(part);
            fed += step;
            if step < part.len() {
                break;
            }
        }
        assert_eq!(fed, good);
        assert_eq!(whole.flood, cut.flood);
        assert_eq!(whole.awaited(), cut.awaited());
    }
}
