//! Batches as the arrays that `commit.sql` takes.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::ops::Bound;

use sqlx::postgres::{PgArguments, Postgres};
use sqlx::query::Query;
use strongroom_core::store::sorted::StoredRow;
use strongroom_core::store::sorted::columns::{columns, revision_column};
use strongroom_core::store::{Batch, Guard, KeyRange, Limits, Outcome, Revision};
use strongroom_core::{Error, ErrorKind, Result};

use crate::bounds;
use crate::error::damaged;
use crate::statements::Statements;

/// Bytes after which a call takes no more batches: a message of the protocol holds 1 GiB.
const CALL_BYTES_MAX: usize = 64 << 20;
/// Bytes that an element takes beside its key and value: lengths, and elements of the other arrays.
const ROW_BYTES: usize = 40;
/// What the function answers for a batch whose stamped row has the key of another write.
const COLLISION: i64 = i64::MIN;

/// One call of the function: some batches, one after another.
#[derive(Default)]
pub(crate) struct Call<'b> {
    segments: Segments,
    writing: Vec<bool>,
    colliding: Vec<bool>,
    keys: KeyGuards<'b>,
    ranges: RangeGuards,
    writes: Writes<'b>,
    dropped: Option<&'b KeyRange>,
    bytes: usize,
    touched: Touched<'b>,
}

/// Where the parts of each segment end in the other arrays, counted from 1.
#[derive(Default)]
struct Segments {
    batches: Vec<i32>,
    keys: Vec<i32>,
    ranges: Vec<i32>,
    writes: Vec<i32>,
}

#[derive(Default)]
struct KeyGuards<'b> {
    batch: Vec<i32>,
    guard: Vec<i32>,
    key: Vec<&'b [u8]>,
    revision: Vec<Option<i64>>,
}

#[derive(Default)]
struct RangeGuards {
    batch: Vec<i32>,
    guard: Vec<i32>,
    start: Vec<Vec<u8>>,
    end: Vec<Vec<u8>>,
    as_of: Vec<i64>,
    rows: Vec<i64>,
}

#[derive(Default)]
struct Writes<'b> {
    batch: Vec<i32>,
    stamped: Vec<bool>,
    key: Vec<&'b [u8]>,
    link: Vec<Option<i32>>,
    value: Vec<Option<&'b [u8]>>,
    deleting: bool,
}

/// What a segment writes so far.
#[derive(Default)]
struct Touched<'b> {
    keys: BTreeSet<&'b [u8]>,
    stamped: Vec<&'b [u8]>,
}

/// The calls that batches take, in order, and those that are refused without one.
pub(crate) struct Group<'b> {
    pub(crate) calls: Vec<Call<'b>>,
    refused: Vec<Option<Error>>,
}

impl<'b> Group<'b> {
    pub(crate) fn of(batches: &'b [Batch], limits: &Limits) -> Self {
        let refused: Vec<_> = batches.iter().map(|batch| batch.check(limits).err()).collect();
        let mut calls: Vec<Call<'b>> = Vec::new();
        for (batch, _) in batches.iter().zip(&refused).filter(|(_, refused)| refused.is_none()) {
            match calls.last_mut().filter(|call| call.bytes + bytes_of(batch) <= CALL_BYTES_MAX) {
                Some(call) => call.add(batch),
                None => {
                    let mut call = Call::default();
                    call.add(batch);
                    calls.push(call);
                }
            }
        }
        Group { calls, refused }
    }

    /// The outcome of each batch, from what all calls answered.
    pub(crate) fn outcomes(self, answered: Vec<i64>) -> Result<Vec<Outcome>> {
        let mut answered = answered.into_iter();
        let outcomes = self.refused.into_iter().map(|refused| match refused {
            Some(error) => Ok(Outcome::Rejected(error)),
            None => outcome(answered.next().ok_or_else(damaged)?),
        });
        outcomes.collect()
    }
}

/// What a number that the function answered says.
pub(crate) fn outcome(answered: i64) -> Result<Outcome> {
    match answered {
        0.. => Ok(Outcome::Committed(Revision(answered.unsigned_abs()))),
        COLLISION => {
            let message = "a stamped row has the key of another write of its batch";
            Ok(Outcome::Rejected(Error::new(ErrorKind::InvalidInput, message)))
        }
        broken => {
            let guard = usize::try_from(-1 - broken).map_err(|_| damaged())?;
            Ok(Outcome::Conflict { guard })
        }
    }
}

impl<'b> Call<'b> {
    /// A range that goes, if all guards hold.
    pub(crate) fn dropping(range: &'b KeyRange, guards: &'b [Guard]) -> Self {
        let mut call = Call { dropped: Some(range), ..Call::default() };
        call.segments.begin();
        call.begin(false, false);
        call.guard(guards);
        call.end();
        call
    }

