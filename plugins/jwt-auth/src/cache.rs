//! Verified tokens, so that a token costs its signature once.
//!
//! A table of sets with four places each, like a processor's cache: bounded, no
//! rehashing, and a look-up is one comparison of a tag and one of the token. Only
//! tokens that were verified get in, so that nobody fills it with rubbish. The
//! caller still checks the times of what it finds.

/// Places per set.
const WAYS: usize = 4;

/// A token and what it says together may take this many bytes, or it is not
/// kept: a full cache of the default size then holds at most 4 MiB.
const LARGEST: usize = 4_096;

/// Values by verified token.
#[derive(Debug)]
pub struct Cache<T> {
    /// Always whole sets; empty: nothing is kept.
    places: Vec<Option<Place<T>>>,
    /// Counts look-ups, to know which place was not used for longest.
    clock: u64,
}

#[derive(Debug)]
struct Place<T> {
    tag: u64,
    token: Box<[u8]>,
    used: u64,
    value: T,
}

impl<T> Cache<T> {
    /// A cache of so many places, rounded up to a multiple of four.
    pub fn new(size: usize) -> Self {
        let places = size.next_multiple_of(WAYS);
        Self {
            places: std::iter::repeat_with(|| None).take(places).collect(),
            clock: 0,
        }
    }

    /// What was kept of exactly this token.
    pub fn find(&mut self, token: &[u8]) -> Option<&T> {
        let tag = tag(token);
        self.clock += 1;
        let clock = self.clock;
        // The tag first: it comes from the end of the signature, which a client
        // cannot come nearer to by measuring how long a comparison takes.
        let place = self
            .set(tag)?
            .iter_mut()
            .flatten()
            .find(|place| place.tag == tag && equal(&place.token, token))?;
        place.used = clock;
        Some(&place.value)
    }

    /// Keeps a value for a token, in place of the one of its set that was not
    /// used for longest. `bytes` is what the value itself takes.
    pub fn keep(&mut self, token: &[u8], value: T, bytes: usize) {
        let tag = tag(token);
        let used = self.clock;
        if token.len() + bytes > LARGEST {
            return;
        }
        let Some(set) = self.set(tag) else { return };
        let same = set.iter().position(|place| {
            place
                .as_ref()
                .is_some_and(|place| place.tag == tag && equal(&place.token, token))
        });
        let oldest = || {
            let age = |place: &Option<Place<T>>| place.as_ref().map(|place| place.used);
            (0..WAYS).min_by_key(|&way| age(&set[way]))
        };
        if let Some(way) = same.or_else(oldest) {
            set[way] = Some(Place {
                tag,
                token: token.into(),
                used,
                value,
            });
        }
    }

    /// Forgets a token.
    pub fn forget(&mut self, token: &[u8]) {
        let tag = tag(token);
        let Some(set) = self.set(tag) else { return };
        for place in set {
            if place.as_ref().is_some_and(|place| *place.token == *token) {
                *place = None;
            }
        }
    }

    /// Forgets all.
    pub fn clear(&mut self) {
        self.places.fill_with(|| None);
    }

    /// The places that a token may be in; none if nothing is kept.
    fn set(&mut self, tag: u64) -> Option<&mut [Option<Place<T>>]> {
        let sets = u64::try_from(self.places.len() / WAYS).ok()?;
        let index = usize::try_from(tag.checked_rem(sets)?).ok()? * WAYS;
        self.places.get_mut(index..index + WAYS)
    }
}

/// Whether two tokens are the same, eight bytes at a time: `==` compares byte by
/// byte within WebAssembly.
fn equal(a: &[u8], b: &[u8]) -> bool {
    let (a_words, a_rest) = a.as_chunks::<8>();
    let (b_words, b_rest) = b.as_chunks::<8>();
    let same = |(a, b): (&[u8; 8], &[u8; 8])| u64::from_le_bytes(*a) == u64::from_le_bytes(*b);
    a.len() == b.len() && a_words.iter().zip(b_words).all(same) && a_rest == b_rest
}

