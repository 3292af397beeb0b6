//! `counters`: numbers shared by all workers.

use std::time::Duration;

use wasmtime::{Result, bail, component::WasmStr};

use crate::state;

use super::{
    super::{
        data::Data,
        linker::Linker,
        wit::{Bucket, Decision, Window},
    },
    Caller, key,
};

/// Defines the interface.
pub(in super::super) fn link(linker: &mut Linker) -> Result<()> {
    let mut instance = linker.instance("portcullis:gateway/counters@0.1.0")?;
    instance.func_wrap("add", add)?;
    instance.func_wrap("get", get)?;
    instance.func_wrap("compare-and-set", compare_and_set)?;
    instance.func_wrap("token-bucket", token_bucket)?;
    instance.func_wrap("fixed-window", fixed_window)?;
    instance.func_wrap("sliding-window", sliding_window)
}

fn add(caller: Caller<'_>, (name, delta, ttl): (WasmStr, i64, u64)) -> Result<(i64,)> {
    let key = key(&caller, &name)?;
    let Data {
        services,
        allowance,
        ..
    } = caller.data();
    Ok((services.counters.add(
        allowance.counters(),
        &key,
        delta,
        Duration::from_millis(ttl),
    ),))
}

fn get(caller: Caller<'_>, (name,): (WasmStr,)) -> Result<(Option<i64>,)> {
    let key = key(&caller, &name)?;
    let Data {
        services,
        allowance,
        ..
    } = caller.data();
    Ok((services.counters.get(allowance.counters(), &key),))
}

fn compare_and_set(
    caller: Caller<'_>,
    (name, expected, new, ttl): (WasmStr, Option<i64>, i64, u64),
) -> Result<(bool,)> {
    let key = key(&caller, &name)?;
    let Data {
        services,
        allowance,
        ..
    } = caller.data();
    let ttl = Duration::from_millis(ttl);
    Ok((services
        .counters
        .compare_and_set(allowance.counters(), &key, expected, new, ttl),))
}

fn token_bucket(
    caller: Caller<'_>,
    (name, bucket, cost): (WasmStr, Bucket, i32),
) -> Result<(Decision,)> {
    let key = key(&caller, &name)?;
    if bucket.per_ms == 0 {
        bail!("a token bucket is refilled every 0 ms");
    }
    let Data {
        services,
        allowance,
        ..
    } = caller.data();
    let bucket = state::Bucket {
        capacity: bucket.capacity,
        refill: bucket.refill,
        per: Duration::from_millis(bucket.per_ms),
    };
    Ok((services
        .counters
        .token_bucket(allowance.counters(), &key, bucket, cost)
        .into(),))
}

fn fixed_window(
    caller: Caller<'_>,
    (name, window, cost): (WasmStr, Window, i32),
) -> Result<(Decision,)> {
    let key = key(&caller, &name)?;
    let window = checked(window)?;
    let Data {
        services,
        allowance,
        ..
    } = caller.data();
    Ok((services
        .counters
        .fixed_window(allowance.counters(), &key, window, cost)
        .into(),))
}

fn sliding_window(
    caller: Caller<'_>,
    (name, window, cost): (WasmStr, Window, i32),
) -> Result<(Decision,)> {
    let key = key(&caller, &name)?;
    let window = checked(window)?;
    let Data {
        services,
        allowance,
        ..
    } = caller.data();
    Ok((services
        .counters
        .sliding_window(allowance.counters(), &key, window, cost)
        .into(),))
}

fn checked(window: Window) -> Result<state::Window> {
    match window.window_ms {
        0 => bail!("a window lasts 0 ms"),
        length => Ok(state::Window {
            limit: window.limit,
            window: Duration::from_millis(length),
        }),
    }
}
