//! `Media`: bytes in an object store, and the records that name them.

mod copy;
mod delete;
mod list;
mod new;
mod object;
mod plan;
mod read;
mod retention;
mod sweep;
mod upload;
mod verify;
mod walk;

use std::fmt;
use std::sync::Arc;

use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt, PutPayload};
use strongroom_core::matrix::{self, MediaId, Object, ObjectSpace, Upload};
use strongroom_core::{Database, Error, ErrorKind, Record, Result, Timestamp};

pub use copy::CopiedObjects;
pub use list::Filter;
pub use new::{NewMedia, Thumbnail};
pub use read::Content;
pub use retention::{Reason, Retention, RetentionRule};
pub use sweep::{SweepOptions, Swept};
pub use upload::{MediaUpload, Stored};
pub use verify::{Problem, Verified};

use crate::error::of_objects;
use crate::layout::{self, Part};

/// The name of the one record of [`ObjectSpace`].
const SPACE: &str = "media";

/// How media are stored. What is set here counts for what is stored from now on; what is there is read as it was stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MediaOptions {
    /// Bytes in one part of an object, from 64 KiB to 64 MiB: 4 MiB unless set. A multiple of 64.
    pub part_bytes: usize,
    /// Parts of one transfer that are under way at a time, from 1 to 64: 4 unless set. As many parts of one transfer are in memory, twice
    /// if they are encrypted.
    pub transfers_max: usize,
    /// How long an upload may rest before it counts as given up, in milliseconds: a day unless set. The clocks of processes that
    /// share a store must agree to far less than that.
    pub upload_expiry_ms: u64,
}

impl Default for MediaOptions {
    fn default() -> Self {
        MediaOptions { part_bytes: 4 << 20, transfers_max: 4, upload_expiry_ms: 24 * 60 * 60 * 1_000 }
    }
}

impl MediaOptions {
    /// Opens the media that `db` names, with their bytes in `objects`. The schema of `db` must have the collections of
    /// [`matrix`] that are called `media`, `objects`, `uploads` and `object_spaces`.
    ///
    /// Several databases may share an object store, each has a folder there. Several processes may open one database with its objects. A
    /// copy of a database names the same bytes as the original, so of the two only one may delete and sweep.
    ///
    /// # Errors
    ///
    /// `InvalidInput` for an option out of range or a schema without these collections, `Corrupt`, and those of the database.
    pub async fn open(self, db: Database, objects: Arc<dyn ObjectStore>) -> Result<Media> {
        if !layout::is_part_bytes(self.part_bytes as u64) || !(1..=64).contains(&self.transfers_max) {
            let message = "part_bytes is a multiple of 64 from 64 KiB to 64 MiB, transfers_max from 1 to 64";
            return Err(Error::new(ErrorKind::InvalidInput, message).during("open"));
        }
        require_collections(&db)?;
        let folder = Path::from(folder(&db).await?);
        Ok(Media(Arc::new(Inner { db, objects, folder, options: self })))
    }
}

/// Errors: `InvalidInput` if the schema lacks a collection that media need.
fn require_collections(db: &Database) -> Result<()> {
    let needed = [matrix::Media::COLLECTION, Object::COLLECTION, Upload::COLLECTION, ObjectSpace::COLLECTION];
    match needed.iter().find(|needed| db.schema().collection(needed.name).map(|found| found.id) != Some(needed.id)) {
        None => Ok(()),
        Some(missing) => {
            let message =
                format!("the schema has no collection {} of strongroom's `matrix`, which media need", missing.name);
            Err(Error::new(ErrorKind::InvalidInput, message).during("open"))
        }
    }
}

/// The folder of the database's objects, made by whoever asks first.
async fn folder(db: &Database) -> Result<String> {
    let made = layout::random_id()?;
    db.write(|tx| {
        let made = made.clone();
        async move {
            if let Some(space) = tx.get(&ObjectSpace::key(SPACE)).await? {
                // Anything else could be another database's, whose bytes would look like strays.
                return if layout::is_id(&space.folder) { Ok(space.folder) } else { Err(forged("object_spaces")) };
            }
            tx.insert(&ObjectSpace { name: SPACE.to_owned(), folder: made.clone() }).await?;
            Ok(made)
        }
    })
    .await
}

/// Media: their records in a database, their bytes in an object store. A cheap handle: clone it freely. Needs a tokio runtime.
#[derive(Clone)]
pub struct Media(Arc<Inner>);

struct Inner {
    db: Database,
    objects: Arc<dyn ObjectStore>,
    folder: Path,
    options: MediaOptions,
}

/// What is known of a medium.
#[derive(Clone, PartialEq)]
pub struct Stat {
    /// Its record.
    pub record: matrix::Media,
    /// The SHA-256 of its content.
    pub sha256: [u8; 32],
    /// When it was last read, noted at most once a day.
    pub last_access: Timestamp,
    /// Bytes of its thumbnail, if it has one.
    pub thumbnail_bytes: Option<u64>,
}

impl fmt::Debug for Stat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stat").field("record", &self.record).finish_non_exhaustive()
    }
}

impl Media {
    /// Opens with the default [`MediaOptions`].
    ///
    /// # Errors
    ///
    /// As [`MediaOptions::open`].
    pub async fn open(db: Database, objects: Arc<dyn ObjectStore>) -> Result<Self> {
        MediaOptions::default().open(db, objects).await
    }

    /// The database of the records.
    pub fn database(&self) -> &Database {
        &self.0.db
    }

    /// Where the bytes are.
    pub fn objects(&self) -> &Arc<dyn ObjectStore> {
        &self.0.objects
    }

    /// What is known of a medium; none if there is none or it has expired.
    ///
    /// # Errors
    ///
    /// Those of the database.
    pub async fn stat(&self, id: &MediaId) -> Result<Option<Stat>> {
        let view = self.0.db.snapshot().await?;
        let Some(record) = view.get(&matrix::Media::key(id)).await? else { return Ok(None) };
        let object = view.get(&Object::key(&record.data)).await?.ok_or_else(|| unnamed("stat"))?;
        let thumbnail_bytes = match &record.thumbnail {
            Some(thumbnail) => Some(view.get(&Object::key(thumbnail)).await?.ok_or_else(|| unnamed("stat"))?.size),
            None => None,
        };
        Ok(Some(Stat { record, sha256: object.sha256, last_access: object.last_access, thumbnail_bytes }))
    }
}

/// A record that this crate did not write.
fn forged(collection: &'static str) -> Error {
    Error::new(ErrorKind::Corrupt, "a record of the media store is not one that it wrote").at(collection)
}

/// A record of a medium that this crate did not write, or half of what it wrote.
fn unnamed(operation: &'static str) -> Error {
    Error::new(ErrorKind::Corrupt, "the record of a medium names an object that has no record")
        .at("media")
        .during(operation)
}

impl Inner {
    fn path(&self, part: &Part) -> Path {
        part.path(&self.folder)
    }

    async fn put_part(&self, part: &Part, bytes: PutPayload, operation: &'static str) -> Result<()> {
        self.objects.put(&self.path(part), bytes).await.map_err(|error| of_objects(error, operation))?;
        Ok(())
    }

    fn upload_expires(&self) -> Timestamp {
        self.db.now().saturating_add(i64::try_from(self.options.upload_expiry_ms).unwrap_or(i64::MAX))
    }
}

impl fmt::Debug for Media {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Media").field("options", &self.0.options).finish_non_exhaustive()
    }
}
