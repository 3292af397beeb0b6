//! The code that strings of HPACK come in (RFC 7541 appendix B), as far as how many
//! characters there are, and where one of them is a `#`.
//!
//! The code is canonical: of one length, codes follow one another, and those that are
//! longer begin behind them. So how many there are of each length says all.

/// How many codes there are of each length.
const COUNTS: [u32; 31] = [
    0, 0, 0, 0, 0, 10, 26, 32, 6, 0, 5, 3, 2, 6, 2, 3, 0, 0, 0, 3, 8, 13, 26, 29, 12, 4, 15, 19,
    29, 0, 4,
];

/// The code behind the last of each length.
const BEHIND: [u32; 31] = {
    let mut behind = [0; 31];
    let mut length = 1;
    while length < behind.len() {
        behind[length] = behind[length - 1] * 2 + COUNTS[length];
        length += 1;
    }
    behind
};

const SHORTEST: u32 = 5;
const LONGEST: u32 = 30;

/// The code of `#`, and its length. That of `>` is the next.
const HASH: (u64, u32) = (0xffa, 12);

/// A string on its way: the bits that no character has ended in.
#[derive(Debug, Default)]
pub(super) struct Huffman {
    bits: u64,
    count: u32,
}

impl Huffman {
    /// One byte more: how many characters end in it. Of what is watched a `#` becomes
    /// a `>`.
    pub(super) fn feed(&mut self, byte: &mut u8, watched: bool, found: &mut bool) -> u64 {
        self.bits = self.bits << 8 | u64::from(*byte);
        self.count += 8;
        let mut characters = 0;
        while let Some((code, length)) = self.first() {
            characters += 1;
            self.count -= length;
            self.bits &= (1 << self.count) - 1;
            if watched && (code, length) == HASH {
                *byte ^= 1 << self.count;
                *found = true;
            }
        }
        characters
    }

    /// The first character's code, if all of it is there.
    fn first(&self) -> Option<(u64, u32)> {
        (SHORTEST..=self.count.min(LONGEST)).find_map(|length| {
            let code = self.bits >> (self.count - length);
            (code < u64::from(BEHIND[length as usize])).then_some((code, length))
        })
    }
}
