//! The records of the five collections.
#![allow(clippy::duplicated_attributes, reason = "the lint takes two `index` attributes of a record for one")]

use std::fmt;

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::text::{opaque_debug, text_enum};
use crate::{Json, Record, Timestamp};

text_enum! {
    /// How far a message is.
    MessageStatus {
        /// Not yet sent.
        Pending = "pending",
        /// Handed over.
        Sent = "sent",
        /// On the recipient's device.
        Delivered = "delivered",
        /// Seen.
        Read = "read",
        /// Given up.
        Failed = "failed",
    }
}

/// A message of a conversation.
#[derive(Clone, PartialEq, Serialize, Deserialize, Record)]
#[record(id = 101, name = "messages", key(id))]
#[index(id = 1, name = "conversation", on(conversation_id, timestamp: ordered))]
#[index(id = 2, name = "timestamp", on(timestamp: ordered))]
#[index(id = 3, name = "status", on(status))]
pub struct Message {
    /// The message's id.
    pub id: String,
    /// The conversation it is in.
    pub conversation_id: String,
    /// Who sent it.
    pub sender: String,
    /// Whom it is for, where that is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recipient: Option<String>,
    /// When it was sent.
    pub timestamp: Timestamp,
    /// How far it is.
    pub status: MessageStatus,
    /// What it says.
    pub content: Json,
    /// The proof that belongs to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proof_id: Option<String>,
}

/// An encrypted session with a peer.
#[derive(Clone, PartialEq, Serialize, Deserialize, Record)]
#[record(id = 102, name = "sessions", key(id))]
#[index(id = 1, name = "key_id", on(key_id))]
#[index(id = 2, name = "last_activity", on(last_activity: ordered))]
pub struct Session {
    /// The session's id.
    pub id: String,
    /// With whom.
    pub peer_id: String,
    /// The key it was begun with.
    pub key_id: String,
    /// When it began.
    pub created_at: Timestamp,
    /// When it was last used.
    pub last_activity: Timestamp,
    /// The state of the ratchet.
    pub state: SecretBytes,
}

/// A zero-knowledge proof.
#[derive(Clone, PartialEq, Serialize, Deserialize, Record)]
#[record(id = 103, name = "proofs", key(proof_id))]
#[index(id = 1, name = "circuit", on(circuit_id))]
#[index(id = 2, name = "timestamp", on(timestamp: ordered))]
pub struct ZkProof {
    /// The proof's id.
    pub proof_id: String,
    /// The circuit it was made with.
    pub circuit_id: String,
    /// When it was made.
    pub timestamp: Timestamp,
    /// The proof, in the encoding of its circuit.
    #[serde(with = "serde_bytes")]
    pub proof: Vec<u8>,
    /// The public inputs and outputs.
    pub public_signals: Vec<String>,
    /// What is kept with it.
    pub metadata: Json,
}

/// A key. No cache holds it.
#[derive(Clone, PartialEq, Serialize, Deserialize, Record)]
#[record(id = 104, name = "keys", key(id), uncached)]
pub struct KeyRecord {
    /// The key's id.
    pub id: String,
    /// The key.
    pub key: SecretBytes,
    /// When it was made.
    pub created_at: Timestamp,
}

/// Anything else, by name.
#[derive(Clone, PartialEq, Serialize, Deserialize, Record)]
#[record(id = 105, name = "metadata", key(key))]
pub struct Metadata {
    /// The name.
    pub key: String,
    /// The value.
    pub value: Json,
}

opaque_debug!(Message, Session, ZkProof, KeyRecord, Metadata);

/// Secret bytes: overwritten in memory when they are dropped, never shown by `Debug`.
///
/// What a store or a serializer copies on its way is outside of this type; to keep them from the disk in clear is the
/// task of an encrypting layer.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct SecretBytes(Zeroizing<Vec<u8>>);

impl SecretBytes {
    /// Takes the bytes over.
    pub fn new(bytes: Vec<u8>) -> Self {
        SecretBytes(Zeroizing::new(bytes))
    }

    /// The bytes. What is copied from here is no longer overwritten.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl From<Vec<u8>> for SecretBytes {
    fn from(bytes: Vec<u8>) -> Self {
        SecretBytes::new(bytes)
    }
}

impl fmt::Debug for SecretBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretBytes({} bytes)", self.0.len())
    }
}

impl Serialize for SecretBytes {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

impl<'de> Deserialize<'de> for SecretBytes {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        serde_bytes::ByteBuf::deserialize(deserializer).map(|bytes| SecretBytes::new(bytes.into_vec()))
    }
}
