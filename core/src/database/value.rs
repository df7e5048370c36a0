//! The stored form of a record: a version byte, then MessagePack with named fields.
//!
//! Fields that a program does not know are skipped, missing ones take their serde default if the type gives one: so records outlive the programs
//! that wrote them.

use bytes::Bytes;
use serde::Serialize;
use serde::de::{Deserialize, DeserializeOwned, IgnoredAny};

use crate::{Error, ErrorKind, Result};

const VERSION: u8 = 1;
/// How deep a record may be nested. Each level takes stack, also in a field that is skipped, and a forged value must not
/// use it up.
const DEPTH_MAX: usize = 128;

/// Encodes a record or a row of the framework's own.
pub(crate) fn encode<T: Serialize>(value: &T) -> Result<Bytes> {
    let mut bytes = Vec::with_capacity(256);
    bytes.push(VERSION);
    let mut serializer = rmp_serde::Serializer::new(&mut bytes).with_struct_map();
    // The serializer's own message can quote what it met.
    value
        .serialize(&mut serializer)
        .map_err(|_| Error::new(ErrorKind::InvalidInput, "the record cannot be serialized"))?;
    // The serializer does not count: what is written must be readable, with room for how a type counts its levels.
    let mut depth = rmp_serde::Deserializer::from_read_ref(&bytes[1..]);
    depth.set_max_depth(DEPTH_MAX / 2);
    IgnoredAny::deserialize(&mut depth)
        .map_err(|_| Error::new(ErrorKind::InvalidInput, "the record is nested too deep to be read again"))?;
    Ok(bytes.into())
}

/// Decodes what [`encode`] gave. `what` names it in errors; the content never is in them.
pub(crate) fn decode<T: DeserializeOwned>(bytes: &[u8], what: &str) -> Result<T> {
    decode_within(DEPTH_MAX, bytes, what)
}

/// As [`decode`], for a type that holds itself: each level takes stack, and a forged value must not use it up.
pub(crate) fn decode_within<T: DeserializeOwned>(depth_max: usize, bytes: &[u8], what: &str) -> Result<T> {
    match bytes.split_first() {
        Some((&VERSION, body)) => {
            let mut decoder = rmp_serde::Deserializer::from_read_ref(body);
            decoder.set_max_depth(depth_max);
            T::deserialize(&mut decoder).map_err(|_| {
                // The decoder's own message can quote what it met.
                Error::new(ErrorKind::Corrupt, format!("{what}: a stored value cannot be decoded"))
            })
        }
        Some((version, _)) => Err(Error::new(
            ErrorKind::UnsupportedVersion,
            format!("{what}: a stored value has version {version}, this program reads {VERSION}"),
        )),
        None => Err(Error::new(ErrorKind::Corrupt, format!("{what}: a stored value is empty"))),
    }
}
