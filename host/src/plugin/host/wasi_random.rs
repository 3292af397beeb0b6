//! WASI's random numbers.

use wasmtime::{Result, bail};
use wasmtime_wasi::{
    Rng,
    p2::bindings::random::{insecure, insecure_seed, random},
    thread_rng,
};

use super::{
    super::{data::Data, linker::Linker},
    wasi::{View, Wasi, viewer},
};

/// The most bytes that may be asked for at once.
const MOST_BYTES: u64 = 64 << 10;

/// Defines all three interfaces.
pub(in super::super) fn link(linker: &mut Linker) -> Result<()> {
    let view = viewer(linker.counting);
    let linker = &mut linker.inner;
    random::add_to_linker::<Data, Wasi>(linker, view)?;
    insecure::add_to_linker::<Data, Wasi>(linker, view)?;
    insecure_seed::add_to_linker::<Data, Wasi>(linker, view)
}

impl View<'_> {
    /// A cryptographic generator of this instance's own, seeded by the system.
    fn generator(&mut self) -> &mut (dyn Rng + Send) {
        &mut **self.0.random.get_or_insert_with(thread_rng)
    }

    fn bytes(&mut self, length: u64) -> Result<Vec<u8>> {
        if length > MOST_BYTES {
            bail!("{length} random bytes were asked for at once, the limit is {MOST_BYTES}");
        }
        let mut bytes = vec![0; usize::try_from(length)?];
        self.generator().fill_bytes(&mut bytes);
        Ok(bytes)
    }
}

impl random::Host for View<'_> {
    fn get_random_bytes(&mut self, length: u64) -> Result<Vec<u8>> {
        self.bytes(length)
    }

    fn get_random_u64(&mut self) -> Result<u64> {
        Ok(self.generator().next_u64())
    }
}

impl insecure::Host for View<'_> {
    fn get_insecure_random_bytes(&mut self, length: u64) -> Result<Vec<u8>> {
        self.bytes(length)
    }

    fn get_insecure_random_u64(&mut self) -> Result<u64> {
        Ok(self.generator().next_u64())
    }
}

impl insecure_seed::Host for View<'_> {
    fn insecure_seed(&mut self) -> Result<(u64, u64)> {
        let generator = self.generator();
        Ok((generator.next_u64(), generator.next_u64()))
    }
}
