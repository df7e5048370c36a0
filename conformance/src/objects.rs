//! An object store around another in which single methods are changed: for broken object stores, and for cases that need one to fail.

use std::fmt::{self, Debug, Display};
use std::ops::Range;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream::{self, BoxStream};
use futures_util::{StreamExt, TryStreamExt};
use strongroom_objects::object_store::path::Path;
use strongroom_objects::object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore, ObjectStoreExt,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, RenameOptions, Result,
};

/// What is changed. Each method is given the inner object store and, unless overridden, asks just that.
#[async_trait]
#[allow(missing_docs, reason = "each is the method of the object store that has its name")]
pub trait ObjectTwist: Debug + Send + Sync + 'static {
    async fn put(
        &self,
        inner: &Arc<dyn ObjectStore>,
        path: &Path,
        bytes: PutPayload,
        options: PutOptions,
    ) -> Result<PutResult> {
        inner.put_opts(path, bytes, options).await
    }
    async fn get(&self, inner: &Arc<dyn ObjectStore>, path: &Path, options: GetOptions) -> Result<GetResult> {
        inner.get_opts(path, options).await
    }
    async fn delete(&self, inner: &Arc<dyn ObjectStore>, path: &Path) -> Result<()> {
        inner.delete(path).await
    }
    async fn list(&self, inner: &Arc<dyn ObjectStore>, prefix: Option<&Path>) -> Result<Vec<ObjectMeta>> {
        inner.list(prefix).try_collect().await
    }
}

/// The object store that a twist makes of another.
#[derive(Debug)]
pub struct TwistedObjects<T: ?Sized> {
    inner: Arc<dyn ObjectStore>,
    twist: Arc<T>,
}

impl<T: ObjectTwist + ?Sized> TwistedObjects<T> {
    /// `inner`, with what `twist` changes.
    pub fn new(inner: Arc<dyn ObjectStore>, twist: Arc<T>) -> Self {
        TwistedObjects { inner, twist }
    }
}

impl<T: ObjectTwist + ?Sized> Display for TwistedObjects<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "twisted {}", self.inner)
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<T: ObjectTwist + ?Sized> ObjectStore for TwistedObjects<T> {
    async fn put_opts(&self, location: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        self.twist.put(&self.inner, location, payload, options).await
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.inner.put_multipart_opts(location, options).await
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.twist.get(&self.inner, location, options).await
    }

    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        let mut found = Vec::with_capacity(ranges.len());
        for range in ranges {
            let options = GetOptions::new().with_range(Some(range.clone()));
            found.push(self.twist.get(&self.inner, location, options).await?.bytes().await?);
        }
        Ok(found)
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        let (inner, twist) = (self.inner.clone(), self.twist.clone());
        let deleted = locations.then(move |path| {
            let (inner, twist) = (inner.clone(), twist.clone());
            async move {
                let path = path?;
                twist.delete(&inner, &path).await.map(|()| path)
            }
        });
        deleted.boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        let (inner, twist, prefix) = (self.inner.clone(), self.twist.clone(), prefix.cloned());
        let listed = async move {
            let listed = twist.list(&inner, prefix.as_ref()).await?;
            Ok::<_, Error>(stream::iter(listed.into_iter().map(Ok)))
        };
        stream::once(listed).try_flatten().boxed()
    }

    fn list_with_offset(&self, prefix: Option<&Path>, offset: &Path) -> BoxStream<'static, Result<ObjectMeta>> {
        let offset = offset.clone();
        self.list(prefix).try_filter(move |meta| std::future::ready(meta.location > offset)).boxed()
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, options).await
    }

    async fn rename_opts(&self, from: &Path, to: &Path, options: RenameOptions) -> Result<()> {
        self.inner.rename_opts(from, to, options).await
    }
}
