//! Limits concurrent hashing: each hash takes 19 MiB and about 20 ms of a processor, and unauthenticated clients can request it.

use std::{
    sync::Arc,
    thread::available_parallelism,
    time::{Duration, Instant},
};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::timeout,
};

use super::memory::{IdleMemory, Memory};
use crate::Error;

/// Bounds the memory for hashing.
const MOST_SLOTS: usize = 4;
/// Maximum number of requests that wait for a slot; further ones are refused at once.
const QUEUE: usize = 64;

/// The slots of one open store; a server has one store.
#[derive(Debug)]
pub(crate) struct Slots {
    running: Arc<Semaphore>,
    /// One permit for each request that runs or waits.
    places: Arc<Semaphore>,
    /// Serialises the judging of new passwords. Separate from the slots, so that it cannot delay sign-ins.
    judging: Arc<Semaphore>,
    memory: IdleMemory,
}

impl Slots {
    /// One slot for every second processor, at most [`MOST_SLOTS`]: a flood of sign-ins leaves the other half to requests with a key.
    pub(crate) fn for_this_machine() -> Self {
        let processors = available_parallelism().map_or(1, usize::from);
        Self::new((processors / 2).clamp(1, MOST_SLOTS), QUEUE)
    }

    fn new(slots: usize, queue: usize) -> Self {
        Self {
            running: Arc::new(Semaphore::new(slots)),
            places: Arc::new(Semaphore::new(slots + queue)),
            judging: Arc::new(Semaphore::new(1)),
            memory: IdleMemory::default(),
        }
    }

    /// Waits at most `patience` for a slot. `None` if none becomes free, or if too many requests wait already.
    pub(crate) async fn acquire(&self, patience: Duration) -> Option<Slot> {
        let place = Arc::clone(&self.places).try_acquire_owned().ok()?;
        let running = timeout(patience, Arc::clone(&self.running).acquire_owned());
        Some(Slot {
            _running: running.await.ok()?.ok()?,
            _place: place,
            memory: self.memory.clone(),
        })
    }

    /// Runs `rules` off the async threads, one call at a time.
    ///
    /// # Errors
    /// [`Error::Unavailable`] if its turn does not come within `patience`.
    pub(crate) async fn judge<T: Send + 'static>(
        &self,
        patience: Duration,
        rules: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Error> {
        let turn = timeout(patience, Arc::clone(&self.judging).acquire_owned())
            .await
            .map_err(|elapsed| Error::Unavailable(Box::new(elapsed)))?
            .map_err(|error| Error::Internal(Box::new(error)))?;
        tokio::task::spawn_blocking(move || {
            let judged = rules();
            drop(turn);
            judged
        })
        .await
        .map_err(|error| Error::Internal(Box::new(error)))
    }

    /// Frees memory that was unused for a minute.
    pub(crate) fn release_memory(&self) {
        self.memory.release(Instant::now());
    }
}

/// The permit to hash one password.
pub(crate) struct Slot {
    _running: OwnedSemaphorePermit,
    _place: OwnedSemaphorePermit,
    memory: IdleMemory,
}

impl Slot {
    /// Runs `work` off the async threads with memory for hashing. The slot becomes free when `work` ends, even if the caller was cancelled.
    pub(crate) async fn run<T: Send + 'static>(
        self,
        work: impl FnOnce(&mut Memory) -> T + Send + 'static,
    ) -> Result<T, Error> {
        tokio::task::spawn_blocking(move || {
            // Moves the whole slot into the closure; otherwise the closure would capture only the fields that it uses.
            let slot = self;
            let mut memory = slot.memory.take();
            let done = work(&mut memory);
            // Returns the memory before the slot becomes free, so that there are never more blocks than slots.
            slot.memory.put_back(memory);
            done
        })
        .await
        .map_err(|error| Error::Internal(Box::new(error)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    const SHORT: Duration = Duration::from_millis(20);
    const LONG: Duration = Duration::from_secs(60);

    #[tokio::test]
    async fn p16_no_more_run_than_there_are_slots_and_no_more_wait_than_there_are_places() {
        let slots = Arc::new(Slots::new(1, 1));
        let running = slots.acquire(LONG).await.unwrap();
        assert!(slots.acquire(SHORT).await.is_none(), "it waited in vain");

        let waiting = tokio::spawn({
            let slots = Arc::clone(&slots);
            async move { slots.acquire(LONG).await.is_some() }
        });
        while slots.places.available_permits() > 0 {
            tokio::task::yield_now().await;
        }
        assert!(slots.acquire(LONG).await.is_none(), "the queue is full");

        drop(running);
        assert!(waiting.await.unwrap(), "the one that waited has its turn");
    }

    #[tokio::test]
    async fn p16_the_slot_of_a_caller_who_went_away_is_taken_until_the_work_ends() {
        let slots = Slots::new(1, 1);
        let (finish, finished) = mpsc::channel::<()>();
        let slot = slots.acquire(LONG).await.unwrap();
        let caller = tokio::spawn(slot.run(move |_| {
            let _ = finished.recv();
        }));
        tokio::task::yield_now().await;
        caller.abort();
        assert!(caller.await.is_err());
        assert!(slots.acquire(SHORT).await.is_none());

        finish.send(()).unwrap();
        assert!(slots.acquire(LONG).await.is_some());
    }
}
