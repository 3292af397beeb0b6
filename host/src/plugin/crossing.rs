//! What an instance does and what crosses between it and the gateway: counted
//! in a runtime that counts, and not there at all in any other.
//!
//! Instructions are what Wasmtime's fuel counts. Bytes are those of texts and
//! lists, and numbers by their size; `linker` puts the counting of them around
//! every host function.

use wasmtime::{
    Store,
    component::{Lift, Resource, WasmList, WasmStr},
};

use super::{
    Instance,
    data::Data,
    host::Caller,
    wit::{
        self, Algorithm, Bucket, Decision, DigestAlgorithm, Hook, HttpError, Level, Refusal, Side,
        Window,
    },
};

/// What an instance that counts its instructions begins with: more than it can
/// use up.
const FUEL: u64 = u64::MAX;

/// Whether a runtime counts what its plugins do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Counting {
    Off,
    On,
}

impl Counting {
    /// Whether it counts, as options say it.
    pub(super) fn of(counts: bool) -> Self {
        match counts {
            true => Self::On,
            false => Self::Off,
        }
    }

    /// Readies a store for the instance that is made in it.
    pub(super) fn begin(self, store: &mut Store<Data>) -> wasmtime::Result<()> {
        match self {
            Self::Off => Ok(()),
            Self::On => store.set_fuel(FUEL),
        }
    }
}

impl Instance {
    /// What it has done since it was made. Nothing, unless its runtime counts.
    pub fn work(&self) -> Work {
        Work {
            instructions: self.store.get_fuel().map_or(0, |left| FUEL - left),
            ..self.store.data().work
        }
    }
}

/// What one instance has done since it was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Work {
    /// WebAssembly instructions, as Wasmtime's fuel counts them.
    pub instructions: u64,
    /// Calls of the gateway's functions, WASI's included.
    pub host_calls: u64,
    /// Bytes that these calls handed to the gateway, WASI's excluded.
    pub bytes_to_host: u64,
    /// Bytes that these calls brought back, WASI's excluded.
    pub bytes_to_plugin: u64,
}

impl Work {
    /// What was done between an earlier time and this one.
    pub fn since(self, earlier: Self) -> Self {
        Self {
            instructions: self.instructions.saturating_sub(earlier.instructions),
            host_calls: self.host_calls.saturating_sub(earlier.host_calls),
            bytes_to_host: self.bytes_to_host.saturating_sub(earlier.bytes_to_host),
            bytes_to_plugin: self.bytes_to_plugin.saturating_sub(earlier.bytes_to_plugin),
        }
    }
}

/// Something that is handed over by a call of a host function.
pub(super) trait Crossing {
    /// Its bytes. What cannot be read has none: the call itself will say so.
    fn bytes(&self, caller: &mut Caller<'_>) -> u64;
}

fn length(bytes: usize) -> u64 {
    u64::try_from(bytes).unwrap_or(u64::MAX)
}

impl Crossing for WasmStr {
    fn bytes(&self, caller: &mut Caller<'_>) -> u64 {
        self.to_str(&*caller).map_or(0, |text| length(text.len()))
    }
}

impl<T: Crossing + Lift> Crossing for WasmList<T> {
    fn bytes(&self, caller: &mut Caller<'_>) -> u64 {
        let mut sum = 0;
        for index in 0..self.len() {
            if let Some(Ok(item)) = self.get(&mut *caller, index) {
                sum += item.bytes(caller);
            }
        }
        sum
    }
}

impl Crossing for String {
    fn bytes(&self, _: &mut Caller<'_>) -> u64 {
        length(self.len())
    }
}

impl Crossing for &str {
    fn bytes(&self, _: &mut Caller<'_>) -> u64 {
        length(self.len())
    }
}

impl<T: Crossing> Crossing for Vec<T> {
    fn bytes(&self, caller: &mut Caller<'_>) -> u64 {
        self.iter().map(|item| item.bytes(caller)).sum()
    }
}

impl<T: Crossing> Crossing for Option<T> {
    fn bytes(&self, caller: &mut Caller<'_>) -> u64 {
        self.as_ref().map_or(0, |value| value.bytes(caller))
    }
}

impl<T: Crossing, E: Crossing> Crossing for Result<T, E> {
    fn bytes(&self, caller: &mut Caller<'_>) -> u64 {
        match self {
            Ok(value) => value.bytes(caller),
            Err(error) => error.bytes(caller),
        }
    }
}

impl<T: 'static> Crossing for Resource<T> {
    fn bytes(&self, _: &mut Caller<'_>) -> u64 {
        4
    }
}

impl Crossing for wit::Instance {
    fn bytes(&self, caller: &mut Caller<'_>) -> u64 {
        let texts = length(self.id.len() + self.address.len());
        texts + self.weight.bytes(caller) + self.metadata.bytes(caller)
    }
}

impl Crossing for wit::Request {
    fn bytes(&self, caller: &mut Caller<'_>) -> u64 {
        let place = self.url.bytes(caller) + self.service.bytes(caller);
        let asked = place + self.method.bytes(caller) + self.headers.bytes(caller);
        asked + length(size_of_val(&(self.timeout_ms, self.most, self.redirects)))
    }
}

impl Crossing for wit::Head {
    fn bytes(&self, caller: &mut Caller<'_>) -> u64 {
        self.status.bytes(caller) + self.headers.bytes(caller)
    }
}

/// Taking over a part whose bytes are counted would take it twice: only bytes are.
impl Crossing for WasmList<wit::Part> {
    fn bytes(&self, _: &mut Caller<'_>) -> u64 {
        length(self.len())
    }
}

/// Numbers, and records of numbers.
macro_rules! by_size {
    ($($number:ty),+) => {
        $(impl Crossing for $number {
            fn bytes(&self, _: &mut Caller<'_>) -> u64 {
                length(size_of::<Self>())
            }
        })+
    };
}

by_size!(bool, u8, u16, u32, u64, i32, i64, f64);
by_size!(
    Algorithm,
    Bucket,
    Decision,
    DigestAlgorithm,
    Hook,
    HttpError,
    Level,
    Refusal,
    Side,
    Window
);

/// Several at once.
macro_rules! together {
    ($($item:ident)*) => {
        impl<$($item: Crossing),*> Crossing for ($($item,)*) {
            #[expect(non_snake_case, reason = "a part is named as its type is")]
            fn bytes(&self, caller: &mut Caller<'_>) -> u64 {
                let ($($item,)*) = self;
                0 $(+ $item.bytes(caller))*
            }
        }
    };
}

impl Crossing for () {
    fn bytes(&self, _: &mut Caller<'_>) -> u64 {
        0
    }
}

together!(A);
together!(A B);
together!(A B C);
together!(A B C D);
