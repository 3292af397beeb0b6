//! `body`: what a filter asks of a body before it comes, and what it does with
//! the part that its hook is called for.

use http::{HeaderMap, HeaderName, HeaderValue, header};
use wasmtime::{
    Result, bail,
    component::{WasmList, WasmStr},
};

use crate::{
    exchange::{self, Coding, Exchange, Wish},
    observe::Limit,
};

use super::{
    super::{
        data::{Data, Hook},
        linker::Linker,
        wit::{Refusal, Side},
    },
    Caller,
    fields::{self, Field},
};

type Changed = Result<(Result<(), Refusal>,)>;

/// Defines the interface.
pub(in super::super) fn link(linker: &mut Linker) -> Result<()> {
    let mut instance = linker.instance("portcullis:gateway/body@0.1.0")?;
    instance.func_wrap("skip", skip)?;
    instance.func_wrap("decode", decode)?;
    instance.func_wrap("hold-head", hold_head)?;
    instance.func_wrap("read", read)?;
    instance.func_wrap("write", write)?;
    instance.func_wrap("trailers", trailers)?;
    instance.func_wrap("set-trailer", set_trailer)?;
    instance.func_wrap("remove-trailer", remove_trailer)
}

fn skip(mut caller: Caller<'_>, (side,): (Side,)) -> Changed {
    let data = caller.data_mut();
    let side = side.into();
    if data.hook == Hook::Configuration {
        match side {
            exchange::Side::Request => {
                data.skipped.request_body = true;
                data.skipped.request_buffered = true;
            }
            exchange::Side::Response => {
                data.skipped.response_body = true;
                data.skipped.response_buffered = true;
            }
        }
        return Ok((Ok(()),));
    }
    Ok((before(data, side).map(|exchange| wish(exchange, side, Wish::Skip)),))
}

fn decode(mut caller: Caller<'_>, (side,): (Side,)) -> Changed {
    let side = side.into();
    let exchange = match head(caller.data_mut(), side) {
        Ok(exchange) => exchange,
        Err(refusal) => return Ok((Err(refusal),)),
    };
    let headers = match (side, &mut exchange.response) {
        (exchange::Side::Request, _) => &mut exchange.headers,
        (exchange::Side::Response, Some(response)) => &mut response.headers,
        (exchange::Side::Response, None) => return Ok((Err(Refusal::WrongPhase),)),
    };
    let coding = coding(headers);
    if let Ok(Some(coding)) = coding {
        headers.remove(header::CONTENT_ENCODING);
        headers.remove(header::CONTENT_LENGTH);
        wish(exchange, side, Wish::Decode(coding));
    }
    Ok((coding.map(drop),))
}

/// The one coding of a message, if it has one that is known.
fn coding(headers: &HeaderMap) -> Result<Option<Coding>, Refusal> {
    let mut values = headers.get_all(header::CONTENT_ENCODING).iter();
    let (first, second) = (values.next(), values.next());
    if second.is_some() {
        return Err(Refusal::Invalid);
    }
    let Some(value) = first else {
        return Ok(None);
    };
    let value = value.as_bytes().trim_ascii().to_ascii_lowercase();
    match &value[..] {
        b"identity" | b"" => Ok(None),
        b"gzip" | b"x-gzip" => Ok(Some(Coding::Gzip)),
        b"deflate" => Ok(Some(Coding::Deflate)),
        b"br" => Ok(Some(Coding::Brotli)),
        _ => Err(Refusal::Invalid),
    }
}

fn hold_head(mut caller: Caller<'_>, (side,): (Side,)) -> Changed {
    let side = side.into();
    let exchange = head(caller.data_mut(), side);
    Ok((exchange.map(|exchange| wish(exchange, side, Wish::HoldHead)),))
}

/// The exchange while nothing of a side's body has passed.
fn before(data: &mut Data, side: exchange::Side) -> Result<&mut Exchange, Refusal> {
    match (data.hook, side) {
        (Hook::Request, _) | (Hook::Response, exchange::Side::Response) => Ok(&mut data.exchange),
        _ => Err(Refusal::WrongPhase),
    }
}

