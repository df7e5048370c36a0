//! All objects, page by page, each with what names it.

use std::collections::HashMap;

use strongroom_core::matrix::{self, Object, ObjectId};
use strongroom_core::{Cursor, Result, Snapshot};

/// Records that are read in one go.
pub(super) const BATCH: usize = 500;

/// An object and what names it.
pub(super) enum Found {
    /// The content of a medium; with its bytes, the thumbnail's among them.
    Content(matrix::Media, u64),
    /// The thumbnail of a medium that is there.
    Thumbnail,
    /// Nothing: its medium expired or was deleted by other means.
    Unnamed,
}

/// Some objects, what was read longest ago first; and where the next ones begin.
pub(super) async fn page(view: &Snapshot, after: Option<Cursor>) -> Result<(Vec<(Found, Object)>, Option<Cursor>)> {
    let query = view.query(Object::LAST_ACCESS).oldest_first().limit(BATCH);
    let page = if let Some(after) = after { query.after(after) } else { query }.page().await?;
    let keys: Vec<_> = page.records.iter().map(|object| matrix::Media::key(&object.media_id)).collect();
    let media = view.get_many(&keys).await?;
    let thumbnails = media.iter().flatten().filter_map(|record| record.thumbnail.as_ref());
    let keys: Vec<_> = thumbnails.map(Object::key).collect();
    let thumbnails = view.get_many(&keys).await?.into_iter().flatten();
    let sizes: HashMap<ObjectId, u64> = thumbnails.map(|object| (object.object_id, object.size)).collect();
    let found = page.records.into_iter().zip(media).map(|(object, record)| {
        let found = match record {
            Some(record) if record.data == object.object_id => {
                let thumbnail = record.thumbnail.as_ref().and_then(|id| sizes.get(id));
                let bytes = object.size.saturating_add(thumbnail.copied().unwrap_or_default());
                Found::Content(record, bytes)
            }
            Some(record) if record.thumbnail.as_ref() == Some(&object.object_id) => Found::Thumbnail,
            _ => Found::Unnamed,
        };
        (found, object)
    });
    Ok((found.collect(), page.next))
}
