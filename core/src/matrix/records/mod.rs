//! The records of the eighteen collections.
#![allow(clippy::duplicated_attributes, reason = "the lint takes two `index` attributes of a record for one")]

mod device;
mod ephemeral;
mod media;
mod member;
mod message;
mod object;
mod proof;
mod room;
mod transaction;
mod user;

pub use device::{DeviceKeys, OneTimeKey};
pub use ephemeral::{ReadReceipt, Typing};
pub use media::Media;
pub use member::{Invitation, RoomMember};
pub use message::Message;
pub use object::{Object, ObjectParts, ObjectSpace, Upload};
pub use proof::Proof;
pub use room::{Room, RoomAlias, RoomState};
pub use transaction::SendTransaction;
pub use user::{AccountData, Presence};
