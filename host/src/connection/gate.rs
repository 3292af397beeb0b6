//! How many connections a listener has, in all and from each client.
//!
//! Counted when one opens and when it ends, and never in between. The table of
//! clients has an entry for each that has a connection, and so is bounded as
//! they are.
//!
//! Who has flooded gets no connection for a while: else it would come again as
//! often as it is thrown out, and each time costs as much as a flood may take to
//! be one.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use crate::observe::Refused;

/// Parts of the table, so that workers rarely wait for each other.
const PARTS: usize = 16;

/// Clients of a part that are kept out at the same time. Of more the rest is let in.
const KEPT_OUT: usize = 4 << 10;

/// The connections of one listener, over all workers.
#[derive(Debug)]
pub(super) struct Gate {
    open: AtomicUsize,
    most: usize,
    most_each: usize,
    clients: [Mutex<Clients>; PARTS],
}

/// A part of what is known of clients.
#[derive(Debug, Default)]
struct Clients {
    /// How many connections each has.
    open: HashMap<IpAddr, usize>,
    /// Until when each that has flooded gets none.
    out: HashMap<IpAddr, Instant>,
}

impl Clients {
    /// True if a client gets no connection for now.
    fn is_out(&mut self, client: IpAddr) -> bool {
        let Some(until) = self.out.get(&client) else {
            return false;
        };
        let out = Instant::now() < *until;
        if !out {
            self.out.remove(&client);
        }
        out
    }
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

    /// Takes one more of a client's, or says why it gets none.
    pub(super) fn enter_of(self: &Arc<Self>, client: IpAddr) -> Result<ClientSeat, Refused> {
        let client = network(client);
        let mut clients = self.part(client);
        if clients.is_out(client) {
            return Err(Refused::Penalty);
        }
        let open = clients.open.entry(client).or_default();
        if *open >= self.most_each {
            return Err(Refused::ClientConnections);
        }
        *open += 1;
        drop(clients);
        Ok(ClientSeat(Arc::clone(self), client))
    }

    fn part(&self, client: IpAddr) -> MutexGuard<'_, Clients> {
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

impl ClientSeat {
    /// Gives the client no other for a while. Those that it has stay.
    pub(super) fn keep_out(&self, time: Duration) {
        let Self(gate, client) = self;
        let now = Instant::now();
        let out = &mut gate.part(*client).out;
        if out.len() >= KEPT_OUT {
            out.retain(|_, until| now < *until);
        }
        if out.len() < KEPT_OUT && !time.is_zero() {
            out.insert(*client, now + time);
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
        if let Some(open) = clients.open.get_mut(client) {
            *open -= 1;
            if *open == 0 {
                clients.open.remove(client);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(gate: &Gate) -> usize {
        let parts = gate.clients.iter();
        parts
            .map(|part| part.lock().expect("a lock").open.len())
            .sum()
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
        assert!(seats.iter().all(Result::is_ok));
        let full = Err(Refused::ClientConnections);
        assert_eq!(of("192.0.2.1").map(drop), full);
        assert_eq!(of("2001:db8::3").map(drop), full);
        assert_eq!(known(&gate), 4);
        drop(seats);
        assert_eq!(known(&gate), 0);
    }

    #[test]
    fn whoever_may_have_none_leaves_nothing_behind() {
        let gate = Gate::new(9, 1);
        let client = IpAddr::from([192, 0, 2, 1]);
        let seat = gate.enter_of(client);
        assert!(seat.is_ok() && gate.enter_of(client).is_err());
        assert_eq!(known(&gate), 1);
    }

    #[test]
    fn who_is_kept_out_comes_in_again_and_nobody_else_waits() {
        const LONG: Duration = Duration::from_secs(60);
        let gate = Gate::new(9, 9);
        let of = |client: &str| gate.enter_of(client.parse().expect("an address"));
        let seat = of("2001:db8::1").expect("a seat");
        seat.keep_out(Duration::ZERO);
        assert!(of("2001:db8::1").is_ok());
        seat.keep_out(LONG);
        assert_eq!(of("2001:db8::2").map(drop), Err(Refused::Penalty));
        assert!(of("2001:db8:0:1::1").is_ok());
        seat.keep_out(Duration::from_nanos(1));
        assert!(of("2001:db8::2").is_ok());
    }

    #[test]
    fn so_many_are_kept_out_and_no_more() {
        const LONG: Duration = Duration::from_secs(60);
        let gate = Gate::new(9, 9);
        let flooded = |number: u32, time| {
            // All of one part.
            let client = IpAddr::from((number * PARTS as u32).to_be_bytes());
            gate.enter_of(client).map(|seat| seat.keep_out(time))
        };
        for number in 0..2 * KEPT_OUT as u32 {
            assert!(flooded(number, LONG).is_ok());
        }
        let out = |gate: &Gate| gate.clients[0].lock().expect("a lock").out.len();
        assert_eq!(out(&gate), KEPT_OUT);
        for until in gate.clients[0].lock().expect("a lock").out.values_mut() {
            *until = Instant::now();
        }
        let late = 3 * KEPT_OUT as u32;
        assert!(flooded(late, LONG).is_ok() && flooded(late, LONG).is_err());
        assert_eq!(out(&gate), 1);
    }
}
