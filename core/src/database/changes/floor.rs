//! The log's row about itself: a number that tells it from other logs, and how much of it was trimmed.

use std::hash::{BuildHasher, RandomState};
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use super::super::commit::commit_alone;
use super::super::context::Context;
use super::super::keyspace::CHANGE_LOG_FLOOR;
use super::super::value;
use crate::store::{Batch, Content, Entry, Guard, Read, Revision, Row, StoredKey, Write};
use crate::{Error, ErrorKind, Result};

/// The log's row about itself. It is made when the log is first read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Floor {
    /// The log's number; never 0.
    pub(super) log: u64,
    /// The revision of the newest row that was removed.
    trimmed: u64,
}

impl Floor {
    /// Of a log of which nothing was trimmed.
    pub(super) fn new(log: u64) -> Self {
        Floor { log, trimmed: 0 }
    }

    /// The revision of the newest row that was removed; zero if none was.
    pub(super) fn trimmed(&self) -> Revision {
        Revision(self.trimmed)
    }

    /// The same, with the rows up to `revision` removed.
    pub(super) fn at(self, revision: Revision) -> Self {
        Floor { trimmed: revision.0, ..self }
    }

    /// The row's write.
    pub(super) fn write(&self) -> Result<Write> {
        Ok(Write::Put(value::encode(self)?))
    }

    /// Reads what its row holds.
    pub(super) fn of(row: Option<Row>) -> Result<Option<Self>> {
        match row.map(|row| row.content) {
            None => Ok(None),
            Some(Content::Value(bytes)) => value::decode(&bytes, "the change log's floor").map(Some),
            Some(Content::Link(_)) => Err(Error::new(ErrorKind::Corrupt, "the change log's floor is a link")),
            Some(Content::Damaged(error)) => Err(error.at("the change log's floor")),
        }
    }

    /// Reads it.
    pub(super) async fn read(read: &dyn Read) -> Result<Option<Self>> {
        Ok(Floor::read_at(read).await?.0)
    }

    /// Reads it, and tells the newest revision of that moment.
    pub(super) async fn read_at(read: &dyn Read) -> Result<(Option<Self>, Revision)> {
        let mut found = read.get(&[key()]).await?;
        Ok((Floor::of(found.rows.pop().flatten())?, found.as_of))
    }
}

/// Checks a row of its keyspace: there is one, and it can be read.
pub(crate) fn check_floor(row: Entry) -> Result<()> {
    let Entry { key: found, revision, content, .. } = row;
    if found != key() {
        return Err(Error::new(ErrorKind::Corrupt, "the change log's floor: a second row"));
    }
    Floor::of(content.map(|content| Row { revision, content })).map(drop)
}

/// Where it is.
pub(super) fn key() -> StoredKey {
    StoredKey::from(CHANGE_LOG_FLOOR.bytes().to_vec())
}

/// The log's number, and the newest revision when it was read.
pub(super) async fn identify(context: &Context) -> Result<(u64, Revision)> {
    loop {
        if let (Some(floor), newest) = Floor::read_at(&*context.store).await? {
            return Ok((floor.log, newest));
        }
        make(context).await?;
    }
}

/// Makes the row, unless somebody else has.
pub(super) async fn make(context: &Context) -> Result<()> {
    let floor = Floor::new(unlike_others());
    let mut batch = Batch::default();
    batch.guards.push(Guard::Key { key: key(), revision: None });
    batch.writes.insert(key(), floor.write()?);
    commit_alone(&*context.store, batch).await?;
    Ok(())
}

/// A number that no other log has, but by a chance of one in 2^64. Nothing rests on its being hard to guess.
fn unlike_others() -> u64 {
    let time = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    RandomState::new().hash_one(time).max(1)
}
