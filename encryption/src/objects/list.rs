//! Listings and deletion: names and sizes of the store below become those of this one.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::stream::{self, BoxStream, StreamExt, TryStreamExt};
use futures_util::{FutureExt, future};
use object_store::path::Path;
use object_store::{ListResult, ObjectMeta, ObjectStore, Result};

use super::errors::{path_of, renamed};
use super::{EncryptedObjects, Shared};

impl<O: ObjectStore> EncryptedObjects<O> {
    pub(super) fn list_all(
        &self,
        prefix: Option<&Path>,
        offset: Option<&Path>,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        let below = match prefix.map(|prefix| self.below(prefix)).transpose() {
            Ok(below) => below,
            Err(error) => return stream::once(future::ready(Err(error))).boxed(),
        };
        let listed = match offset {
            Some(offset) if self.shared.namer.keeps_order() => self.inner.list_with_offset(below.as_ref(), offset),
            _ => self.inner.list(below.as_ref()),
        };
        let shared = self.shared.clone();
        let offset = offset.cloned();
        let ours = listed.try_filter_map(move |meta| future::ready(Ok(shared.above(meta))));
        ours.try_filter(move |meta| future::ready(offset.as_ref().is_none_or(|offset| meta.location > *offset))).boxed()
    }

    pub(super) async fn list_folder(&self, prefix: Option<&Path>) -> Result<ListResult> {
        let below = prefix.map(|prefix| self.below(prefix)).transpose()?;
        let listed = self.inner.list_with_delimiter(below.as_ref()).await?;
        let mut objects: Vec<_> = listed.objects.into_iter().filter_map(|meta| self.shared.above(meta)).collect();
        let folders = listed.common_prefixes.iter().filter_map(|folder| self.shared.namer.open(folder));
        let mut common_prefixes: Vec<_> = folders.collect();
        // Stores give them in order, and here the order is another one.
        objects.sort_unstable_by(|a, b| a.location.cmp(&b.location));
        common_prefixes.sort_unstable();
        Ok(ListResult { common_prefixes, objects, extensions: listed.extensions })
    }

    pub(super) fn delete_all(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        let asked = Arc::new(Asked::default());
        let (shared, noted) = (self.shared.clone(), asked.clone());
        let below = locations.map(move |location| {
            let location = location?;
            let below = shared.namer.seal(&location).map_err(super::errors::refused)?;
            noted.note(&below, &location);
            Ok(below)
        });
        let answers = self.inner.delete_stream(below.boxed());
        let shared = self.shared.clone();
        let answers = answers.map(move |answer| match answer {
            Ok(below) => {
                asked.take(below.as_ref());
                // It was made from a path of this store.
                Ok(shared.namer.open(&below).unwrap_or(below))
            }
            Err(error) => Err(match path_of(&error).and_then(|path| asked.take(path)) {
                Some(location) => renamed(error, &location),
                None => error,
            }),
        });
        answers.boxed()
    }

    /// Deletes one object of the store below.
    pub(super) async fn delete_below(&self, below: &Path) -> Result<()> {
        let below = below.clone();
        let one = future::ready(Ok(below)).into_stream().boxed();
        self.inner.delete_stream(one).try_collect::<Vec<_>>().await.map(drop)
    }
}

impl Shared {
    /// An object of the store below as it is seen from above; none if its name does not open.
    fn above(&self, meta: ObjectMeta) -> Option<ObjectMeta> {
        let location = self.namer.open(&meta.location)?;
        // Nobody vouches for a listing; an object that was cut says so when it is read.
        let size = self.layout.plain_len(meta.size).unwrap_or(0);
        Some(ObjectMeta { location, size, ..meta })
    }
}

/// What is being deleted, so that an error can name it: stores put more around the path than it was asked for (a folder of the disk).
///
/// It holds what the store below has under way, since answers come in the order of the questions.
#[derive(Default)]
struct Asked(Mutex<VecDeque<(Path, Path)>>);

impl Asked {
    fn note(&self, below: &Path, location: &Path) {
        let mut asked = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        asked.push_back((below.clone(), location.clone()));
    }

    /// The location that this answer is about. It and all before it are answered.
    fn take(&self, answer: &str) -> Option<Path> {
        let mut asked = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let fitting = asked.iter().enumerate().rev().filter(|(_, (below, _))| answer.ends_with(below.as_ref()));
        // The longest: one path may be the end of another. If it was asked for twice, the first.
        let (at, _) = fitting.max_by_key(|(_, (below, _))| below.as_ref().len())?;
        asked.drain(..=at).next_back().map(|(_, location)| location)
    }
}
