//! How many connections a listener has, in all and from each client.
//!
//! Counted when one opens and when it ends, and never in between. The table of
//! clients has an entry for each that has a connection, and so is bounded as
//! they are.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

/// Parts of the table, so that workers rarely wait for each other.
const PARTS: usize = 16;

/// The connections of one listener, over all workers.
#[derive(Debug)]
pub(super) struct Gate {
    open: AtomicUsize,
    most: usize,
    most_each: usize,
    clients: [Mutex<HashMap<IpAddr, usize>>; PARTS],
}

/// One connection of a listener: counted until it is dropped.
pub(super) struct Seat(Arc<Gate>);

/// One connection of a client, likewise.
pub(super) struct ClientSeat(Arc<Gate>, IpAddr);

impl Gate {
    /// One for so many connections, and so many from each client.
    pub(super) fn new(most: usize, most_each: usize) -> Arc<Self> {
        Arc::new(Self {
            open: AtomicUsize::new(0),
            most,
            most_each,
            clients: Default::default(),
        })
    }

    /// Takes one seat more, if there is one.
    pub(super) fn enter(self: &Arc<Self>) -> Option<Seat> {
        // Counted first and looked at then, so that two cannot take the last.
        let before = self.open.fetch_add(1, Ordering::Relaxed);
        let seat = Seat(Arc::clone(self));
        (before < self.most).then_some(seat)
    }

    /// Takes one more of a client's, if it has one.
    pub(super) fn enter_of(self: &Arc<Self>, client: IpAddr) -> Option<ClientSeat> {
        let client = network(client);
        let mut clients = self.part(client);
        let open = clients.entry(client).or_default();
        if *open >= self.most_each {
            return None;
        }
        *open += 1;
        drop(clients);
        Some(ClientSeat(Arc::clone(self), client))
    }

    fn part(&self, client: IpAddr) -> std::sync::MutexGuard<'_, HashMap<IpAddr, usize>> {
        let bits = match client {
            IpAddr::V4(address) => u128::from(u32::from(address)),
            // The rest is the same for all (see `network`).
            IpAddr::V6(address) => u128::from(address) >> 64,
        };
        // Neighbours in the lower bits come to different parts.
        let part = &self.clients[(bits % PARTS as u128) as usize];
        part.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whose address it is: one of IPv6 stands for its /64, which is what one
/// subscriber has at least.
fn network(client: IpAddr) -> IpAddr {
    match client.to_canonical() {
        IpAddr::V4(address) => address.into(),
        IpAddr::V6(address) => {
            let bits = u128::from(address) >> 64 << 64;
            IpAddr::V6(bits.into())
        }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Drop for ClientSeat {
    fn drop(&mut self) {
        let Self(gate, client) = self;
        let mut clients = gate.part(*client);
        if let Some(open) = clients.get_mut(client) {
            *open -= 1;
            if *open == 0 {
                clients.remove(client);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(gate: &Gate) -> usize {
        let parts = gate.clients.iter();
        parts.map(|part| part.lock().expect("a lock").len()).sum()
    }

    #[test]
    fn there_are_so_many_seats_and_no_more() {
        let gate = Gate::new(2, 9);
        let (first, second) = (gate.enter(), gate.enter());
        assert!(first.is_some() && second.is_some());
        assert!(gate.enter().is_none() && gate.enter().is_none());
        drop(first);
        assert!(gate.enter().is_some());
    }

    #[test]
    fn each_client_has_its_own_and_nobody_is_remembered() {
        let gate = Gate::new(9, 2);
        let of = |client: &str| gate.enter_of(client.parse().expect("an address"));
        let seats = [
            of("192.0.2.1"),
            of("::ffff:192.0.2.1"),
            of("192.0.2.2"),
            of("2001:db8::1"),
            of("2001:db8::2"),
            of("2001:db8:0:1::1"),
        ];
        assert!(seats.iter().all(Option::is_some));
        assert!(of("192.0.2.1").is_none());
        assert!(of("2001:db8::3").is_none());
        assert_eq!(known(&gate), 4);
        drop(seats);
        assert_eq!(known(&gate), 0);
    }

    #[test]
    fn whoever_may_have_none_leaves_nothing_behind() {
        let gate = Gate::new(9, 1);
        let client = IpAddr::from([192, 0, 2, 1]);
        let seat = gate.enter_of(client);
        assert!(seat.is_some() && gate.enter_of(client).is_none());
        assert_eq!(known(&gate), 1);
    }
}
