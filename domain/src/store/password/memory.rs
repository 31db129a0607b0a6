//! Memory for hashing: 19 MiB for each slot, reused for the next password.
//!
//! An allocator would give each hashing thread a new block and free the previous one later, which takes several times the memory, and the
//! system would clear thousands of pages for each password. The data left in a block reveals no more than the stored hash does.

use argon2::Block;
use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// Time after which an unused block is freed.
const KEPT: Duration = Duration::from_secs(60);

/// Unused blocks, each with the time of its last use; at most one for each slot.
#[derive(Clone, Default)]
pub(super) struct IdleMemory(Arc<Mutex<Vec<(Memory, Instant)>>>);

impl IdleMemory {
    /// The most recently used block, or a new one.
    pub(super) fn take(&self) -> Memory {
        let kept = self.lock().pop();
        kept.map_or_else(Memory::default, |(memory, _)| memory)
    }

    /// Returns a block for reuse.
    pub(super) fn put_back(&self, memory: Memory) {
        if !memory.0.is_empty() {
            self.lock().push((memory, Instant::now()));
        }
    }

    /// Frees blocks that were unused for a minute.
    pub(super) fn release(&self, now: Instant) {
        self.lock()
            .retain(|(_, used)| now.saturating_duration_since(*used) < KEPT);
    }

    /// Locks. A holder only pushes or pops, so a poisoned value is complete.
    fn lock(&self) -> MutexGuard<'_, Vec<(Memory, Instant)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for IdleMemory {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let blocks = self.lock().len();
        formatter.debug_tuple("IdleMemory").field(&blocks).finish()
    }
}

/// The memory for hashing one password at a time; empty before the first.
#[derive(Default)]
pub(crate) struct Memory(Vec<Block>);

impl Memory {
    /// The first `count` blocks of 1 KiB, with arbitrary contents.
    pub(super) fn blocks(&mut self, count: usize) -> &mut [Block] {
        // Reserves the exact size instead of doubling, because this is the largest allocation of the process.
        self.0.reserve_exact(count.saturating_sub(self.0.len()));
        self.0.resize(count, Block::new());
        &mut self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn p16_memory_goes_from_hand_to_hand_and_is_returned_after_a_minute() {
        let idle = IdleMemory::default();
        idle.put_back(Memory::default());
        assert_eq!(idle.lock().len(), 0, "nothing is nothing to keep");

        let mut memory = idle.take();
        let block = memory.blocks(8).as_ptr();
        idle.put_back(memory);
        let mut memory = idle.take();
        assert_eq!(memory.blocks(8).as_ptr(), block);
        assert_eq!(idle.lock().len(), 0);

        idle.put_back(memory);
        let used = Instant::now();
        idle.release(used);
        assert_eq!(idle.lock().len(), 1);
        idle.release(used + KEPT);
        assert_eq!(idle.lock().len(), 0);
    }
}
