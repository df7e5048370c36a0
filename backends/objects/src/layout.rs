//! Where the bytes of an object lie: in parts, each an object of the object store, under a name that is never used twice.
//!
//! `FOLDER/AB/ABC…-ATTEMPT-PART`: the folder of the database, the first two digits of the object's id, then the id, the number of the
//! attempt that wrote the part and the number of the part, both decimal. Parts are written whole, in one request each, so there
//! are no multipart uploads to resume or to abort, and any object store can do it.

use std::ops::RangeInclusive;

use object_store::path::Path;
use strongroom_core::matrix::{ObjectId, ObjectParts};
use strongroom_core::{Error, ErrorKind, Result};

/// Bytes in a part but the last, at least and at most.
const PART_BYTES: RangeInclusive<u64> = 64 << 10..=64 << 20;

/// Bytes of a block of SHA-256: at the end of a part its state has no half-filled one.
const BLOCK_BYTES: u64 = 64;

/// Bytes of randomness in an id.
const ID_BYTES: usize = 16;

/// A random id: 32 digits of base 16.
pub(crate) fn random_id() -> Result<String> {
    let mut bytes = [0; ID_BYTES];
    getrandom::fill(&mut bytes).map_err(|_| Error::new(ErrorKind::Io, "the system gives no random numbers"))?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Whether it could be one.
pub(crate) fn is_id(text: &str) -> bool {
    text.len() == 2 * ID_BYTES && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// Whether parts may have so many bytes.
pub(crate) fn is_part_bytes(bytes: u64) -> bool {
    PART_BYTES.contains(&bytes) && bytes.is_multiple_of(BLOCK_BYTES)
}

/// Whether an object can be cut so: a record that says other things was written by somebody else.
pub(crate) fn is_sound(parts: &ObjectParts) -> bool {
    is_part_bytes(parts.part_bytes) && parts.attempts.first() == Some(&0) && parts.attempts.is_sorted()
}

/// One part of one object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Part {
    pub(crate) object: ObjectId,
    pub(crate) attempt: u64,
    pub(crate) number: u64,
}

impl Part {
    pub(crate) fn path(&self, folder: &Path) -> Path {
        shard(folder, &self.object).join(self.name())
    }

    fn name(&self) -> String {
        format!("{}-{}-{}", self.object.as_str(), self.attempt, self.number)
    }

    /// The part with this name, if it is one.
    pub(crate) fn of_path(path: &Path) -> Option<Part> {
        let mut words = path.filename()?.split('-');
        let (id, attempt, number) = (words.next()?, words.next()?, words.next()?);
        let part = Part { object: id.into(), attempt: attempt.parse().ok()?, number: number.parse().ok()? };
        // As this crate writes it, and not only in a way that means the same.
        let is_ours = is_id(id) && words.next().is_none() && path.filename() == Some(part.name().as_str());
        is_ours.then_some(part)
    }
}

/// The folder that all parts of an object lie in, with those of others.
pub(crate) fn shard(folder: &Path, object: &ObjectId) -> Path {
    // An id that is too short is not one of ours, and there is nothing in its folder.
    folder.clone().join(object.as_str().get(..2).unwrap_or_default())
}

/// The part with this number of an object that is cut so.
pub(crate) fn part(object: &ObjectId, parts: &ObjectParts, number: u64) -> Option<Part> {
    let attempt = parts.attempts.iter().rposition(|first| *first <= number)?;
    Some(Part { object: object.clone(), attempt: attempt as u64, number })
}

/// How many parts an object of `size` bytes has.
pub(crate) fn count(parts: &ObjectParts, size: u64) -> u64 {
    size.div_ceil(parts.part_bytes.max(1))
}

/// Whether this part is one of the object's. If its record was written by somebody else, any may be.
pub(crate) fn is_part(found: &Part, parts: &ObjectParts, size: u64) -> bool {
    !is_sound(parts)
        || found.number < count(parts, size) && part(&found.object, parts, found.number).as_ref() == Some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back() {
        let part = Part { object: random_id().unwrap().into(), attempt: 3, number: 17 };
        let path = part.path(&Path::from("folder"));
        assert_eq!(Part::of_path(&path), Some(part));
        for other in [
            "x/0123456789abcdef0123456789abcdef-00-0",
            "x/0123456789ABCDEF0123456789abcdef-0-0",
            "folder/ab/ab-0-0",
            "folder/.DS_Store",
            "folder",
            "x/0123456789abcdef0123456789abcdef-0-0-0",
        ] {
            assert_eq!(Part::of_path(&Path::from(other)), None, "{other}");
        }
    }

    #[test]
    fn the_last_attempt_that_reached_a_part_wrote_it() {
        let object = ObjectId::from("0123456789abcdef0123456789abcdef");
        let parts = ObjectParts { part_bytes: 10, attempts: vec![0, 2, 2, 5] };
        let wrote: Vec<u64> = (0..7).map(|number| part(&object, &parts, number).unwrap().attempt).collect();
        assert_eq!(wrote, [0, 0, 2, 2, 2, 3, 3]);
        assert_eq!([0, 1, 10, 11].map(|size| count(&parts, size)), [0, 1, 1, 2]);
        let found = |attempt, number| Part { object: object.clone(), attempt, number };
        let parts = ObjectParts { part_bytes: 64 << 10, ..parts };
        let size = 2 * (64 << 10) + 1;
        assert!(is_part(&found(2, 2), &parts, size) && !is_part(&found(0, 2), &parts, size), "of a part, one attempt");
        assert!(!is_part(&found(2, 3), &parts, size), "and none beyond the end");
    }
}
