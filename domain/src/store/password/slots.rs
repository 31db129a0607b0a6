//! Limits concurrent hashing: each hash takes 19 MiB and a processor for about 20 ms, and unauthenticated clients can request it.

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

/// More would take memory.
const MOST_SLOTS: usize = 4;
/// Most requests that wait for a slot; further ones are refused at once.
const QUEUE: usize = 64;

/// The slots of one open store, of which a server has one.
#[derive(Debug)]
pub(crate) struct Slots {
    running: Arc<Semaphore>,
    /// Those that run and those that wait.
    places: Arc<Semaphore>,
    /// Of new passwords that are held against the rules: one at a time, and beside the slots, which sign-ins need.
    judging: Arc<Semaphore>,
    memory: IdleMemory,
}

impl Slots {
    /// One for every second processor, up to [`MOST_SLOTS`]: a flood of sign-ins leaves the other half to requests with a key.
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

    /// Waits for a slot for at most `patience`; `None` where there is none by then, or too many wait already.
    pub(crate) async fn acquire(&self, patience: Duration) -> Option<Slot> {
        let place = Arc::clone(&self.places).try_acquire_owned().ok()?;
        let running = timeout(patience, Arc::clone(&self.running).acquire_owned());
        Some(Slot {
            _running: running.await.ok()?.ok()?,
            _place: place,
            memory: self.memory.clone(),
        })
    }

    /// Runs `rules` off the async threads, one at a time.
    ///
    /// # Errors
    /// [`Error::Unavailable`] where it does not come to that within `patience`.
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

    /// Frees memory that was not used for a minute.
    pub(crate) fn release_memory(&self) {
        self.memory.release(Instant::now());
    }
}

/// Permission to hash one password.
pub(crate) struct Slot {
    _running: OwnedSemaphorePermit,
    _place: OwnedSemaphorePermit,
    memory: IdleMemory,
}

impl Slot {
    /// Runs `work` off the async threads, with memory to hash in. The slot is free again when the work has ended, also where nobody waits
    /// for it any more.
    pub(crate) async fn run<T: Send + 'static>(
        self,
        work: impl FnOnce(&mut Memory) -> T + Send + 'static,
    ) -> Result<T, Error> {
        tokio::task::spawn_blocking(move || {
            // All of it moves in here, and not only what is used.
            let slot = self;
            let mut memory = slot.memory.take();
            let done = work(&mut memory);
            // Before the slot is free, so that there is never a block more than there are slots.
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
