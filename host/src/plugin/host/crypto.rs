//! `crypto`: signatures and digests.

use wasmtime::{
    Result, bail,
    component::{Resource, ResourceType, WasmList, WasmStr},
};

use crate::crypto::{self, VerificationKey};

use super::{
    super::{
        linker::Linker,
        wit::{Algorithm, DigestAlgorithm},
    },
    Caller,
};

/// The longest key as text or bytes. Parsing one takes a plugin's time.
const LONGEST_KEY: usize = 64 << 10;

/// The longest message: hashing it is work that no deadline interrupts.
const LONGEST_MESSAGE: usize = 1 << 20;

/// Defines the interface.
pub(in super::super) fn link(linker: &mut Linker) -> Result<()> {
    let mut instance = linker.instance("portcullis:gateway/crypto@0.1.0")?;
    let key = ResourceType::host::<VerificationKey>();
    instance.resource("verification-key", key, |mut caller, handle| {
        let key = Resource::<VerificationKey>::new_own(handle);
        caller.data_mut().table.delete(key)?;
        Ok(())
    })?;
    instance.func_wrap("[static]verification-key.from-secret", from_secret)?;
    instance.func_wrap("[static]verification-key.from-pem", from_pem)?;
    instance.func_wrap("[static]verification-key.from-jwk", from_jwk)?;
    instance.func_wrap("[method]verification-key.algorithms", algorithms)?;
    instance.func_wrap("[method]verification-key.verify", verify)?;
    instance.func_wrap("digest", digest)?;
    instance.func_wrap("constant-time-equal", constant_time_equal)
}

type Key = Resource<VerificationKey>;

fn from_secret(mut caller: Caller<'_>, (secret,): (WasmList<u8>,)) -> Result<(Key,)> {
    let secret = bounded(&caller, &secret, LONGEST_KEY)?;
    let key = VerificationKey::from_secret(secret);
    Ok((caller.data_mut().table.push(key)?,))
}

fn from_pem(caller: Caller<'_>, (pem,): (WasmStr,)) -> Result<(Result<Key, String>,)> {
    parse(caller, &pem, |text| {
        VerificationKey::from_pem(text).map_err(|error| error.to_string())
    })
}

fn from_jwk(caller: Caller<'_>, (jwk,): (WasmStr,)) -> Result<(Result<Key, String>,)> {
    parse(caller, &jwk, |text| {
        VerificationKey::from_jwk(text).map_err(|error| error.to_string())
    })
}

fn parse(
    mut caller: Caller<'_>,
    text: &WasmStr,
    parse: impl FnOnce(&str) -> Result<VerificationKey, String>,
) -> Result<(Result<Key, String>,)> {
    let text = text.to_str(&caller)?;
    if text.len() > LONGEST_KEY {
        return Ok((Err(format!("longer than {LONGEST_KEY} bytes")),));
    }
    match parse(&text) {
        Ok(key) => Ok((Ok(caller.data_mut().table.push(key)?),)),
        Err(reason) => Ok((Err(reason),)),
    }
}

fn algorithms(caller: Caller<'_>, (key,): (Key,)) -> Result<(Vec<Algorithm>,)> {
    let key = caller.data().table.get(&key)?;
    Ok((key
        .algorithms()
        .iter()
        .map(|algorithm| (*algorithm).into())
        .collect(),))
}

fn verify(
    caller: Caller<'_>,
    (key, algorithm, message, signature): (Key, Algorithm, WasmList<u8>, WasmList<u8>),
) -> Result<(bool,)> {
    let message = bounded(&caller, &message, LONGEST_MESSAGE)?;
    let signature = bounded(&caller, &signature, LONGEST_MESSAGE)?;
    let key = caller.data().table.get(&key)?;
    Ok((key.verify(algorithm.into(), message, signature),))
}

fn digest(
    caller: Caller<'_>,
    (algorithm, data): (DigestAlgorithm, WasmList<u8>),
) -> Result<(Vec<u8>,)> {
    let data = bounded(&caller, &data, LONGEST_MESSAGE)?;
    Ok((crypto::digest(algorithm.into(), data),))
}

fn constant_time_equal(
    caller: Caller<'_>,
    (a, b): (WasmList<u8>, WasmList<u8>),
) -> Result<(bool,)> {
    let a = bounded(&caller, &a, LONGEST_MESSAGE)?;
    let b = bounded(&caller, &b, LONGEST_MESSAGE)?;
    Ok((crypto::constant_time_equal(a, b),))
}

fn bounded<'a>(caller: &'a Caller<'_>, list: &WasmList<u8>, limit: usize) -> Result<&'a [u8]> {
    match list.len() {
        length if length > limit => bail!("crypto was given {length} bytes, the limit is {limit}"),
        _ => Ok(list.as_le_slice(caller)),
    }
}
