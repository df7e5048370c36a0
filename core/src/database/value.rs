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
            T::deserialize(&mut decoder).map_err(|error| match missing_field(&error) {
                Some(field) => Error::new(
                    ErrorKind::SchemaMismatch,
                    format!(
                        "{what}: a stored record has no field {field}; give it #[serde(default)] or make it an Option"
                    ),
                ),
                // The decoder's own message can quote what it met.
                None => Error::new(ErrorKind::Corrupt, format!("{what}: a stored value cannot be decoded")),
            })
        }
        Some((version, _)) => Err(Error::new(
            ErrorKind::UnsupportedVersion,
            format!("{what}: a stored value has version {version}, this program reads {VERSION}"),
        )),
        None => Err(Error::new(ErrorKind::Corrupt, format!("{what}: a stored value is empty"))),
    }
}

/// The name of a field that the program wants and the value does not have: the program's own word, no content.
fn missing_field(error: &rmp_serde::decode::Error) -> Option<&str> {
    let rmp_serde::decode::Error::Syntax(message) = error else { return None };
    message.strip_prefix("missing field ")
}
