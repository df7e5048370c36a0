//! What a query asks for, as a range of stored keys.

use std::ops::Bound;

use super::super::keyspace::Keyspace;
use super::cursor::Cursor;
use crate::key::Components;
use crate::schema::{Collection, IndexRef};
use crate::store::{KeyCodec, KeyRange, StoredKey};
use crate::{Error, ErrorKind, Result};

/// What a query asks for.
#[derive(Clone)]
pub(crate) struct Plan {
    pub(crate) index: IndexRef,
    /// The components matched for equality, from the first on.
    pub(crate) equal: Components,
    /// Bounds on the component behind them, encoded.
    pub(crate) lower: Bound<Vec<u8>>,
    pub(crate) upper: Bound<Vec<u8>>,
    pub(crate) reverse: bool,
    pub(crate) limit: Option<usize>,
    pub(crate) after: Option<Cursor>,
    pub(crate) skip_damaged: bool,
    /// What of all that may be given, as stored keys of the index.
    pub(crate) within: KeyRange,
}

/// A plan for one collection and codec.
pub(crate) struct Located {
    /// Bytes of keyspace and equal components at the front of every key of the range.
    pub(crate) prefix_len: usize,
    /// Where the records or entries are.
    pub(crate) range: KeyRange,
}

impl Plan {
    pub(crate) fn new(index: IndexRef) -> Self {
        Plan {
            index,
            equal: Components::new(),
            lower: Bound::Unbounded,
            upper: Bound::Unbounded,
            reverse: false,
            limit: None,
            after: None,
            skip_damaged: false,
            within: KeyRange::ALL,
        }
    }

    /// The range of stored keys.
    ///
    /// # Errors
    ///
    /// `InvalidInput` if the cursor is of another query; the codec's own.
    pub(crate) fn locate(&self, codec: &dyn KeyCodec, collection: &Collection) -> Result<Located> {
        let space = Keyspace::of(collection, self.index);
        let prefix = space.stored_prefix(codec, collection.components(self.index), &self.equal)?;
        let under = |component: &[u8]| KeyRange::prefix(&[&prefix, component].concat());
        let whole = KeyRange::prefix(&prefix);
        let start = match &self.lower {
            Bound::Unbounded => whole.start,
            Bound::Included(component) => under(component).start,
            // Behind every key that begins with the component.
            Bound::Excluded(component) => match under(component).end {
                // Nothing lies behind the greatest of all keys.
                Bound::Unbounded => return Ok(Located { prefix_len: prefix.len(), range: NOTHING }),
                end => flip(end),
            },
        };
        let end = match &self.upper {
            Bound::Unbounded => whole.end,
            Bound::Included(component) => under(component).end,
            Bound::Excluded(component) => flip(under(component).start),
        };
        let range = self.continue_after(&prefix, KeyRange { start, end }.and(&self.within))?;
        Ok(Located { prefix_len: prefix.len(), range })
    }

    fn continue_after(&self, prefix: &[u8], range: KeyRange) -> Result<KeyRange> {
        let Some(Cursor(cursor)) = &self.after else { return Ok(range) };
        if !cursor.as_bytes().starts_with(prefix) {
            let message = "the cursor is of another query: it goes with the index and the equalities of its page";
            return Err(Error::new(ErrorKind::InvalidInput, message));
        }
        // A cursor outside of the range's near end continues nothing: the range begins where it begins.
        let beyond = range.beyond(cursor, self.reverse);
        let before_range = match if self.reverse { &range.end } else { &range.start } {
            Bound::Unbounded => false,
            Bound::Included(edge) | Bound::Excluded(edge) => (edge > cursor) != self.reverse && edge != cursor,
        };
        Ok(if before_range { range } else { beyond })
    }
}

/// A range without keys.
const NOTHING: KeyRange = KeyRange { start: Bound::Unbounded, end: Bound::Excluded(StoredKey::EMPTY) };

/// The end of one range as the start of the next, and the other way round.
fn flip(bound: Bound<StoredKey>) -> Bound<StoredKey> {
    match bound {
        Bound::Included(key) => Bound::Excluded(key),
        Bound::Excluded(key) => Bound::Included(key),
        Bound::Unbounded => Bound::Unbounded,
    }
}