    fn add(&mut self, batch: &'b Batch) {
        let colliding = may_collide(batch);
        // What may collide is alone in its segment.
        let alone = colliding || self.colliding.last() == Some(&true);
        let is_first = self.segments.batches.is_empty();
        if is_first || alone || batch.guards.iter().any(|guard| self.touched.concerns(guard)) {
            self.segments.begin();
            self.touched = Touched::default();
        }
        self.begin(!batch.is_read_only(), colliding);
        self.guard(&batch.guards);
        for (key, write) in &batch.writes {
            let row = StoredRow::of(write, Revision::ZERO);
            let (link, value) = row.as_ref().map_or((None, None), columns);
            self.write(false, key.as_bytes(), link, value);
            self.touched.keys.insert(key.as_bytes());
        }
        for (prefix, value) in &batch.stamped {
            self.write(true, prefix.0.as_bytes(), None, Some(value));
            self.touched.stamped.push(prefix.0.as_bytes());
        }
        self.bytes += bytes_of(batch);
        self.end();
    }

    fn begin(&mut self, writing: bool, colliding: bool) {
        self.writing.push(writing);
        self.colliding.push(colliding);
    }

    /// What there is now belongs to the last segment.
    fn end(&mut self) {
        let ends = [self.writing.len(), self.keys.key.len(), self.ranges.start.len(), self.writes.key.len()];
        self.segments.end(ends.map(number));
    }

    /// The number of the batch that was begun last, from 1.
    fn batch(&self) -> i32 {
        number(self.writing.len())
    }

    fn guard(&mut self, guards: &'b [Guard]) {
        let batch = self.batch();
        for (at, guard) in guards.iter().enumerate() {
            match guard {
                Guard::Key { key, revision } => {
                    self.keys.batch.push(batch);
                    self.keys.guard.push(number(at));
                    self.keys.key.push(key.as_bytes());
                    self.keys.revision.push(revision.map(revision_column));
                }
                Guard::Range { range, as_of, rows } => {
                    let (start, end) = bounds::of(range);
                    self.ranges.batch.push(batch);
                    self.ranges.guard.push(number(at));
                    self.ranges.start.push(start.into_owned());
                    self.ranges.end.push(end.into_owned());
                    self.ranges.as_of.push(revision_column(*as_of));
                    self.ranges.rows.push(i64::try_from(*rows).unwrap_or(i64::MAX - 1));
                }
            }
        }
    }

    fn write(&mut self, stamped: bool, key: &'b [u8], link: Option<i32>, value: Option<&'b [u8]>) {
        self.writes.batch.push(self.batch());
        self.writes.deleting |= link.is_none() && value.is_none();
        self.writes.stamped.push(stamped);
        self.writes.key.push(key);
        self.writes.link.push(link);
        self.writes.value.push(value);
    }

    /// The statement, with all that is bound to it.
    pub(crate) fn query<'q>(&'q self, statements: &Statements, namespace: i64) -> Query<'q, Postgres, PgArguments> {
        let (start, end) = self.dropped.map(bounds::of).unzip();
        let (keys, ranges, writes) = (&self.keys, &self.ranges, &self.writes);
        sqlx::query(statements.commit.clone())
            .bind(namespace)
            .bind(&self.segments.batches)
            .bind(&self.segments.keys)
            .bind(&self.segments.ranges)
            .bind(&self.segments.writes)
            .bind(&self.writing)
            .bind(&self.colliding)
            .bind(&keys.batch)
            .bind(&keys.guard)
            .bind(&keys.key)
            .bind(&keys.revision)
            .bind(&ranges.batch)
            .bind(&ranges.guard)
            .bind(&ranges.start)
            .bind(&ranges.end)
            .bind(&ranges.as_of)
            .bind(&ranges.rows)
            .bind(&writes.batch)
            .bind(&writes.stamped)
            .bind(&writes.key)
            .bind(&writes.link)
            .bind(&writes.value)
            .bind(writes.deleting)
            .bind(start.map(Cow::into_owned))
            .bind(end.map(Cow::into_owned))
    }
}

impl Segments {
    fn begin(&mut self) {
        for ends in [&mut self.batches, &mut self.keys, &mut self.ranges, &mut self.writes] {
            ends.push(0);
        }
    }

    fn end(&mut self, ends: [i32; 4]) {
        let all = [&mut self.batches, &mut self.keys, &mut self.ranges, &mut self.writes];
        for (all, end) in all.into_iter().zip(ends) {
            if let Some(last) = all.last_mut() {
                *last = end;
            }
        }
    }
}

impl Touched<'_> {
    /// Whether a guard asks for something that the segment writes.
    fn concerns(&self, guard: &Guard) -> bool {
        match guard {
            Guard::Key { key, .. } => {
                let key = key.as_bytes();
                self.keys.contains(key) || self.stamped.iter().any(|prefix| is_stamped(key, prefix))
            }
            Guard::Range { range, .. } => {
                let (start, end) = bounds::of(range);
                if start >= end {
                    return false;
                }
                let within = (Bound::Included(&*start), Bound::Excluded(&*end));
                self.keys.range::<[u8], _>(within).next().is_some()
                    || self.stamped.iter().any(|prefix| {
                        let (first, last) = ([*prefix, &[0; 8]].concat(), [*prefix, &[0xFF; 8]].concat());
                        *start <= last[..] && first[..] < *end
                    })
            }
        }
    }
}

