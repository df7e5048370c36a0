//! Objects: where the bytes of media lie in the media store, and which are on their way there.
//!
//! The media store (`strongroom-objects`) writes these; a program reads them at most.

use serde::{Deserialize, Serialize};

use crate::matrix::{MediaId, ObjectId};
use crate::text::opaque_debug;
use crate::{Record, Timestamp};

/// The bytes of a medium's content or thumbnail: all of them are in the media store.
///
/// No cache holds it: whether bytes may be swept must not be answered from memory.
#[derive(Clone, PartialEq, Serialize, Deserialize, Record)]
#[record(id = 16, name = "objects", key(object_id), uncached)]
#[index(id = 1, name = "last_access", on(last_access: ordered))]
pub struct Object {
    /// The object's id, never used for other bytes.
    pub object_id: ObjectId,
    /// The medium it belongs to.
    pub media_id: MediaId,
    /// How many bytes it has.
    pub size: u64,
    /// Their SHA-256.
    #[serde(with = "serde_bytes")]
    pub sha256: [u8; 32],
    /// Where they lie.
    pub parts: ObjectParts,
    /// When it was complete.
    pub stored_at: Timestamp,
    /// When it was last read, as far as that is noted: at most once a day.
    pub last_access: Timestamp,
}

/// An object that is on its way into the media store. As long as this record is there, its bytes are not swept.
///
/// No cache holds it, for the same reason.
#[derive(Clone, PartialEq, Serialize, Deserialize, Record)]
#[record(id = 17, name = "uploads", key(object_id), uncached)]
#[index(id = 1, name = "media_id", on(media_id))]
#[index(id = 2, name = "expires", on(expires: ordered))]
pub struct Upload {
    /// The object that is to be.
    pub object_id: ObjectId,
    /// The medium it is to belong to.
    pub media_id: MediaId,
    /// Whether it is to be the thumbnail, not the content.
    #[serde(default)]
    pub is_thumbnail: bool,
    /// How many of its bytes are in the media store for good: whole parts.
    pub stored: u64,
    /// The state of SHA-256 after these bytes, as the media store keeps it.
    #[serde(with = "serde_bytes")]
    pub hash_state: Vec<u8>,
    /// Where they lie. The last of the attempts is the one that may go on.
    pub parts: ObjectParts,
    /// When it counts as given up. Each step puts it off. Not the framework's expiry: who gives it up must have seen it.
    pub expires: Timestamp,
}

/// How an object is cut: parts of one length, except that the last may be shorter. An object without bytes has none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObjectParts {
    /// Bytes in each part but the last.
    pub part_bytes: u64,
    /// For each attempt to upload it, the number of the first part that this attempt wrote; the next attempt's first part ends it.
    pub attempts: Vec<u64>,
}

/// Where in a media store a database keeps its objects: one record, made with the first use.
#[derive(Clone, PartialEq, Serialize, Deserialize, Record)]
#[record(id = 18, name = "object_spaces", key(name))]
pub struct ObjectSpace {
    /// Which one. There is one, `media`.
    pub name: String,
    /// The folder of the database's objects: random, so that databases can share a media store.
    pub folder: String,
}

opaque_debug!(Object, Upload, ObjectSpace);
