//! Copies: read, opened, sealed for the new path, written; in bounded memory.

use bytes::Bytes;
use futures_util::TryStreamExt;
use futures_util::stream::BoxStream;
use object_store::path::Path;
use object_store::{
    CopyMode, CopyOptions, Error, GetOptions, GetResult, MultipartUpload, ObjectStore, ObjectStoreExt, PutMode,
    PutMultipartOptions, PutOptions, RenameOptions, RenameTargetMode, Result,
};

use super::errors::{Renamed, refused};
use super::multipart::Parts;
use super::names::Namer;
use super::seal::Sealer;
use super::{EncryptedObjects, header};

/// Bytes of content that are copied in one request; also the least of a part, where it takes more.
const AT_ONCE_BYTES: usize = 8 << 20;

/// Parts of an upload, at most: what S3 takes is 10,000.
const PARTS_MAX: u64 = 9_999;

impl<O: ObjectStore> EncryptedObjects<O> {
    pub(super) async fn copy_object(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        let CopyOptions { mode, extensions } = options;
        let below = self.below(to)?;
        let source = self.read(from, GetOptions { extensions: extensions.clone(), ..GetOptions::default() }).await?;
        let attributes = source.attributes.clone();
        if source.meta.size <= AT_ONCE_BYTES as u64 {
            let content: Vec<Bytes> = source.into_stream().try_collect().await?;
            let mode = match mode {
                CopyMode::Overwrite => PutMode::Overwrite,
                CopyMode::Create => PutMode::Create,
            };
            let opts = PutOptions { mode, attributes, extensions, ..PutOptions::default() };
            return self.write(to, content.into_iter().collect(), opts).await.map(drop);
        }
        let opts = PutMultipartOptions { attributes, extensions, ..PutMultipartOptions::default() };
        match mode {
            CopyMode::Overwrite => self.pour(source, &below, to, opts).await,
            CopyMode::Create => {
                // Not to copy for nothing; the move at the end decides.
                if self.inner.head(&below).await.is_ok() {
                    return Err(exists(to));
                }
                // No upload can be told not to overwrite. But an object is bound to its path above, not to where it lies below: so it is
                // made whole beside, and the store below moves it as it is.
                let stage = Namer::stage().map_err(refused)?;
                self.pour(source, &stage, to, opts).await?;
                let create = RenameOptions::new().with_target_mode(RenameTargetMode::Create);
                let moved = self.inner.rename_opts(&stage, &below, create).await;
                if moved.is_err() {
                    // What matters is why it could not be moved.
                    let _ = self.delete_below(&stage).await;
                }
                moved.about(to)
            }
        }
    }

    pub(super) async fn rename_object(&self, from: &Path, to: &Path, options: RenameOptions) -> Result<()> {
        let RenameOptions { target_mode, extensions } = options;
        if from == to {
            // A copy onto itself that is deleted then would be a loss.
            self.head(from).await?;
            return match target_mode {
                RenameTargetMode::Overwrite => Ok(()),
                RenameTargetMode::Create => Err(exists(to)),
            };
        }
        let mode = match target_mode {
            RenameTargetMode::Overwrite => CopyMode::Overwrite,
            RenameTargetMode::Create => CopyMode::Create,
        };
        self.copy_object(from, to, CopyOptions { mode, extensions }).await?;
        self.delete_below(&self.below(from)?).await.about(from)
    }

    /// Writes the content of `source` to `below`, sealed for `to`. If that fails, nothing is there.
    async fn pour(&self, source: GetResult, below: &Path, to: &Path, opts: PutMultipartOptions) -> Result<()> {
        let size = source.meta.size;
        let mut upload = self.inner.put_multipart_opts(below, opts).await.about(to)?;
        let poured = self.pour_into(&mut *upload, source.into_stream(), size, to).await;
        if poured.is_err() {
            // What matters is why it failed.
            let _ = upload.abort().await;
        }
        poured
    }

    async fn pour_into(
        &self,
        upload: &mut dyn MultipartUpload,
        mut content: BoxStream<'static, Result<Bytes>>,
        size: u64,
        to: &Path,
    ) -> Result<()> {
        let (mut sealer, header) = Sealer::begin(&self.shared, to.as_ref(), None).map_err(refused)?;
        let sealed = self.shared.layout.sealed_len(size).unwrap_or(u64::MAX);
        let part_bytes = usize::try_from(sealed.div_ceil(PARTS_MAX)).unwrap_or(usize::MAX).max(AT_ONCE_BYTES);
        let mut parts = Parts { sealed: vec![header], len: header::HEADER_LEN, part_bytes };
        while let Some(mut plain) = content.try_next().await? {
            while !plain.is_empty() {
                if let Some(chunk) = sealer.write(&mut plain).map_err(refused)? {
                    parts.push(chunk);
                }
                if let Some(part) = parts.whole() {
                    // One at a time: two would be twice the memory.
                    upload.put_part(part).await.about(to)?;
                }
            }
        }
        parts.push(sealer.finish().map_err(refused)?);
        while let Some(part) = parts.whole() {
            upload.put_part(part).await.about(to)?;
        }
        if let Some(rest) = parts.rest() {
            upload.put_part(rest).await.about(to)?;
        }
        upload.complete().await.about(to).map(drop)
    }
}

fn exists(path: &Path) -> Error {
    let source = "the object is there already, and is not to be overwritten".into();
    Error::AlreadyExists { path: path.to_string(), source }
}
