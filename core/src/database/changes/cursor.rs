//! A place in the change log.

use std::fmt;
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

use super::floor::Floor;
use crate::store::Revision;
use crate::{Error, ErrorKind, Result};

/// A place in the change log: all before it was seen, nothing behind it.
///
/// Its text is opaque, and shows nothing of any record. It belongs to the database that gave it; another one answers `InvalidInput`, as does
/// this one after it was put back to a copy from before that place.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct ChangeCursor {
    /// The log's number; 0 before the first change of any.
    log: u64,
    /// The row of the log that it is in or behind; there need not be one.
    pub(super) revision: Revision,
    /// How many of that row's changes were seen.
    pub(super) seen: u32,
}

/// First byte of a cursor's text form.
const VERSION: u8 = 1;
/// All changes of a row were seen.
const ALL: u32 = u32::MAX;

impl ChangeCursor {
    /// Before the first change, of any database.
    pub const START: ChangeCursor = ChangeCursor { log: 0, revision: Revision::ZERO, seen: ALL };

    /// Behind all that was committed up to a revision.
    pub(super) fn behind(log: u64, revision: Revision) -> Self {
        ChangeCursor { log, revision, seen: ALL }
    }

    /// Behind the first `seen` changes of the row of a revision.
    pub(super) fn within(log: u64, revision: Revision, seen: u32) -> Self {
        ChangeCursor { log, revision, seen }
    }

    /// Whether all changes of its row were seen.
    pub(super) fn is_behind_row(&self) -> bool {
        self.seen == ALL
    }

    /// Whether everything up to the row of `revision`, and with it, was seen.
    pub(super) fn has_passed(&self, revision: Revision) -> bool {
        self.revision > revision || (self.revision == revision && self.is_behind_row())
    }

    /// Checks that it is a place in this log. `newest` is the newest revision of the database.
    ///
    /// # Errors
    ///
    /// `InvalidInput`.
    pub(super) fn check(&self, floor: &Floor, newest: Revision) -> Result<()> {
        let wrong = |message| Err(Error::new(ErrorKind::InvalidInput, message));
        if *self != ChangeCursor::START && self.log != floor.log {
            return wrong("the cursor is of another database's changes; read all records, and go on from that view");
        }
        if self.revision > newest {
            return wrong(
                "the cursor is ahead of this database, which was put back to an older state; read all records, and go on \
                 from that view",
            );
        }
        Ok(())
    }
}

impl fmt::Display for ChangeCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut bytes = Vec::with_capacity(21);
        bytes.push(VERSION);
        bytes.extend_from_slice(&self.log.to_be_bytes());
        bytes.extend_from_slice(&self.revision.0.to_be_bytes());
        bytes.extend_from_slice(&self.seen.to_be_bytes());
        f.write_str(&URL_SAFE_NO_PAD.encode(bytes))
    }
}

impl FromStr for ChangeCursor {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        parse(text).ok_or_else(|| {
            let message = "this text is no place in a change log; use `next` of a page, or the `cursor` of a change";
            Error::new(ErrorKind::InvalidInput, message)
        })
    }
}

fn parse(text: &str) -> Option<ChangeCursor> {
    let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
    let (version, rest) = bytes.split_first()?;
    let (log, rest) = rest.split_first_chunk()?;
    let (revision, rest) = rest.split_first_chunk()?;
    let (log, revision) = (u64::from_be_bytes(*log), Revision(u64::from_be_bytes(*revision)));
    let seen = u32::from_be_bytes(rest.try_into().ok()?);
    (*version == VERSION).then_some(ChangeCursor { log, revision, seen })
}

impl From<ChangeCursor> for String {
    fn from(cursor: ChangeCursor) -> String {
        cursor.to_string()
    }
}

impl TryFrom<String> for ChangeCursor {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}

impl fmt::Debug for ChangeCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ChangeCursor(revision {})", self.revision)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_of_another_log_or_of_a_later_state_is_refused() {
        let floor = Floor::new(7);
        let check = |cursor: ChangeCursor| cursor.check(&floor, Revision(9)).map_err(|error| error.kind());
        let refused = Err(ErrorKind::InvalidInput);
        assert_eq!(check(ChangeCursor::START), Ok(()));
        assert_eq!(check(ChangeCursor::behind(7, Revision(9))), Ok(()));
        assert_eq!(check(ChangeCursor::behind(8, Revision(9))), refused);
        // As after the file was put back to a copy of before.
        assert_eq!(check(ChangeCursor::behind(7, Revision(10))), refused);
    }

    #[test]
    fn a_cursor_is_its_text() {
        for cursor in [ChangeCursor::START, ChangeCursor::within(7, Revision(9), 3)] {
            assert_eq!(cursor.to_string().parse::<ChangeCursor>().unwrap(), cursor);
            let json = serde_json::to_string(&cursor).unwrap();
            assert_eq!(serde_json::from_str::<ChangeCursor>(&json).unwrap(), cursor);
        }
        let text = ChangeCursor::START.to_string();
        for wrong in ["", "?", "AA", &text[1..], &text[..text.len() - 2], &format!("{text}AAAA")] {
            assert_eq!(wrong.parse::<ChangeCursor>().unwrap_err().kind(), ErrorKind::InvalidInput, "{wrong}");
        }
    }
}
