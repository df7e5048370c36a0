//! From one database into another of the same schema: whose store is encrypted and the other's not, is on another engine, or has
//! other keys for what is blinded.
//!
//! The copy is of one moment: it is read from one view of the source, and what was written is read again and compared with it. A target
//! that is being copied into carries a mark, in the same batches as the records. So an interrupted copy is known as one, and goes on where
//! it was; and what is no copy of this source is never changed.

mod pass;
mod records;
mod target;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use serde::Serialize;

use super::context::Context;
use super::digest::{Digest, digest, digest_of};
use super::{Database, salvage};
use crate::observe::operation;
use crate::store::{Read, Revision};
use crate::{Error, ErrorKind, Result, Schema};

pub(super) use records::{Arrival, differs, insert};
pub(super) use target::Target;

/// How far a copy is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CopyProgress {
    /// What it does.
    pub phase: CopyPhase,
    /// Records that are done in this phase.
    pub records: u64,
    /// Records that there are to do; those that are known of, if it took longer to count them than the store lets a snapshot live.
    pub total: u64,
}

/// What a copy does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CopyPhase {
    /// Reads the source and writes the target.
    Copying,
    /// Reads the target and compares.
    Verifying,
}

/// A copy that is complete and was verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Copied {
    /// Records in the target, as many as the source had.
    pub records: u64,
    /// Those of them that this call wrote; the others were there.
    pub written: u64,
    /// The digest of the records, the same in both.
    pub digest: Digest,
    /// The source's revision of which the target is a copy.
    #[serde(serialize_with = "super::inspect::revision_number")]
    pub revision: Revision,
}

impl Database {
    /// Copies every record into another database of the same schema, as they are at one moment, and compares what was written with what
    /// was read. So a plain store becomes an encrypted one, an encrypted one gets other keys for all that it blinds, a store moves to another
    /// engine, and a store in use is backed up.
    ///
    /// Others may write here meanwhile: the copy is of one revision, read from one snapshot. A snapshot lives as long as the store's
    /// `snapshot_age_ms_max` says (SQLite: a minute, unless set). If it expires and others have written since, the copy begins again
    /// on a new one, passing over what is right already, up to eight times: open a large store that is written to with a longer age.
    ///
    /// The target must have no records, be an unfinished copy, or hold the same already. It is written in batches, each atomic, and nobody
    /// else may write to it until the copy is complete. An interrupted copy goes on where it was when it is called again; if the source has changed
    /// since, or is another, the target becomes a copy of what the source is now. `progress` hears after each batch how far it is.
    ///
    /// Records that have expired and were not swept are copied as well. Of media only the records are copied: `Media::copy_objects_from`, of
    /// `strongroom-objects`, brings their bytes. The change log of the target lists what was written there; the source's own is not copied.
    ///
    /// ```
    /// # use strongroom_core::{Database, Result};
    /// /// Of a store that is in use, into a new one on any engine, with any key.
    /// async fn back_up(db: &Database, backup: &Database) -> Result<()> {
    ///     let copied = db.copy_into(backup, |at| println!("{} of {}", at.records, at.total)).await?;
    ///     println!("{} records, digest {}", copied.records, copied.digest);
    ///     backup.close().await
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// `SchemaMismatch` if the schemas differ; `InvalidInput` if this database is itself an unfinished copy; `AlreadyExists` if the target has other records and is no unfinished copy, which stays as it
    /// was; `Corrupt` for a damaged record, which names it, or if the target does not hold what was written; `Conflict` if
    /// somebody else writes to the target; `SnapshotExpired` as said above; those of both stores. What was copied before stays.
    pub async fn copy_into(&self, target: &Database, mut progress: impl FnMut(CopyProgress) + Send) -> Result<Copied> {
        let copy = copy(&self.context, &target.context, &mut progress);
        operation("copy").counting(copy, |copied| copied.records).await.map_err(|error| error.during("copy"))
    }

    /// Whether this database is the target of a copy that has not come to its end: then it lacks records, and
    /// [`copy_into`](Database::copy_into) completes it.
    ///
    /// # Errors
    ///
    /// Those of the store.
    pub async fn is_unfinished_copy(&self) -> Result<bool> {
        target::is_marked(&self.context).await
    }

