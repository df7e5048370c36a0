//! How objects are sealed.

use object_store::ObjectStore;
use strongroom_core::{Error, ErrorKind, Result};

use super::EncryptedObjects;
use super::sizes::Layout;
use crate::SecretKey;

/// What objects are called in the store below.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Names {
    /// Each segment of a path is encrypted. What shows of names is how long they are, which lie in one folder, and that one is there
    /// again. A segment may have 170 bytes at most.
    ///
    /// Names of one folder do not sort as they did, so [`list_with_offset`](object_store::ObjectStore::list_with_offset) reads the
    /// whole listing.
    #[default]
    Encrypted,
    /// Paths stay as they are. Those in the folder `.strongroom-stage` are refused: copies on their way lie there.
    Clear,
}

/// How a store of objects is opened. The same options every time: nothing in the store below says which they were.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ObjectsOptions {
    /// Bytes of content in one chunk: a power of two from 4 KiB to 16 MiB; 64 KiB unless it is said.
    ///
    /// A chunk is what is read, opened and kept in memory at once, so shorter ones suit short ranges. An object that was sealed in
    /// chunks of another size is refused.
    pub chunk_bytes: u32,
    /// Whether names are encrypted. They are, unless it is said.
    pub names: Names,
}

impl Default for ObjectsOptions {
    fn default() -> Self {
        ObjectsOptions { chunk_bytes: 64 << 10, names: Names::default() }
    }
}

impl ObjectsOptions {
    /// A store of encrypted objects over `inner`, under `key`. Nothing is read or written.
    ///
    /// The key is that of [`Encrypted::objects_key`](crate::Encrypted::objects_key), for objects that belong to a database, or one
    /// of the program's own that is used for nothing else.
    ///
    /// # Errors
    ///
    /// `InvalidInput`: a size of chunks that is not allowed.
    pub fn over<O: ObjectStore>(&self, inner: O, key: &SecretKey) -> Result<EncryptedObjects<O>> {
        let layout = Layout::of_chunk_bytes(self.chunk_bytes).ok_or_else(|| {
            let message = "a chunk has a power of two bytes, from 4 KiB to 16 MiB; choose such a size";
            Error::new(ErrorKind::InvalidInput, message)
        })?;
        Ok(EncryptedObjects::with(inner, key, layout, self.names))
    }
}
