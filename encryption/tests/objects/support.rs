//! Short words for what the tests do.

use std::sync::Arc;

use bytes::Bytes;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt, PutPayload};
use strongroom_encryption::{EncryptedObjects, EncryptionError, Names, ObjectsOptions, SecretKey};

/// Bytes of the shortest chunk, and of one when it is sealed.
pub(crate) const CHUNK: usize = 4_096;
pub(crate) const SEALED_CHUNK: usize = CHUNK + 40;
pub(crate) const HEADER: usize = 72;

pub(crate) type Objects = EncryptedObjects<Arc<dyn ObjectStore>>;

/// A store over one below, whose folder goes with it if it has one.
pub(crate) struct Below {
    pub(crate) objects: Objects,
    _folder: Option<tempfile::TempDir>,
}

/// Stores below, and what they are to be opened with.
pub(crate) mod below {
    use object_store::local::LocalFileSystem;

    use super::*;

    pub(crate) fn memory(names: fn() -> Names) -> Below {
        Below { objects: over(Arc::new(InMemory::new()), names(), 64 << 10), _folder: None }
    }

    pub(crate) fn files(names: fn() -> Names) -> Below {
        let folder = tempfile::tempdir().unwrap();
        let files = LocalFileSystem::new_with_prefix(folder.path()).unwrap();
        Below { objects: over(Arc::new(files), names(), 64 << 10), _folder: Some(folder) }
    }

    pub(crate) fn encrypted() -> Names {
        Names::Encrypted
    }

    pub(crate) fn clear() -> Names {
        Names::Clear
    }
}

pub(crate) fn key() -> SecretKey {
    SecretKey::new([7; 32])
}

pub(crate) fn over(below: Arc<dyn ObjectStore>, names: Names, chunk_bytes: u32) -> Objects {
    let mut options = ObjectsOptions::default();
    options.names = names;
    options.chunk_bytes = chunk_bytes;
    options.over(below, &key()).unwrap()
}

/// Memory, and a store over it with short chunks and names in clear, so that a test finds its objects below.
pub(crate) fn short_chunks() -> (Arc<InMemory>, Objects) {
    let memory = Arc::new(InMemory::new());
    (memory.clone(), over(memory, Names::Clear, CHUNK as u32))
}

/// Content that is different everywhere.
pub(crate) fn content(len: usize) -> Vec<u8> {
    let mut random = fastrand::Rng::with_seed(len as u64);
    (0..len).map(|_| random.u8(..)).collect()
}

pub(crate) async fn put(store: &dyn ObjectStore, path: &str, content: impl Into<Bytes>) {
    store.put(&Path::from(path), PutPayload::from(content.into())).await.unwrap();
}

pub(crate) async fn get(store: &dyn ObjectStore, path: &str) -> object_store::Result<Bytes> {
    store.get(&Path::from(path)).await?.bytes().await
}

/// The layer's own error.
#[track_caller]
pub(crate) fn refused<T>(result: object_store::Result<T>) -> EncryptionError {
    let error = result.err().expect("it is refused");
    EncryptionError::of_object(&error).unwrap_or_else(|| panic!("no error of the layer: {error:?}"))
}
