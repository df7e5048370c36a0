//! The keys of an open store: taken from the keyring, derived per keyspace once, and dropped when the store is locked.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::hash::Hash;
use std::sync::{Arc, PoisonError, RwLock};

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use strongroom_core::store::{KeyCodec, Revision};
use strongroom_core::{Error, ErrorKind, Result};

use crate::EncryptionError;
use crate::keyring::Keyring;
use crate::seal::{KeyId, ValueKey};
use crate::secret::{DatabaseId, SecretKey};

/// Bytes of a blinded component: collisions are not to be expected below 2^64 of them.
const BLINDED_BYTES: usize = 16;

/// Bytes at the front of a stored key that say which keyspace it is in.
const KEYSPACE_BYTES: usize = 3;

/// Derived keys of one kind that are kept, at most. A schema has some hundred keyspaces; past the limit they are derived anew.
const DERIVED_MAX: usize = 4_096;

const BLINDING_LABEL: &[u8] = b"strongroom/1 blinding";

/// What a store of which the keys are at hand can do. Shared by the store, its snapshots and its codec.
pub(crate) struct Vault {
    database: DatabaseId,
    state: RwLock<State>,
}

enum State {
    Open(Arc<Keys>),
    Locked,
    Closed,
}

/// The keys. Never changed: a rotation makes others.
pub(crate) struct Keys {
    pub(crate) root: SecretKey,
    pub(crate) ring: Keyring,
    /// The revision of the keyring's row.
    pub(crate) revision: Revision,
    /// Keys of values that were in a ring before, or in one that a snapshot sees: its rows may need a key that is gone since.
    older: BTreeMap<u32, SecretKey>,
    values: Derived<(KeyId, Space), ValueKey>,
    blinding: Arc<Derived<Space, Hmac<Sha256>>>,
}

type Space = [u8; KEYSPACE_BYTES + 1];

impl Keys {
    pub(crate) fn new(root: SecretKey, ring: Keyring, revision: Revision) -> Self {
        Keys { root, ring, revision, older: BTreeMap::new(), values: Derived::default(), blinding: Arc::default() }
    }

    /// The key with which new values of a keyspace are sealed. `key` is a stored key in it, or the front of one.
    pub(crate) fn current(&self, database: DatabaseId, key: &[u8]) -> Arc<ValueKey> {
        let (id, master) = self.ring.current();
        self.derived(database, KeyId(id), master, key)
    }

    /// The key with this id; none if no keyring that was seen has it.
    pub(crate) fn value_key(&self, database: DatabaseId, id: KeyId, key: &[u8]) -> Option<Arc<ValueKey>> {
        let master = self.ring.value_key(id.0).or_else(|| self.older.get(&id.0))?;
        Some(self.derived(database, id, master, key))
    }

    fn derived(&self, database: DatabaseId, id: KeyId, master: &SecretKey, key: &[u8]) -> Arc<ValueKey> {
        let space = space(key);
        self.values.get((id, space), || ValueKey::derive(master, id, database, front(key)))
    }

    fn blind(&self, database: DatabaseId, component: &[u8], key: &mut Vec<u8>) {
        let mac = self.blinding.get(space(key), || {
            let derived = self.ring.blinding().derive(&database.0, &[BLINDING_LABEL, front(key)]);
            Hmac::new_from_slice(derived.as_bytes()).expect("HMAC takes keys of any length")
        });
        let mut mac = (*mac).clone();
        // What stands before it is part of the input: the same component in another place is another one.
        mac.update(&(key.len() as u32).to_be_bytes());
        mac.update(key);
        mac.update(component);
        key.extend_from_slice(&mac.finalize().into_bytes()[..BLINDED_BYTES]);
    }
}

/// The part of a stored key that names its keyspace.
fn front(key: &[u8]) -> &[u8] {
    &key[..key.len().min(KEYSPACE_BYTES)]
}

/// The same, of one size; its last byte tells a short one from one that ends in zeros.
fn space(key: &[u8]) -> Space {
    let front = front(key);
    let mut space = [0; KEYSPACE_BYTES + 1];
    space[..front.len()].copy_from_slice(front);
    space[KEYSPACE_BYTES] = front.len() as u8;
    space
}

impl Vault {
    pub(crate) fn new(database: DatabaseId, keys: Keys) -> Self {
        Vault { database, state: RwLock::new(State::Open(Arc::new(keys))) }
    }

