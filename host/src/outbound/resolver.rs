//! Names to addresses, for one thread: off it, one look-up of a name at a time,
//! and kept for a short while.

use std::{
    cell::RefCell,
    collections::HashMap,
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs, UdpSocket},
    rc::Rc,
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::{
    sync::{OnceCell, Semaphore},
    task::spawn_blocking,
};

use super::Error;

/// How long what was found counts, and how long that nothing was.
const FRESH: Duration = Duration::from_secs(30);
const FRESH_FAILURE: Duration = Duration::from_secs(2);

/// Names that are known at once.
const NAMES: usize = 1_024;

/// Look-ups at once: each takes a thread, for as long as the name servers let it.
const LOOKUPS: usize = 32;

/// Addresses of one name that are looked at.
const ADDRESSES: usize = 16;

/// One thread's view of the names of the world.
pub(super) struct Resolver {
    known: RefCell<HashMap<Box<str>, Known>>,
    lookups: Arc<Semaphore>,
    look_up: LookUp,
}

type Found = Result<Rc<[IpAddr]>, Error>;
type LookUp = fn(&str) -> io::Result<Vec<IpAddr>>;

struct Known {
    found: Rc<OnceCell<Found>>,
    until: Instant,
}

impl Resolver {
    pub(super) fn new() -> Self {
        Self::with(system)
    }

    fn with(look_up: LookUp) -> Self {
        Self {
            known: RefCell::default(),
            lookups: Arc::new(Semaphore::new(LOOKUPS)),
            look_up,
        }
    }

    /// The addresses of a name, at least one. Cancel safe: whoever else wants to
    /// know goes on.
    pub(super) async fn resolve(&self, name: &str) -> Found {
        let cell = self.cell(name, Instant::now());
        let found = cell.get_or_init(|| self.ask(name)).await.clone();
        if found.is_err() {
            self.shorten(name, &cell);
        }
        found
    }

    /// Where the answer for a name is, or will be.
    fn cell(&self, name: &str, now: Instant) -> Rc<OnceCell<Found>> {
        let mut known = self.known.borrow_mut();
        if let Some(known) = known.get(name).filter(|known| known.until > now) {
            return Rc::clone(&known.found);
        }
        if known.len() >= NAMES {
            known.retain(|_, known| known.until > now);
        }
        // Still full of fresh ones: whoever asks for that many names pays for it.
        if known.len() >= NAMES {
            known.clear();
        }
        let found = Rc::new(OnceCell::new());
        let until = now + FRESH;
        known.insert(
            name.into(),
            Known {
                found: Rc::clone(&found),
                until,
            },
        );
        found
    }

    /// Forgets a failure sooner.
    fn shorten(&self, name: &str, of: &Rc<OnceCell<Found>>) {
        let until = Instant::now() + FRESH_FAILURE;
        if let Some(known) = self.known.borrow_mut().get_mut(name)
            && Rc::ptr_eq(&known.found, of)
        {
            known.until = known.until.min(until);
        }
    }

    async fn ask(&self, name: &str) -> Found {
        let lookups = Arc::clone(&self.lookups);
        let room = lookups.acquire_owned().await.map_err(|_| Error::Resolve)?;
        let (name, look_up) = (name.to_owned(), self.look_up);
        let looked_up = spawn_blocking(move || {
            // Held as long as the thread is, whoever may have left meanwhile.
            let _room = room;
            look_up(&name)
        });
        match looked_up.await {
            Ok(Ok(addresses)) if !addresses.is_empty() => Ok(addresses.into()),
            Ok(_) | Err(_) => Err(Error::Resolve),
        }
    }
}

/// What the system says: its files, its name servers. Blocks.
fn system(name: &str) -> io::Result<Vec<IpAddr>> {
    let mut addresses = Vec::new();
    for address in (name, 0).to_socket_addrs()? {
        if !addresses.contains(&address.ip()) {
            addresses.push(address.ip());
        }
    }
    // All are held against the policy, so that none is left out unseen.
    match addresses.len() {
        0..=ADDRESSES => Ok(addresses),
        _ => Err(io::Error::other("the name has too many addresses")),
    }
}

/// Whether an address is one of this machine: what is sent there would come
/// from there. Asks the routing table; nothing is sent.
pub(super) fn is_here(address: IpAddr) -> bool {
    let any: IpAddr = match address {
        IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let from = UdpSocket::bind((any, 0)).and_then(|socket| {
        // Any port will do.
        socket.connect(SocketAddr::new(address, 9))?;
        socket.local_addr()
    });
    from.is_ok_and(|from| from.ip() == address)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

    use super::*;

    fn run(test: impl Future<Output = ()>) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        runtime.expect("a runtime").block_on(test);
    }

    #[test]
    fn a_name_is_looked_up_once_however_many_ask() {
        static ASKED: AtomicUsize = AtomicUsize::new(0);
        run(async {
            let resolver = Resolver::with(|name| {
                ASKED.fetch_add(1, SeqCst);
                match name {
                    "a" => Ok(vec![IpAddr::from([1, 2, 3, 4])]),
                    _ => Ok(vec![]),
                }
            });
            let (one, other) = tokio::join!(resolver.resolve("a"), resolver.resolve("a"));
            assert_eq!(one, other);
            assert_eq!(
                resolver.resolve("a").await,
                Ok([IpAddr::from([1, 2, 3, 4])].into())
            );
            assert_eq!(ASKED.load(SeqCst), 1);
            assert_eq!(resolver.resolve("b").await, Err(Error::Resolve));
            assert_eq!(resolver.resolve("b").await, Err(Error::Resolve));
            assert_eq!(ASKED.load(SeqCst), 2);
            // What was found is asked for again after a while, a failure sooner.
            let later = |name, after| {
                let before = resolver.known.borrow()[name].found.clone();
                !Rc::ptr_eq(&before, &resolver.cell(name, Instant::now() + after))
            };
            assert!(!later("a", FRESH_FAILURE) && later("b", FRESH_FAILURE));
            assert!(later("a", FRESH));
        });
    }

    #[test]
    fn names_that_are_known_are_bounded_and_one_who_leaves_takes_nothing_along() {
        run(async {
            let resolver = Resolver::with(|_| Ok(vec![IpAddr::from([1, 2, 3, 4])]));
            for index in 0..3 * NAMES {
                resolver.cell(&index.to_string(), Instant::now());
                assert!(resolver.known.borrow().len() <= NAMES);
            }
            let left = Box::pin(resolver.resolve("a"));
            drop(left);
            assert!(resolver.resolve("a").await.is_ok());
        });
    }

    #[test]
    fn this_machine_knows_its_own_addresses() {
        for (address, here) in [
            ("127.0.0.1", true),
            ("127.0.0.9", true),
            ("192.0.2.1", false),
            ("2001:db8::1", false),
        ] {
            let address: IpAddr = address.parse().expect("an address");
            // 127.0.0.9 is sent to from 127.0.0.1; the policy knows all of that block.
            let expected = here && address != IpAddr::from([127, 0, 0, 9]);
            assert_eq!(is_here(address), expected, "{address}");
        }
    }
}
