//! `exchange`, its third part: route, service, client, attributes.

use wasmtime::{
    Result,
    component::{WasmList, WasmStr},
};

use super::{
    super::{data::Hook, linker::Functions, wit::Refusal},
    Caller,
};

/// Attributes that one exchange may have.
const MOST_ATTRIBUTES: usize = 64;

/// The longest name and value of an attribute, in bytes.
const LONGEST_NAME: usize = 128;
const LONGEST_VALUE: usize = 8 << 10;

pub(super) fn define(instance: &mut Functions<'_>) -> Result<()> {
    instance.func_wrap("route", route)?;
    instance.func_wrap("service", service)?;
    instance.func_wrap("set-service", set_service)?;
    instance.func_wrap("instance", picked_instance)?;
    instance.func_wrap("client-address", client_address)?;
    instance.func_wrap("request-id", request_id)?;
    instance.func_wrap("note", note)?;
    instance.func_wrap("set-note", set_note)?;
    instance.func_wrap("attribute", attribute)?;
    instance.func_wrap("set-attribute", set_attribute)?;
    instance.func_wrap("set-attributes", set_attributes)
}

fn route(caller: Caller<'_>, (): ()) -> Result<(String,)> {
    let data = caller.data();
    let name = data.names.route(data.exchange()?.route);
    Ok((name.unwrap_or_default().to_owned(),))
}

fn service(caller: Caller<'_>, (): ()) -> Result<(Option<String>,)> {
    let data = caller.data();
    let service = data.exchange()?.service;
    let name = service.and_then(|index| data.names.service(index));
    Ok((name.map(str::to_owned),))
}

fn set_service(mut caller: Caller<'_>, (name,): (WasmStr,)) -> Result<(Result<(), Refusal>,)> {
    let found = caller.data().names.find_service(&name.to_str(&caller)?);
    if caller.data().hook == Hook::Pick {
        return Ok((Err(Refusal::WrongPhase),));
    }
    let exchange = caller.data_mut().request()?;
    Ok((exchange.and_then(|exchange| {
        exchange.service = Some(found.ok_or(Refusal::UnknownService)?);
        Ok(())
    }),))
}

fn picked_instance(caller: Caller<'_>, (): ()) -> Result<(Option<String>,)> {
    let instance = caller.data().exchange()?.instance;
    Ok((instance.map(|address| address.to_string()),))
}

fn client_address(caller: Caller<'_>, (): ()) -> Result<(String,)> {
    Ok((caller.data().exchange()?.client.0.to_string(),))
}

fn request_id(caller: Caller<'_>, (): ()) -> Result<(String,)> {
    Ok((caller.data().exchange()?.request_id.as_str().to_owned(),))
}

fn note(caller: Caller<'_>, (): ()) -> Result<(u64,)> {
    Ok((caller.data().exchange()?.note(),))
}

fn set_note(mut caller: Caller<'_>, (note,): (u64,)) -> Result<()> {
    caller.data_mut().exchange_mut()?.set_note(note);
    Ok(())
}

fn attribute(caller: Caller<'_>, (name,): (WasmStr,)) -> Result<(Option<String>,)> {
    let name = name.to_str(&caller)?;
    let value = caller.data().exchange()?.attribute(&name);
    Ok((value.map(str::to_owned),))
}

fn set_attribute(
    mut caller: Caller<'_>,
    (name, value): (WasmStr, WasmStr),
) -> Result<(Result<(), Refusal>,)> {
    let checked = attribute_of(&caller, &name, &value)?;
    let attributes = &mut caller.data_mut().exchange_mut()?.attributes;
    Ok((checked.and_then(|one| set_all(attributes, [one])),))
}

fn set_attributes(
    mut caller: Caller<'_>,
    (list,): (WasmList<(WasmStr, WasmStr)>,),
) -> Result<(Result<(), Refusal>,)> {
    if list.len() > MOST_ATTRIBUTES {
        return Ok((Err(Refusal::TooLarge),));
    }
    let mut all = Vec::with_capacity(list.len());
    for index in 0..list.len() {
        let Some(pair) = list.get(&mut caller, index) else {
            break;
        };
        let (name, value) = pair?;
        match attribute_of(&caller, &name, &value)? {
            Ok(one) => all.push(one),
            Err(refusal) => return Ok((Err(refusal),)),
        }
    }
    let attributes = &mut caller.data_mut().exchange_mut()?.attributes;
    Ok((set_all(attributes, all),))
}

