//! A history that follows from a seed: what its every step writes, so that whoever knows the steps that happened knows what
//! the store must hold.

use std::collections::BTreeMap;

use strongroom_core::store::{
    Batch, Content, KeyPrefix, KeyRange, Limits, LinkTo, Outcome, Revision, Row, Store, StoredKey, Write,
};
use strongroom_core::{Error, ErrorKind, Result};

use super::random::Random;

/// Keys that the steps write to, again and again.
const KEYS: u64 = 120;
/// Before every row that says which step a revision was.
const LOG: &[u8] = b"log/";
/// A second stamped row of each step.
const NOTE: &[u8] = b"note/";

/// What the steps are like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Style {
    /// Small values, links and deletes; a call has up to three steps.
    Rows,
    /// Values of 20 to 200 kB.
    Large,
    /// Mostly deletes, and ranges that are dropped.
    Deletes,
}

/// Steps that follow from a seed.
#[derive(Clone, Copy, Debug)]
pub(super) struct History {
    seed: u32,
    style: Style,
    value_bytes_max: usize,
}

/// What one step does.
pub(super) enum Step {
    Batch(Batch),
    /// Every row of the range goes.
    Drop(KeyRange),
}

impl History {
    pub(super) fn new(seed: u32, style: Style, limits: &Limits) -> Self {
        let value_bytes_max = limits.value_bytes_max.min(limits.batch_bytes_max / 4).min(1 << 20);
        History { seed, style, value_bytes_max }
    }

    /// The steps that are made in one call, of which the first is `number`.
    pub(super) fn call(&self, number: u32) -> Vec<u32> {
        let most = match self.style {
            Style::Rows => 1 + self.random(number, 1).below(3) as u32,
            Style::Large | Style::Deletes => 1,
        };
        (number..number + most).collect()
    }

    /// What a step does, whatever was done before.
    pub(super) fn step(&self, number: u32) -> Step {
        let mut random = self.random(number, 0);
        if self.style == Style::Deletes && number % 5 == 4 {
            let digit = b'0' + random.below(10) as u8;
            return Step::Drop(KeyRange::prefix(&[b'k', b'/', digit]));
        }
        let mut batch = Batch::default();
        for _ in 0..self.writes(&mut random) {
            let (key, write) = self.write(&mut random);
            batch.writes.insert(key, write);
        }
        batch.stamped.push((KeyPrefix(StoredKey::new(LOG)), number.to_be_bytes().to_vec().into()));
        batch.stamped.push((KeyPrefix(StoredKey::new(NOTE)), random.bytes(20).into()));
        Step::Batch(batch)
    }

    fn random(&self, number: u32, stream: u64) -> Random {
        Random::new(u64::from(self.seed) << 32 | u64::from(number), stream)
    }

    fn writes(&self, random: &mut Random) -> u64 {
        match self.style {
            Style::Rows => 3 + random.below(20),
            Style::Large => 1 + random.below(2),
            Style::Deletes => 10 + random.below(30),
        }
    }

    fn write(&self, random: &mut Random) -> (StoredKey, Write) {
        let deletes = if self.style == Style::Deletes { 50 } else { 15 };
        let keys = if self.style == Style::Large { 4 } else { KEYS };
        let (key, other) = (key(random.below(keys)), key(random.below(keys)));
        match random.below(100) {
            choice if choice < deletes => (key, Write::Delete),
            choice if choice < 65 || self.style == Style::Large => (key, Write::Put(self.value(random).into())),
            choice if choice < 75 => (key, Write::Link(LinkTo::Key(other))),
            choice => {
                // An entry of an index: it ends in the key that it points to.
                let entry = [format!("l/{}/", choice % 4).as_bytes(), other.as_bytes()].concat();
                let at = (entry.len() - other.len()) as u16;
                (StoredKey::from(entry), Write::Link(LinkTo::Suffix(at)))
            }
        }
    }

    fn value(&self, random: &mut Random) -> Vec<u8> {
        let bytes = match self.style {
            Style::Large => 20_000 + random.below(180_000),
            Style::Rows | Style::Deletes => random.below(400),
        };
        random.bytes((bytes as usize).min(self.value_bytes_max))
    }

    /// Makes the steps of one call on a store; gives their revisions.
    pub(super) async fn make(&self, store: &dyn Store, numbers: &[u32]) -> Result<Vec<Revision>> {
        let mut batches = Vec::new();
        for number in numbers {
            match self.step(*number) {
                Step::Batch(batch) => batches.push(batch),
                Step::Drop(range) => return committed(vec![store.drop_range(&range, &[]).await?]),
            }
        }
        committed(store.commit(batches).await?)
    }
}

/// Steps have no guards and keep to the limits: each must be committed.
fn committed(outcomes: Vec<Outcome>) -> Result<Vec<Revision>> {
    let each = outcomes.into_iter().map(|outcome| match outcome {
        Outcome::Committed(revision) => Ok(revision),
        Outcome::Rejected(error) => Err(error),
        Outcome::Conflict { .. } => Err(Error::new(ErrorKind::Conflict, "a step without guards met a conflict")),
    });
    each.collect()
}

/// Keys that follow each other differ in their first digit: a dropped range takes some of all.
fn key(number: u64) -> StoredKey {
    StoredKey::from(format!("k/{}{:03}", number % 10, number / 10).into_bytes())
}

/// The rows that steps leave, made in the order of their revisions.
pub(super) type Model = BTreeMap<StoredKey, Row>;

/// Does a step to the model.
pub(super) fn apply(model: &mut Model, step: Step, revision: Revision) {
    match step {
        Step::Drop(range) => model.retain(|key, _| !range.holds(key.as_bytes())),
        Step::Batch(batch) => {
            for (key, write) in batch.writes {
                let content = match write {
                    Write::Delete => {
                        model.remove(&key);
                        continue;
                    }
                    Write::Put(value) => Content::Value(value),
                    Write::Link(link) => Content::Link(link.resolve(&key)),
                };
                model.insert(key, Row { revision, content });
            }
            for (prefix, value) in batch.stamped {
                model.insert(prefix.stamp(revision), Row { revision, content: Content::Value(value) });
            }
        }
    }
}

/// Which step a row of the log says that its revision was.
pub(super) fn logged(key: &StoredKey, row: &Row) -> Option<Result<(Revision, u32), &'static str>> {
    let stamp = key.as_bytes().strip_prefix(LOG)?;
    let parsed = match (<[u8; 8]>::try_from(stamp), &row.content) {
        (Ok(stamp), Content::Value(value)) => match <[u8; 4]>::try_from(&value[..]) {
            Ok(number) if u64::from_be_bytes(stamp) == row.revision.0 => Ok((row.revision, u32::from_be_bytes(number))),
            _ => Err("a stamped row shows another revision than its own, or another value"),
        },
        _ => Err("a stamped row has a key or content of another form"),
    };
    Some(parsed)
}
