//! Media over the store under test, their contents, and what must be where.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::ops::RangeBounds;
use std::path::Path as FilePath;
use std::sync::Arc;

use async_trait::async_trait;
use futures_util::TryStreamExt;
use strongroom_core::matrix::{self, MediaId, Object, ObjectSpace, Upload};
use strongroom_core::store::Store;
use strongroom_core::{Clock, Database, Result};
use strongroom_objects::object_store::path::Path;
use strongroom_objects::object_store::{self, ObjectStore, PutOptions, PutPayload, PutResult};
use strongroom_objects::{Content, Media, MediaOptions, NewMedia, Stored, SweepOptions};
use tokio::sync::RwLock;

use crate::groups::crash::random::Random;
use crate::objects::{ObjectTwist, TwistedObjects};
use crate::{Checked, Context, Failure, Place, Site, ensure};

/// Bytes in a part here: the fewest that there may be, so that many parts take little time.
pub(super) const PART: usize = 64 << 10;
/// Parts of a transfer that are under way at a time, unless a case is about that.
pub(super) const TRANSFERS: usize = 3;
/// A day in milliseconds: so long an upload may rest.
pub(super) const DAY: i64 = 24 * 60 * 60 * 1_000;
pub(super) const ROOM: &str = "!room:example.org";

/// Media over a new store, in the object store of its place.
pub(super) struct Scene {
    pub(super) context: Context,
    pub(super) site: Site,
    pub(super) db: Database,
    pub(super) objects: Arc<dyn ObjectStore>,
    pub(super) media: Media,
    /// Held for reading by every write that is under way.
    under_way: Arc<RwLock<()>>,
}

impl Scene {
    pub(super) async fn new(context: &Context) -> Checked<Self> {
        let site = context.open().await?;
        let (objects, under_way) = settling(context.factory().objects(&site.place).await?);
        let db = open(site.store.clone(), site.clock.clone()).await?;
        let media = over(&db, objects.clone(), TRANSFERS).await?;
        Ok(Scene { context: context.clone(), site, db, objects, media, under_way })
    }

    /// Another handle on the same media, whose bytes go through `objects`.
    pub(super) async fn over(&self, objects: Arc<dyn ObjectStore>) -> Result<Media> {
        over(&self.db, objects, TRANSFERS).await
    }

    /// Another handle, in a database of its own over `store`, which is the scene's or goes to it.
    pub(super) async fn beside(&self, store: Arc<dyn Store>, objects: Arc<dyn ObjectStore>) -> Result<Media> {
        over(&open(store, self.site.clock.clone()).await?, objects, TRANSFERS).await
    }

    /// Stores the medium of this number.
    pub(super) async fn put(&self, number: u64, size: usize) -> Result<Stored> {
        put(&self.media, self.content(number, size), &id(number)).await
    }

    /// The content of the medium of this number, so many bytes of it.
    pub(super) fn content(&self, number: u64, size: usize) -> Vec<u8> {
        content(self.context.seed(), number, size)
    }

    /// Checks that the medium is there, and is that.
    pub(super) async fn ensure_is(&self, number: u64, size: usize) -> Checked {
        let found = read(&self.media, &id(number)).await?;
        ensure!(found.is_some_and(|found| found == self.content(number, size)), "medium {number} of {size} bytes");
        Ok(())
    }

    pub(super) fn after(&self, millis: i64) {
        self.site.clock.set(self.db.now().saturating_add(millis));
    }

    /// Waits until no write is under way any more, also of those whose caller is gone.
    pub(super) async fn settled(&self) {
        drop(self.under_way.write().await);
    }

    /// Checks that in the object store there is what the records name, and nothing else. For stores with nothing else in them.
    pub(super) async fn ensure_tidy(&self) -> Checked {
        self.settled().await;
        ensure_tidy(&self.db, &self.objects, &self.site.place).await
    }
}

pub(super) async fn open(store: Arc<dyn Store>, clock: Arc<dyn Clock>) -> Result<Database> {
    Database::builder(matrix::schema()).clock(clock).open(store).await
}

pub(super) async fn over(db: &Database, objects: Arc<dyn ObjectStore>, transfers: usize) -> Result<Media> {
    let options = MediaOptions { part_bytes: PART, transfers_max: transfers, upload_expiry_ms: DAY as u64 };
    options.open(db.clone(), objects).await
}

pub(super) fn id(number: u64) -> MediaId {
    MediaId::from(format!("mxc://example.org/{number}"))
}

/// The number in such an id.
pub(super) fn number(id: &MediaId) -> Checked<u64> {
    let number = id.as_str().rsplit('/').next().and_then(|number| number.parse().ok());
    number.ok_or_else(|| Failure::new(format!("no case stored {}", id.as_str())))
}

pub(super) fn new(id: &MediaId) -> NewMedia {
    NewMedia::new(ROOM, "image/png").id(id.clone())
}

pub(super) fn content(seed: u64, number: u64, size: usize) -> Vec<u8> {
    Random::new(seed, 0x6D65_6469 ^ number).bytes(size)
}

pub(super) async fn put(media: &Media, content: Vec<u8>, id: &MediaId) -> Result<Stored> {
    media.put(new(id), &content[..]).await
}

pub(super) async fn bytes(content: Content) -> Result<Vec<u8>> {
    content.stream().map_ok(|bytes| bytes.to_vec()).try_concat().await
}

/// All of a medium; none if there is none.
pub(super) async fn read(media: &Media, id: &MediaId) -> Result<Option<Vec<u8>>> {
    match media.get(id).await? {
        Some(content) => bytes(content).await.map(Some),
        None => Ok(None),
    }
}

