//! How many connections are open at once, and which of them makes room for a new one.
//!
//! A connection costs its client nothing while it idle: for the head of a request, for a body that does not come, or for a client that
//! does not hang up after its answer. So where every slot is taken, the ones that have waited longest are closed, of the address that
//! has most of them. Whoever holds very many open takes them from nobody but themselves.

use std::{
    collections::HashMap,
    net::{IpAddr, SocketAddr},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use domain::client_address::{ClientAddress, TrustedProxies};
use tokio::{sync::Notify, time::sleep};

/// How long a connection may wait whatever happens: a client that means it sends its request at once.
const MIN_IDLE: Duration = Duration::from_millis(250);
/// How long to wait where no connection can be closed for a new one.
const RETRY_INTERVAL: Duration = Duration::from_millis(20);
/// What part of the slots is made free at once: looking for them takes time.
const CLOSED_FRACTION: usize = 100;

/// The slots of one listener.
pub(super) struct ConnectionSlots {
    capacity: usize,
    /// They carry the connections of many clients: theirs are closed last.
    proxies: TrustedProxies,
    /// When the listener began.
    started: Instant,
    open: Mutex<Open>,
}

#[derive(Default)]
struct Open {
    next: u64,
    connections: HashMap<u64, Arc<Connection>>,
}

/// A connection among the others.
struct Connection {
    peer: IpAddr,
    is_proxy: bool,
    started: Instant,
    /// Since when it idle for its client, in milliseconds since the listener began, plus one; 0 while the server works for it.
    idle_since: AtomicU64,
    closed: Notify,
}

/// Milliseconds since then, plus one.
fn milliseconds_since(started: Instant) -> u64 {
    u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX - 1) + 1
}

/// The slot of one connection, free again when this is dropped.
pub(super) struct Slot {
    slots: Arc<ConnectionSlots>,
    number: u64,
    connection: Arc<Connection>,
}

impl ConnectionSlots {
    pub(super) fn new(capacity: usize, proxies: TrustedProxies) -> Arc<Self> {
        Arc::new(Self {
            capacity,
            proxies,
            started: Instant::now(),
            open: Mutex::default(),
        })
    }

    /// Takes a slot for a connection from `peer`. Where there is none, the connections that have waited longest are closed.
    pub(super) async fn take(self: &Arc<Self>, peer: SocketAddr) -> Slot {
        loop {
            if let Some(slot) = self.try_take(peer.ip()) {
                return slot;
            }
            sleep(RETRY_INTERVAL).await;
        }
    }

    /// [`Self::take`], where there is a slot at once.
    pub(super) fn try_take(self: &Arc<Self>, peer: IpAddr) -> Option<Slot> {
        let mut open = self.lock();
        if open.connections.len() >= self.capacity {
            self.close_longest_idle(&mut open);
        }
        if open.connections.len() >= self.capacity {
            return None;
        }
        let connection = Arc::new(Connection {
            peer: client_network(peer),
            is_proxy: self.proxies.contains(peer),
            started: self.started,
            idle_since: AtomicU64::new(self.now()),
            closed: Notify::new(),
        });
        let number = open.next;
        open.next += 1;
        open.connections.insert(number, Arc::clone(&connection));
        Some(Slot {
            slots: Arc::clone(self),
            number,
            connection,
        })
    }

    /// Closes those that have waited longest, of the address that has most that wait; a trusted proxy's only where there are no others.
    fn close_longest_idle(&self, open: &mut Open) {
        let before = self
            .now()
            .saturating_sub(u64::try_from(MIN_IDLE.as_millis()).unwrap_or(u64::MAX));
        let mut by_address: HashMap<(bool, IpAddr), Vec<(u64, u64)>> = HashMap::new();
        for (number, connection) in &open.connections {
            let since = connection.idle_since.load(Ordering::Relaxed);
            if since != 0 && since <= before {
                let address = (connection.is_proxy, connection.peer);
                let waiting = by_address.entry(address).or_default();
                waiting.push((since, *number));
            }
        }
        let most = by_address
            .into_iter()
            .max_by_key(|((is_proxy, _), waiting)| (!is_proxy, waiting.len()));
        let Some(((_, address), mut waiting)) = most else {
            return;
        };
        waiting.sort_unstable();
        waiting.truncate((self.capacity / CLOSED_FRACTION).max(1));
        tracing::warn!(
            %address,
            closed = waiting.len(),
            "every connection is taken: those that have waited longest are closed"
        );
        for (_, number) in waiting {
            if let Some(connection) = open.connections.remove(&number) {
                connection.closed.notify_one();
            }
        }
    }

