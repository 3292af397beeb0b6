//! Reads along the fields of HTTP/2 (HPACK, RFC 7541) as far as it takes to find a
//! `:path` with a fragment.
//!
//! No target has one (RFC 9112 §3.2.1), and the library cuts it off before anybody
//! can see it. Here its `#` becomes a `>`, which no path has either and whose code is
//! as long: so the library refuses the request as malformed (RFC 9113 §8.1.1), and
//! its table and ours go on to be the same.

mod huffman;
mod table;
#[cfg(test)]
mod tests;

use huffman::Huffman;
use table::{Name, Table};

/// Flags of a frame of fields.
const PADDED: u8 = 8;
const PRIORITY: u8 = 0x20;

/// The length of what [`PRIORITY`] announces.
const PRIORITY_LENGTH: u32 = 5;

/// `:path` as it is, and in the code.
const PATH: [&[u8]; 2] = [b":path", b"\xb9\x58\xd3\x3f"];

/// More bytes than a number of the library's has.
const LONGEST_NUMBER: u32 = 5 * 7;

/// What a number says (RFC 7541 §5.1, §6).
#[derive(Debug, Clone, Copy)]
enum Says {
    /// Which field it is.
    Field,
    /// Which name it has, or that this comes; the field may be added to the table.
    Name { added: bool },
    /// How large the table is.
    Size,
    /// How long a string is, in the code or not.
    Length { coded: bool },
}

/// What comes next.
#[derive(Debug)]
enum Next {
    /// A field, or the size of the table.
    Field,
    /// More of a number.
    Number { value: u64, shift: u32, says: Says },
    /// A string.
    String,
    /// More of one.
    Text(Text),
    /// Nothing that the library would read.
    Nothing,
}

/// A string on its way.
#[derive(Debug)]
struct Text {
    left: u64,
    /// None if it is not in the code, or nobody asks what it says.
    code: Option<Huffman>,
    /// How many characters it has, as far as anybody asks.
    length: u64,
    /// What it begins with, if it is a name.
    begin: [u8; 5],
    came: usize,
    coded: bool,
}

/// Where in its fields a client is.
#[derive(Debug)]
pub(super) struct Targets {
    next: Next,
    table: Table,
    /// The field that comes is added to the table.
    added: bool,
    /// Its name, once that has come.
    name: Option<Name>,
    /// The length of padding comes.
    padded: bool,
    /// Bytes before those of fields.
    skip: u32,
    /// Those of fields that are left of the frame.
    block: u32,
    found: bool,
}

impl Targets {
    /// At the beginning of a connection.
    pub(super) fn new() -> Self {
        Self {
            next: Next::Field,
            table: Table::default(),
            added: false,
            name: None,
            padded: false,
            skip: 0,
            block: 0,
            found: false,
        }
    }

    /// A frame of fields begins: HEADERS with flags, or CONTINUATION without any.
    pub(super) fn frame(&mut self, flags: u8, length: u32) {
        self.padded = flags & PADDED != 0;
        self.skip = if flags & PRIORITY != 0 {
            PRIORITY_LENGTH
        } else {
            0
        };
        let before = self.skip + u32::from(self.padded);
        self.block = length.saturating_sub(before);
    }

    /// Looks at what comes of it, and makes a fragment what no library takes.
    pub(super) fn feed(&mut self, bytes: &mut [u8]) {
        let mut at = 0;
        while at < bytes.len() {
            let left = &mut bytes[at..];
            at += match &mut self.next {
                _ if self.padded => {
                    self.padded = false;
                    self.block = self.block.saturating_sub(u32::from(left[0]));
                    1
                }
                _ if self.skip > 0 => {
                    self.skip -= 1;
                    1
                }
                _ if self.block == 0 => return,
                Next::Text(text) => {
                    let most = usize::try_from(self.block).unwrap_or(usize::MAX);
                    let part = left.len().min(most);
                    let watched = self.name.is_some_and(Name::is_path);
                    let taken = text.feed(&mut left[..part], watched, &mut self.found);
                    self.block -= taken as u32;
                    if text.left == 0 {
                        self.text_ended();
                    }
                    taken
                }
                _ => {
                    self.block -= 1;
                    self.byte(left[0]);
                    1
                }
            };
        }
    }

