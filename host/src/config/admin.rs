//! Reader of the admin listener.
//!
//! It is on, at a loopback address, unless the file says otherwise: any other
//! address is taken only because somebody wrote it down.

use std::net::{Ipv4Addr, SocketAddr};

use super::{Admin, address::socket, reader::Item, scalar::boolean};

impl Default for Admin {
    fn default() -> Self {
        Self {
            address: SocketAddr::from((Ipv4Addr::LOCALHOST, 9901)),
        }
    }
}

/// `{ address, enabled }`: none if it is switched off with `enabled: false`.
pub(super) fn admin(item: &Item<'_>) -> Option<Admin> {
    let Some(fields) = item.fields(&["address", "enabled"]) else {
        return Some(Admin::default());
    };
    let admin = Admin {
        address: fields.read_or("address", Admin::default().address, socket),
    };
    fields.read_or("enabled", true, boolean).then_some(admin)
}