/// A name and a value.
type Attribute = (Box<str>, Box<str>);

fn attribute_of(
    caller: &Caller<'_>,
    name: &WasmStr,
    value: &WasmStr,
) -> Result<Result<Attribute, Refusal>> {
    let (name, value) = (name.to_str(caller)?, value.to_str(caller)?);
    Ok(check_attribute(&name, &value).map(|()| (Box::from(&*name), Box::from(&*value))))
}

/// Sets all, or none if they would become too many.
fn set_all(
    attributes: &mut Vec<Attribute>,
    new: impl AsRef<[Attribute]> + IntoIterator<Item = Attribute>,
) -> Result<(), Refusal> {
    let known = |name: &str, list: &[Attribute]| list.iter().any(|(of, _)| **of == *name);
    let list = new.as_ref();
    let added = (0..list.len()).filter(|&index| {
        let name = &list[index].0;
        !known(name, attributes) && !known(name, &list[..index])
    });
    if attributes.len() + added.count() > MOST_ATTRIBUTES {
        return Err(Refusal::TooLarge);
    }
    for (name, value) in new {
        match attributes.iter_mut().find(|(of, _)| *of == name) {
            Some((_, old)) => *old = value,
            None => attributes.push((name, value)),
        }
    }
    Ok(())
}

/// Names are dotted lower-case words.
fn check_attribute(name: &str, value: &str) -> Result<(), Refusal> {
    if name.len() > LONGEST_NAME || value.len() > LONGEST_VALUE {
        return Err(Refusal::TooLarge);
    }
    let mut before = b'.';
    for byte in name.bytes() {
        match byte {
            b'.' if before == b'.' => return Err(Refusal::Invalid),
            b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' => before = byte,
            _ => return Err(Refusal::Invalid),
        }
    }
    match before {
        b'.' => Err(Refusal::Invalid),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_are_set_all_or_none() {
        let pair = |name: &str, value: &str| (Box::from(name), Box::from(value));
        let mut attributes = vec![pair("a", "old")];
        let new = vec![pair("a", "1"), pair("b", "2"), pair("b", "3")];
        assert_eq!(set_all(&mut attributes, new), Ok(()));
        assert_eq!(attributes, [pair("a", "1"), pair("b", "3")]);

        let many = |count| -> Vec<Attribute> {
            let names = (0..count).map(|index| format!("n{index}"));
            names.map(|name| pair(&name, "")).collect()
        };
        let before = attributes.clone();
        assert_eq!(
            set_all(&mut attributes, many(MOST_ATTRIBUTES - 1)),
            Err(Refusal::TooLarge)
        );
        assert_eq!(attributes, before);
        assert_eq!(set_all(&mut attributes, many(MOST_ATTRIBUTES - 2)), Ok(()));
        assert_eq!(
            set_all(&mut attributes, [pair("c", "")]),
            Err(Refusal::TooLarge)
        );
        assert_eq!(set_all(&mut attributes, [pair("a", "2")]), Ok(()));
    }

    #[test]
    fn attributes_have_dotted_lower_case_names_and_bounded_values() {
        for (name, length, expected) in [
            ("auth.subject", LONGEST_VALUE, Ok(())),
            ("a_b-c.d1", 0, Ok(())),
            ("auth.subject", LONGEST_VALUE + 1, Err(Refusal::TooLarge)),
            (&"a".repeat(129), 0, Err(Refusal::TooLarge)),
            ("", 0, Err(Refusal::Invalid)),
            ("auth..subject", 0, Err(Refusal::Invalid)),
            (".auth", 0, Err(Refusal::Invalid)),
            ("auth.", 0, Err(Refusal::Invalid)),
            ("Auth", 0, Err(Refusal::Invalid)),
            ("auth subject", 0, Err(Refusal::Invalid)),
        ] {
            assert_eq!(
                check_attribute(name, &"x".repeat(length)),
                expected,
                "{name}"
            );
        }
    }
}
