//! What becomes of records in the target: one is there with all its entries, or not at all.

use std::collections::BTreeSet;

use bytes::Bytes;

use super::super::changes::{ChangeKind, ChangeList};
use super::super::context::Context;
use super::super::rows::{Erased, Inspected, damaged, record_value};
use super::target::{Mark, Target, interfered};
use crate::key::Components;
use crate::store::{Batch, Content, Entry, Guard, LinkTo, StoredKey, Write};
use crate::{Error, ErrorKind, Result};

/// How often a page is tried again, after what is in its way was removed.
const ATTEMPTS_MAX: usize = 16;

/// One record that arrives.
#[derive(Clone)]
pub(in super::super) struct Arrival {
    pub(in super::super) erased: Erased,
    /// Its key in the source.
    pub(in super::super) from: StoredKey,
    /// Its key in the target.
    pub(in super::super) key: StoredKey,
    /// Its value in the shape of now.
    pub(in super::super) value: Bytes,
    components: Components,
    entries: Vec<(StoredKey, LinkTo)>,
}

/// Which of some arrivals were written, and how many of them could not be, because another record has a unique entry of theirs.
#[derive(Default)]
pub(in super::super) struct Inserted {
    pub(in super::super) written: u64,
    pub(in super::super) refused: Vec<Arrival>,
}

impl Arrival {
    /// A record of the source as it is in the target.
    pub(in super::super) fn new(target: &Target<'_>, erased: &Erased, from: StoredKey, value: Bytes) -> Result<Self> {
        let inspected = (erased.inspect)(target.context.codec(), &value)?;
        let Inspected { key, components, rows } = inspected;
        Ok(Arrival { erased: *erased, from, key, value, components, entries: rows.into_iter().collect() })
    }

    /// A row of the source that must be a record.
    pub(super) fn of_row(target: &Target<'_>, source: &Context, erased: &Erased, entry: Entry) -> Result<Self> {
        let place = erased.collection.name;
        let content = entry.content.ok_or_else(|| damaged(place, "a row without content", &entry.key))?;
        let value = record_value(content, place, &entry.key)?;
        let value = source.schema.current(erased.collection, value, &entry.key)?;
        if (erased.inspect)(source.codec(), &value)?.key != entry.key {
            return Err(damaged(place, "the record of another key", &entry.key));
        }
        Arrival::new(target, erased, entry.key, value)
    }

    fn unique(&self) -> impl Iterator<Item = &StoredKey> {
        self.entries.iter().filter(|(_, link)| matches!(link, LinkTo::Key(_))).map(|(entry, _)| entry)
    }
}

/// Makes a page of records what they are in the source. Whatever is in their way goes: an older state of one, and the owner of a unique
/// entry that is another's by now, which comes again when its turn does. `mark` tells the mark at a record of the page.
pub(super) async fn place(
    target: &mut Target<'_>,
    arrivals: &[Arrival],
    mark: &mut (dyn FnMut(usize) -> Mark + Send),
) -> Result<u64> {
    for _ in 0..ATTEMPTS_MAX {
        let (mut in_the_way, mut absent) = (Vec::new(), Vec::new());
        for (at, there) in there(target, arrivals).await?.into_iter().enumerate() {
            match there {
                None => absent.push(at),
                Some(Content::Value(value)) if value == arrivals[at].value => {}
                Some(_) => in_the_way.push((arrivals[at].erased, arrivals[at].key.clone())),
            }
        }
        if in_the_way.is_empty() {
            let inserted = write(target, arrivals, &absent, &mut |at| Some(mark(at))).await?;
            if inserted.refused.is_empty() {
                return Ok(inserted.written);
            }
            clear(target, &inserted.refused).await?;
        } else {
            remove(target, &in_the_way).await?;
        }
    }
    Err(interfered())
}

/// Writes those records that are not there, or are there in another state, and looks whether all are there then. Those of which another
/// record has a unique entry are left out, and the other record stays.
pub(in super::super) async fn insert(target: &mut Target<'_>, arrivals: &[Arrival]) -> Result<Inserted> {
    let mut missing = Vec::new();
    for (at, there) in there(target, arrivals).await?.into_iter().enumerate() {
        match there {
            Some(Content::Value(value)) if value == arrivals[at].value => continue,
            Some(_) => drop(remove(target, &[(arrivals[at].erased, arrivals[at].key.clone())]).await?),
            None => {}
        }
        missing.push(at);
    }
    let inserted = write(target, arrivals, &missing, &mut |_| None).await?;
    for (arrival, there) in arrivals.iter().zip(there(target, arrivals).await?) {
        let as_it_arrived = matches!(there, Some(Content::Value(value)) if value == arrival.value);
        if !as_it_arrived && inserted.refused.iter().all(|refused| refused.key != arrival.key) {
            return Err(differs());
        }
    }
    Ok(inserted)
}

async fn there(target: &Target<'_>, arrivals: &[Arrival]) -> Result<Vec<Option<Content>>> {
    let mut there = Vec::with_capacity(arrivals.len());
    for some in arrivals.chunks(target.context.store.info().limits.get_keys_max.max(1)) {
        let keys: Vec<StoredKey> = some.iter().map(|arrival| arrival.key.clone()).collect();
        there.extend(target.context.store.get(&keys).await?.rows.into_iter().map(|row| row.map(|row| row.content)));
    }
    Ok(there)
}

