//! What is said of a medium when it is stored.

use std::fmt;

use bytes::Bytes;
use strongroom_core::matrix::{MediaId, RoomId};
use strongroom_core::{Json, Timestamp};

/// A medium that is about to be stored: everything but its bytes.
#[derive(Clone)]
#[must_use = "nothing is stored until it is given to `Media::put`"]
pub struct NewMedia {
    pub(crate) id: Option<MediaId>,
    pub(crate) room_id: RoomId,
    pub(crate) mime_type: String,
    pub(crate) thumbnail: Option<Thumbnail>,
    pub(crate) encryption: Option<Json>,
    pub(crate) expires_at: Option<Timestamp>,
}

/// A small picture that stands for a medium.
#[derive(Clone, PartialEq)]
pub struct Thumbnail {
    /// The picture. It is in memory anyway, so keep it small.
    pub bytes: Bytes,
    /// Its kind and measures, as Matrix has them: `{"mimetype":"image/jpeg","w":320,"h":240,"size":9000}`.
    pub info: Json,
}

impl fmt::Debug for Thumbnail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Thumbnail({} bytes)", self.bytes.len())
    }
}

impl NewMedia {
    /// A medium of a room, of a kind such as `image/jpeg`.
    pub fn new(room_id: impl Into<RoomId>, mime_type: impl Into<String>) -> Self {
        let (room_id, mime_type) = (room_id.into(), mime_type.into());
        NewMedia { id: None, room_id, mime_type, thumbnail: None, encryption: None, expires_at: None }
    }

    /// Its id, such as an `mxc://` address. Without one it gets a random one.
    pub fn id(mut self, id: impl Into<MediaId>) -> Self {
        self.id = Some(id.into());
        self
    }

    /// A small picture that is stored with it.
    pub fn thumbnail(mut self, thumbnail: Thumbnail) -> Self {
        self.thumbnail = Some(thumbnail);
        self
    }

    /// How the event that brought it says that it is encrypted. It is only kept: what is stored are the bytes that are given.
    pub fn encryption(mut self, encryption: Json) -> Self {
        self.encryption = Some(encryption);
        self
    }

    /// When it may go. From then on nothing shows it, and a sweep removes its bytes.
    pub fn expires_at(mut self, expires_at: Timestamp) -> Self {
        self.expires_at = Some(expires_at);
        self
    }
}

impl fmt::Debug for NewMedia {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewMedia").finish_non_exhaustive()
    }
}