    pub(crate) fn database(&self) -> DatabaseId {
        self.database
    }

    /// The keys. Errors: `Locked`, `Closed`.
    pub(crate) fn keys(&self) -> Result<Arc<Keys>> {
        match &*self.state.read().unwrap_or_else(PoisonError::into_inner) {
            State::Open(keys) => Ok(keys.clone()),
            State::Locked => Err(EncryptionError::Locked.into()),
            State::Closed => Err(Error::new(ErrorKind::Closed, "the store was closed")),
        }
    }

    /// Takes a keyring that was read: the store's as it is now, if it is newer than the one at hand, else as one of those
    /// that were. Gives the keys as they are then.
    ///
    /// Errors: `HeaderTampered` if it is newer and its current key is an older one: somebody put an old keyring back, and new
    /// values would get a key that was replaced for a reason. Who opens the store then has nothing to compare with.
    pub(crate) fn learn(&self, ring: Keyring, revision: Revision) -> Result<Arc<Keys>> {
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        let State::Open(keys) = &*state else {
            drop(state);
            return self.keys();
        };
        if revision == keys.revision {
            return Ok(keys.clone());
        }
        if revision > keys.revision && ring.current().0 < keys.ring.current().0 {
            return Err(EncryptionError::HeaderTampered.into());
        }
        let is_newer = revision > keys.revision;
        let last = if is_newer { &keys.ring } else { &ring };
        let mut older = keys.older.clone();
        older.extend(last.ids().filter_map(|id| Some((id, last.value_key(id)?.clone()))));
        older.retain(|id, _| is_newer || keys.ring.value_key(*id).is_none());
        if !is_newer && older.len() == keys.older.len() {
            // Nothing in it was new.
            return Ok(keys.clone());
        }
        let (ring, revision) = if is_newer { (ring, revision) } else { (keys.ring.clone(), keys.revision) };
        let mut next = Keys::new(keys.root.clone(), ring, revision);
        next.older = older;
        // It never changes, so what was derived from it stays good.
        next.blinding = keys.blinding.clone();
        let next = Arc::new(next);
        *state = State::Open(next.clone());
        Ok(next)
    }

    /// Drops the keys. A call that is under way may still hold them.
    pub(crate) fn lock(&self) {
        self.end(State::Locked);
    }

    /// Drops the keys for good.
    pub(crate) fn close(&self) {
        self.end(State::Closed);
    }

    /// Takes the keys again after [`lock`](Self::lock).
    pub(crate) fn unlock(&self, keys: Keys) {
        self.end(State::Open(Arc::new(keys)));
    }

    fn end(&self, with: State) {
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        if !matches!(*state, State::Closed) {
            *state = with;
        }
    }
}

/// Shows nothing of the keys.
impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match &*self.state.read().unwrap_or_else(PoisonError::into_inner) {
            State::Open(_) => "open",
            State::Locked => "locked",
            State::Closed => "closed",
        };
        write!(f, "Vault({state})")
    }
}

/// Replaces `exact` components by a keyed PRF of them and of all that stands before them in the key.
pub(crate) struct BlindingCodec(pub(crate) Arc<Vault>);

impl fmt::Debug for BlindingCodec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BlindingCodec")
    }
}

impl KeyCodec for BlindingCodec {
    fn exact(&self, component: &[u8], key: &mut Vec<u8>) -> Result<()> {
        self.0.keys()?.blind(self.0.database, component, key);
        Ok(())
    }

    /// The key is a part of what is authenticated.
    fn binds_values(&self) -> bool {
        true
    }
}

/// Keys derived from others, kept because a derivation costs as much as a few uses.
struct Derived<K, V>(RwLock<HashMap<K, Arc<V>>>);

impl<K, V> Default for Derived<K, V> {
    fn default() -> Self {
        Derived(RwLock::default())
    }
}

impl<K: Eq + Hash, V> Derived<K, V> {
    fn get(&self, key: K, derive: impl FnOnce() -> V) -> Arc<V> {
        if let Some(derived) = self.0.read().unwrap_or_else(PoisonError::into_inner).get(&key) {
            return derived.clone();
        }
        let derived = Arc::new(derive());
        let mut kept = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if kept.len() < DERIVED_MAX {
            kept.insert(key, derived.clone());
        }
        derived
    }
}