    /// Whether a fragment came since this was asked.
    pub(super) fn take_found(&mut self) -> bool {
        std::mem::take(&mut self.found)
    }

    fn byte(&mut self, byte: u8) {
        match self.next {
            Next::Field => {
                let (bits, says) = match byte.leading_zeros() {
                    0 => (7, Says::Field),
                    1 => (6, Says::Name { added: true }),
                    2 => (5, Says::Size),
                    _ => (4, Says::Name { added: false }),
                };
                self.number_begins(byte, bits, says);
            }
            Next::String => {
                let coded = byte & 0x80 != 0;
                self.number_begins(byte, 7, Says::Length { coded });
            }
            Next::Number { value, shift, says } => {
                let value = value + (u64::from(byte & 0x7f) << shift);
                match (byte & 0x80, shift + 7) {
                    (0, _) => self.number_ended(value, says),
                    (_, LONGEST_NUMBER..) => self.next = Next::Nothing,
                    (_, shift) => self.next = Next::Number { value, shift, says },
                }
            }
            Next::Text(_) | Next::Nothing => {}
        }
    }

    fn number_begins(&mut self, byte: u8, bits: u32, says: Says) {
        let most = (1_u8 << bits) - 1;
        let value = u64::from(byte & most);
        match value == u64::from(most) {
            true => {
                self.next = Next::Number {
                    value,
                    shift: 0,
                    says,
                }
            }
            false => self.number_ended(value, says),
        }
    }

    fn number_ended(&mut self, value: u64, says: Says) {
        self.next = match says {
            Says::Field => Next::Field,
            Says::Size => {
                self.table.resize(value);
                Next::Field
            }
            Says::Name { added } => {
                self.added = added;
                self.name = self.table.name(value);
                Next::String
            }
            Says::Length { coded } => {
                let watched = self.name.is_some_and(|name| name.is_path());
                let asked = coded && (self.added || watched);
                Next::Text(Text {
                    left: value,
                    code: asked.then(Huffman::default),
                    length: if coded { 0 } else { value },
                    begin: [0; 5],
                    came: 0,
                    coded,
                })
            }
        };
        if matches!(&self.next, Next::Text(text) if text.left == 0) {
            self.text_ended();
        }
    }

    fn text_ended(&mut self) {
        let Next::Text(text) = std::mem::replace(&mut self.next, Next::String) else {
            return;
        };
        let Some(name) = self.name.take() else {
            self.name = Some(text.name());
            return;
        };
        if self.added {
            self.table.add(name, text.length);
        }
        self.next = Next::Field;
    }
}

impl Text {
    /// Takes what is there of it, and says how much. In what is watched a `#` is found.
    fn feed(&mut self, bytes: &mut [u8], watched: bool, found: &mut bool) -> usize {
        let left = usize::try_from(self.left).unwrap_or(usize::MAX);
        let count = bytes.len().min(left);
        self.left -= count as u64;
        let bytes = &mut bytes[..count];
        for (place, byte) in self.begin.iter_mut().skip(self.came).zip(&*bytes) {
            *place = *byte;
        }
        self.came += count;
        match &mut self.code {
            Some(code) => {
                for byte in bytes {
                    self.length += code.feed(byte, watched, found);
                }
            }
            None if watched => {
                for byte in bytes.iter_mut().filter(|byte| **byte == b'#') {
                    *byte = b'>';
                    *found = true;
                }
            }
            None => {}
        }
        count
    }

    /// The name that it is.
    fn name(&self) -> Name {
        let path = PATH[usize::from(self.coded)];
        let is_path = self.came == path.len() && self.begin.starts_with(path);
        Name::new(self.length, is_path)
    }
}