/// The exchange while a side's head is looked at.
fn head(data: &mut Data, side: exchange::Side) -> Result<&mut Exchange, Refusal> {
    match (data.hook, side) {
        (Hook::Request, exchange::Side::Request) | (Hook::Response, exchange::Side::Response) => {
            Ok(&mut data.exchange)
        }
        _ => Err(Refusal::WrongPhase),
    }
}

/// Notes a wish, once.
fn wish(exchange: &mut Exchange, side: exchange::Side, wish: Wish) {
    let wish = (exchange.step, side, wish);
    if !exchange.wishes.contains(&wish) {
        exchange.wishes.push(wish);
    }
}

fn read(caller: Caller<'_>, (): ()) -> Result<(Vec<u8>,)> {
    in_body(caller.data())?;
    Ok((caller.data().piece.bytes.to_vec(),))
}

fn write(mut caller: Caller<'_>, (bytes,): (WasmList<u8>,)) -> Changed {
    in_body(caller.data())?;
    let data = caller.data();
    let limits = &data.allowance.limits;
    let most = match data.hook {
        Hook::Buffered(_) => limits.response_size.max(limits.body_buffer),
        _ => limits.response_size,
    };
    let written = data.written.as_ref().map_or(0, Vec::len);
    if bytes.len() > most.saturating_sub(written) {
        data.allowance.limited(Limit::ResponseSize);
        return Ok((Err(Refusal::TooLarge),));
    }
    let mut written = caller.data_mut().written.take().unwrap_or_default();
    written.extend_from_slice(bytes.as_le_slice(&caller));
    caller.data_mut().written = Some(written);
    Ok((Ok(()),))
}

fn trailers(caller: Caller<'_>, (): ()) -> Result<(Vec<Field>,)> {
    in_body(caller.data())?;
    let trailers = caller.data().piece.trailers.as_ref();
    Ok((trailers.map(fields::all).unwrap_or_default(),))
}

fn set_trailer(mut caller: Caller<'_>, (name, value): (WasmStr, WasmList<u8>)) -> Changed {
    in_body(caller.data())?;
    let field = fields::checked(&caller, &name, &value)?;
    let piece = &mut caller.data_mut().piece;
    if !piece.end {
        return Ok((Err(Refusal::WrongPhase),));
    }
    Ok((field
        .and_then(trailing)
        .and_then(|field| fields::set(piece.trailers.get_or_insert_default(), field)),))
}

fn remove_trailer(mut caller: Caller<'_>, (name,): (WasmStr,)) -> Result<(bool,)> {
    in_body(caller.data())?;
    let name = name.to_str(&caller)?.into_owned();
    let trailers = caller.data_mut().piece.trailers.as_mut();
    Ok((trailers.is_some_and(|trailers| fields::remove(trailers, &name)),))
}

/// A field that may stand behind a body.
fn trailing(field: (HeaderName, HeaderValue)) -> Result<(HeaderName, HeaderValue), Refusal> {
    match exchange::may_trail(&field.0) {
        true => Ok(field),
        false => Err(Refusal::Forbidden),
    }
}

fn in_body(data: &Data) -> Result<()> {
    match data.hook {
        Hook::Chunk(_) | Hook::Buffered(_) => Ok(()),
        _ => bail!(
            "portcullis:gateway/body was read or written outside the hooks of bodies, where there \
             is none"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codings_are_known_or_refused() {
        for (values, expected) in [
            (&[][..], Ok(None)),
            (&["identity"], Ok(None)),
            (&["gzip"], Ok(Some(Coding::Gzip))),
            (&[" X-GZIP "], Ok(Some(Coding::Gzip))),
            (&["deflate"], Ok(Some(Coding::Deflate))),
            (&["br"], Ok(Some(Coding::Brotli))),
            (&["zstd"], Err(Refusal::Invalid)),
            (&["gzip, br"], Err(Refusal::Invalid)),
            (&["gzip", "br"], Err(Refusal::Invalid)),
        ] {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(header::CONTENT_ENCODING, HeaderValue::from_static(value));
            }
            assert_eq!(coding(&headers), expected, "{values:?}");
        }
    }
}
