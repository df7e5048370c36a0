//! Saves: what a record's rows are, what they replace, and what must not be there.

use super::changes::ChangeKind;
use super::overlay::State;
use super::query::Source;
use super::rows::{IndexRows, index_rows, key_of};
use super::transaction::{Transaction, decode_row, old_record};
use crate::schema::{Collection, Record};
use crate::store::{Content, LinkTo, Read, Row, StoredKey, Write};
use crate::{Error, ErrorKind, Limit, Result};

/// Records whose rows are read in one call when many are saved, and bytes of them after which a call takes no more.
const RECORDS_TOGETHER: usize = 512;
const BYTES_TOGETHER: usize = 1 << 20;

/// What a write expects of the record it replaces.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Expect {
    Absent,
    Present,
    Anything,
}

/// The rows of a record that is to be saved.
struct Draft<'r, R> {
    record: &'r R,
    key: StoredKey,
    value: bytes::Bytes,
    entries: IndexRows,
    /// The record's own row and those of its unique entries: what has to be known of the store.
    reads: Vec<StoredKey>,
}

impl Transaction {
    pub(super) async fn save<R: Record>(&self, record: &R, expect: Expect) -> Result<()> {
        self.save_draft(self.draft(record)?, expect).await
    }

    /// Saves one after another, but reads what has to be known of many of them in one call.
    pub(super) async fn save_many<R: Record>(&self, records: &[R], expect: Expect) -> Result<()> {
        let mut rest = records.iter().enumerate().peekable();
        while rest.peek().is_some() {
            let (mut drafts, mut bytes) = (Vec::new(), 0);
            while drafts.len() < RECORDS_TOGETHER
                && bytes < BYTES_TOGETHER
                && let Some((number, record)) = rest.next()
            {
                let draft = self.draft(record).map_err(|error| of_many(error, number))?;
                bytes += draft.value.len();
                drafts.push((number, draft));
            }
            if !self.leaves_proof_to_the_commit(expect) {
                let reads: Vec<_> = drafts.iter().flat_map(|(_, draft)| &draft.reads).cloned().collect();
                self.overlay().get(&reads).await?;
            }
            for (number, draft) in drafts {
                self.save_draft(draft, expect).await.map_err(|error| of_many(error, number))?;
            }
        }
        Ok(())
    }

