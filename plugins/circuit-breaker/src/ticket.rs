//! What a request that was let through carries with it until it ends.

/// Under what a request was let through. Kept in an attribute of the exchange,
/// since one plugin instance serves many requests at a time, and since a filter
/// after this one may change the service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ticket<'a> {
    /// The epoch of the breaker then.
    pub epoch: u16,
    /// The permit it holds if it is a trial.
    pub permit: Option<Permit>,
    /// Whose breaker it was: `service:users`, `route:users`.
    pub target: &'a str,
}

/// A number that stands for a target: a digest of its name, of 47 bits (FNV-1a).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark(u64);

impl Mark {
    /// The mark of a target's name.
    pub fn of(target: &str) -> Self {
        let digest = target.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
        });
        Self(digest >> 17)
    }
}

/// A ticket without a permit, as nearly all are, as the step's note: which is
/// much cheaper to carry than text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Note {
    /// Whose breaker it was.
    pub mark: Mark,
    /// The epoch of the breaker then.
    pub epoch: u16,
}

impl Note {
    const PRESENT: u64 = 1 << 63;

    /// As a number that is not 0.
    pub fn pack(self) -> u64 {
        Self::PRESENT | self.mark.0 << 16 | u64::from(self.epoch)
    }

    /// Of a number that `pack` made; none of 0.
    pub fn unpack(note: u64) -> Option<Self> {
        (note & Self::PRESENT != 0).then_some(Self {
            mark: Mark((note & !Self::PRESENT) >> 16),
            epoch: (note & 0xffff) as u16,
        })
    }
}

/// A trial's place among those that may be under way at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Permit {
    /// Which place.
    pub slot: u16,
    /// Whose: a number that no other trial has, so that one that comes back
    /// after its time does not free another's place.
    pub id: i64,
}

impl<'a> Ticket<'a> {
    /// As an attribute's value.
    pub fn write(&self) -> String {
        // Of every request there is one: `format!` costs ten times as much.
        let mut digits = itoa::Buffer::new();
        let epoch = digits.format(self.epoch);
        match self.permit {
            None => [epoch, " - ", self.target].concat(),
            Some(Permit { slot, id }) => format!("{epoch} {slot}/{id} {}", self.target),
        }
    }

    /// Reads what `write` wrote; none if this is something else.
    pub fn parse(text: &'a str) -> Option<Self> {
        let mut parts = text.splitn(3, ' ');
        let epoch = parts.next()?.parse().ok()?;
        let permit = match parts.next()? {
            "-" => None,
            permit => {
                let (slot, id) = permit.split_once('/')?;
                Some(Permit {
                    slot: slot.parse().ok()?,
                    id: id.parse().ok()?,
                })
            }
        };
        Some(Self {
            epoch,
            permit,
            target: parts.next()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tickets_are_read_back() {
        for permit in [
            None,
            Some(Permit {
                slot: 3,
                id: i64::MAX,
            }),
        ] {
            let ticket = Ticket {
                epoch: 65_535,
                permit,
                target: "service:users v2",
            };
            assert_eq!(Ticket::parse(&ticket.write()), Some(ticket));
        }
    }

    #[test]
    fn notes_are_read_back_and_nothing_is_none() {
        for (target, epoch) in [("service:users", 0), ("route:a", 65_535), ("", 1)] {
            let mark = Mark::of(target);
            let note = Note { mark, epoch };
            assert_eq!(Note::unpack(note.pack()), Some(note));
        }
        assert_eq!(Note::unpack(0), None);
        assert_ne!(Mark::of("service:users"), Mark::of("service:users-v2"));
    }

    #[test]
    fn anything_else_is_no_ticket() {
        for text in [
            "",
            "1",
            "1 -",
            "x - service:a",
            "1 2 service:a",
            "70000 - service:a",
        ] {
            assert_eq!(Ticket::parse(text), None, "{text}");
        }
    }
}