/// What a batch takes in the message, nearly: keys of guards, too, may be long.
fn bytes_of(batch: &Batch) -> usize {
    let guards = batch.guards.iter().map(|guard| match guard {
        Guard::Key { key, .. } => key.len() + ROW_BYTES,
        Guard::Range { range, .. } => {
            let (start, end) = bounds::of(range);
            start.len() + end.len() + ROW_BYTES
        }
    });
    batch.bytes() + (batch.writes.len() + batch.stamped.len()) * ROW_BYTES + guards.sum::<usize>()
}

/// Whether, at some revision, a stamped row would have the key of another write of the batch.
fn may_collide(batch: &Batch) -> bool {
    batch
        .stamped
        .iter()
        .any(|(prefix, _)| batch.writes.keys().any(|key| is_stamped(key.as_bytes(), prefix.0.as_bytes())))
}

fn is_stamped(key: &[u8], prefix: &[u8]) -> bool {
    key.len() == prefix.len() + 8 && key.starts_with(prefix)
}

/// No call comes near so many: the limits are far below.
fn number(count: usize) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests {
    use strongroom_core::store::{KeyPrefix, StoredKey, Write};

    use super::*;

    fn key(text: &str) -> StoredKey {
        StoredKey::from(text.as_bytes().to_vec())
    }

    fn put(text: &str) -> Batch {
        Batch { writes: [(key(text), Write::Put("value".into()))].into(), ..Batch::default() }
    }

    fn guarded(text: &str, guard: Guard) -> Batch {
        Batch { guards: vec![guard], ..put(text) }
    }

    fn segments(batches: &[Batch]) -> Vec<i32> {
        let group = Group::of(batches, &Limits::default());
        assert!(group.calls.len() <= 1, "one call");
        let mut first = 0;
        let of_segment = |(segment, end): (i32, i32)| {
            let batches = end - first;
            first = end;
            std::iter::repeat_n(segment, usize::try_from(batches).unwrap())
        };
        group.calls.iter().flat_map(|call| (0..).zip(call.segments.batches.clone())).flat_map(of_segment).collect()
    }

    #[test]
    fn batches_share_a_segment_unless_a_guard_asks_for_what_an_earlier_one_writes() {
        let absent = |text: &str| Guard::Key { key: key(text), revision: None };
        let range =
            |prefix: &str| Guard::Range { range: KeyRange::prefix(prefix.as_bytes()), as_of: Revision::ZERO, rows: 0 };
        assert_eq!(segments(&[put("a"), put("a"), guarded("b", absent("c"))]), [0, 0, 0]);
        assert_eq!(segments(&[put("a"), guarded("b", absent("a")), guarded("c", absent("a"))]), [0, 1, 1]);
        assert_eq!(segments(&[guarded("a", absent("a")), guarded("a", absent("a")), put("a")]), [0, 1, 1]);
        assert_eq!(segments(&[put("room/1"), guarded("x", range("room/")), guarded("y", range("room/"))]), [0, 1, 1]);
        assert_eq!(segments(&[put("room/1"), guarded("x", range("user/"))]), [0, 0]);
    }

    #[test]
    fn guards_over_stamped_rows_are_checked_after_them() {
        let log = || Batch { stamped: vec![(KeyPrefix(key("log/")), "entry".into())], ..Batch::default() };
        let range = Guard::Range { range: KeyRange::prefix(b"log/"), as_of: Revision::ZERO, rows: 0 };
        let row = Guard::Key { key: KeyPrefix(key("log/")).stamp(Revision(7)), revision: None };
        assert_eq!(segments(&[log(), log(), guarded("x", range), log()]), [0, 0, 1, 1]);
        assert_eq!(segments(&[log(), guarded("x", row)]), [0, 1]);
    }

    #[test]
    fn what_may_collide_is_alone_in_its_segment() {
        let mut colliding = put("x");
        colliding.stamped.push((KeyPrefix(key("log/")), "entry".into()));
        colliding.writes.insert(KeyPrefix(key("log/")).stamp(Revision(7)), Write::Delete);
        assert_eq!(segments(&[put("a"), colliding, put("b")]), [0, 1, 2]);
    }

    #[test]
    fn a_refused_batch_is_not_sent_and_keeps_its_place() {
        let limits = Limits { key_bytes_max: 3, ..Limits::default() };
        let batches = [put("a"), put("too long"), put("b")];
        let group = Group::of(&batches, &limits);
        assert_eq!(group.calls.iter().map(|call| call.writing.len()).sum::<usize>(), 2);
        let outcomes = group.outcomes(vec![4, -1]).unwrap();
        assert!(matches!(outcomes[0], Outcome::Committed(Revision(4))));
        assert!(matches!(outcomes[1], Outcome::Rejected(_)));
        assert!(matches!(outcomes[2], Outcome::Conflict { guard: 0 }));
    }
}
