//! Limits on concurrent work for each key, such as a tenant, so that no key starves the others.

use std::{
    collections::HashMap,
    fmt,
    hash::Hash,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::timeout,
};

/// Limits on running and waiting work for each key.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Maximum number of calls that run at once.
    pub at_once: usize,
    /// Maximum number of calls that wait; further ones are refused at once.
    pub queue: usize,
    /// Maximum time that a call waits.
    pub patience: Duration,
}

/// The shares of all keys. A key without running or waiting work takes no memory.
pub struct FairShares<Key> {
    bounds: Bounds,
    shares: Arc<Shares<Key>>,
}

type Shares<Key> = Mutex<HashMap<Key, Share>>;

struct Share {
    /// Number of running and waiting calls.
    entered: usize,
    running: Arc<Semaphore>,
}

impl<Key: Clone + Eq + Hash> FairShares<Key> {
    /// Shares with these bounds for each key.
    #[must_use]
    pub fn new(bounds: Bounds) -> Self {
        Self {
            bounds,
            shares: Arc::default(),
        }
    }

    /// Waits for a turn of `key`. `None` if too many calls wait or the wait exceeds the bound.
    pub async fn enter(&self, key: Key) -> Option<Turn<Key>> {
        let (place, running) = self.queue(key)?;
        let running = timeout(self.bounds.patience, running.acquire_owned()).await;
        Some(Turn {
            _running: running.ok()?.ok()?,
            _place: place,
        })
    }

    fn queue(&self, key: Key) -> Option<(Place<Key>, Arc<Semaphore>)> {
        let Bounds { at_once, queue, .. } = self.bounds;
        let mut shares = self.shares.lock().unwrap_or_else(PoisonError::into_inner);
        let share = shares.entry(key.clone()).or_insert_with(|| Share {
            entered: 0,
            running: Arc::new(Semaphore::new(at_once)),
        });
        if share.entered >= at_once + queue {
            return None;
        }
        share.entered += 1;
        let place = Place {
            shares: Arc::clone(&self.shares),
            key,
        };
        Some((place, Arc::clone(&share.running)))
    }
}

impl<Key> fmt::Debug for FairShares<Key> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("FairShares")
            .field("bounds", &self.bounds)
            .finish_non_exhaustive()
    }
}

/// A permit to run, held until it is dropped.
pub struct Turn<Key: Eq + Hash> {
    _running: OwnedSemaphorePermit,
    _place: Place<Key>,
}

/// One of the running and waiting calls.
struct Place<Key: Eq + Hash> {
    shares: Arc<Shares<Key>>,
    key: Key,
}

impl<Key: Eq + Hash> Drop for Place<Key> {
    fn drop(&mut self) {
        let mut shares = self.shares.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(share) = shares.get_mut(&self.key) {
            share.entered -= 1;
            if share.entered == 0 {
                shares.remove(&self.key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUNDS: Bounds = Bounds {
        at_once: 2,
        queue: 1,
        patience: Duration::from_secs(60),
    };

    fn kept(shares: &FairShares<&str>) -> usize {
        shares.shares.lock().unwrap().len()
    }

    #[tokio::test]
    async fn p72_one_key_is_bounded_and_another_does_not_notice() {
        let shares = Arc::new(FairShares::new(BOUNDS));
        let first = shares.enter("acme").await.unwrap();
        let _second = shares.enter("acme").await.unwrap();
        let waiting = tokio::spawn({
            let shares = Arc::clone(&shares);
            async move { shares.enter("acme").await.is_some() }
        });
        while shares.shares.lock().unwrap()["acme"].entered < 3 {
            tokio::task::yield_now().await;
        }
        assert!(shares.enter("acme").await.is_none(), "the queue is full");
        assert!(shares.enter("globex").await.is_some());
        drop(first);
        assert!(waiting.await.unwrap(), "the one that waited has its turn");
    }

    #[tokio::test]
    async fn p72_nothing_is_kept_of_a_key_of_which_nothing_runs() {
        let shares = FairShares::new(Bounds {
            patience: Duration::ZERO,
            ..BOUNDS
        });
        let turns = (shares.enter("acme").await, shares.enter("acme").await);
        assert!(turns.0.is_some() && turns.1.is_some());
        assert!(shares.enter("acme").await.is_none(), "it waited in vain");
        assert_eq!(kept(&shares), 1);
        drop(turns);
        assert_eq!(kept(&shares), 0);
    }
}
