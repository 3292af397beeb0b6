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

const WINDOW_UPDATE: u8 = 8;

fn limits(most: u32) -> Http2Limits {
    Http2Limits {
        control_frames: most,
        small_frames: most,
        ..Http2Limits::USUAL
    }
}

/// A scanner behind the preface.
fn begun(most: u32) -> Frames {
    let mut frames = Frames::new(&limits(most));
    assert_eq!(
        frames.feed(&mut b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_owned()),
        24
    );
    frames
}

/// Looks at all that comes up to a flood, in as many turns as it takes.
fn feed(frames: &mut Frames, bytes: &mut [u8]) -> usize {
    let mut fed = 0;
    loop {
        fed += frames.feed(&mut bytes[fed..]);
        if fed == bytes.len() || frames.flood.is_some() {
            return fed;
        }
        assert!(frames.turn.is_over());
        frames.turn.begin();
    }
}

/// What flood many of a frame are, at most `most` of which may come.
fn flood(of: &[u8], count: usize, most: u32) -> Option<Refused> {
    let bytes = of.repeat(count);
    let mut found = Vec::new();
    for cut in [bytes.len(), 1, 7, 16] {
        let mut frames = begun(most);
        for part in bytes.clone().chunks_mut(cut) {
            if feed(&mut frames, part) < part.len() {
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
        (
            frame(WINDOW_UPDATE, 0, &[0; 4]),
            Some(Refused::ControlFrames),
        ),
        (frame(DATA, 0, b"x"), Some(Refused::SmallFrames)),
        (frame(DATA, 0, b"12345678"), Some(Refused::SmallFrames)),
        (both(&frame(DATA, 0, b"x")), Some(Refused::SmallFrames)),
        (frame(DATA, 0, b"123456789"), None),
        (
            [frame(DATA, 0, b"12345"), frame(DATA, 0, b"123456789")].concat(),
            None,
        ),
        (frame(DATA, PADDED, &[9; 264]), Some(Refused::SmallFrames)),
        (frame(DATA, PADDED, &[9; 265]), None),
        (frame(DATA, END_STREAM, b"x"), None),
        (frame(DATA, END_STREAM, &[]), None),
        (request.clone(), None),
        (both(&frame(PING, 0, &[0; 8])), None),
    ] {
        let kind = of[3];
        assert_eq!(flood(&of, 200, 100), expected, "{kind}");
        assert_eq!(flood(&of, 50, 100), None, "{kind}");
    }
}

#[test]
fn a_turn_is_over_after_many_frames_or_many_fields() {
    let in_one = |of: &[u8]| {
        let mut bytes = of.repeat(200);
        let mut frames = begun(1_000);
        let fed = frames.feed(&mut bytes);
        assert_eq!(frames.feed(&mut bytes[fed..]), 0, "until another begins");
        frames.turn.begin();
        assert_eq!(frames.feed(&mut bytes[fed..]), fed);
        fed / of.len()
    };
    let frames = turn::FRAMES as usize;
    assert_eq!(in_one(&frame(PING, 0, &[0; 8])), frames);
    assert_eq!(in_one(&frame(DATA, 0, &[0; 1 << 10])), frames);
    let fields = turn::FIELDS as usize;
    let kib = frame(HEADERS, END_HEADERS, &[0xbe; 1 << 10]);
    assert_eq!(in_one(&kib), fields >> 10);
    let longer = frame(HEADERS, END_HEADERS, &vec![0xbe; fields + 1]);
    assert_eq!(in_one(&longer), 1);
}

#[test]
fn what_comes_slowly_is_no_flood() {
    let mut rate = Rate::new(100);
    rate.since = Instant::now() - WHILE;
    assert!((0..100).all(|_| !rate.is_flood()));
    // The second hundred came at once.
    assert!((0..99).all(|_| !rate.is_flood()) && rate.is_flood());
}

#[test]
fn what_a_client_is_sent_makes_up_for_frames_of_its_own() {
    let window = frame(WINDOW_UPDATE, 0, &[0, 0, 0, 9]);
    let ping = frame(PING, 0, &[0; 8]);
    let message = frame(DATA, 0, b"\0\0\0\0\x02\x08\x01");
    let turn = [&window[..], &window, &ping, &message].concat();
    let fed = |frames: &mut Frames, bytes: &[u8]| {
        feed(frames, &mut bytes.to_vec());
        frames.flood
    };
    // Answer for answer, a hundred times what may come otherwise.
    let mut frames = begun(100);
    for _ in 0..10_000 {
        frames.sent(1, 0);
        assert_eq!(fed(&mut frames, &turn), None);
    }
    // Many at once, and then what they make up for, up to a bound.
    let mut frames = begun(100);
    frames.sent(500, 0);
    assert_eq!(fed(&mut frames, &turn.repeat(500)), None);
    frames.sent(1_000_000, 0);
    let found = fed(&mut frames, &turn.repeat(1_000));
    assert_eq!(found, Some(Refused::ControlFrames));
    // Without any.
    assert_eq!(fed(&mut begun(100), &message.repeat(99)), None);
    let found = fed(&mut begun(100), &message.repeat(101));
    assert_eq!(found, Some(Refused::SmallFrames));
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
    let mut frames = Frames::new(&limits(100));
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
        let good = feed(&mut whole, &mut bytes.clone());
        let mut fed = 0;
        for part in bytes.chunks_mut(random.usize(1..20)) {
            let step = feed(&mut cut, part);
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
