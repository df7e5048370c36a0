//! Where a page ended.

use std::fmt;
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

use crate::store::StoredKey;
use crate::{Error, ErrorKind, Result};

/// The place of the last record of a page, exact within ties: the next page begins right behind it, in either direction,
/// also when that record has been deleted meanwhile.
///
/// Its text is opaque. It is valid for the index and the equalities of the query that gave it, in that store. Without
/// encryption it holds the record's index key: treat it as confidential as the record.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Cursor(pub(crate) StoredKey);

/// First byte of a cursor's text form.
const VERSION: u8 = 1;

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut bytes = Vec::with_capacity(self.0.len() + 1);
        bytes.push(VERSION);
        bytes.extend_from_slice(self.0.as_bytes());
        f.write_str(&URL_SAFE_NO_PAD.encode(bytes))
    }
}

impl FromStr for Cursor {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let malformed = || Error::new(ErrorKind::InvalidInput, "this text is no cursor; use `next` of a page");
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| malformed())?;
        match bytes.split_first() {
            Some((&VERSION, key)) => Ok(Cursor(StoredKey::from(key.to_vec()))),
            _ => Err(malformed()),
        }
    }
}

impl From<Cursor> for String {
    fn from(cursor: Cursor) -> String {
        cursor.to_string()
    }
}

impl TryFrom<String> for Cursor {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}

impl fmt::Debug for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Cursor({} bytes)", self.0.len())
    }
}
