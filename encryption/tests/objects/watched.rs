//! A store below that notes what it is asked for, and can be told to let somebody in between two requests.

use std::fmt;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::future::BoxFuture;
use futures_util::stream::BoxStream;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetRange, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, RenameOptions, Result, UploadPart,
};

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    Get(Option<GetRange>),
    Head,
    Ranges(Vec<Range<u64>>),
}

type Change = Box<dyn Fn(GetResult) -> GetResult + Send + Sync>;
type Between = Box<dyn FnOnce() -> BoxFuture<'static, ()> + Send>;

#[derive(Default)]
pub(crate) struct Watched {
    pub(crate) below: InMemory,
    asked: Mutex<Vec<Asked>>,
    /// How many requests are still to come before it, and what happens then.
    between: Mutex<Option<(usize, Between)>>,
    change: Mutex<Option<Change>>,
    parts: Arc<Mutex<Vec<usize>>>,
    fails: Arc<AtomicBool>,
}

impl Watched {
    /// What was asked for since the last time.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        std::mem::take(&mut self.asked.lock().unwrap())
    }

    pub(crate) fn before_second_get(&self, between: impl FnOnce() -> BoxFuture<'static, ()> + Send + 'static) {
        *self.between.lock().unwrap() = Some((1, Box::new(between)));
    }

    /// What becomes of each answer of `get_opts`.
    pub(crate) fn change_bodies(&self, change: impl Fn(GetResult) -> GetResult + Send + Sync + 'static) {
        *self.change.lock().unwrap() = Some(Box::new(change));
    }

    /// The lengths of the parts of uploads since the last time.
    pub(crate) fn parts(&self) -> Vec<usize> {
        std::mem::take(&mut self.parts.lock().unwrap())
    }

    pub(crate) fn fail_parts(&self) {
        self.fails.store(true, Ordering::Relaxed);
    }

    async fn note(&self, asked: Asked) {
        self.asked.lock().unwrap().push(asked);
        let due = {
            let mut between = self.between.lock().unwrap();
            match &mut *between {
                Some((0, _)) => between.take().map(|(_, between)| between),
                Some((more, _)) => {
                    *more -= 1;
                    None
                }
                None => None,
            }
        };
        if let Some(due) = due {
            due().await;
        }
    }
}

impl fmt::Debug for Watched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Watched")
    }
}

impl fmt::Display for Watched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Watched")
    }
}

#[async_trait]
impl ObjectStore for Watched {
    async fn put_opts(&self, location: &Path, payload: PutPayload, opts: PutOptions) -> Result<PutResult> {
        self.below.put_opts(location, payload, opts).await
    }

    async fn put_multipart_opts(&self, location: &Path, opts: PutMultipartOptions) -> Result<Box<dyn MultipartUpload>> {
        let below = self.below.put_multipart_opts(location, opts).await?;
        Ok(Box::new(WatchedUpload { below, parts: self.parts.clone(), fails: self.fails.clone() }))
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.note(if options.head { Asked::Head } else { Asked::Get(options.range.clone()) }).await;
        let result = self.below.get_opts(location, options).await?;
        Ok(match &*self.change.lock().unwrap() {
            Some(change) => change(result),
            None => result,
        })
    }

    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        self.note(Asked::Ranges(ranges.to_vec())).await;
        self.below.get_ranges(location, ranges).await
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        self.below.delete_stream(locations)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.below.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.below.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.below.copy_opts(from, to, options).await
    }

    async fn rename_opts(&self, from: &Path, to: &Path, options: RenameOptions) -> Result<()> {
        self.below.rename_opts(from, to, options).await
    }
}

#[derive(Debug)]
struct WatchedUpload {
    below: Box<dyn MultipartUpload>,
    parts: Arc<Mutex<Vec<usize>>>,
    fails: Arc<AtomicBool>,
}

#[async_trait]
impl MultipartUpload for WatchedUpload {
    fn put_part(&mut self, data: PutPayload) -> UploadPart {
        if self.fails.load(Ordering::Relaxed) {
            let error = Error::Generic { store: "Watched", source: "no part is taken".into() };
            return Box::pin(async move { Err(error) });
        }
        self.parts.lock().unwrap().push(data.content_length());
        self.below.put_part(data)
    }

    async fn complete(&mut self) -> Result<PutResult> {
        self.below.complete().await
    }

    async fn abort(&mut self) -> Result<()> {
        self.below.abort().await
    }
}
