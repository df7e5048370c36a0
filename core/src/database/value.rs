//! The stored form of a record: a version byte, the shape if it is not the first one, then MessagePack with named fields.
//!
//! Fields that a program does not know are skipped, missing ones take their serde default if the type gives one: so records outlive the programs
//! that wrote them.

use bytes::Bytes;
use serde::Serialize;
use serde::de::{Deserialize, DeserializeOwned, IgnoredAny};

use crate::{Error, ErrorKind, Result};

/// The version byte of a value that has the first shape of its collection.
const VERSION: u8 = 1;
/// The version byte of a value that a migration has given another shape; the shape's number follows.
const VERSION_WITH_SHAPE: u8 = 2;
/// How deep a record may be nested. Each level takes stack, also in a field that is skipped, and a forged value must not
/// use it up.
const DEPTH_MAX: usize = 128;

/// Encodes a row of the framework's own.
pub(crate) fn encode<T: Serialize>(value: &T) -> Result<Bytes> {
    encode_as(0, value)
}

/// Encodes a record in a shape of its collection: 0, or the schema version that gave it.
pub(crate) fn encode_as<T: Serialize>(shape: u32, value: &T) -> Result<Bytes> {
    let mut bytes = Vec::with_capacity(256);
    if shape == 0 {
        bytes.push(VERSION);
    } else {
        bytes.push(VERSION_WITH_SHAPE);
        bytes.extend_from_slice(&shape.to_be_bytes());
    }
    let header = bytes.len();
    let mut serializer = rmp_serde::Serializer::new(&mut bytes).with_struct_map();
    // The serializer's own message can quote what it met.
    value
        .serialize(&mut serializer)
        .map_err(|_| Error::new(ErrorKind::InvalidInput, "the record cannot be serialized"))?;
    // The serializer does not count: what is written must be readable, with room for how a type counts its levels.
    let mut depth = rmp_serde::Deserializer::from_read_ref(&bytes[header..]);
    depth.set_max_depth(DEPTH_MAX / 2);
    IgnoredAny::deserialize(&mut depth)
        .map_err(|_| Error::new(ErrorKind::InvalidInput, "the record is nested too deep to be read again"))?;
    Ok(bytes.into())
}

/// The shape that a value is in.
pub(crate) fn shape(bytes: &[u8], what: &str) -> Result<u32> {
    Ok(parts(bytes, what)?.0)
}

/// Whether a value is sure to be in the first shape.
pub(crate) fn is_of_the_first_shape(bytes: &[u8]) -> bool {
    bytes.first() == Some(&VERSION)
}

/// The shape and the MessagePack of a value.
fn parts<'b>(bytes: &'b [u8], what: &str) -> Result<(u32, &'b [u8])> {
    match bytes.split_first() {
        Some((&VERSION, body)) => Ok((0, body)),
        Some((&VERSION_WITH_SHAPE, rest)) => match rest.split_first_chunk() {
            Some((shape, body)) => Ok((u32::from_be_bytes(*shape), body)),
            None => Err(Error::new(ErrorKind::Corrupt, format!("{what}: a stored value is cut short"))),
        },
        Some((version, _)) => Err(unsupported(*version, VERSION_WITH_SHAPE, what)),
        None => Err(Error::new(ErrorKind::Corrupt, format!("{what}: a stored value is empty"))),
    }
}

/// Decodes what [`encode_as`] gave. `what` names it in errors; the content never is in them.
pub(crate) fn decode<T: DeserializeOwned>(bytes: &[u8], what: &str) -> Result<T> {
    let (_, body) = parts(bytes, what)?;
    decode_body(DEPTH_MAX, body, what)
}

/// Decodes what [`encode`] gave, for a type that may hold itself: each level takes stack, and a forged value must not use it up.
pub(crate) fn decode_within<T: DeserializeOwned>(depth_max: usize, bytes: &[u8], what: &str) -> Result<T> {
    match bytes.split_first() {
        Some((version, _)) if *version != VERSION => Err(unsupported(*version, VERSION, what)),
        _ => decode_body(depth_max, parts(bytes, what)?.1, what),
    }
}

fn decode_body<T: DeserializeOwned>(depth_max: usize, body: &[u8], what: &str) -> Result<T> {
    let mut decoder = rmp_serde::Deserializer::from_read_ref(body);
    decoder.set_max_depth(depth_max);
    T::deserialize(&mut decoder).map_err(|error| match missing_field(&error) {
        Some(field) => Error::new(
            ErrorKind::SchemaMismatch,
            format!("{what}: a stored record has no field {field}; give it #[serde(default)] or make it an Option"),
        ),
        // The decoder's own message can quote what it met.
        None => Error::new(ErrorKind::Corrupt, format!("{what}: a stored value cannot be decoded")),
    })
}

fn unsupported(version: u8, known: u8, what: &str) -> Error {
    Error::new(
        ErrorKind::UnsupportedVersion,
        format!("{what}: a stored value has version {version}, this program reads up to {known}"),
    )
}

/// The name of a field that the program wants and the value does not have: the program's own word, no content.
fn missing_field(error: &rmp_serde::decode::Error) -> Option<&str> {
    let rmp_serde::decode::Error::Syntax(message) = error else { return None };
    message.strip_prefix("missing field ")
}
