//! Limits open connections and closes idle ones for new ones.
//!
//! An idle connection costs its client nothing. When every slot is taken, the longest idle connections of the address with the most idle
//! ones are closed, so that a client with very many connections loses only its own.

use std::{
    collections::HashMap,
    net::{IpAddr, SocketAddr},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use domain::{
    client_address::{ClientAddress, TrustedProxies},
    log_limit::{FAULT_LINES, LogLimit},
};
use tokio::{sync::Notify, time::sleep};
use tracing::Level;

/// The idle time below which a connection is never closed.
const MIN_IDLE: Duration = Duration::from_millis(250);
/// The pause before retrying if no connection can be closed.
const RETRY_INTERVAL: Duration = Duration::from_millis(20);
/// The part of the slots that is freed at once (1/100), because finding idle connections takes time.
const CLOSED_FRACTION: usize = 100;

static LINES: LogLimit = LogLimit::new("closed idle connections", Level::WARN, FAULT_LINES);

/// The slots of one listener.
pub(super) struct ConnectionSlots {
    capacity: usize,
    /// Trusted proxies, which share connections between clients: closed last.
    proxies: TrustedProxies,
    /// The start time of the listener.
    started: Instant,
    open: Mutex<Open>,
}

#[derive(Default)]
struct Open {
    next: u64,
    connections: HashMap<u64, Arc<Connection>>,
}

/// An open connection.
struct Connection {
    peer: IpAddr,
    is_proxy: bool,
    started: Instant,
    /// Idle since this time, in milliseconds since the listener started, plus one; 0 while a request is served.
    idle_since: AtomicU64,
    closed: Notify,
}

/// Milliseconds since `started`, plus one.
fn milliseconds_since(started: Instant) -> u64 {
    u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX - 1) + 1
}

/// The slot of one connection, freed on drop.
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

    /// Takes a slot for a connection from `peer`; closes idle connections if none is free.
    pub(super) async fn take(self: &Arc<Self>, peer: SocketAddr) -> Slot {
        loop {
            if let Some(slot) = self.try_take(peer.ip()) {
                return slot;
            }
            sleep(RETRY_INTERVAL).await;
        }
    }

    /// [`Self::take`] without waiting.
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

    /// Closes the longest idle connections of the address with the most idle ones; a trusted proxy's only without others.
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
        if LINES.admits_line() {
            tracing::warn!(
                %address,
                closed = waiting.len(),
                "connection limit reached: longest idle connections closed"
            );
        }
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

/// The network of one client: an IPv4 address, or an IPv6 /64.
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
    /// The idle clock of this connection.
    pub(super) fn idle_clock(&self) -> IdleClock {
        IdleClock(Arc::clone(&self.connection))
    }

    /// Completes when the connection must be closed.
    pub(super) async fn closed(&self) {
        self.connection.closed.notified().await;
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.slots.lock().connections.remove(&self.number);
    }
}

/// Records since when a connection is idle. Cheap to clone.
#[derive(Clone)]
pub(super) struct IdleClock(Arc<Connection>);

impl IdleClock {
    /// A request is being served.
    pub(super) fn stop(&self) {
        self.0.idle_since.store(0, Ordering::Relaxed);
    }

    /// Idle from now on.
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

    /// Makes a connection idle long enough to be closed, and `longer` milliseconds more.
    fn set_idle(slots: &ConnectionSlots, slot: &Slot, longer: u64) {
        let since = slots.now().saturating_sub(longer).max(1);
        slot.connection.idle_since.store(since, Ordering::Relaxed);
    }

    fn slots(capacity: usize) -> Arc<ConnectionSlots> {
        let mut slots = ConnectionSlots::new(capacity, "198.51.100.0/24".parse().unwrap());
        // In the past, so that connections can be idle since then.
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
