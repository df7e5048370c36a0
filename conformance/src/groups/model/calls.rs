//! Random calls of the waist, and a player that makes them on any store.
//!
//! What it answers names revisions by their place in the order of commits, so that the answers of two stores can be
//! compared: the numbers themselves are each store's own.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

use bytes::Bytes;
use proptest::prelude::*;
use strongroom_core::store::{
    Batch, Content, Entry, Fetch, Guard, KeyPrefix, KeyRange, LinkTo, Outcome, Read, Revision, Row, Scan, Snapshot,
    Store, StoredKey, Write,
};
use strongroom_core::{Error, ErrorKind};

use crate::{Checked, Failure, ensure};

/// Keys that are easily taken for one another.
const KEYS: [&[u8]; 14] = [
    b"",
    b"\0",
    b"\0\0",
    b"a",
    b"a\0",
    b"a\0\0",
    b"a\x01",
    b"aa",
    b"ab",
    b"b",
    b"m\xFF",
    b"m\xFF\xFF",
    b"\xFF",
    b"\xFF\xFF",
];
/// Fronts of stamped keys: no other key begins so.
const FRONTS: [&[u8]; 2] = [b"s\x01", b"s\x02"];
/// Snapshots that are held at one time.
const SLOTS: usize = 3;

/// One call.
#[derive(Clone, Debug)]
pub(crate) enum Call {
    Commit(Vec<Draft>),
    DropRange(Span, Vec<DraftGuard>),
    Get(On, Vec<Name>),
    /// One page.
    Page {
        on: On,
        span: Span,
        reverse: bool,
        limit: usize,
        fetch: Fetch,
    },
    /// Page after page; where one ends for its bytes is the store's own affair.
    Walk {
        on: On,
        span: Span,
        reverse: bool,
        max_bytes: usize,
        fetch: Fetch,
    },
    Summarize(On, Span),
    /// Takes a snapshot, in place of the one that was held there.
    Hold(usize),
    Release(usize),
    Changed,
}

/// Where a call reads: the store, or a snapshot if one is held there.
#[derive(Clone, Copy, Debug)]
pub(crate) struct On(Option<usize>);

