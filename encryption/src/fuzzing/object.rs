//! Objects that anybody could have written.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::FutureExt;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt, PutPayload};

use super::changed;
use crate::{EncryptedObjects, EncryptionError, Names, ObjectsOptions, SecretKey};

/// Reads `bytes` as an object, whole and in a range; then writes them as the content of one, reads that in both ways, and reads it
/// again cut and changed as said.
///
/// # Panics
///
/// If something is read that was not written so, or something written is not read.
pub fn object(bytes: &[u8], range: Range<u64>, at: usize, len: usize, change: &[u8]) {
    let memory = Arc::new(InMemory::new());
    let mut options = ObjectsOptions::default();
    (options.chunk_bytes, options.names) = (4_096, Names::Clear);
    let over = |key| -> EncryptedObjects<_> {
        options.over(memory.clone(), &SecretKey::new([key; 32])).expect("4 KiB are allowed")
    };
    // The fuzzer sees what is compared, and could give back what was sealed before: under another key, that is a stranger's.
    let (objects, of_strangers) = (over(0x11), over(0x12));
    put(&memory, bytes);
    assert!(read(&of_strangers, None).is_err(), "an object that was never sealed was read");
    assert!(read(&of_strangers, Some(range.clone())).is_err(), "a range that was never sealed was read");

    put(&objects, bytes);
    assert_eq!(read(&objects, None).expect("what was sealed is read"), bytes);
    let within = range.start < range.end && range.start < bytes.len() as u64;
    let wanted = within.then(|| &bytes[range.start as usize..bytes.len().min(range.end as usize)]);
    assert_eq!(read(&objects, Some(range.clone())).ok().as_deref(), wanted, "a range is part of the whole");

    let sealed = read(&memory, None).expect("it is there");
    let other = changed(&sealed, at, len, change);
    put(&memory, &other);
    match read(&objects, None) {
        Ok(_) => assert_eq!(other, sealed, "a changed object was read"),
        Err(error) => assert!(EncryptionError::of_object(&error).is_some(), "{error}"),
    }
    // Of a changed one a range may be read, if its chunks are the true ones.
    if let Ok(read) = read(&objects, Some(range)) {
        let wanted = wanted.expect("nothing is read beyond the end");
        assert_eq!(read, wanted, "a changed range was read");
    }
}

fn put(store: &dyn ObjectStore, bytes: &[u8]) {
    let payload = PutPayload::from(Bytes::copy_from_slice(bytes));
    let put = store.put(&Path::from("object"), payload).now_or_never();
    put.expect("memory does not wait").expect("memory takes all");
}

fn read(store: &dyn ObjectStore, range: Option<Range<u64>>) -> object_store::Result<Bytes> {
    let path = Path::from("object");
    let read = async {
        match range {
            Some(range) => store.get_range(&path, range).await,
            None => store.get(&path).await?.bytes().await,
        }
    };
    read.now_or_never().expect("memory does not wait")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_target_holds_for_random_input() {
        let mut random = fastrand::Rng::with_seed(4);
        for _ in 0..1_000 {
            let max = if random.bool() { 10_000 } else { 200 };
            let mut bytes: Vec<u8> = (0..random.usize(..max)).map(|_| random.u8(..)).collect();
            let front = b"SRob\x01\x01\x0c\x00";
            if random.bool() && bytes.len() >= front.len() {
                bytes[..front.len()].copy_from_slice(front);
            }
            let change: Vec<u8> = (0..random.usize(..60)).map(|_| random.u8(..)).collect();
            let (start, end) = (random.u64(..10_000), random.u64(..10_000));
            let len = if random.bool() { usize::MAX } else { random.usize(..10_400) };
            object(&bytes, start..end, random.usize(..10_400), len, &change);
        }
    }
}