/// Writes records that are absent, in as many batches as their size needs. A batch in which a unique entry is taken is written
/// record by record, so that it is known whose.
async fn write(
    target: &mut Target<'_>,
    arrivals: &[Arrival],
    absent: &[usize],
    mark: &mut (dyn FnMut(usize) -> Option<Mark> + Send),
) -> Result<Inserted> {
    let (mut inserted, mut rest) = (Inserted::default(), absent);
    while !rest.is_empty() {
        let (batch, records) = batch(target, arrivals, rest)?;
        let (some, others) = rest.split_at(records);
        rest = others;
        if target.commit(batch, some.last().and_then(|at| mark(*at))).await? {
            inserted.written += some.len() as u64;
            continue;
        }
        for at in some {
            let (batch, _) = self::batch(target, arrivals, &[*at])?;
            // The mark does not move: it would pass over one that was refused.
            match target.commit(batch, None).await? {
                true => inserted.written += 1,
                false => inserted.refused.push(arrivals[*at].clone()),
            }
        }
    }
    Ok(inserted)
}

/// A batch of as many of the records as go into one, at least the first.
fn batch(target: &Target<'_>, arrivals: &[Arrival], absent: &[usize]) -> Result<(Batch, usize)> {
    let limits = target.context.store.info().limits;
    let (mut batch, mut changes, mut records, mut bytes) = (Batch::default(), ChangeList::default(), 0, 0);
    for at in absent {
        let arrival = &arrivals[*at];
        let more: usize = arrival.value.len()
            + arrival.entries.iter().map(|(entry, _)| entry.len() + arrival.key.len()).sum::<usize>();
        let full = batch.writes.len() + arrival.entries.len() + 1 > limits.batch_writes_max / 2
            || bytes + more + changes.bytes() > limits.batch_bytes_max / 2
            || changes.bytes() > limits.value_bytes_max / 2
            || batch.guards.len() + arrival.entries.len() + 1 > limits.batch_guards_max / 2
            || arrival.unique().any(|entry| batch.writes.contains_key(entry));
        if full && records > 0 {
            break;
        }
        for key in arrival.unique().chain([&arrival.key]) {
            batch.guards.push(Guard::Key { key: key.clone(), revision: None });
        }
        batch.writes.insert(arrival.key.clone(), Write::Put(arrival.value.clone()));
        batch.writes.extend(arrival.entries.iter().map(|(entry, link)| (entry.clone(), Write::Link(link.clone()))));
        changes.list(arrival.erased.collection, arrival.components.clone(), ChangeKind::Put);
        (records, bytes) = (records + 1, bytes + more);
    }
    changes.stamp(target.context.clock.now(), &mut batch)?;
    Ok((batch, records))
}

/// Clears the unique entries of records that could not be written: the records that have them go, and an entry whose record is not there.
async fn clear(target: &mut Target<'_>, refused: &[Arrival]) -> Result<()> {
    for arrival in refused {
        let entries: Vec<StoredKey> = arrival.unique().cloned().collect();
        let rows = target.context.store.get(&entries).await?.rows;
        for (entry, row) in entries.into_iter().zip(rows) {
            let Some(row) = row else { continue };
            if let Content::Link(owner) = row.content
                && remove(target, &[(arrival.erased, owner)]).await? > 0
            {
                continue;
            }
            let mut batch = Batch::default();
            batch.guards.push(Guard::Key { key: entry.clone(), revision: Some(row.revision) });
            batch.writes.insert(entry, Write::Delete);
            if !target.commit(batch, None).await? {
                return Err(interfered());
            }
        }
    }
    Ok(())
}

/// Removes records with their entries, as their values in the target say. Gives how many there were.
pub(super) async fn remove(target: &mut Target<'_>, records: &[(Erased, StoredKey)]) -> Result<u64> {
    let (mut seen, mut removed) = (BTreeSet::new(), 0);
    for (erased, key) in records.iter().filter(|(_, key)| seen.insert(key.clone())) {
        let place = erased.collection.name;
        let row = target.context.store.get(std::slice::from_ref(key)).await?.rows.into_iter().next().flatten();
        let Some(row) = row else { continue };
        let value = record_value(row.content, place, key)?;
        let inspected = target.context.schema.inspect(erased, target.context.codec(), value, key)?;
        if inspected.key != *key {
            return Err(damaged(place, "the record of another key", key));
        }
        let mut batch = Batch::default();
        batch.guards.push(Guard::Key { key: key.clone(), revision: Some(row.revision) });
        batch.writes.extend(inspected.rows.into_keys().chain([key.clone()]).map(|key| (key, Write::Delete)));
        let mut changes = ChangeList::default();
        changes.list(erased.collection, inspected.components, ChangeKind::Delete);
        changes.stamp(target.context.clock.now(), &mut batch)?;
        if !target.commit(batch, None).await? {
            return Err(interfered());
        }
        removed += 1;
    }
    Ok(removed)
}

/// What a target that does not hold what was written to it is.
pub(in super::super) fn differs() -> Error {
    Error::new(ErrorKind::Corrupt, "the target does not hold what was written into it: copy into another")
}