    /// Copies what can be read out of a damaged database into another of the same schema, and names what cannot.
    ///
    /// This database may have been opened with [`DatabaseBuilder::open_damaged`](super::DatabaseBuilder::open_damaged), if its own
    /// catalog is damaged. Its index entries are not needed: the target gets new ones. Where the engine cannot read a part of the file,
    /// what lies before and behind it is found all the same, and the part is named; how many records were in it cannot be known. `progress`
    /// hears after each page how many records were copied.
    ///
    /// A record of which a sound value can be read is copied also if the damage made it an old one: nothing tells. Nor is what is read of one moment
    /// if others write meanwhile. A salvage that was interrupted goes on when it is called again with the same target, and keeps what the
    /// earlier call could read; an unfinished copy can be salvaged as well.
    ///
    /// # Errors
    ///
    /// As [`copy_into`](Database::copy_into), but for what is damaged here. An encrypted store must open: without its header and its keys
    /// nothing in it can be read.
    pub async fn salvage_into(
        &self,
        target: &Database,
        mut progress: impl FnMut(u64) + Send,
    ) -> Result<salvage::Salvaged> {
        let salvage = salvage::salvage(&self.context, &target.context, &mut progress);
        operation("salvage")
            .counting(salvage, |salvaged| salvaged.copied)
            .await
            .map_err(|error| error.during("salvage"))
    }
}

fn copy<'a>(
    from: &'a Context,
    to: &'a Context,
    progress: &'a mut (dyn FnMut(CopyProgress) + Send),
) -> BoxFuture<'a, Result<Copied>> {
    async move {
        same_schema(from, to)?;
        if target::is_marked(from).await? {
            let message = "what is to be copied is itself an unfinished copy, which lacks records: complete it first";
            return Err(Error::new(ErrorKind::InvalidInput, message));
        }
        match Target::begin(to).await? {
            Some(target) => pass::until_complete(from, target, progress).await,
            None => already_there(from, to).await,
        }
    }
    .boxed()
}

/// A target that has records and no mark is complete, or no copy at all.
async fn already_there(from: &Context, to: &Context) -> Result<Copied> {
    let view = from.store.snapshot().await?;
    let revision = view.revision();
    // Most of what is not the same is known by this, and need not be read.
    let as_many = match count(from, &*view).await {
        Err(error) if error.kind() == ErrorKind::SnapshotExpired => true,
        records => records? == count(to, &*to.store).await?,
    };
    if as_many {
        let (source, target) = (digest_of(from, view, &mut |_| {}).await?, digest(to, &mut |_| {}).await?);
        if source == target {
            return Ok(Copied { records: target.records(), written: 0, digest: target, revision });
        }
    }
    Err(Error::new(ErrorKind::AlreadyExists, "the target has other records, and is no unfinished copy"))
}

/// How many records there are.
async fn count(context: &Context, view: &dyn Read) -> Result<u64> {
    let mut records = 0;
    for collection in context.schema.collections() {
        records += view.summarize(&super::Keyspace::records(collection.id).range()).await?.rows;
    }
    Ok(records)
}

/// That both have the same collections, whose records have the same shape.
pub(super) fn same_schema(from: &Context, to: &Context) -> Result<()> {
    let (one, other) = (&from.schema, &to.schema);
    let has_collections_of = |schema: &Schema, of: &Schema| {
        of.collections().all(|collection| {
            schema.collections().any(|same| same == collection)
                && schema.shapes(collection.id) == of.shapes(collection.id)
        })
    };
    let same = one.name() == other.name()
        && one.version() == other.version()
        && has_collections_of(one, other)
        && has_collections_of(other, one);
    if same {
        return Ok(());
    }
    let message = format!(
        "the target has schema {} version {}, this is {} version {}, or their collections differ",
        other.name(),
        other.version(),
        one.name(),
        one.version()
    );
    Err(Error::new(ErrorKind::SchemaMismatch, message))
}
