//! Reader of the instances of a service.

use std::{
    collections::{BTreeMap, HashMap},
    num::NonZeroU32,
};

use super::{Instance, address::upstream, reader::Item, scalar};

/// The most that one instance may weigh.
const HEAVIEST: u32 = 1_000_000;

/// A list of `{ address, weight, metadata }`, no address twice.
pub(super) fn instances(item: &Item<'_>) -> Option<Vec<Instance>> {
    let mut seen = HashMap::new();
    item.list_of("`- address: 127.0.0.1:9001`", |item| {
        let instance = instance(item)?;
        let first = *seen.entry(instance.address.clone()).or_insert(item.at());
        if first != item.at() {
            let message = format!("`{}` is there twice", instance.address);
            let hint = format!("the first is at {first}; use `weight` to send more to it");
            return item.mistake(message, hint);
        }
        Some(instance)
    })
}

fn instance(item: &Item<'_>) -> Option<Instance> {
    let fields = item.fields(&["address", "weight", "metadata"])?;
    let weight = fields.read_or("weight", NonZeroU32::MIN, |item| {
        scalar::positive(item, HEAVIEST)
    });
    let metadata = fields.read("metadata", metadata).unwrap_or_default();
    Some(Instance {
        address: fields.require("address", "127.0.0.1:9001", upstream)?,
        weight,
        metadata,
        at: item.at(),
    })
}

fn metadata(item: &Item<'_>) -> Option<BTreeMap<String, String>> {
    let entries = item.entries("`{ zone: a }`")?;
    let labels = entries.into_iter().filter_map(|(entry, item)| {
        let value = scalar::text(&item)?;
        Some((entry.key.clone(), value.to_owned()))
    });
    Some(labels.collect())
}
