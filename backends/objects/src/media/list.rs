//! Which media there are.

use futures_util::stream::BoxStream;
use futures_util::{Stream, StreamExt, TryStreamExt};
use strongroom_core::matrix::{self, RoomId};
use strongroom_core::{Result, Timestamp};

use super::Media;

/// Which media are asked for: those that match all of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Those of this room.
    pub room_id: Option<RoomId>,
    /// Those of this kind, as `image/png`, or of all kinds that begin so, as `image/*`.
    pub mime_type: Option<String>,
    /// Those stored at this time or after it.
    pub from: Option<Timestamp>,
    /// Those stored before this time.
    pub before: Option<Timestamp>,
}

impl Filter {
    fn matches(&self, record: &matrix::Media) -> bool {
        let is_kind = |wanted: &String| match wanted.strip_suffix('*') {
            Some(front) => record.mime_type.starts_with(front),
            None => record.mime_type == *wanted,
        };
        self.room_id.as_ref().is_none_or(|room| *room == record.room_id)
            && self.mime_type.as_ref().is_none_or(is_kind)
            && self.from.is_none_or(|from| record.uploaded_at >= from)
            && self.before.is_none_or(|before| record.uploaded_at < before)
    }
}

impl Media {
    /// The records of media, from one view. In the order of time, oldest first, unless a room or one kind is asked for: an index leads to these,
    /// in no order of use. A room with a kind costs a visit of all that the room has.
    ///
    /// # Errors
    ///
    /// Those of the database; `SnapshotExpired` if the stream is consumed slower than the store's snapshots live.
    pub fn list(&self, filter: Filter) -> impl Stream<Item = Result<matrix::Media>> + Send + Unpin + 'static {
        let db = &self.0.db;
        let one_kind = filter.mime_type.as_ref().filter(|kind| !kind.ends_with('*'));
        let found: BoxStream<'static, Result<matrix::Media>> = match (&filter.room_id, one_kind) {
            (Some(room), _) => db.query(matrix::Media::ROOM_MEDIA).equal(room).stream().boxed(),
            (None, Some(kind)) => db.query(matrix::Media::MIME_TYPE).equal(kind).stream().boxed(),
            (None, None) => {
                let (from, before) = (filter.from.unwrap_or(Timestamp::MIN), filter.before.unwrap_or(Timestamp::MAX));
                db.query(matrix::Media::TIMESTAMP).range(from..=before).stream().boxed()
            }
        };
        found.try_filter(move |record| std::future::ready(filter.matches(record))).boxed()
    }
}
