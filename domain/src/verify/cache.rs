//! The keys that requests present again and again, kept in memory: found by the digest of their secret, ready to be judged.
//!
//! Only keys that there are stand in here, so that secrets which somebody makes up take no room in it. What stands in here is not
//! believed: each use asks whether it still holds (`store/invalidation.rs`).

use quick_cache::{Weighter, sync::Cache};
use std::{
    hash::{BuildHasher, Hasher},
    sync::{Arc, Mutex},
};

use crate::{
    store::{
        invalidation::{
            CacheValidity,
            versions::{Slot, Version},
        },
        keys::KnownKey,
        random::Digest,
    },
    usage::LastUse,
};

/// Bytes that all of it may take, about.
const MOST_BYTES: u64 = 256 * 1024 * 1024;
/// Bytes of a usual key, from which the cache derives how much it prepares for.
const USUAL_BYTES: u64 = 1_024;

/// A key as it was read, and when.
#[derive(Debug)]
pub(crate) struct Entry {
    /// What was read.
    pub(crate) known: KnownKey,
    /// Before it was read.
    read_at: Version,
    /// The key, its group and its tenant: what it depends on.
    slots: [Slot; 3],
    /// The newest use that was accepted since.
    last_use: Mutex<Option<LastUse>>,
}

impl Entry {
    /// What was read after `noted`.
    pub(super) fn new(known: KnownKey, read_at: Version) -> Self {
        let slots = [
            Slot::of(known.key.id.as_uuid().as_u128()),
            Slot::of(known.key.authorization_group.id.as_uuid().as_u128()),
            Slot::of(known.tenant.id.as_uuid().as_u128()),
        ];
        Self {
            known,
            read_at,
            slots,
            last_use: Mutex::default(),
        }
    }

    fn holds(&self, validity: &CacheValidity) -> bool {
        validity.is_valid(self.read_at, &self.slots)
    }

    /// Remembers a use and returns the newest one before it. Nobody waits: where somebody else does the same at the same moment, that
    /// moment is the use before.
    pub(super) fn used(&self, last_use: LastUse) -> Option<LastUse> {
        let Ok(mut newest) = self.last_use.try_lock() else {
            return Some(last_use);
        };
        let before = *newest;
        if before.is_none_or(|before| before.at < last_use.at) {
            *newest = Some(last_use);
        }
        before
    }

    /// Bytes that it takes, about.
    fn bytes(&self) -> u64 {
        let KnownKey { key, tenant, grant } = &self.known;
        let texts = [
            key.name.as_str(),
            key.description.as_str(),
            &key.hint,
            &key.authorization_group.name,
            &key.created_by.name,
            tenant.slug.as_str(),
            &tenant.name,
        ];
        let permissions = grant.permissions.iter();
        // What is around it, too: the digest, its place in the table, and the count of who holds it. A text with what the allocator
        // adds, a permission with its count, a network as it is shown and as it is searched.
        let parts = size_of::<Self>()
            + 96
            + texts.iter().map(|text| text.len() + 16).sum::<usize>()
            + permissions
                .map(|one| one.as_str().len() + 32)
                .sum::<usize>()
            + key.ip_allowlist.networks().len() * 64;
        parts as u64
    }
}

/// The keys.
#[derive(Debug)]
pub(super) struct KeyCache {
    keys: Cache<Digest, Arc<Entry>, ByBytes, ByDigest>,
}

impl Default for KeyCache {
    fn default() -> Self {
        Self::with_room_for(MOST_BYTES)
    }
}

impl KeyCache {
    pub(super) fn with_room_for(bytes: u64) -> Self {
        let usual = usize::try_from(bytes / USUAL_BYTES).unwrap_or(usize::MAX);
        Self {
            keys: Cache::with(usual, bytes, ByBytes, ByDigest, Default::default()),
        }
    }

    /// The key of that digest, if what is known of it still holds.
    pub(super) fn get(&self, digest: &Digest, validity: &CacheValidity) -> Option<Arc<Entry>> {
        self.keys.get(digest).filter(|entry| entry.holds(validity))
    }

    /// Keeps a key. One that does not hold any more by now does no harm.
    pub(super) fn keep(&self, digest: Digest, entry: Arc<Entry>) {
        self.keys.insert(digest, entry);
    }

    /// There is no key of that digest any more.
    pub(super) fn forget(&self, digest: &Digest) {
        self.keys.remove(digest);
    }

    /// How many are kept.
    pub(super) fn len(&self) -> usize {
        self.keys.len()
    }
}

#[derive(Clone, Debug)]
struct ByBytes;

impl Weighter<Digest, Arc<Entry>> for ByBytes {
    fn weight(&self, _: &Digest, entry: &Arc<Entry>) -> u64 {
        entry.bytes()
    }
}

/// A digest is as good a hash as there is: nobody finds a key that there is, and whose digest begins as one chooses.
#[derive(Clone, Debug)]
struct ByDigest;

impl BuildHasher for ByDigest {
    type Hasher = FirstBytes;

    fn build_hasher(&self) -> FirstBytes {
        FirstBytes(0)
    }
}

/// The first eight bytes of a digest. What else is hashed, such as its length, changes nothing.
struct FirstBytes(u64);

impl Hasher for FirstBytes {
    fn write(&mut self, bytes: &[u8]) {
        if let Some(first) = bytes.first_chunk() {
            self.0 = u64::from_le_bytes(*first);
        }
    }

    fn write_usize(&mut self, _: usize) {}

    fn finish(&self) -> u64 {
        self.0
    }
}
