//! A cache under the rule, over a store whose every state is known.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;

use super::coherence::{Coherence, Entries, Flight, Removal};
use super::entry::Entry;
use super::stripes::Stripes;
use super::sync::{Mutex, MutexGuard, step};
use crate::store::{Batch, Caches, Content, KeyPrefix, Outcome, Revision, Row, Sharing, StoredKey, Write};
use crate::{Error, ErrorKind};

/// A step of the rule that is left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mistake {
    None,
    /// What was committed since a view began is not looked at when a row of it is kept.
    KeptWhateverHappened,
    /// Keys are marked when the store has the commit already.
    MarkedAfter,
    /// Marks go before the store has the commit.
    UnmarkedBefore,
    /// A snapshot takes what answers for the store as it is.
    NewerThanTheSnapshot,
    /// Rows of one answer are each of what is newest.
    Torn,
    /// What a range that is dropped held is let go before, and not after.
    VoidBeforeOnly,
    /// Others' commits are taken for one's own.
    OthersUnseen,
    /// Rows are sealed anew without telling the caches.
    Untold,
    /// The keys of a commit that was given up are free at once.
    GivenUpUnheeded,
}

type State = HashMap<StoredKey, Row>;

/// The store below: what it was at each revision.
#[derive(Default)]
struct Below(Mutex<Vec<State>>);

impl Below {
    fn new(keys: &[StoredKey]) -> Self {
        let first = keys.iter().map(|key| (key.clone(), row(1)));
        Below(Mutex::new(vec![State::new(), first.collect()]))
    }

    fn newest(&self) -> (Revision, State) {
        let states = lock(&self.0);
        (Revision(states.len() as u64 - 1), states[states.len() - 1].clone())
    }

    fn at(&self, revision: Revision) -> State {
        lock(&self.0)[revision.0 as usize].clone()
    }

    /// One commit; each key holds the revision that wrote it.
    fn commit(&self, change: impl FnOnce(&mut State, Revision)) -> Revision {
        let mut states = lock(&self.0);
        let revision = Revision(states.len() as u64);
        let mut state = states[states.len() - 1].clone();
        change(&mut state, revision);
        states.push(state);
        revision
    }
}

/// Its lock is no step of its own: whoever takes it to change something holds the lock of the key's stripe.
#[derive(Default)]
struct Map(std::sync::Mutex<HashMap<StoredKey, Arc<Entry>>>);