/// A number made of the last 24 characters: the end of the signature, which is
/// as good as random and known to nobody who does not have the token.
fn tag(token: &[u8]) -> u64 {
    let end = &token[token.len().saturating_sub(24)..];
    let mut tag = 0x9e37_79b9_7f4a_7c15_u64;
    for chunk in end.chunks(8) {
        let mut word = [0; 8];
        word[..chunk.len()].copy_from_slice(chunk);
        tag = mix(tag ^ u64::from_le_bytes(word));
    }
    tag
}

/// Spreads every bit over all of them (the finalizer of MurmurHash3).
fn mix(mut bits: u64) -> u64 {
    bits = (bits ^ (bits >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    bits = (bits ^ (bits >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    bits ^ (bits >> 33)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_found_by_all_of_its_bytes() {
        let mut cache = Cache::new(8);
        cache.keep(b"head.claims.signature-that-is-quite-long", 1, 0);
        assert_eq!(
            cache.find(b"head.claims.signature-that-is-quite-long"),
            Some(&1)
        );
        // The same end, and so the same tag, is not the same token.
        assert_eq!(
            cache.find(b"head.CLAIMS.signature-that-is-quite-long"),
            None
        );
        assert_eq!(cache.find(b"claims.signature-that-is-quite-long"), None);
        cache.keep(b"head.claims.signature-that-is-quite-long", 2, 0);
        assert_eq!(
            cache.find(b"head.claims.signature-that-is-quite-long"),
            Some(&2)
        );
        cache.forget(b"head.claims.signature-that-is-quite-long");
        assert_eq!(
            cache.find(b"head.claims.signature-that-is-quite-long"),
            None
        );
    }

    #[test]
    fn tokens_are_equal_in_every_byte_or_not_at_all() {
        for length in 0..40 {
            let token: Vec<u8> = (0..length).collect();
            assert!(equal(&token, &token.clone()));
            assert!(!equal(&token, &[&token[..], b"x"].concat()));
            for at in 0..token.len() {
                let mut other = token.clone();
                other[at] ^= 1;
                assert!(!equal(&token, &other), "{length} {at}");
            }
        }
    }

    #[test]
    fn it_never_grows_and_what_is_used_stays() {
        let mut cache = Cache::new(4);
        cache.keep(b"hot", 0, 0);
        for number in 1..1_000 {
            assert_eq!(cache.find(b"hot"), Some(&0));
            cache.keep(format!("token {number}").as_bytes(), number, 0);
        }
        assert_eq!(cache.places.len(), 4);
        assert_eq!(cache.find(b"token 999"), Some(&999));
        assert_eq!(cache.find(b"token 1"), None);
    }

    #[test]
    fn tokens_spread_over_the_sets() {
        let mut cache = Cache::new(1_024);
        for number in 0..512 {
            cache.keep(format!("h.c.{number:040}").as_bytes(), number, 0);
        }
        let kept = cache.places.iter().flatten().count();
        assert!(kept > 450, "{kept} of 512 kept");
    }

    #[test]
    fn all_can_be_forgotten() {
        let mut cache = Cache::new(8);
        cache.keep(b"a", 1, 0);
        cache.clear();
        assert_eq!(cache.find(b"a"), None);
        assert_eq!(cache.places.len(), 8);
    }

    #[test]
    fn size_zero_and_large_tokens_keep_nothing() {
        let mut none = Cache::new(0);
        none.keep(b"a", 1, 0);
        assert_eq!(none.find(b"a"), None);
        none.forget(b"a");
        let mut cache = Cache::new(4);
        cache.keep(&[b'a'; 5_000], 1, 0);
        assert_eq!(cache.find(&[b'a'; 5_000]), None);
        cache.keep(b"small", 1, 5_000);
        assert_eq!(cache.find(b"small"), None);
    }
}