    fn now(&self) -> u64 {
        milliseconds_since(self.started)
    }

    fn lock(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whom an address belongs to: of IPv6, a network of 64 bits is one client's.
fn client_network(peer: IpAddr) -> IpAddr {
    match ClientAddress::known(peer).ip().unwrap_or(peer) {
        IpAddr::V6(address) => {
            let network = u128::from(address) >> 64 << 64;
            IpAddr::V6(network.into())
        }
        address => address,
    }
}

impl Slot {
    /// What says of this connection whether it idle.
    pub(super) fn idle_clock(&self) -> IdleClock {
        IdleClock(Arc::clone(&self.connection))
    }

    /// Returns when the connection has to be closed.
    pub(super) async fn closed(&self) {
        self.connection.closed.notified().await;
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.slots.lock().connections.remove(&self.number);
    }
}

/// Whether a connection idle for its client. Cheap to clone.
#[derive(Clone)]
pub(super) struct IdleClock(Arc<Connection>);

impl IdleClock {
    /// The server works for it.
    pub(super) fn stop(&self) {
        self.0.idle_since.store(0, Ordering::Relaxed);
    }

    /// It idle from now on.
    pub(super) fn start(&self) {
        let now = milliseconds_since(self.0.started);
        self.0.idle_since.store(now, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: SocketAddr = SocketAddr::new(IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1)), 1);
    const OTHER: SocketAddr = SocketAddr::new(IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 2)), 1);
    const PROXY: SocketAddr =
        SocketAddr::new(IpAddr::V4(std::net::Ipv4Addr::new(198, 51, 100, 1)), 1);

    /// As if it had waited for so long that it may be closed, and for `longer` milliseconds more.
    fn set_idle(slots: &ConnectionSlots, slot: &Slot, longer: u64) {
        let since = slots.now().saturating_sub(longer).max(1);
        slot.connection.idle_since.store(since, Ordering::Relaxed);
    }

    fn slots(capacity: usize) -> Arc<ConnectionSlots> {
        let mut slots = ConnectionSlots::new(capacity, "198.51.100.0/24".parse().unwrap());
        // Some time ago, so that something may have waited.
        Arc::get_mut(&mut slots).unwrap().started =
            Instant::now().checked_sub(Duration::from_secs(60)).unwrap();
        slots
    }

    fn is_closed(slot: &Slot) -> bool {
        !slot.slots.lock().connections.contains_key(&slot.number)
    }

    #[tokio::test]
    async fn p75_the_longest_idle_connection_of_the_address_with_most_is_closed() {
        let slots = slots(4);
        let first = slots.take(ONE).await;
        let second = slots.take(ONE).await;
        let other = slots.take(OTHER).await;
        let proxy = slots.take(PROXY).await;
        set_idle(&slots, &first, 1_000);
        set_idle(&slots, &second, 2_000);
        set_idle(&slots, &other, 3_000);
        set_idle(&slots, &proxy, 4_000);
        let newest = slots.take(OTHER).await;
        second.closed().await;
        for (slot, expected) in [
            (&first, false),
            (&second, true),
            (&other, false),
            (&proxy, false),
            (&newest, false),
        ] {
            assert_eq!(is_closed(slot), expected);
        }
    }

    #[tokio::test]
    async fn p75_a_busy_connection_is_kept_and_a_proxys_is_closed_last() {
        let slots = slots(2);
        let working = slots.take(ONE).await;
        let proxy = slots.take(PROXY).await;
        working.idle_clock().stop();
        assert!(slots.try_take(OTHER.ip()).is_none(), "neither has waited");
        set_idle(&slots, &proxy, 1_000);
        let next = slots.take(OTHER).await;
        assert!(is_closed(&proxy) && !is_closed(&working) && !is_closed(&next));
        drop(working);
        drop(slots.take(ONE).await);
        assert_eq!(slots.lock().connections.len(), 1, "what is dropped is free");
    }
}