/// A batch, before its guards have been read.
#[derive(Clone, Debug)]
pub(crate) enum Draft {
    Good {
        guards: Vec<DraftGuard>,
        writes: Vec<(Name, DraftWrite)>,
        stamped: BTreeMap<usize, u16>,
    },
    /// Past a limit, or malformed.
    Bad(Bad),
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Bad {
    Value,
    Writes,
    Guards,
    Suffix,
    StampedTwice,
}

/// Something that is read, perhaps from an old snapshot, and must still be so.
#[derive(Clone, Debug)]
pub(crate) enum DraftGuard {
    Key(On, Name),
    Range(On, Span),
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum DraftWrite {
    /// Two bytes, so often.
    Put(u16, usize),
    Link(Name),
    /// Of the key, without so many bytes at its front or all.
    Suffix(usize),
    Delete,
}

/// A key.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Name {
    Plain(usize),
    /// Of a stamped row: its front, and which commit it may be of.
    Stamped(usize, usize),
}

/// A range of keys.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Span(Bound<Name>, Bound<Name>);

fn on() -> impl Strategy<Value = On> {
    prop_oneof![2 => Just(On(None)), 1 => (0..SLOTS).prop_map(|slot| On(Some(slot)))]
}

fn name() -> impl Strategy<Value = Name> {
    prop_oneof![
        8 => (0..KEYS.len()).prop_map(Name::Plain),
        1 => (0..FRONTS.len(), 0..1_000_usize).prop_map(|(front, commit)| Name::Stamped(front, commit)),
    ]
}

fn span() -> impl Strategy<Value = Span> {
    let bound = || {
        prop_oneof![
            1 => Just(Bound::Unbounded),
            2 => name().prop_map(Bound::Included),
            2 => name().prop_map(Bound::Excluded),
        ]
    };
    (bound(), bound()).prop_map(|(start, end)| Span(start, end))
}

fn guards() -> impl Strategy<Value = Vec<DraftGuard>> {
    let guard = prop_oneof![
        (on(), name()).prop_map(|(on, name)| DraftGuard::Key(on, name)),
        (on(), span()).prop_map(|(on, span)| DraftGuard::Range(on, span)),
    ];
    prop::collection::vec(guard, 0..3)
}

fn draft() -> impl Strategy<Value = Draft> {
    let write = prop_oneof![
        4 => (any::<u16>(), 0..9_usize).prop_map(|(word, times)| DraftWrite::Put(word, times)),
        1 => name().prop_map(DraftWrite::Link),
        1 => (0..4_usize).prop_map(DraftWrite::Suffix),
        2 => Just(DraftWrite::Delete),
    ];
    let writes = prop::collection::vec((name(), write), 0..5);
    let stamped = prop::collection::btree_map(0..FRONTS.len(), any::<u16>(), 0..2);
    let bad = prop::sample::select(&[Bad::Value, Bad::Writes, Bad::Guards, Bad::Suffix, Bad::StampedTwice][..]);
    prop_oneof![
        12 => (guards(), writes, stamped).prop_map(|(guards, writes, stamped)| Draft::Good { guards, writes, stamped }),
        1 => bad.prop_map(Draft::Bad),
    ]
}

/// Random calls.
pub(crate) fn call() -> impl Strategy<Value = Call> {
    let fetch = || prop::sample::select(&[Fetch::Keys, Fetch::Values, Fetch::Targets][..]);
    prop_oneof![
        6 => prop::collection::vec(draft(), 1..6).prop_map(Call::Commit),
        1 => (span(), guards()).prop_map(|(span, guards)| Call::DropRange(span, guards)),
        4 => (on(), prop::collection::vec(name(), 0..11)).prop_map(|(on, names)| Call::Get(on, names)),
        6 => (on(), span(), any::<bool>(), 0..18_usize, fetch())
            .prop_map(|(on, span, reverse, limit, fetch)| Call::Page { on, span, reverse, limit, fetch }),
        3 => (on(), span(), any::<bool>(), 0..60_usize, fetch())
            .prop_map(|(on, span, reverse, max_bytes, fetch)| Call::Walk { on, span, reverse, max_bytes, fetch }),
        3 => (on(), span()).prop_map(|(on, span)| Call::Summarize(on, span)),
        2 => (0..SLOTS).prop_map(Call::Hold),
        1 => (0..SLOTS).prop_map(Call::Release),
        1 => Just(Call::Changed),
    ]
}

impl Call {
    /// How many operations it is: each batch and each guard counts.
    pub(crate) fn operations(&self) -> usize {
        let guards = |draft: &Draft| match draft {
            Draft::Good { guards, .. } => guards.len(),
            Draft::Bad(_) => 0,
        };
        match self {
            Call::Commit(drafts) => drafts.iter().map(|draft| 1 + guards(draft)).sum(),
            Call::DropRange(_, guards) => 1 + guards.len(),
            _ => 1,
        }
    }
}

/// The place of a revision in the order of commits; none if no commit was acknowledged with it.
type Place = Option<usize>;

/// What a call answered. Keys and contents are as text.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Answer {
    Outcomes(Vec<Became>),
    Rows(usize, Vec<Option<(Place, String)>>),
    Page(usize, Vec<(String, Place, Option<String>, Option<(Place, String)>)>, bool),
    Summary { as_of: usize, rows: u64, newest: Place },
    Held(usize),
    Changed(Place),
    Done,
    Failed(ErrorKind),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Became {
    Committed(usize),
    Conflict(usize),
    Rejected(ErrorKind),
}

/// Makes calls on one store.
#[derive(Debug)]
pub(crate) struct Player {
    pub(crate) store: Arc<dyn Store>,
    /// Of every commit that was acknowledged, in order; zero before the first.
    commits: Vec<Revision>,
    held: [Option<Box<dyn Snapshot>>; SLOTS],
}

impl Player {
    /// On a store without rows.
    pub(crate) fn new(store: Arc<dyn Store>) -> Self {
        Player { store, commits: vec![Revision::ZERO], held: Default::default() }
    }

    /// Goes on with the same rows in a store that was opened again.
    pub(crate) fn reopened(&mut self, store: Arc<dyn Store>) {
        (self.store, self.held) = (store, Default::default());
    }

    /// Makes one call.
    ///
    /// # Errors
    ///
    /// Of what the store may never do. An error that it may answer is an answer.
    pub(crate) async fn make(&mut self, call: &Call) -> Checked<Answer> {
        match self.ask(call).await {
            Ok(answer) => answer,
            Err(error) => Ok(Answer::Failed(error.kind())),
        }
    }

    /// Every row as it is now, links followed.
    pub(crate) async fn everything(&self) -> Checked<Answer> {
        self.everything_on(&*self.store).await
    }

    /// Every row of a view of this store.
    pub(crate) async fn everything_on(&self, view: &dyn Read) -> Checked<Answer> {
        Ok(self.walk(view, (KeyRange::ALL, false, usize::MAX, Fetch::Targets)).await?)
    }

