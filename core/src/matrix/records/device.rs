//! Keys of devices.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::matrix::{DeviceId, KeyId, UserId};
use crate::text::opaque_debug;
use crate::{Json, Record, Timestamp};

/// The public keys of a device; synchronised through a distributed table.
#[derive(Clone, PartialEq, Serialize, Deserialize, Record)]
#[record(id = 5, name = "device_keys", key(user_id, device_id), expires = expires_at, changes)]
#[index(id = 1, name = "user_devices", on(user_id))]
#[index(id = 2, name = "device_key", on(device_id))]
pub struct DeviceKeys {
    /// Whose device it is.
    pub user_id: UserId,
    /// The device.
    pub device_id: DeviceId,
    /// The keys, as they were signed.
    pub keys: Json,
    /// The algorithms it speaks.
    pub algorithms: BTreeMap<String, String>,
    /// The signatures over the keys.
    pub signatures: Json,
    /// The proof of possession; `null` where there is none.
    pub proof: Json,
    /// When they were published.
    pub uploaded_at: Timestamp,
    /// When they cease to hold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
}

/// A key that begins one session and is then used up.
///
/// [`MatrixStore::publish_one_time_keys`](crate::matrix::MatrixStore::publish_one_time_keys) stores it. A plain `put` of a key that was used would
/// make it unused again.
#[derive(Clone, PartialEq, Serialize, Deserialize, Record)]
#[record(id = 6, name = "one_time_keys", key(user_id, device_id, key_id))]
#[index(id = 1, name = "device_keys", on(user_id, device_id))]
#[index(id = 2, name = "unclaimed", on(user_id, device_id, algorithm, created_at: ordered), while_absent = used_at)]
#[index(id = 3, name = "used", on(used_at: ordered))]
pub struct OneTimeKey {
    /// Whose device it belongs to.
    pub user_id: UserId,
    /// The device.
    pub device_id: DeviceId,
    /// The key's id.
    pub key_id: KeyId,
    /// The public key.
    pub key: String,
    /// What it is for, such as `signed_curve25519`.
    pub algorithm: String,
    /// When it was made; the oldest is claimed first.
    pub created_at: Timestamp,
    /// When it was claimed; absent while it can be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub used_at: Option<Timestamp>,
}

opaque_debug!(DeviceKeys, OneTimeKey);
