//! Objects as files in a folder.

use std::fmt;
use std::fs::{self, File, TryLockError};
use std::io;
use std::ops::Range;
use std::path::{Path as FilePath, PathBuf};

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

/// Bytes in the name of a part, at least: of a clear one; encrypted ones have more.
const PART_NAME_MIN: usize = 36;

/// Objects as files in a folder: each is synced to the medium before it counts as written.
///
/// A file is written under another name, `NAME#1` and so on, then renamed. A process that is killed leaves such files behind, which no
/// listing shows. Parts of media among them are removed by whoever opens the folder next while nobody else has it open; a lock in the
/// folder tells. Whoever writes there by other means takes no part in that, and must not.
///
/// A folder that is made is this user's alone to enter.
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
        make(folder)?;
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

/// Makes the folder and those above it that are not there, for this user alone, and makes them last: `object_store` syncs what it makes
/// in a folder, not the folder.
fn make(folder: &FilePath) -> io::Result<()> {
    let missing: Vec<&FilePath> = folder.ancestors().take_while(|folder| !names_something(folder)).collect();
    let mut builder = fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.recursive(true).create(folder)?;
    // Its own entry every time: it may have been made by a process that was killed right after.
    let entries = folder.ancestors().take(missing.len().max(1)).map(FilePath::parent);
    for parent in entries {
        match parent {
            Some(parent) if parent.as_os_str().is_empty() => sync(FilePath::new("."))?,
            Some(parent) => sync(parent)?,
            None => {}
        }
    }
    sync(folder)
}

fn names_something(folder: &FilePath) -> bool {
    folder.as_os_str().is_empty() || folder.exists()
}

/// On other systems folders cannot be synced, nor need to be. One that may not be read, as above an app's own on a phone, is not ours to sync.
fn sync(folder: &FilePath) -> io::Result<()> {
    if !cfg!(unix) {
        return Ok(());
    }
    match File::open(folder) {
        Ok(opened) => opened.sync_all(),
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Ok(()),
        Err(error) => Err(error),
    }
}

/// Removes files that were on their way when their process ended. They lie where parts do, in a folder of a folder; what else somebody
/// may keep here is not ours. Folders that such a process made and did not sync are synced.
fn remove_leftovers(folder: &FilePath) -> io::Result<()> {
    for space in folders(folder)? {
        for shard in folders(&space)? {
            for entry in fs::read_dir(shard)? {
                let entry = entry?;
                if entry.file_type()?.is_file() && is_leftover(&entry.file_name().to_string_lossy()) {
                    fs::remove_file(entry.path())?;
                }
            }
        }
        sync(&space)?;
    }
    sync(folder)
}

/// The folders in a folder. Links are not followed.
fn folders(folder: &FilePath) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            found.push(entry.path());
        }
    }
    Ok(found)
}

/// As `object_store` names files that are on their way, where the name is that of a part, encrypted or not.
fn is_leftover(name: &str) -> bool {
    name.split_once('#').is_some_and(|(part, number)| {
        let is_part = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        part.len() >= PART_NAME_MIN
            && part.bytes().all(is_part)
            && !number.is_empty()
            && number.bytes().all(|byte| byte.is_ascii_digit())
    })
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
        let shard = folder.path().join("space").join("ab");
        fs::create_dir_all(&shard).unwrap();
        let left = shard.join("0123456789abcdef0123456789abcdef-0-0#12");
        let (invoice, track) = (shard.join("Invoice #12"), folder.path().join("track#3"));
        for file in [&left, &invoice, &track] {
            fs::write(file, "ha").unwrap();
        }

        let second = LocalObjects::open(folder.path()).unwrap();
        assert!(left.exists(), "it could be another's that is being written");
        drop((objects, second));
        let objects = LocalObjects::open(folder.path()).unwrap();
        assert!(!left.exists());
        assert!(invoice.exists() && track.exists(), "what is not ours stays");
        fs::remove_file(invoice).unwrap();
        fs::remove_file(track).unwrap();
        let listed: Vec<ObjectMeta> = objects.list(None).try_collect().await.unwrap();
        assert_eq!(listed.iter().map(|meta| meta.location.as_ref()).collect::<Vec<_>>(), ["ab/whole"]);
    }

    #[cfg(unix)]
    #[test]
    fn a_folder_that_is_made_is_for_this_user_alone() {
        use std::os::unix::fs::PermissionsExt;

        let folder = tempfile::tempdir().unwrap();
        let (outer, inner) = (folder.path().join("outer"), folder.path().join("outer/inner"));
        drop(LocalObjects::open(&inner).unwrap());
        for made in [outer, inner] {
            assert_eq!(fs::metadata(made).unwrap().permissions().mode() & 0o777, 0o700);
        }
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