    async fn ask(&mut self, call: &Call) -> Result<Checked<Answer>, Error> {
        Ok(Ok(match call {
            Call::Commit(drafts) => {
                let mut batches = Vec::new();
                for draft in drafts {
                    batches.push(self.batch(draft).await?);
                }
                let writes: Vec<bool> = batches.iter().map(|batch| !batch.is_read_only()).collect();
                let outcomes = self.store.commit(batches).await?;
                if outcomes.len() != writes.len() {
                    return Ok(Err(Failure::new(format!("{} outcomes of {} batches", outcomes.len(), writes.len()))));
                }
                let became = outcomes.into_iter().zip(writes).map(|(outcome, writes)| self.became(outcome, writes));
                match became.collect() {
                    Ok(became) => Answer::Outcomes(became),
                    Err(failure) => return Ok(Err(failure)),
                }
            }
            Call::DropRange(span, guards) => {
                let range = self.range(span);
                let rows = self.store.summarize(&range).await?.rows;
                let guards = self.guards(guards).await?;
                let outcome = self.store.drop_range(&range, &guards).await?;
                match self.became(outcome, rows > 0) {
                    Ok(became) => Answer::Outcomes(vec![became]),
                    Err(failure) => return Ok(Err(failure)),
                }
            }
            Call::Get(on, names) => {
                let keys: Vec<StoredKey> = names.iter().map(|name| self.key(name)).collect();
                let found = self.read(*on).get(&keys).await?;
                let rows = found.rows.iter().map(|row| row.as_ref().map(|row| self.row(row)));
                Answer::Rows(self.as_of(found.as_of), rows.collect())
            }
            Call::Page { on, span, reverse, limit, fetch } => {
                let scan = Scan {
                    range: self.range(span),
                    reverse: *reverse,
                    limit: *limit,
                    max_bytes: usize::MAX,
                    fetch: *fetch,
                };
                let page = self.read(*on).scan(&scan).await?;
                let entries = page.entries.iter().map(|entry| self.entry(entry)).collect();
                Answer::Page(self.as_of(page.as_of), entries, page.more)
            }
            Call::Walk { on, span, reverse, max_bytes, fetch } => {
                self.walk(self.read(*on), (self.range(span), *reverse, *max_bytes, *fetch)).await?
            }
            Call::Summarize(on, span) => {
                let found = self.read(*on).summarize(&self.range(span)).await?;
                Answer::Summary { as_of: self.as_of(found.as_of), rows: found.rows, newest: self.place(found.newest) }
            }
            Call::Hold(slot) => {
                self.held[*slot] = None;
                let snapshot = self.store.snapshot().await?;
                let place = self.as_of(snapshot.revision());
                self.held[*slot] = Some(snapshot);
                Answer::Held(place)
            }
            Call::Release(slot) => {
                self.held[*slot] = None;
                Answer::Done
            }
            Call::Changed => {
                // What is not the newest revision was passed already, so the answer comes at once.
                let Some(before) = self.commits.iter().nth_back(1) else { return Ok(Ok(Answer::Done)) };
                let newest = self.store.changed(*before).await?;
                Answer::Changed(self.place(newest))
            }
        }))
    }

    async fn walk(
        &self,
        on: &dyn Read,
        (range, reverse, max_bytes, fetch): (KeyRange, bool, usize, Fetch),
    ) -> Result<Answer, Error> {
        let mut scan = Scan { range, reverse, limit: 16, max_bytes, fetch };
        let mut found = Vec::new();
        loop {
            let page = on.scan(&scan).await?;
            found.extend(page.entries.iter().map(|entry| self.entry(entry)));
            match page.entries.last() {
                Some(last) if page.more => scan.range = scan.range.beyond(&last.key, reverse),
                _ => return Ok(Answer::Page(self.as_of(page.as_of), found, page.more)),
            }
        }
    }

    fn read(&self, on: On) -> &dyn Read {
        match on.0.and_then(|slot| self.held[slot].as_ref()) {
            Some(snapshot) => &**snapshot,
            None => &*self.store,
        }
    }

    async fn batch(&self, draft: &Draft) -> Result<Batch, Error> {
        let mut batch = Batch::default();
        match draft {
            Draft::Bad(bad) => self.spoil(&mut batch, *bad),
            Draft::Good { guards, writes, stamped } => {
                batch.guards = self.guards(guards).await?;
                for (name, write) in writes {
                    let key = self.key(name);
                    let write = match write {
                        DraftWrite::Put(word, times) => Write::Put(value(*word, *times)),
                        DraftWrite::Link(target) => Write::Link(LinkTo::Key(self.key(target))),
                        DraftWrite::Suffix(at) => Write::Link(LinkTo::Suffix((*at).min(key.len()) as u16)),
                        DraftWrite::Delete => Write::Delete,
                    };
                    batch.writes.insert(key, write);
                }
                let stamped = stamped.iter().map(|(front, word)| (self.front(*front), value(*word, 1)));
                batch.stamped = stamped.collect();
            }
        }
        Ok(batch)
    }

