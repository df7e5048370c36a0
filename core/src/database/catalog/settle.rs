//! What is left to do once an upgrade is decided: it only fails if the store does, and readers and writers of the new schema are at work meanwhile.

use super::super::context::catalog_key;
use super::super::keyspace::{Keyspace, MIGRATION_PROGRESS};
use super::build::build_index;
use super::entry::Catalog;
use super::open::{dropped, replace};
use super::pass::Pass;
use super::rewrite::Rewriting;
use crate::Result;
use crate::schema::Schema;
use crate::store::{Batch, Fetch, Guard, KeyRange, Outcome, Revision, Scan, Store, StoredKey};

/// Does one kind of what is left (indexes, then records, then what was removed) and says so in the catalog, which is to be looked at anew.
pub(super) async fn settle(
    store: &dyn Store,
    schema: &Schema,
    mut catalog: Catalog,
    revision: Revision,
    done: &mut (dyn FnMut(u64) + Send),
) -> Result<()> {
    let building: Vec<Keyspace> = catalog.building().collect();
    let still_asked_for = if !building.is_empty() {
        catalog.indexes_mut().for_each(|index| index.building = false);
        build(store, schema, revision, &building, done).await?
    } else if !catalog.rewriting.is_empty() {
        let collections = std::mem::take(&mut catalog.rewriting);
        rewrite(store, schema, revision, &collections, done).await?
    } else {
        return settle_drops(store, catalog, revision).await;
    };
    if still_asked_for {
        replace(store, revision, &catalog, Batch::default()).await?;
    }
    Ok(())
}

async fn build(
    store: &dyn Store,
    schema: &Schema,
    revision: Revision,
    building: &[Keyspace],
    done: &mut (dyn FnMut(u64) + Send),
) -> Result<bool> {
    for space in building {
        if !build_index(store, schema, revision, *space, done).await? {
            return Ok(false);
        }
    }
    Ok(true)
}

async fn rewrite(
    store: &dyn Store,
    schema: &Schema,
    revision: Revision,
    collections: &[u16],
    done: &mut (dyn FnMut(u64) + Send),
) -> Result<bool> {
    for collection in collections {
        let Some(erased) = schema.erased(*collection) else { continue };
        let place = [&[0][..], &collection.to_be_bytes(), &schema.shape(*collection).to_be_bytes()].concat();
        let progress = StoredKey::from([&MIGRATION_PROGRESS.bytes()[..], &place].concat());
        let pass = Pass { store, catalog: revision, collection: *collection, progress };
        if !pass.run(&Rewriting { schema, erased }, done).await? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Drops the rows that nobody reads any more, and says so in the catalog.
pub(super) async fn settle_drops(store: &dyn Store, mut catalog: Catalog, revision: Revision) -> Result<()> {
    for drop in std::mem::take(&mut catalog.drops) {
        let range = dropped(drop);
        // Nobody writes there any more. So whoever is interrupted each time comes to the end all the same.
        if !is_empty(store, &range).await? && !drop_under(store, &range, revision).await? {
            return Ok(());
        }
    }
    replace(store, revision, &catalog, Batch::default()).await?;
    Ok(())
}

async fn is_empty(store: &dyn Store, range: &KeyRange) -> Result<bool> {
    let scan = Scan { range: range.clone(), reverse: false, limit: 1, max_bytes: usize::MAX, fetch: Fetch::Keys };
    Ok(store.scan(&scan).await?.entries.is_empty())
}

/// Drops a range as long as the catalog is still that of `revision`. `false`: it is not, so the range may be in use again.
async fn drop_under(store: &dyn Store, range: &KeyRange, revision: Revision) -> Result<bool> {
    let guard = Guard::Key { key: catalog_key(), revision: Some(revision) };
    match store.drop_range(range, &[guard]).await? {
        Outcome::Committed(_) => Ok(true),
        Outcome::Conflict { .. } => Ok(false),
        Outcome::Rejected(error) => Err(error),
    }
}
