//! How many connections are open at once, and which of them makes room for a new one.
//!
//! A connection costs its client nothing while it waits: for the head of a request, for a body that does not come, or for a client that
//! does not hang up after its answer. So where every place is taken, the ones that have waited longest are closed, of the address that
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
const UNDISTURBED: Duration = Duration::from_millis(250);
/// How long to wait where no connection can be closed for a new one.
const PAUSE: Duration = Duration::from_millis(20);
/// What part of the places is made free at once: looking for them takes time.
const PART: usize = 100;

/// The places of one listener.
pub(super) struct Places {
    most: usize,
    /// They carry the connections of many clients: theirs are closed last.
    proxies: TrustedProxies,
    /// When the listener began.
    begun: Instant,
    open: Mutex<Open>,
}

#[derive(Default)]
struct Open {
    next: u64,
    connections: HashMap<u64, Arc<Presence>>,
}

/// A connection among the others.
struct Presence {
    peer: IpAddr,
    is_proxy: bool,
    begun: Instant,
    /// Since when it waits for its client, in milliseconds since the listener began, plus one; 0 while the server works for it.
    waiting_since: AtomicU64,
    closed: Notify,
}

/// Milliseconds since then, plus one.
fn milliseconds_since(begun: Instant) -> u64 {
    u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX - 1) + 1
}

/// The place of one connection, free again when this is dropped.
pub(super) struct Place {
    places: Arc<Places>,
    number: u64,
    presence: Arc<Presence>,
}

impl Places {
    pub(super) fn new(most: usize, proxies: TrustedProxies) -> Arc<Self> {
        Arc::new(Self {
            most,
            proxies,
            begun: Instant::now(),
            open: Mutex::default(),
        })
    }

    /// Takes a place for a connection from `peer`. Where there is none, the connections that have waited longest are closed.
    pub(super) async fn take(self: &Arc<Self>, peer: SocketAddr) -> Place {
        loop {
            if let Some(place) = self.try_take(peer.ip()) {
                return place;
            }
            sleep(PAUSE).await;
        }
    }

    /// [`Self::take`], where there is a place at once.
    pub(super) fn try_take(self: &Arc<Self>, peer: IpAddr) -> Option<Place> {
        let mut open = self.lock();
        if open.connections.len() >= self.most {
            self.close_some(&mut open);
        }
        if open.connections.len() >= self.most {
            return None;
        }
        let presence = Arc::new(Presence {
            peer: client_of(peer),
            is_proxy: self.proxies.contains(peer),
            begun: self.begun,
            waiting_since: AtomicU64::new(self.now()),
            closed: Notify::new(),
        });
        let number = open.next;
        open.next += 1;
        open.connections.insert(number, Arc::clone(&presence));
        Some(Place {
            places: Arc::clone(self),
            number,
            presence,
        })
    }

    /// Closes those that have waited longest, of the address that has most that wait; a trusted proxy's only where there are no others.
    fn close_some(&self, open: &mut Open) {
        let before = self
            .now()
            .saturating_sub(u64::try_from(UNDISTURBED.as_millis()).unwrap_or(u64::MAX));
        let mut by_address: HashMap<(bool, IpAddr), Vec<(u64, u64)>> = HashMap::new();
        for (number, presence) in &open.connections {
            let since = presence.waiting_since.load(Ordering::Relaxed);
            if since != 0 && since <= before {
                let address = (presence.is_proxy, presence.peer);
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
        waiting.truncate((self.most / PART).max(1));
        tracing::warn!(
            %address,
            closed = waiting.len(),
            "every connection is taken: those that have waited longest are closed"
        );
        for (_, number) in waiting {
            if let Some(presence) = open.connections.remove(&number) {
                presence.closed.notify_one();
            }
        }
    }

    fn now(&self) -> u64 {
        milliseconds_since(self.begun)
    }

    fn lock(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whom an address belongs to: of IPv6, a network of 64 bits is one client's.
fn client_of(peer: IpAddr) -> IpAddr {
    match ClientAddress::known(peer).ip().unwrap_or(peer) {
        IpAddr::V6(address) => {
            let network = u128::from(address) >> 64 << 64;
            IpAddr::V6(network.into())
        }
        address => address,
    }
}

impl Place {
    /// What says of this connection whether it waits.
    pub(super) fn waits(&self) -> Waits {
        Waits(Arc::clone(&self.presence))
    }

    /// Returns when the connection has to be closed.
    pub(super) async fn closed(&self) {
        self.presence.closed.notified().await;
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.places.lock().connections.remove(&self.number);
    }
}

/// Whether a connection waits for its client. Cheap to clone.
#[derive(Clone)]
pub(super) struct Waits(Arc<Presence>);

impl Waits {
    /// The server works for it.
    pub(super) fn end(&self) {
        self.0.waiting_since.store(0, Ordering::Relaxed);
    }

    /// It waits from now on.
    pub(super) fn begin(&self) {
        let now = milliseconds_since(self.0.begun);
        self.0.waiting_since.store(now, Ordering::Relaxed);
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
    fn wait_for_long(places: &Places, place: &Place, longer: u64) {
        let since = places.now().saturating_sub(longer).max(1);
        place.presence.waiting_since.store(since, Ordering::Relaxed);
    }

    fn places(most: usize) -> Arc<Places> {
        let mut places = Places::new(most, "198.51.100.0/24".parse().unwrap());
        // Some time ago, so that something may have waited.
        Arc::get_mut(&mut places).unwrap().begun =
            Instant::now().checked_sub(Duration::from_secs(60)).unwrap();
        places
    }

    fn is_closed(place: &Place) -> bool {
        !place.places.lock().connections.contains_key(&place.number)
    }

    #[tokio::test]
    async fn p75_the_one_that_has_waited_longest_of_the_address_with_most_makes_room() {
        let places = places(4);
        let first = places.take(ONE).await;
        let second = places.take(ONE).await;
        let other = places.take(OTHER).await;
        let proxy = places.take(PROXY).await;
        wait_for_long(&places, &first, 1_000);
        wait_for_long(&places, &second, 2_000);
        wait_for_long(&places, &other, 3_000);
        wait_for_long(&places, &proxy, 4_000);
        let newest = places.take(OTHER).await;
        second.closed().await;
        for (place, expected) in [
            (&first, false),
            (&second, true),
            (&other, false),
            (&proxy, false),
            (&newest, false),
        ] {
            assert_eq!(is_closed(place), expected);
        }
    }

    #[tokio::test]
    async fn p75_one_that_the_server_works_for_is_not_closed_and_a_proxys_is_the_last() {
        let places = places(2);
        let working = places.take(ONE).await;
        let proxy = places.take(PROXY).await;
        working.waits().end();
        assert!(places.try_take(OTHER.ip()).is_none(), "neither has waited");
        wait_for_long(&places, &proxy, 1_000);
        let next = places.take(OTHER).await;
        assert!(is_closed(&proxy) && !is_closed(&working) && !is_closed(&next));
        drop(working);
        drop(places.take(ONE).await);
        assert_eq!(
            places.lock().connections.len(),
            1,
            "what is dropped is free"
        );
    }
}