impl Map {
    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<StoredKey, Arc<Entry>>> {
        self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

impl Entries for Map {
    fn get(&self, key: &StoredKey) -> Option<Arc<Entry>> {
        step();
        self.lock().get(key).cloned()
    }

    fn insert(&self, key: &StoredKey, entry: Arc<Entry>) {
        self.lock().insert(key.clone(), entry);
    }

    fn remove(&self, key: &StoredKey) {
        self.lock().remove(key);
    }

    fn may_hold(&self, _: usize) -> bool {
        true
    }

    fn make_room(&self) {}

    fn wipe(&self) {
        let entries: Vec<_> = self.lock().values().cloned().collect();
        entries.iter().for_each(|entry| entry.wipe());
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

fn row(revision: u64) -> Row {
    Row { revision: Revision(revision), content: Content::Value(Bytes::copy_from_slice(&revision.to_be_bytes())) }
}

pub(super) fn key(name: u8) -> StoredKey {
    StoredKey::from(vec![name])
}

/// A cache over a store, as `Cached` is, without its futures.
pub(super) struct World {
    below: Below,
    rule: Arc<Coherence<Map>>,
    sharing: Sharing,
    caches: Caches,
    /// The newest revision whose outcome was given.
    told: std::sync::Mutex<Revision>,
    locked: std::sync::atomic::AtomicBool,
    lock_returned: std::sync::atomic::AtomicBool,
    mistake: Mistake,
}

impl World {
    fn new(sharing: Sharing, keys: &[StoredKey], mistake: Mistake) -> Arc<Self> {
        let caches = Caches::default();
        let rule = Arc::new(Coherence::new(Map::default(), Stripes::with(64), sharing, caches.clone()));
        let below = Below::new(keys);
        Arc::new(World {
            below,
            rule,
            sharing,
            caches,
            told: std::sync::Mutex::new(Revision(1)),
            locked: Default::default(),
            lock_returned: Default::default(),
            mistake,
        })
    }

    /// A `get` of the store. Checks that all of it is as it was at one revision, no older than what was told before.
    pub(super) fn get(&self, keys: &[StoredKey]) {
        let told = *self.told();
        let Some((as_of, rows)) = self.answer(keys) else { return };
        assert!(as_of >= told, "at {as_of}, and {told} was told before");
        self.check(keys, as_of, &rows);
        self.tell(as_of);
    }

    /// A `get` by the only reader there is. If a layer below was locked meanwhile, nothing is in memory.
    pub(super) fn get_beside_lock(&self, keys: &[StoredKey]) {
        self.get(keys);
        if self.lock_returned.load(std::sync::atomic::Ordering::SeqCst) {
            assert!(keys.iter().all(|key| self.rule.look_up(key, self.rule.known()).is_none()), "kept past a lock");
            assert!(!self.holds_void_rows(), "in memory past a lock");
        }
    }

    /// A layer below is locked: it answers no more, and rows are gone from memory when it returns.
    pub(super) fn lock(&self) {
        self.locked.store(true, std::sync::atomic::Ordering::SeqCst);
        self.rule.wipe();
        self.lock_returned.store(true, std::sync::atomic::Ordering::SeqCst);
    }

    fn holds_void_rows(&self) -> bool {
        let epoch = self.rule.epoch();
        let entries: Vec<_> = self.rule.entries.lock().values().cloned().collect();
        entries.iter().any(|entry| entry.epoch < epoch && entry.row().is_some())
    }

    fn check(&self, keys: &[StoredKey], as_of: Revision, rows: &[Option<Row>]) {
        let state = self.below.at(as_of);
        let right: Vec<Option<Row>> = keys.iter().map(|key| state.get(key).cloned()).collect();
        assert_eq!(rows, right, "at {as_of}");
    }

    /// `None`: a layer below is locked, and it is that which was asked.
    fn answer(&self, keys: &[StoredKey]) -> Option<(Revision, Vec<Option<Row>>)> {
        let mut epoch = self.rule.epoch();
        let mut at = self.rule.known();
        if self.sharing == Sharing::Shared && self.mistake != Mistake::OthersUnseen {
            let (newest, _) = self.read_below()?;
            let known = self.rule.observe(newest, epoch).map(|_| self.rule.known());
            (epoch, at) = (self.rule.epoch(), known.unwrap_or(Revision(u64::MAX)));
        }
        let found: Vec<Option<Option<Row>>> = keys.iter().map(|key| self.rule.look_up(key, at)).collect();
        if found.iter().all(Option::is_some) {
            return Some((at, found.into_iter().flatten().collect()));
        }
        let (as_of, state) = self.read_below()?;
        let observed = self.rule.observe(as_of, epoch);
        let missing = |at: &usize| found[*at].is_none();
        let again = |at: usize| match self.mistake {
            Mistake::Torn => found[at].clone(),
            _ => observed.and_then(|_| self.rule.look_up(&keys[at], as_of)),
        };
        let mut rows = Vec::new();
        for (at, key) in keys.iter().enumerate() {
            let found = if missing(&at) { Some(state.get(key).cloned()) } else { again(at) };
            rows.push(found);
        }
        if let Some(epoch) = observed {
            for at in (0..keys.len()).filter(missing) {
                self.keep(&keys[at], &state, as_of, epoch);
            }
        }
        match rows.into_iter().collect() {
            Some(rows) => Some((as_of, rows)),
            None => {
                let epoch = self.rule.epoch();
                let (as_of, state) = self.read_below()?;
                if let Some(epoch) = self.rule.observe(as_of, epoch) {
                    keys.iter().for_each(|key| self.keep(key, &state, as_of, epoch));
                }
                Some((as_of, keys.iter().map(|key| state.get(key).cloned()).collect()))
            }
        }
    }

    fn read_below(&self) -> Option<(Revision, State)> {
        if self.locked.load(std::sync::atomic::Ordering::SeqCst) { None } else { Some(self.below.newest()) }
    }

    fn keep(&self, key: &StoredKey, state: &State, as_of: Revision, epoch: u64) {
        let as_if = if self.mistake == Mistake::KeptWhateverHappened { Revision(u64::MAX) } else { as_of };
        self.rule.keep(key, state.get(key), as_if, epoch);
    }

    /// A view, and what is read in it kept.
    pub(super) fn read_and_keep(&self, key: &StoredKey) {
        let epoch = self.rule.epoch();
        let (as_of, state) = self.below.newest();
        self.keep(key, &state, as_of, epoch);
    }

    /// A snapshot, and a read in it after `meanwhile`.
    pub(super) fn snapshot(&self, keys: &[StoredKey], meanwhile: impl FnOnce()) {
        let epoch = self.rule.epoch();
        let (as_of, state) = self.below.newest();
        let epoch = self.rule.observe(as_of, epoch);
        meanwhile();
        let at = if self.mistake == Mistake::NewerThanTheSnapshot { self.rule.known() } else { as_of };
        for key in keys {
            let found = self.rule.look_up(key, at);
            if let (None, Some(epoch)) = (&found, epoch) {
                self.keep(key, &state, as_of, epoch);
            }
            self.check(std::slice::from_ref(key), as_of, &[found.unwrap_or_else(|| state.get(key).cloned())]);
        }
    }

    pub(super) fn put(&self, keys: &[StoredKey]) {
        let writes = keys.iter().map(|key| (key.clone(), Write::Put(Bytes::new())));
        let batch = Batch { writes: writes.collect(), ..Batch::default() };
        self.commit(batch, |state, revision| {
            for key in keys {
                state.insert(key.clone(), row(revision.0));
            }
        });
    }

    pub(super) fn delete(&self, key: &StoredKey) {
        let batch = Batch { writes: [(key.clone(), Write::Delete)].into(), ..Batch::default() };
        self.commit(batch, |state, _| drop(state.remove(key)));
    }

    pub(super) fn stamp(&self, prefix: &StoredKey) {
        let batch = Batch { stamped: vec![(KeyPrefix(prefix.clone()), Bytes::new())], ..Batch::default() };
        self.commit(batch, |state, revision| {
            state.insert(KeyPrefix(prefix.clone()).stamp(revision), row(revision.0));
        });
    }

    fn commit(&self, batch: Batch, change: impl FnOnce(&mut State, Revision)) {
        let batches = [batch];
        let settle = |flight: Flight<Map>, revision| flight.settle(&Ok(vec![Outcome::Committed(revision)]));
        let revision = match self.mistake {
            Mistake::MarkedAfter => {
                let revision = self.below.commit(change);
                settle(Flight::begin(&self.rule, &batches), revision);
                revision
            }
            Mistake::UnmarkedBefore => {
                let flight = Flight::begin(&self.rule, &batches);
                settle(flight, Revision(self.below.newest().0.0));
                self.below.commit(change)
            }
            _ => {
                let flight = Flight::begin(&self.rule, &batches);
                let revision = self.below.commit(change);
                settle(flight, revision);
                revision
            }
        };
        self.tell(revision);
    }

    fn told(&self) -> std::sync::MutexGuard<'_, Revision> {
        self.told.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    fn tell(&self, revision: Revision) {
        let mut told = self.told();
        *told = (*told).max(revision);
    }

    pub(super) fn drop_all(&self) {
        if self.mistake == Mistake::VoidBeforeOnly {
            self.rule.wipe();
            let revision = self.below.commit(|state, _| state.clear());
            self.rule.observe(revision, self.rule.epoch());
            self.tell(revision);
            return;
        }
        let removal = Removal::begin(&self.rule);
        let revision = self.below.commit(|state, _| state.clear());
        removal.settle(&Ok(Outcome::Committed(revision)));
        self.tell(revision);
    }

    /// Of which nobody knows, and which happened.
    pub(super) fn put_unknown(&self, key: &StoredKey) {
        let batch = Batch { writes: [(key.clone(), Write::Put(Bytes::new()))].into(), ..Batch::default() };
        let flight = Flight::begin(&self.rule, &[batch]);
        self.below.commit(|state, revision| drop(state.insert(key.clone(), row(revision.0))));
        flight.settle(&Err(Error::new(ErrorKind::CommitUnknown, "the connection is gone")));
    }

    /// A commit whose caller goes away: it comes before whatever is begun later, and then one comes.
    pub(super) fn put_given_up(&self, key: &StoredKey, then: &StoredKey) {
        let batch = Batch { writes: [(key.clone(), Write::Put(Bytes::new()))].into(), ..Batch::default() };
        let flight = Flight::begin(&self.rule, &[batch]);
        if self.mistake == Mistake::GivenUpUnheeded {
            flight.settle(&Err(Error::new(ErrorKind::Io, "nothing happened")));
        } else {
            drop(flight);
        }
        self.below.commit(|state, revision| drop(state.insert(key.clone(), row(revision.0))));
        self.put(std::slice::from_ref(then));
    }

    /// A layer below seals a row anew: the same value at another revision.
    pub(super) fn reseal(&self, key: &StoredKey) {
        let change = |state: &mut State, revision: Revision| drop(state.insert(key.clone(), row(revision.0)));
        if self.mistake == Mistake::Untold {
            return self.tell(self.below.commit(change));
        }
        // As the caches that are told do.
        let suspension = self.caches.suspend();
        self.rule.wipe();
        let revision = self.below.commit(change);
        self.rule.wipe();
        suspension.end();
        self.tell(revision);
    }

    /// Another process writes.
    pub(super) fn put_elsewhere(&self, key: &StoredKey) {
        let revision = self.below.commit(|state, revision| drop(state.insert(key.clone(), row(revision.0))));
        self.tell(revision);
    }
}

/// Runs these threads beside each other, the last one here, over a cache that has seen the keys or not.
pub(super) fn run(sharing: Sharing, mistake: Mistake, warm: bool, threads: &[fn(&World)]) {
    let world = World::new(sharing, &[key(0), key(1)], mistake);
    if warm {
        world.get(&[key(0), key(1), key(2)]);
    }
    let (last, others) = threads.split_last().expect("there are threads");
    let begin = |step: &fn(&World)| {
        let (world, step) = (world.clone(), *step);
        shuttle::thread::spawn(move || step(&world))
    };
    let others: Vec<_> = others.iter().map(begin).collect();
    last(&world);
    for thread in others {
        thread.join().expect("the thread has found what is wrong");
    }
    if world.locked.load(std::sync::atomic::Ordering::SeqCst) {
        assert!(!world.holds_void_rows(), "in memory after a lock");
    }
    // And nothing wrong has been left behind.
    world.get(&[key(0)]);
    world.get(&[key(0), key(1), key(2), KeyPrefix(key(3)).stamp(Revision(2))]);
}
