//! What is known of keys that are being written or were: by the hash of the key, so that it takes the same room for any number.

use ahash::RandomState;

use super::sync::{Mutex, MutexGuard};
use crate::store::Revision;

/// Stripes, each of which many keys share. Two keys in one stripe cost a miss now and then, no more: a group of 64 saves
/// marks one in thirteen.
const STRIPES: usize = 4_096;

/// The stripes of all keys.
pub(super) struct Stripes {
    stripes: Box<[Mutex<Stripe>]>,
    /// The same in every process: keys that were chosen to share a stripe make each other miss, no more.
    hasher: RandomState,
}

/// What is known of the keys of one stripe.
#[derive(Default)]
pub(super) struct Stripe {
    /// Writes that were begun and whose outcome is not known yet.
    pub(super) writers: u32,
    /// The newest revision that wrote one.
    pub(super) newest: Revision,
}

impl Stripes {
    pub(super) fn new() -> Self {
        Stripes::with(STRIPES)
    }

    pub(super) fn with(number: usize) -> Self {
        Stripes {
            stripes: (0..number).map(|_| Mutex::default()).collect(),
            hasher: RandomState::with_seeds(1, 2, 3, 4),
        }
    }

    /// The stripe of a key.
    pub(super) fn lock(&self, key: &[u8]) -> MutexGuard<'_, Stripe> {
        let at = self.hasher.hash_one(key) % self.stripes.len() as u64;
        self.stripes[at as usize].lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// Whether a key of the stripe is being written.
    pub(super) fn is_written(&self, key: &[u8]) -> bool {
        self.lock(key).writers > 0
    }
}
