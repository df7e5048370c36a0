//! From the catalog that a store has to the one that a program wants: all that can fail comes before the first record is written in its new
//! shape, so that there is a way back.

use super::super::keyspace::{BUILD_PROGRESS, Keyspace, MIGRATION_PROGRESS};
use super::Until;
use super::beginnings::beginnings;
use super::build::build_index;
use super::entry::{Catalog, CollectionEntry, IndexEntry};
use super::open::replace;
use super::pass::Pass;
use super::rewrite::check;
use super::settle::settle_drops;
use super::split::Splitting;
use crate::schema::{Schema, SplitStep};
use crate::store::{Batch, Revision, Store, StoredKey};
use crate::{Error, ErrorKind, Result, Timestamp};

/// Announces the upgrade, prepares it, and decides it. However it ends but with an error, the catalog is to be looked at anew.
pub(super) async fn upgrade(
    store: &dyn Store,
    schema: &Schema,
    stored: &Catalog,
    revision: Revision,
    mut wanted: Catalog,
    until: Until,
    now: Timestamp,
) -> Result<()> {
    let version = wanted.version;
    // Until it is decided the store is not of the new version.
    wanted.version = stored.version;
    if stored.before.is_some() && wanted != *stored {
        // Another program's upgrade has come to somewhere: what it left is not what this one would have done.
        return go_back(store, stored, revision).await.map(drop);
    }
    let revision = if wanted == *stored {
        revision
    } else {
        wanted.before = Some(Box::new(stored.clone()));
        let Some(revision) = replace(store, revision, &wanted, Batch::default()).await? else { return Ok(()) };
        revision
    };
    let prepare = Prepare { store, schema, wanted: &wanted, revision, until };
    let split = prepare.split_collections();
    match prepare.all().await {
        Ok(true) => {}
        Ok(false) => return Ok(()),
        Err(error) => {
            // Who finds another catalog by now cannot say that the schema is as it was.
            if cannot_succeed(&error) && !go_back(store, &wanted, revision).await? {
                return Ok(());
            }
            return Err(error);
        }
    }
    wanted.indexes_mut().for_each(|index| index.building &= !is_built_first(index, until));
    wanted.version = version;
    wanted.drops.extend(PROGRESS);
    // Nobody writes records of the new schema before this.
    let begun = wanted.before.take().map(|before| beginnings(&before, &wanted, &split, now)).transpose()?;
    replace(store, revision, &wanted, begun.unwrap_or_default()).await?;
    Ok(())
}

/// Where the progress of what an upgrade does is kept, as something that is dropped in the end.
const PROGRESS: [(u16, Option<u8>); 2] = [
    (BUILD_PROGRESS.collection, Some(BUILD_PROGRESS.index)),
    (MIGRATION_PROGRESS.collection, Some(MIGRATION_PROGRESS.index)),
];

/// Whether an index is built while there is a way back. A unique one always: it may meet duplicates.
fn is_built_first(index: &IndexEntry, until: Until) -> bool {
    index.unique || until == Until::Settled
}

/// What is done under an announced catalog. Nobody writes records meanwhile: older programs are refused, newer ones wait for it.
struct Prepare<'p> {
    store: &'p dyn Store,
    schema: &'p Schema,
    wanted: &'p Catalog,
    revision: Revision,
    until: Until,
}

impl Prepare<'_> {
    /// `false`: the catalog has changed meanwhile.
    async fn all(&self) -> Result<bool> {
        for collection in &self.wanted.collections {
            self.check(collection).await?;
        }
        for step in self.splits() {
            if !self.split(step).await? {
                return Ok(false);
            }
        }
        for collection in &self.wanted.collections {
            let building = collection.indexes.iter().filter(|index| index.building);
            for index in building.filter(|index| is_built_first(index, self.until)) {
                let space = Keyspace { collection: collection.id, index: index.id };
                if !build_index(self.store, self.schema, self.revision, space, &mut |_| {}).await? {
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }

    fn splits(&self) -> impl Iterator<Item = &SplitStep> {
        let ahead = self.schema.migrations.iter().filter(|migration| migration.to > self.wanted.version);
        ahead.flat_map(|migration| &migration.splits)
    }

    /// The collections that splits write: those that are split, and those that are new.
    fn split_collections(&self) -> Vec<u16> {
        let split: Vec<u16> = self.splits().map(|step| step.old.collection.id).collect();
        if split.is_empty() { split } else { split.into_iter().chain(self.added()).collect() }
    }

    fn added(&self) -> impl Iterator<Item = u16> {
        self.wanted.added().map(|collection| collection.id)
    }

    /// Looks at the records of a collection that could still fail when there is no way back.
    async fn check(&self, collection: &CollectionEntry) -> Result<()> {
        let base = self.wanted.before.as_ref().and_then(|before| before.collection(collection.id));
        let (Some(base), Some(erased)) = (base, self.schema.erased(collection.id)) else { return Ok(()) };
        let from = self.schema.rewrites(collection.id).find(|rewrite| rewrite.to > base.shape());
        let builds_later = collection.indexes.iter().any(|index| index.building && !is_built_first(index, self.until));
        if from.is_none() && !builds_later {
            return Ok(());
        }
        let kept = base.indexes.iter().map(|index| index.id);
        let kept: Vec<u8> = kept.filter(|id| collection.indexes.iter().any(|index| index.id == *id)).collect();
        check(self.store, self.schema, erased, from, &kept).await
    }

    async fn split(&self, step: &SplitStep) -> Result<bool> {
        let added: Vec<u16> = self.added().collect();
        let collection = step.old.collection.id;
        let place = [&[1][..], &collection.to_be_bytes(), &step.to.to_be_bytes()].concat();
        let progress = StoredKey::from([&MIGRATION_PROGRESS.bytes()[..], &place].concat());
        let pass = Pass { store: self.store, catalog: self.revision, collection, progress };
        let splitting = Splitting { store: self.store, schema: self.schema, step, added: &added };
        pass.run(&splitting, &mut |_| {}).await
    }
}

/// Whether the records themselves or the program's steps stand in the way, so that another attempt would fail again.
fn cannot_succeed(error: &Error) -> bool {
    let kinds = [
        ErrorKind::UniqueViolation,
        ErrorKind::AlreadyExists,
        ErrorKind::Application,
        ErrorKind::InvalidInput,
        ErrorKind::SchemaMismatch,
        ErrorKind::UnsupportedVersion,
    ];
    kinds.contains(&error.kind()) || error.is_limit() || error.is_corrupt()
}

/// Leaves the schema as it was before an announced upgrade, and drops what that has added. `false`: the catalog has changed meanwhile.
///
/// The catalog goes first: from then on nobody who is still at the upgrade writes anything. Nobody begins another before all is dropped.
pub(super) async fn go_back(store: &dyn Store, announced: &Catalog, revision: Revision) -> Result<bool> {
    let Some(before) = &announced.before else { return Ok(false) };
    let mut catalog = Catalog::clone(before);
    catalog.drops.extend(PROGRESS);
    for collection in &announced.collections {
        match before.collection(collection.id) {
            None => catalog.drops.push((collection.id, None)),
            Some(before) => {
                let ids = collection.indexes.iter().map(|index| index.id);
                let added = ids.filter(|id| !before.indexes.iter().any(|index| index.id == *id));
                catalog.drops.extend(added.map(|id| (collection.id, Some(id))));
            }
        }
    }
    let Some(revision) = replace(store, revision, &catalog, Batch::default()).await? else { return Ok(false) };
    settle_drops(store, catalog, revision).await?;
    Ok(true)
}
