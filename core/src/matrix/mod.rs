//! The schema `matrix`: what a Matrix client or peer remembers, in fifteen collections, and three of the media store's own.

mod export;
mod ids;
mod import;
mod merge;
mod object;
mod records;
mod rules;
mod store;
mod words;

pub use export::export_event;
pub use ids::{
    CircuitId, DeviceId, EventId, KeyId, MediaId, ObjectId, ProofId, RoomAliasId, RoomId, TransactionId, UserId,
};
pub use import::{Failure, ImportOptions, ImportReport, Importer, RawEvent};
pub use records::{
    AccountData, DeviceKeys, Invitation, Media, Message, Object, ObjectParts, ObjectSpace, OneTimeKey, Presence, Proof,
    ReadReceipt, Room, RoomAlias, RoomMember, RoomState, SendTransaction, Typing, Upload,
};
pub use store::{MatrixStore, Redaction, SendOutcome};
pub use words::{Membership, PresenceState, TransactionStatus};

use crate::Schema;

/// The values that [`Message::relates_to_type`] has for the relations of Matrix.
pub mod relation {
    /// An edit; `relates_to` is the original.
    pub const REPLACE: &str = "m.replace";
    /// A reaction, in `relation_key`; `relates_to` is its target.
    pub const ANNOTATION: &str = "m.annotation";
    /// A reference.
    pub const REFERENCE: &str = "m.reference";
    /// A plain reply; `relates_to` is what it replies to.
    pub const IN_REPLY_TO: &str = "m.in_reply_to";
    /// A message in a thread; `relates_to` and `thread_root` are the thread's root.
    pub const THREAD: &str = "m.thread";
    /// A redaction; `relates_to` is what it redacts. Not a relation in Matrix itself, which names the target elsewhere.
    pub const REDACTION: &str = "m.redaction";
}

/// The schema `matrix`, version 5.
///
/// ```
/// assert_eq!(strongroom_core::matrix::schema().collections().count(), 18);
/// ```
pub fn schema() -> Schema {
    Schema::builder("matrix", 5)
        .collection::<Message>()
        .collection::<Room>()
        .collection::<RoomState>()
        .collection::<RoomMember>()
        .collection::<DeviceKeys>()
        .collection::<OneTimeKey>()
        .collection::<Invitation>()
        .collection::<Presence>()
        .collection::<AccountData>()
        .collection::<ReadReceipt>()
        .collection::<Typing>()
        .collection::<SendTransaction>()
        .collection::<Proof>()
        .collection::<RoomAlias>()
        .collection::<Media>()
        .collection::<Object>()
        .collection::<Upload>()
        .collection::<ObjectSpace>()
        .build()
        .expect("the schema is a constant, and a test builds it")
}
