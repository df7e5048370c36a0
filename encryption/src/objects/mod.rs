//! `EncryptedObjects`: an object store over another one, which sees sealed bytes only.
//!
//! An object is a [header](header) and chunks. Each chunk is sealed by itself, and bound to its object, its place and whether it is
//! the last, so that a range is read without the rest and no chunk can be left out, repeated or exchanged. The shape is that of
//! STREAM (Hoang, Reyhanitabar, Rogaway, Vizár: *Online Authenticated-Encryption and its Nonce-Reuse Misuse-Resistance*, 2015) and of
//! FLOE, with the nonces of XChaCha20-Poly1305, which are long enough to be random.

mod copy;
#[cfg(test)]
mod costs;
mod errors;
mod header;
mod keys;
mod list;
mod multipart;
mod names;
mod open;
mod options;
mod pace;
mod read;
mod seal;
mod sizes;
mod write;

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream::BoxStream;
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore, PutMultipartOptions,
    PutOptions, PutPayload, PutResult, RenameOptions, Result,
};

pub use options::{Names, ObjectsOptions};

use crate::SecretKey;
use keys::Keys;
use names::Namer;
use sizes::Layout;

/// A store of objects that are encrypted in the store below, `O`: local files, S3, memory, whatever speaks `object_store`.
///
/// It is an `ObjectStore` itself and does what that trait says. Content is sealed in chunks under keys that no other object has; names
/// are encrypted, too, or stay in clear ([`Names`]). What was changed, cut, put together anew or moved does not open: the error is
/// found by [`EncryptionError::of_object`](crate::EncryptionError::of_object). No byte is given before its chunk was authenticated, and a read
/// that goes to the end has seen that it is the end.
///
/// ```
/// use object_store::memory::InMemory;
/// use object_store::path::Path;
/// use object_store::{ObjectStoreExt, PutPayload};
/// use strongroom_encryption::{EncryptedObjects, SecretKey};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// // With a database: the key is `store.objects_key()?`.
/// let key = SecretKey::random()?;
/// let objects = EncryptedObjects::new(InMemory::new(), &key);
///
/// let picture = Path::from("attachments/picture.jpg");
/// objects.put(&picture, PutPayload::from_static(b"a long picture")).await?;
/// assert_eq!(objects.head(&picture).await?.size, 14);
/// assert_eq!(objects.get_range(&picture, 2..6).await?, "long");
/// # Ok(()) }
/// ```
///
/// # What it costs
///
/// | call | requests to the store below |
/// |---|---|
/// | a whole object, or a range that begins in the first chunk | 1: what is needed, and no more |
/// | another range | 2: the header, then the chunks of the range |
/// | `get_ranges` | 2: the header, then all chunks at once |
/// | `head`, `list`, `delete` | as many as below: sizes are worked out |
/// | `put`, multipart | as many as below |
/// | `copy`, `rename` | a read and a write: the content is sealed anew, in bounded memory |
///
/// If the object is written between two requests of a read, the read begins anew. An object has 72 bytes more than its content, and 40
/// a chunk.
///
/// # What it leaves to the store below
///
/// - ETags, versions, times and preconditions pass through: they are of the sealed bytes, and every write makes others.
/// - Attributes and tags are kept **in clear**, and nobody vouches for them. A copy keeps attributes and loses tags.
/// - `PutMode` and the create modes of copy and rename are as atomic as below. A copy of more than 8 MiB that must not overwrite is
///   written to `.strongroom-stage/` and moved from there by the store below. What a crash leaves in that folder can be deleted.
/// - Sizes in a listing are arithmetic on what the store below says; of an object that was cut to an impossible length it is 0, so that
///   one bad object does not stop a listing. `get` and `head` of it give `Truncated`.
/// - Objects whose names do not open are not of this store and are not listed. Deletion is not detected, nor that an object is the
///   older version of itself.
pub struct EncryptedObjects<O> {
    inner: O,
    shared: Arc<Shared>,
}

/// What streams and uploads need after the call that made them.
struct Shared {
    keys: Arc<Keys>,
    layout: Layout,
    namer: Namer,
}

impl<O: ObjectStore> EncryptedObjects<O> {
    /// A store over `inner` with the default [`ObjectsOptions`]: chunks of 64 KiB, encrypted names.
    pub fn new(inner: O, key: &SecretKey) -> Self {
        let layout = Layout::of_chunk_bytes(ObjectsOptions::default().chunk_bytes);
        EncryptedObjects::with(inner, key, layout.expect("the default is allowed"), Names::default())
    }

    fn with(inner: O, key: &SecretKey, layout: Layout, names: Names) -> Self {
        let shared = Shared { keys: Arc::new(Keys::new(key)), layout, namer: Namer::new(key, names) };
        EncryptedObjects { inner, shared: Arc::new(shared) }
    }

    /// The store below, with its objects as they are.
    pub fn inner(&self) -> &O {
        &self.inner
    }

    /// What `path` is called below. Errors: `NameRefused`.
    fn below(&self, path: &Path) -> Result<Path> {
        self.shared.namer.seal(path).map_err(errors::refused)
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<O: ObjectStore> ObjectStore for EncryptedObjects<O> {
    async fn put_opts(&self, location: &Path, payload: PutPayload, opts: PutOptions) -> Result<PutResult> {
        self.write(location, payload, opts).await
    }

    async fn put_multipart_opts(&self, location: &Path, opts: PutMultipartOptions) -> Result<Box<dyn MultipartUpload>> {
        self.upload(location, opts).await
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.read(location, options).await
    }

    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        self.read_ranges(location, ranges).await
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        self.delete_all(locations)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.list_all(prefix, None)
    }

    fn list_with_offset(&self, prefix: Option<&Path>, offset: &Path) -> BoxStream<'static, Result<ObjectMeta>> {
        self.list_all(prefix, Some(offset))
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.list_folder(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.copy_object(from, to, options).await
    }

    async fn rename_opts(&self, from: &Path, to: &Path, options: RenameOptions) -> Result<()> {
        self.rename_object(from, to, options).await
    }
}

/// Shows nothing of keys.
impl<O: fmt::Debug> fmt::Debug for EncryptedObjects<O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("EncryptedObjects");
        shown.field("inner", &self.inner);
        shown.field("chunk_bytes", &self.shared.layout.chunk_bytes());
        shown.field("names", &self.shared.namer).finish_non_exhaustive()
    }
}

impl<O: fmt::Display> fmt::Display for EncryptedObjects<O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EncryptedObjects({})", self.inner)
    }
}
