//! Media of the workload: bytes put and got as a program does it, and the same bytes by an object store alone.

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};
use strongroom::encryption::EncryptedObjects;
use strongroom::matrix::MediaId;
use strongroom::objects::object_store::local::LocalFileSystem;
use strongroom::objects::object_store::memory::InMemory;
use strongroom::objects::object_store::path::Path as ObjectPath;
use strongroom::objects::object_store::{ObjectStore, ObjectStoreExt};
use strongroom::objects::{LocalObjects, Media, MediaOptions, NewMedia};
use strongroom::{Database, Error, ErrorKind, Result, matrix, open};
use tokio::io::{AsyncRead, AsyncReadExt};

use crate::stacks::unlock;

/// Bytes of a picture as it is shown in a list, of a picture, and of a short film.
pub const SIZES: [usize; 3] = [64 << 10, 1 << 20, 16 << 20];

/// Where the bytes of media are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// In memory, with the records.
    Memory,
    /// In files that are synced, with the records in redb.
    Local,
}

impl Place {
    /// Each.
    pub const ALL: [Place; 2] = [Place::Memory, Place::Local];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Place::Memory => "memory",
            Place::Local => "local files",
        }
    }

    /// Opens media in a folder of their own: records and bytes encrypted, or both bare.
    ///
    /// # Errors
    ///
    /// Those of the store and of the file system.
    pub async fn media(self, folder: &Path, encrypted: bool) -> Result<Media> {
        std::fs::create_dir_all(folder).map_err(Error::application)?;
        let (url, objects): (_, Arc<dyn ObjectStore>) = match self {
            Place::Memory => ("memory:".to_owned(), Arc::new(InMemory::new())),
            Place::Local => (
                format!("redb:{}", folder.join("store.redb").display()),
                Arc::new(LocalObjects::open(folder.join("objects"))?),
            ),
        };
        if !encrypted {
            return Media::open(Database::open(open(&url).await?, matrix::schema()).await?, objects).await;
        }
        let store = open(&url).encrypted(unlock()).await?;
        let objects = EncryptedObjects::new(objects, &store.objects_key()?);
        Media::open(Database::open(store, matrix::schema()).await?, Arc::new(objects)).await
    }

    /// The object store alone, in a folder of its own: what is put is on the medium, as below [`media`](Place::media).
    ///
    /// # Errors
    ///
    /// Those of the file system.
    pub fn plain(self, folder: &Path) -> Result<Plain> {
        Ok(Plain(match self {
            Place::Memory => Arc::new(InMemory::new()),
            Place::Local => {
                std::fs::create_dir_all(folder).map_err(Error::application)?;
                Arc::new(LocalFileSystem::new_with_prefix(folder).map_err(Error::application)?.with_fsync(true))
            }
        }))
    }
}

/// Puts a medium.
///
/// # Errors
///
/// As [`Media::put`].
pub async fn put(media: &Media, id: &MediaId, content: impl AsyncRead + Send + Unpin) -> Result<()> {
    media.put(NewMedia::new("!room", "video/mp4").id(id.clone()), content).await.map(drop)
}

/// Reads a medium to its end; says how many bytes it has.
///
/// # Errors
///
/// As [`Media::get`]; `NotFound`.
pub async fn get(media: &Media, id: &MediaId) -> Result<u64> {
    let content = media.get(id).await?;
    let mut stream = content.ok_or_else(|| Error::new(ErrorKind::NotFound, "the medium is gone"))?.stream();
    let mut length = 0;
    while let Some(bytes) = stream.try_next().await? {
        length += std::hint::black_box(bytes).len() as u64;
    }
    Ok(length)
}

/// An object store without records, encryption and checksums. Bytes are put and got in parts as large as those of media, as many at a
/// time.
#[derive(Clone, Debug)]
pub struct Plain(Arc<dyn ObjectStore>);

impl Plain {
    /// Puts bytes, in one object for each part; says how many parts there are.
    ///
    /// # Errors
    ///
    /// Those of the object store.
    pub async fn put(&self, content: impl AsyncRead + Send + Unpin) -> Result<u64> {
        let MediaOptions { part_bytes, transfers_max, .. } = MediaOptions::default();
        let parts = stream::try_unfold((content, 0), |(mut content, number)| async move {
            let mut part = Vec::with_capacity(part_bytes);
            (&mut content).take(part_bytes as u64).read_to_end(&mut part).await.map_err(Error::application)?;
            Ok::<_, Error>((!part.is_empty()).then_some(((number, Bytes::from(part)), (content, number + 1))))
        });
        let sent = parts.map_ok(|(number, part)| async move {
            self.0.put(&path(number), part.into()).await.map_err(Error::application)
        });
        sent.try_buffer_unordered(transfers_max).try_fold(0, |parts, _| async move { Ok(parts + 1) }).await
    }

    /// Reads the first so many parts; says how many bytes they have.
    ///
    /// # Errors
    ///
    /// Those of the object store.
    pub async fn get(&self, parts: u64) -> Result<u64> {
        let fetched = stream::iter(0..parts)
            .map(|number| async move { self.0.get_opts(&path(number), Default::default()).await?.bytes().await });
        let mut fetched = fetched.buffered(MediaOptions::default().transfers_max);
        let mut length = 0;
        while let Some(bytes) = fetched.try_next().await.map_err(Error::application)? {
            length += std::hint::black_box(bytes).len() as u64;
        }
        Ok(length)
    }
}

fn path(number: u64) -> ObjectPath {
    ObjectPath::from(number.to_string())
}

/// Bytes that do not repeat.
pub fn content(bytes: usize) -> Vec<u8> {
    let mut content = vec![0; bytes];
    fastrand::Rng::with_seed(7).fill(&mut content);
    content
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn media_and_the_plain_store_give_back_as_many_bytes_as_were_put() {
        let folder = tempfile::tempdir().unwrap();
        let bytes = content(5 << 20);
        for place in Place::ALL {
            let folder = folder.path().join(place.name());
            let plain = place.plain(&folder.join("plain")).unwrap();
            assert_eq!(plain.put(&bytes[..]).await.unwrap(), 2);
            assert_eq!(plain.get(2).await.unwrap(), bytes.len() as u64);
            for encrypted in [false, true] {
                let media = place.media(&folder.join(encrypted.to_string()), encrypted).await.unwrap();
                put(&media, &"id".into(), &bytes[..]).await.unwrap();
                assert_eq!(get(&media, &"id".into()).await.unwrap(), bytes.len() as u64);
            }
        }
    }
}
