//! `exchange`, its first part: the request.

use wasmtime::{
    AsContextMut, Result, bail,
    component::{WasmList, WasmStr},
};

use super::{
    super::{linker::Functions, wit::Refusal},
    Caller,
    fields::{self, Field},
    rules,
};

/// Names that one batched read may ask for.
const MOST_NAMES: usize = 256;

pub(super) fn define(instance: &mut Functions<'_>) -> Result<()> {
    instance.func_wrap("method", method)?;
    instance.func_wrap("path", path)?;
    instance.func_wrap("query", query)?;
    instance.func_wrap("host", host)?;
    instance.func_wrap("scheme", scheme)?;
    instance.func_wrap("path-parameter", path_parameter)?;
    instance.func_wrap("request-header", request_header)?;
    instance.func_wrap("request-headers", request_headers)?;
    instance.func_wrap("request-header-values", request_header_values)?;
    instance.func_wrap("all-request-headers", all_request_headers)?;
    instance.func_wrap("set-request-header", set_request_header)?;
    instance.func_wrap("append-request-header", append_request_header)?;
    instance.func_wrap("remove-request-header", remove_request_header)?;
    instance.func_wrap("set-path", set_path)
}

fn method(caller: Caller<'_>, (): ()) -> Result<(String,)> {
    Ok((caller.data().exchange()?.method.as_str().to_owned(),))
}

fn path(caller: Caller<'_>, (): ()) -> Result<(String,)> {
    Ok((caller.data().exchange()?.uri.path().to_owned(),))
}

fn query(caller: Caller<'_>, (): ()) -> Result<(Option<String>,)> {
    Ok((caller.data().exchange()?.uri.query().map(str::to_owned),))
}

fn host(caller: Caller<'_>, (): ()) -> Result<(String,)> {
    Ok((caller.data().exchange()?.host.to_string(),))
}

fn scheme(caller: Caller<'_>, (): ()) -> Result<(&'static str,)> {
    Ok((caller.data().exchange()?.scheme.as_str(),))
}

fn path_parameter(caller: Caller<'_>, (name,): (WasmStr,)) -> Result<(Option<String>,)> {
    let name = name.to_str(&caller)?;
    let parameters = &caller.data().exchange()?.parameters;
    let found = parameters.iter().find(|(of, _)| **of == *name);
    Ok((found.map(|(_, value)| value.to_string()),))
}

fn request_header(caller: Caller<'_>, (name,): (WasmStr,)) -> Result<(Option<Vec<u8>>,)> {
    let name = name.to_str(&caller)?;
    Ok((fields::first(&caller.data().exchange()?.headers, &name),))
}

fn request_headers(
    mut caller: Caller<'_>,
    (names,): (WasmList<WasmStr>,),
) -> Result<(Vec<Option<Vec<u8>>>,)> {
    if names.len() > MOST_NAMES {
        bail!("more than {MOST_NAMES} header names were asked for at once");
    }
    let mut found = Vec::with_capacity(names.len());
    for index in 0..names.len() {
        let Some(name) = names.get(&mut caller, index) else {
            break;
        };
        found.push(request_header(caller.as_context_mut(), (name?,))?.0);
    }
    Ok((found,))
}

fn request_header_values(caller: Caller<'_>, (name,): (WasmStr,)) -> Result<(Vec<Vec<u8>>,)> {
    let name = name.to_str(&caller)?;
    Ok((fields::values(&caller.data().exchange()?.headers, &name),))
}

fn all_request_headers(caller: Caller<'_>, (): ()) -> Result<(Vec<Field>,)> {
    Ok((fields::all(&caller.data().exchange()?.headers),))
}

type Changed = Result<(Result<(), Refusal>,)>;

fn set_request_header(mut caller: Caller<'_>, (name, value): (WasmStr, WasmList<u8>)) -> Changed {
    let field = fields::checked(&caller, &name, &value)?;
    let exchange = caller.data_mut().request()?;
    Ok((exchange.and_then(|exchange| fields::set(&mut exchange.headers, field?)),))
}

fn append_request_header(
    mut caller: Caller<'_>,
    (name, value): (WasmStr, WasmList<u8>),
) -> Changed {
    let field = fields::checked(&caller, &name, &value)?;
    let exchange = caller.data_mut().request()?;
    Ok((exchange.and_then(|exchange| fields::append(&mut exchange.headers, field?)),))
}

fn remove_request_header(mut caller: Caller<'_>, (name,): (WasmStr,)) -> Result<(bool,)> {
    let name = name.to_str(&caller)?.into_owned();
    let exchange = caller.data_mut().request()?;
    Ok((exchange.is_ok_and(|exchange| fields::remove(&mut exchange.headers, &name)),))
}

fn set_path(mut caller: Caller<'_>, (path,): (WasmStr,)) -> Changed {
    caller.data().exchange()?;
    let uri = rules::with_path(&caller.data().exchange()?.uri, &path.to_str(&caller)?);
    let exchange = caller.data_mut().request()?;
    Ok((exchange.and_then(|exchange| {
        exchange.uri = uri?;
        Ok(())
    }),))
}
