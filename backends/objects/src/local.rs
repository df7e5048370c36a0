//! Objects as files in a folder.

use std::fmt;
use std::fs::{self, File, TryLockError};
use std::io;
use std::ops::Range;
use std::path::Path as FilePath;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream::BoxStream;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetResult, GetResultPayload, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, RenameOptions, Result,
};
use strongroom_core::{Error, ErrorKind};

use crate::pieces::pieces;

/// The file whose lock says that the folder is in use. `object_store` does not list it: its name ends like that of a file on its way.
const LOCK: &str = "lock#0";

/// Objects as files in a folder: each is synced to the medium before it counts as written.
///
/// A file is written under another name, `NAME#1` and so on, then renamed. A process that is killed leaves such files behind, which no
/// listing shows. They are removed by whoever opens the folder next while nobody else has it open; a lock in the folder tells.
/// Whoever writes there by other means takes no part in that, and must not.
#[derive(Debug)]
pub struct LocalObjects {
    files: LocalFileSystem,
    /// Held, shared, as long as this is open.
    _lock: File,
}

impl LocalObjects {
    /// Opens the folder, and makes it if it is not there.
    ///
    /// # Errors
    ///
    /// `Io`.
    pub fn open(folder: impl AsRef<FilePath>) -> Result<Self, Error> {
        Self::open_in(folder.as_ref()).map_err(|error| {
            let place = folder.as_ref().display().to_string();
            Error::new(ErrorKind::Io, "the folder of the objects cannot be opened")
                .with_source(error)
                .on("objects")
                .at(place)
        })
    }

    fn open_in(folder: &FilePath) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        let lock = File::options().read(true).append(true).create(true).open(folder.join(LOCK))?;
        match lock.try_lock() {
            Ok(()) => remove_leftovers(folder)?,
            Err(TryLockError::WouldBlock) => {}
            Err(TryLockError::Error(error)) => return Err(error),
        }
        // Only whoever removes leftovers has it alone, and not for long.
        lock.lock_shared()?;
        let files = LocalFileSystem::new_with_prefix(folder).map_err(io::Error::from)?;
        Ok(LocalObjects { files: files.with_fsync(true), _lock: lock })
    }
}

/// Removes files that were on their way when their process ended.
fn remove_leftovers(folder: &FilePath) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            remove_leftovers(&entry.path())?;
        } else if is_leftover(&entry.file_name().to_string_lossy()) {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

/// As `object_store` names files that are on their way.
fn is_leftover(name: &str) -> bool {
    let digits = name.split_once('#').map(|(_, digits)| digits);
    name != LOCK && digits.is_some_and(|digits| !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()))
}

impl fmt::Display for LocalObjects {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.files.fmt(f)
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl ObjectStore for LocalObjects {
    async fn put_opts(&self, location: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        self.files.put_opts(location, payload, options).await
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.files.put_multipart_opts(location, options).await
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        let mut result = self.files.get_opts(location, options).await?;
        result.payload = match result.payload {
            GetResultPayload::File(file, _) => GetResultPayload::Stream(pieces(file, result.range.clone())),
            stream => stream,
        };
        Ok(result)
    }

    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        self.files.get_ranges(location, ranges).await
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        self.files.delete_stream(locations)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.files.list(prefix)
    }

    fn list_with_offset(&self, prefix: Option<&Path>, offset: &Path) -> BoxStream<'static, Result<ObjectMeta>> {
        self.files.list_with_offset(prefix, offset)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.files.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.files.copy_opts(from, to, options).await
    }

    async fn rename_opts(&self, from: &Path, to: &Path, options: RenameOptions) -> Result<()> {
        self.files.rename_opts(from, to, options).await
    }
}

#[cfg(test)]
mod tests {
    use futures_util::TryStreamExt;
    use object_store::ObjectStoreExt;

    use super::*;

    #[tokio::test]
    async fn leftovers_go_when_nobody_else_has_the_folder_open() {
        let folder = tempfile::tempdir().unwrap();
        let objects = LocalObjects::open(folder.path()).unwrap();
        objects.put(&Path::from("ab/whole"), "whole".into()).await.unwrap();
        let left = folder.path().join("ab").join("half#12");
        fs::write(&left, "ha").unwrap();

        let second = LocalObjects::open(folder.path()).unwrap();
        assert!(left.exists(), "it could be another's that is being written");
        drop((objects, second));
        let objects = LocalObjects::open(folder.path()).unwrap();
        assert!(!left.exists());
        let listed: Vec<ObjectMeta> = objects.list(None).try_collect().await.unwrap();
        assert_eq!(listed.iter().map(|meta| meta.location.as_ref()).collect::<Vec<_>>(), ["ab/whole"]);
    }

    #[test]
    fn a_folder_that_cannot_be_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        fs::write(&file, "").unwrap();
        let error = LocalObjects::open(&file).unwrap_err();
        assert_eq!((error.kind(), error.place()), (ErrorKind::Io, file.to_str()));
    }
}