    fn draft<'r, R: Record>(&self, record: &'r R) -> Result<Draft<'r, R>> {
        let codec = self.context().codec();
        let key = key_of(codec, record)?;
        let entries = index_rows(codec, record, &key)?;
        let value = self.context().encode(record)?;
        self.check_limits(&key, &entries, &value)?;
        let reads = std::iter::once(&key).chain(unique_entries(&entries).map(|(entry, _)| entry)).cloned().collect();
        Ok(Draft { record, key, value, entries, reads })
    }

    /// Whether an insert trusts that its record is new.
    fn leaves_proof_to_the_commit(&self, expect: Expect) -> bool {
        self.is_blind() && expect == Expect::Absent
    }

    async fn save_draft<R: Record>(&self, draft: Draft<'_, R>, expect: Expect) -> Result<()> {
        let draft = if self.leaves_proof_to_the_commit(expect) { self.stage_unread(draft)? } else { Some(draft) };
        let Some(draft) = draft else { return Ok(()) };
        let rows = self.overlay().get(&draft.reads).await?.rows;
        self.evict_expired_owners::<R>(&draft.key, &draft.reads[1..], &rows[1..]).await?;
        let now = self.context().clock.now();
        self.overlay().stage(|state| {
            let old = old_record::<R>(self.context(), state, &draft.key)?;
            let lives = old.as_ref().is_some_and(|old| old.expires_at().is_none_or(|at| at > now));
            match expect {
                Expect::Absent if lives => return Err(already_exists(R::COLLECTION)),
                Expect::Present if !lives => return Err(not_found(R::COLLECTION)),
                _ => {}
            }
            draft.check_owners(self, state)?;
            let codec = self.context().codec();
            let old = old.map(|old| index_rows(codec, &old, &draft.key)).transpose()?.unwrap_or_default();
            draft.stage(state, old);
            Ok(())
        })
    }

    /// Writes a record that must be new without a look at the store; gives it back if the transaction itself has written what might be in its way.
    fn stage_unread<'r, R: Record>(&self, draft: Draft<'r, R>) -> Result<Option<Draft<'r, R>>> {
        self.overlay().stage(|state| {
            if draft.reads.iter().any(|read| state.current(read).is_some()) {
                return Ok(Some(draft));
            }
            draft.reads.iter().for_each(|read| state.assume_absent(read.clone()));
            draft.stage(state, IndexRows::new());
            Ok(None)
        })
    }

    /// Refuses here what the commit would refuse: it can still be told which record it was.
    fn check_limits(&self, key: &StoredKey, entries: &IndexRows, value: &[u8]) -> Result<()> {
        let limits = &self.context().store.info().limits;
        let too_long = |key: &&StoredKey| key.len() > limits.key_bytes_max;
        if let Some(key) = std::iter::once(key).chain(entries.keys()).find(too_long) {
            let error = Error::limit(Limit::KeyBytes, limits.key_bytes_max as u64, key.len() as u64);
            return Err(error.at(self.context().place(key.as_bytes())));
        }
        if value.len() > limits.value_bytes_max {
            let error = Error::limit(Limit::ValueBytes, limits.value_bytes_max as u64, value.len() as u64);
            return Err(error.at(self.context().place(key.as_bytes())));
        }
        Ok(())
    }

    /// A unique entry may still be held by a record that has expired and was not swept yet: that one gives way.
    async fn evict_expired_owners<R: Record>(
        &self,
        key: &StoredKey,
        entries: &[StoredKey],
        rows: &[Option<Row>],
    ) -> Result<()> {
        let owners = entries.iter().zip(rows).filter_map(|(entry, row)| Some((entry, owner(row.as_ref())?)));
        let (held, others): (Vec<_>, Vec<_>) =
            owners.filter(|(_, owner)| *owner != key).map(|(entry, owner)| (entry.clone(), owner.clone())).unzip();
        if others.is_empty() || R::COLLECTION.expiry.is_none() {
            return Ok(());
        }
        let rows = self.overlay().get(&others).await?.rows;
        let now = self.context().clock.now();
        for ((entry, other), row) in held.into_iter().zip(others).zip(rows) {
            let Some(record) = decode_row::<R>(self.context(), row, &other)? else {
                // A lone operation reads without a snapshot: this holder went after its entry was read. The entry is free,
                // or else the guard on it tells.
                self.overlay().stage(|state| {
                    state.write(entry, Write::Delete);
                    Ok(())
                })?;
                continue;
            };
            if record.expires_at().is_some_and(|at| at <= now) {
                self.delete_stored::<R>(other).await?;
            }
        }
        Ok(())
    }
}

impl<R: Record> Draft<'_, R> {
    /// Refuses a unique entry that is another record's, as far as the transaction knows.
    fn check_owners(&self, transaction: &Transaction, state: &State) -> Result<()> {
        for (entry, _) in unique_entries(&self.entries) {
            if owner(state.current(entry).flatten().as_ref()).is_some_and(|owner| *owner != self.key) {
                return Err(unique_violation(&transaction.context().place(entry.as_bytes())));
            }
        }
        Ok(())
    }

    /// Writes the record and only those entries that differ from the old ones.
    fn stage(self, state: &mut State, old: IndexRows) {
        for (entry, link) in &self.entries {
            if old.get(entry) != Some(link) {
                state.write(entry.clone(), Write::Link(link.clone()));
            }
        }
        for entry in old.into_keys().filter(|entry| !self.entries.contains_key(entry)) {
            state.write(entry, Write::Delete);
        }
        state.write(self.key, Write::Put(self.value));
        state.changes.add(self.record, ChangeKind::Put);
    }
}

fn unique_entries(entries: &IndexRows) -> impl Iterator<Item = (&StoredKey, &LinkTo)> {
    entries.iter().filter(|(_, link)| matches!(link, LinkTo::Key(_)))
}

/// Whose entry a unique row is.
fn owner(row: Option<&Row>) -> Option<&StoredKey> {
    match row.map(|row| &row.content) {
        Some(Content::Link(target)) => Some(target),
        _ => None,
    }
}

/// Says which of many records it was.
fn of_many(error: Error, number: usize) -> Error {
    error.within(&format!("record number {} of those given", number + 1))
}

fn already_exists(collection: &Collection) -> Error {
    Error::new(ErrorKind::AlreadyExists, format!("a record with this key is already in collection {}", collection.name))
}

fn not_found(collection: &Collection) -> Error {
    Error::new(ErrorKind::NotFound, format!("there is no record with this key in collection {}", collection.name))
}

fn unique_violation(place: &str) -> Error {
    Error::new(ErrorKind::UniqueViolation, format!("another record already has this entry in unique {place}"))
}
