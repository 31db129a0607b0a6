//! The cache of keys by the digest of their secret.
//!
//! Unknown secrets are not cached, so that invented ones take no memory. Each use of an entry checks that it is still valid
//! (`store/invalidation.rs`).

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

/// Approximate size limit of the cache in bytes.
const MOST_BYTES: u64 = 256 * 1024 * 1024;
/// Typical size of an entry in bytes, from which the cache derives its initial capacity.
const USUAL_BYTES: u64 = 1_024;

/// A key as it was read, with the version of the read.
#[derive(Debug)]
pub(crate) struct Entry {
    /// The key with its group and tenant.
    pub(crate) known: KnownKey,
    /// The version that was current before the read.
    read_at: Version,
    /// The slots of the key, its group and its tenant.
    slots: [Slot; 3],
    /// The newest accepted use since the read.
    last_use: Mutex<Option<LastUse>>,
}

impl Entry {
    /// An entry of a read that began at `read_at`.
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

    /// Records a use and returns the newest one before it. Does not wait: while another request records a use, returns `last_use`
    /// unrecorded.
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

    /// Approximate size of the entry in bytes.
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
        // Includes digest, table slot and reference count; texts with the allocator's overhead, permissions with their reference counts,
        // and networks in both of their forms.
        let parts = size_of::<Self>()
            + 96
            + texts.iter().map(|text| text.len() + 16).sum::<usize>()
            + permissions
                .map(|one| one.as_str().len() + 32)
                .sum::<usize>()
            + key.ip_allowlist.networks().len() * 64
            + grant.tenant_addresses.bytes();
        parts as u64
    }
}

/// The cache.
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

    /// The entry with this digest, if it is valid.
    pub(super) fn get(&self, digest: &Digest, validity: &CacheValidity) -> Option<Arc<Entry>> {
        self.keys.get(digest).filter(|entry| entry.holds(validity))
    }

    /// Inserts an entry. An entry that is already invalid is harmless, because each use checks it.
    pub(super) fn keep(&self, digest: Digest, entry: Arc<Entry>) {
        self.keys.insert(digest, entry);
    }

    /// Removes the entry with this digest.
    pub(super) fn forget(&self, digest: &Digest) {
        self.keys.remove(digest);
    }

    /// Number of entries.
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

/// Hashes a digest to its first bytes: SHA-256 output is uniform, and an attacker cannot choose it for an existing key.
#[derive(Clone, Debug)]
struct ByDigest;

impl BuildHasher for ByDigest {
    type Hasher = FirstBytes;

    fn build_hasher(&self) -> FirstBytes {
        FirstBytes(0)
    }
}

/// The first eight bytes of a digest; other input, such as the length, is ignored.
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