/// Some bytes of a medium that is there.
pub(super) async fn read_range(media: &Media, id: &MediaId, range: impl RangeBounds<u64> + Send) -> Checked<Vec<u8>> {
    let content = media.get_range(id, range).await?.ok_or_else(|| Failure::new("there is no such medium"))?;
    Ok(bytes(content).await?)
}

/// An object store whose writes come to an end even if their caller is gone, as those to a disk or over a network may; and a lock that
/// is held for reading until they have.
fn settling(objects: Arc<dyn ObjectStore>) -> (Arc<dyn ObjectStore>, Arc<RwLock<()>>) {
    let under_way = Arc::new(RwLock::new(()));
    (Arc::new(TwistedObjects::new(objects, Arc::new(Settling(under_way.clone())))), under_way)
}

#[derive(Debug)]
struct Settling(Arc<RwLock<()>>);

#[async_trait]
impl ObjectTwist for Settling {
    async fn put(
        &self,
        inner: &Arc<dyn ObjectStore>,
        path: &Path,
        bytes: PutPayload,
        options: PutOptions,
    ) -> object_store::Result<PutResult> {
        let (inner, path, under_way) = (inner.clone(), path.clone(), self.0.clone().read_owned().await);
        let task = tokio::spawn(async move {
            let put = inner.put_opts(&path, bytes, options).await;
            drop(under_way);
            put
        });
        task.await?
    }
}

/// Names in an object store, and how many bytes each has.
pub(super) async fn listed(objects: &Arc<dyn ObjectStore>) -> Checked<BTreeMap<String, u64>> {
    let listed = objects.list(None).map_ok(|meta| (meta.location.to_string(), meta.size)).try_collect();
    listed.await.map_err(|error: strongroom_objects::object_store::Error| Failure::new(error.to_string()))
}

/// The names of all parts that records of objects name, made from the records as the format says: docs/format.md.
pub(super) async fn named(db: &Database) -> Checked<BTreeSet<String>> {
    let space = db.get(&ObjectSpace::key("media")).await?.ok_or_else(|| Failure::new("there is no object space"))?;
    let objects: Vec<Object> = db.query(Object::PRIMARY).stream().try_collect().await?;
    let names = objects.iter().map(|object| parts_of(&space.folder, object)).collect::<Checked<Vec<_>>>()?;
    Ok(names.into_iter().flatten().collect())
}

/// The names of the parts of one object, in order.
fn parts_of(folder: &str, object: &Object) -> Checked<Vec<String>> {
    let id = object.object_id.as_str();
    let parts = 0..object.size.div_ceil(object.parts.part_bytes);
    let named = parts.map(|part| {
        let attempt = object.parts.attempts.iter().rposition(|first| *first <= part);
        let attempt = attempt.ok_or_else(|| Failure::new("a part that no attempt wrote"))?;
        Ok(format!("{folder}/{}/{id}-{attempt}-{part}", &id[..2]))
    });
    named.collect()
}

/// Where the parts of a medium's content lie, in order.
pub(super) async fn part_paths(db: &Database, id: &MediaId) -> Checked<Vec<Path>> {
    let missing = || Failure::new("its records are there");
    let space = db.get(&ObjectSpace::key("media")).await?.ok_or_else(missing)?;
    let record = db.get(&matrix::Media::key(id)).await?.ok_or_else(missing)?;
    let object = db.get(&Object::key(&record.data)).await?.ok_or_else(missing)?;
    Ok(parts_of(&space.folder, &object)?.iter().map(|name| Path::from(name.as_str())).collect())
}

/// What an object store said.
pub(super) fn told<T>(result: object_store::Result<T>) -> Checked<T> {
    result.map_err(|error| Failure::new(error.to_string()))
}

pub(super) async fn uploads(db: &Database) -> Result<Vec<Upload>> {
    db.query(Upload::PRIMARY).stream().try_collect().await
}

/// Checks that there are no uploads, and that bytes and records name each other; of local files, that there is nothing else on the disk.
pub(super) async fn ensure_tidy(db: &Database, objects: &Arc<dyn ObjectStore>, place: &Place) -> Checked {
    let uploads = uploads(db).await?.len();
    ensure!(uploads == 0, "{uploads} uploads are left");
    let named = named(db).await?;
    let listed: BTreeSet<String> = listed(objects).await?.into_keys().collect();
    ensure!(listed == named, "listed, not named: {:?}; named, not listed: {:?}", &listed - &named, &named - &listed);
    let folder = place.objects();
    if folder.exists() {
        let mut files = BTreeSet::new();
        walk(&folder, &folder, &mut files)?;
        // The one file that is there while the folder is open.
        files.remove("lock#0");
        // Under a layer that encrypts names they are called something else.
        ensure!(files.len() == named.len(), "{} files for {} parts that are named", files.len(), named.len());
    }
    Ok(())
}

fn walk(root: &FilePath, folder: &FilePath, files: &mut BTreeSet<String>) -> Checked {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            walk(root, &path, files)?;
        } else {
            let name = path.strip_prefix(root).unwrap_or(&path);
            files.insert(name.to_string_lossy().replace(std::path::MAIN_SEPARATOR, "/"));
        }
    }
    Ok(())
}

/// Checks that every medium can be read whole; gives how many there are.
pub(super) async fn ensure_verified(media: &Media) -> Checked<u64> {
    let verified = media.verify(|_| ()).await?;
    ensure!(verified.problems.is_empty(), "{:?}", verified.problems);
    Ok(verified.good)
}

/// Sweeps what nobody names.
pub(super) async fn sweep(media: &Media) -> Result<strongroom_objects::Swept> {
    media.sweep(&SweepOptions::default()).await
}
