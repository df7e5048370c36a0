//! Where in the change log the listing of a collection begins.

use super::super::changes::ChangeList;
use super::entry::Catalog;
use crate::store::Batch;
use crate::{Result, Timestamp};

/// A collection that had records before its changes were listed is announced in the change log by the very batch that begins
/// to list them: what stands before is not all, what comes behind is. So is one that a split wrote, which lists nothing (`split`).
pub(super) fn beginnings(stored: &Catalog, wanted: &Catalog, split: &[u16], now: Timestamp) -> Result<Batch> {
    let mut changes = ChangeList::default();
    for collection in wanted.collections.iter().filter(|collection| collection.changes) {
        let was_silent = stored.collection(collection.id).is_some_and(|old| !old.changes);
        if was_silent || split.contains(&collection.id) {
            changes.begin(collection.id);
        }
    }
    let mut batch = Batch::default();
    changes.stamp(now, &mut batch)?;
    Ok(batch)
}