    fn spoil(&self, batch: &mut Batch, bad: Bad) {
        let limits = self.store.info().limits;
        let plain = |at: usize| StoredKey::from(KEYS[at % KEYS.len()].to_vec());
        batch.writes.insert(plain(3), Write::Put(value(0, 1)));
        match bad {
            Bad::Value => {
                batch.writes.insert(plain(4), Write::Put(vec![0; limits.value_bytes_max + 1].into()));
            }
            Bad::Writes => batch.writes.extend((0..=limits.batch_writes_max).map(|at| (plain(at), Write::Delete))),
            // Of a key that never has a row, so that they hold.
            Bad::Guards => {
                let absent = Guard::Key { key: StoredKey::from(b"z".to_vec()), revision: None };
                batch.guards = vec![absent; limits.batch_guards_max + 1];
            }
            Bad::Suffix => {
                batch.writes.insert(plain(4), Write::Link(LinkTo::Suffix(3)));
            }
            Bad::StampedTwice => batch.stamped = vec![(self.front(0), value(0, 1)), (self.front(0), value(1, 1))],
        }
    }

    async fn guards(&self, drafts: &[DraftGuard]) -> Result<Vec<Guard>, Error> {
        let mut guards = Vec::new();
        for draft in drafts {
            guards.push(match draft {
                DraftGuard::Key(on, name) => {
                    let key = self.key(name);
                    let row = self.read(*on).get(std::slice::from_ref(&key)).await?.rows.pop().flatten();
                    Guard::Key { key, revision: row.map(|row| row.revision) }
                }
                DraftGuard::Range(on, span) => {
                    let range = self.range(span);
                    let found = self.read(*on).summarize(&range).await?;
                    Guard::Range { range, as_of: found.as_of, rows: found.rows }
                }
            });
        }
        Ok(guards)
    }

    fn became(&mut self, outcome: Outcome, writes: bool) -> Checked<Became> {
        Ok(match outcome {
            Outcome::Conflict { guard } => Became::Conflict(guard),
            Outcome::Rejected(error) => Became::Rejected(error.kind()),
            Outcome::Committed(revision) => {
                if writes {
                    let last = self.commits.last().copied().unwrap_or_default();
                    ensure!(revision > last, "a commit at revision {revision} comes after one at {last}");
                    self.commits.push(revision);
                }
                Became::Committed(self.as_of(revision))
            }
        })
    }

    fn key(&self, name: &Name) -> StoredKey {
        match *name {
            Name::Plain(at) => StoredKey::from(KEYS[at].to_vec()),
            Name::Stamped(front, commit) => self.front(front).stamp(self.commits[commit % self.commits.len()]),
        }
    }

    fn front(&self, at: usize) -> KeyPrefix {
        KeyPrefix(StoredKey::from(FRONTS[at].to_vec()))
    }

    fn range(&self, span: &Span) -> KeyRange {
        let bound = |bound: &Bound<Name>| bound.map(|name| self.key(&name));
        KeyRange { start: bound(&span.0), end: bound(&span.1) }
    }

    /// The place of what a call saw: of the newest commit up to there.
    fn as_of(&self, revision: Revision) -> usize {
        self.commits.partition_point(|commit| *commit <= revision)
    }

    fn place(&self, revision: Revision) -> Place {
        self.commits.binary_search(&revision).ok()
    }

    fn entry(&self, entry: &Entry) -> (String, Place, Option<String>, Option<(Place, String)>) {
        let content = entry.content.as_ref().map(|content| self.content(content));
        let target = entry.target.as_ref().map(|target| self.row(target));
        (self.shown(&entry.key), self.place(entry.revision), content, target)
    }

    fn row(&self, row: &Row) -> (Place, String) {
        (self.place(row.revision), self.content(&row.content))
    }

    fn content(&self, content: &Content) -> String {
        match content {
            Content::Value(value) => format!("value {}", value.escape_ascii()),
            Content::Link(target) => format!("link to {}", self.shown(target)),
        }
    }

    /// A key as text; the revision at the end of a stamped one by its place.
    fn shown(&self, key: &StoredKey) -> String {
        let bytes = key.as_bytes();
        let stamped =
            FRONTS.iter().find_map(|front| bytes.strip_prefix(*front)?.try_into().ok().map(|end| (front, end)));
        match stamped {
            Some((front, end)) => {
                format!("{} of {:?}", front.escape_ascii(), self.place(Revision(u64::from_be_bytes(end))))
            }
            None => format!("'{}'", bytes.escape_ascii()),
        }
    }
}

fn value(word: u16, times: usize) -> Bytes {
    word.to_be_bytes().repeat(times).into()
}
