//! Networks: blocks of addresses such as `10.0.0.0/8`, and their reader.

use std::{net::IpAddr, sync::Arc};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use super::{reader::Item, scalar};

/// Blocks of addresses. Cheap to clone.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Networks(Arc<[IpNet]>);

impl Networks {
    /// True if one of them has the address. One of IPv4 in the clothes of IPv6
    /// (`::ffff:10.0.0.1`) is that of IPv4.
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|network| network.contains(&address))
    }

    /// Those that have every address.
    pub fn all() -> Self {
        let any: [IpNet; 2] = [Ipv4Net::default().into(), Ipv6Net::default().into()];
        any.into_iter().collect()
    }

    /// As they are written.
    pub fn shown(&self) -> Vec<String> {
        self.0.iter().map(ToString::to_string).collect()
    }
}

impl FromIterator<IpNet> for Networks {
    fn from_iter<I: IntoIterator<Item = IpNet>>(networks: I) -> Self {
        Self(networks.into_iter().collect())
    }
}

/// A list of networks.
pub(super) fn networks(item: &Item<'_>) -> Option<Networks> {
    let all = item.list_of("`[10.0.0.0/8, \"fd00::/8\"]`", network)?;
    Some(all.into_iter().collect())
}

/// One network, or one address.
fn network(item: &Item<'_>) -> Option<IpNet> {
    let text = scalar::text(item)?;
    let network = match text.parse::<IpAddr>() {
        Ok(address) => Ok(IpNet::from(address.to_canonical())),
        Err(_) => text.parse::<IpNet>(),
    };
    match network {
        Ok(network) if network.trunc() == network => Some(network),
        Ok(network) => item.mistake(
            format!("{} has bits beyond its prefix", item.shown(text)),
            format!("did you mean `{}`?", network.trunc()),
        ),
        Err(_) => item.mistake(
            format!("{} is not a network", item.shown(text)),
            "an address, and how many bits are the network's: `10.0.0.0/8`, `\"fd00::/8\"`",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_in_its_network_whatever_it_wears() {
        let networks: Networks = ["10.0.0.0/8", "192.0.2.7/32", "fd00::/8"]
            .map(|network| network.parse().expect("a network"))
            .into_iter()
            .collect();
        for (address, expected) in [
            ("10.255.0.1", true),
            ("11.0.0.1", false),
            ("::ffff:10.0.0.1", true),
            ("192.0.2.7", true),
            ("192.0.2.8", false),
            ("fd12::1", true),
            ("fe80::1", false),
        ] {
            let address = address.parse().expect("an address");
            assert_eq!(networks.contains(address), expected, "{address}");
        }
    }
}
