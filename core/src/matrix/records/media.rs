//! Media: what is known of them; their bytes are objects in the media store.

use serde::{Deserialize, Serialize};

use crate::matrix::{MediaId, ObjectId, RoomId};
use crate::text::opaque_debug;
use crate::{Json, Record, Timestamp};

/// A picture, a voice message, a file.
#[derive(Clone, PartialEq, Serialize, Deserialize, Record)]
#[record(id = 15, name = "media", key(media_id), expires = expires_at)]
#[index(id = 1, name = "room_media", on(room_id))]
#[index(id = 2, name = "mime_type", on(mime_type))]
#[index(id = 3, name = "timestamp", on(uploaded_at: ordered))]
pub struct Media {
    /// The medium's id.
    pub media_id: MediaId,
    /// The room it was sent in.
    pub room_id: RoomId,
    /// Its kind, such as `image/jpeg`.
    pub mime_type: String,
    /// Bytes of the content.
    pub size: u64,
    /// The object that holds the content.
    pub data: ObjectId,
    /// The object that holds the thumbnail.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thumbnail: Option<ObjectId>,
    /// Kind and measures of the thumbnail.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thumbnail_info: Option<Json>,
    /// How the content is encrypted, as the event says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encryption: Option<Json>,
    /// When it was stored.
    pub uploaded_at: Timestamp,
    /// When it may go.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
}

opaque_debug!(Media);
