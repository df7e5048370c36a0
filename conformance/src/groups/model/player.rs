//! Making calls of the waist on any store.
//!
//! What is answered names revisions by their place in the order of commits, so that the answers of two stores can be
//! compared: the numbers themselves are each store's own.

use std::ops::Bound;
use std::sync::Arc;

use bytes::Bytes;
use strongroom_core::store::{
    Batch, Content, Entry, Fetch, Guard, KeyPrefix, KeyRange, LinkTo, Outcome, Read, Revision, Row, Scan, Snapshot,
    Store, StoredKey, Write,
};
use strongroom_core::{Error, ErrorKind};

use super::calls::{Bad, Call, Draft, DraftGuard, DraftWrite, FRONTS, KEYS, Name, On, SLOTS, Span};
use crate::{Checked, Failure, ensure, ensure_eq};

/// The place of a revision in the order of commits; none if no commit was acknowledged with it.
type Place = Option<usize>;

/// A row: when it was written, and what it holds.
type Shown = (Place, String);

/// One entry of a page.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct ShownEntry {
    key: String,
    place: Place,
    content: Option<String>,
    target: Option<Shown>,
}

/// What a call answered. Keys and contents are as text.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Answer {
    Outcomes(Vec<Became>),
    Rows(usize, Vec<Option<Shown>>),
    Page(usize, Vec<ShownEntry>, bool),
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

/// Why a call has no answer.
enum Wrong {
    /// The store's error.
    Refused(Error),
    /// It has done what it may never do.
    Broken(Failure),
}

impl From<Error> for Wrong {
    fn from(error: Error) -> Self {
        Wrong::Refused(error)
    }
}

impl From<Failure> for Wrong {
    fn from(failure: Failure) -> Self {
        Wrong::Broken(failure)
    }
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
    /// Of what the store may never do. A limit that it names is an answer.
    pub(crate) async fn make(&mut self, call: &Call) -> Checked<Answer> {
        match self.ask(call).await {
            Ok(answer) => Ok(answer),
            Err(Wrong::Refused(error)) if error.is_limit() => Ok(Answer::Failed(error.kind())),
            Err(Wrong::Refused(error)) => Err(error.into()),
            Err(Wrong::Broken(failure)) => Err(failure),
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

    async fn ask(&mut self, call: &Call) -> Result<Answer, Wrong> {
        Ok(match call {
            Call::Commit(drafts) => {
                let mut batches = Vec::new();
                for draft in drafts {
                    batches.push(self.batch(draft).await?);
                }
                let writes: Vec<bool> = batches.iter().map(|batch| !batch.is_read_only()).collect();
                let outcomes = self.store.commit(batches).await?;
                ensure_eq!(outcomes.len(), writes.len(), "outcomes of so many batches");
                let became = outcomes.into_iter().zip(writes).map(|(outcome, writes)| self.became(outcome, writes));
                Answer::Outcomes(became.collect::<Checked<_>>()?)
            }
            Call::DropRange(span, guards) => {
                let range = self.range(span);
                let rows = self.store.summarize(&range).await?.rows;
                let guards = self.guards(guards).await?;
                let outcome = self.store.drop_range(&range, &guards).await?;
                Answer::Outcomes(vec![self.became(outcome, rows > 0)?])
            }
            Call::Get(on, names) => {
                let keys: Vec<StoredKey> = names.iter().map(|name| self.key(name)).collect();
                let found = self.read(*on).get(&keys).await?;
                let rows = keys.iter().zip(&found.rows).map(|(key, row)| row.as_ref().map(|row| self.row(key, row)));
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
                let Some(before) = self.commits.iter().nth_back(1) else { return Ok(Answer::Done) };
                let newest = self.store.changed(*before).await?;
                Answer::Changed(self.place(newest))
            }
        })
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

    fn entry(&self, entry: &Entry) -> ShownEntry {
        ShownEntry {
            key: self.shown(&entry.key),
            place: self.place(entry.revision),
            content: entry.content.as_ref().map(|content| self.content(&entry.key, content)),
            target: entry.target.as_ref().map(|target| match &entry.content {
                Some(Content::Link(key)) => self.row(key, target),
                _ => self.row(&entry.key, target),
            }),
        }
    }

    fn row(&self, key: &StoredKey, row: &Row) -> Shown {
        (self.place(row.revision), self.content(key, &row.content))
    }

    fn content(&self, key: &StoredKey, content: &Content) -> String {
        match content {
            Content::Value(value) => format!("value {}", value.escape_ascii()),
            // By its place in the key: the tail of a stamped one holds a part of its revision.
            Content::Link(target) if key.as_bytes().ends_with(target.as_bytes()) => {
                format!("link to its key from byte {}", key.len() - target.len())
            }
            Content::Link(target) => format!("link to {}", self.shown(target)),
            Content::Damaged(error) => format!("damaged: {error}"),
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
