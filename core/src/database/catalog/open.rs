//! Opening: catalog and program are brought together before the first record is touched.

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::super::changes::ChangeList;
use super::super::commit::commit_alone;
use super::super::context::catalog_key;
use super::super::keyspace::Keyspace;
use super::super::value;
use super::FORMAT_VERSION;
use super::build::{build_index, progress_key};
use super::entry::Catalog;
use super::evolution::evolve;
use crate::schema::Schema;
use crate::store::{
    Batch, Content, ENCRYPTION_HEADER, Fetch, Guard, KeyRange, Outcome, Revision, Scan, Store, StoredKey, Write,
};
use crate::{Error, ErrorKind, Result, Timestamp};

/// How deep a catalog is nested at most: two catalogs, one in the other.
const DEPTH_MAX: usize = 32;

/// Brings the store's catalog to the program's schema; gives the revision of the catalog's row.
///
/// Safe to race and to be interrupted: every step is one guarded batch, and what is left of an interrupted one is finished
/// by whoever opens the store next.
pub(crate) async fn open(store: &dyn Store, schema: &Schema, now: Timestamp) -> Result<Revision> {
    loop {
        let Some((stored, revision)) = read(store).await? else {
            let nothing = refuse_rows_without_catalog(store).await?;
            if let Some(revision) = create(store, nothing, &Catalog::of(schema)).await? {
                return Ok(revision);
            }
            continue;
        };
        let mut wanted = evolve(&stored, schema)?;
        let building = wanted.collections.iter().flat_map(|collection| &collection.indexes).any(|index| index.building);
        if !building && wanted.drops.is_empty() {
            wanted.before = None;
            if wanted == stored {
                return Ok(revision);
            }
            if let Some(revision) = replace(store, revision, &wanted, beginnings(&stored, &wanted, now)?).await? {
                return Ok(revision);
            }
            continue;
        }
        if let Some(revision) = upgrade(store, schema, &stored, revision, wanted, now).await? {
            return Ok(revision);
        }
    }
}

/// The revision of the catalog's row, if the catalog is the program's schema, whole: a layer may have written the same again.
pub(crate) async fn revision_of_same(store: &dyn Store, schema: &Schema) -> Result<Option<Revision>> {
    let Some((stored, revision)) = read(store).await? else { return Ok(None) };
    let is_same = evolve(&stored, schema).is_ok_and(|wanted| wanted == stored);
    let is_whole = stored.before.is_none() && stored.drops.is_empty();
    Ok((is_same && is_whole).then_some(revision))
}

/// Announces the new indexes, builds them, then drops what was removed. `None`: somebody else changed the catalog; look anew.
async fn upgrade(
    store: &dyn Store,
    schema: &Schema,
    stored: &Catalog,
    revision: Revision,
    mut wanted: Catalog,
    now: Timestamp,
) -> Result<Option<Revision>> {
    let version = wanted.version;
    // Until all is built the store is not of the new version.
    wanted.version = stored.version;
    if wanted.before.is_none() {
        wanted.before = Some(Box::new(stored.clone()));
    }
    let mut revision = if wanted == *stored {
        revision
    } else {
        let begun = beginnings(stored, &wanted, now)?;
        let Some(revision) = replace(store, revision, &wanted, begun).await? else { return Ok(None) };
        revision
    };
    for collection in &wanted.collections {
        for index in collection.indexes.iter().filter(|index| index.building) {
            let space = Keyspace { collection: collection.id, index: index.id };
            if let Err(error) = build_index(store, schema, space).await {
                if cannot_succeed(&error) {
                    restore(store, &wanted, revision).await?;
                }
                return Err(error);
            }
        }
    }
    for collection in &mut wanted.collections {
        collection.indexes.iter_mut().for_each(|index| index.building = false);
    }
    wanted.version = version;
    wanted.before = None;
    match replace(store, revision, &wanted, Batch::default()).await? {
        Some(now) => revision = now,
        None => return Ok(None),
    }
    if wanted.drops.is_empty() {
        return Ok(Some(revision));
    }
    for (collection, index) in std::mem::take(&mut wanted.drops) {
        let range = match index {
            None => Keyspace::collection_range(collection),
            Some(index) => Keyspace { collection, index }.range(),
        };
        if !drop_under(store, &range, revision).await? {
            return Ok(None);
        }
    }
    replace(store, revision, &wanted, Batch::default()).await
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

/// Whether the records themselves stand in the way of an index, so that building it again would fail again: duplicates, an
/// entry longer than a key may be, a record that cannot be read.
fn cannot_succeed(error: &Error) -> bool {
    error.kind() == ErrorKind::UniqueViolation || error.is_limit() || error.is_corrupt()
}

/// Leaves the schema as it was before an upgrade that cannot succeed.
async fn restore(store: &dyn Store, wanted: &Catalog, revision: Revision) -> Result<()> {
    let Some(before) = &wanted.before else { return Ok(()) };
    let indexes = wanted.collections.iter().flat_map(|collection| {
        let building = collection.indexes.iter().filter(|index| index.building);
        building.map(|index| Keyspace { collection: collection.id, index: index.id })
    });
    let spaces: Vec<Keyspace> = indexes.collect();
    // The progress goes first: whoever is interrupted between the two must not take a part of the entries for all up to
    // there. And only if the catalog is still this one: another process may have finished the indexes and be using them.
    let mut batch = Batch::default();
    batch.guards.push(Guard::Key { key: catalog_key(), revision: Some(revision) });
    batch.writes.extend(spaces.iter().map(|space| (progress_key(*space), Write::Delete)));
    if commit_alone(store, batch).await?.is_none() {
        return Ok(());
    }
    for space in spaces {
        if !drop_under(store, &space.range(), revision).await? {
            return Ok(());
        }
    }
    replace(store, revision, before, Batch::default()).await?;
    Ok(())
}

async fn read(store: &dyn Store) -> Result<Option<(Catalog, Revision)>> {
    let [catalog, header] = <[_; 2]>::try_from(store.get(&[catalog_key(), ENCRYPTION_HEADER]).await?.rows)
        .map_err(|_| Error::new(ErrorKind::Corrupt, "the backend gave another number of rows than it was asked for"))?;
    if header.is_some() {
        let message =
            "the store is encrypted, and was opened without its key: open it with `open(url).encrypted(unlock)`";
        return Err(Error::new(ErrorKind::Encrypted, message));
    }
    match catalog {
        None => Ok(None),
        Some(row) => match row.content {
            Content::Value(bytes) => {
                refuse_newer(decode(&bytes)?)?;
                Ok(Some((decode(&bytes)?, row.revision)))
            }
            Content::Link(_) => Err(Error::new(ErrorKind::Corrupt, "the catalog is a link")),
            Content::Damaged(error) => Err(error.at("the catalog")),
        },
    }
}

/// A catalog without one of its fields is damaged: no program writes one.
fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T> {
    value::decode_within(DEPTH_MAX, bytes, "the catalog").map_err(|error| match error.kind() {
        ErrorKind::SchemaMismatch => Error::new(ErrorKind::Corrupt, "the catalog: a field is missing"),
        _ => error,
    })
}

/// What every format's catalog has. Read first: a newer one may have another shape.
#[derive(Deserialize)]
struct Format {
    format: u32,
}

fn refuse_newer(Format { format }: Format) -> Result<()> {
    if format <= FORMAT_VERSION {
        return Ok(());
    }
    let message = format!(
        "the store has format version {format}, this program reads up to {FORMAT_VERSION}; use a newer program"
    );
    Err(Error::new(ErrorKind::UnsupportedVersion, message))
}

/// Writes the catalog of a store that has none. `None`: it has one by now, or rows, such as those of an encryption that somebody
/// else put on it meanwhile.
async fn create(store: &dyn Store, nothing: Guard, catalog: &Catalog) -> Result<Option<Revision>> {
    let mut batch = Batch::default();
    batch.guards.extend([Guard::Key { key: catalog_key(), revision: None }, nothing]);
    batch.writes.insert(catalog_key(), Write::Put(value::encode(catalog)?));
    commit_alone(store, batch).await
}

/// Writes the catalog if it is still what was read, and with it what else the batch has. `None`: it is not.
async fn replace(
    store: &dyn Store,
    revision: Revision,
    catalog: &Catalog,
    mut batch: Batch,
) -> Result<Option<Revision>> {
    batch.guards.push(Guard::Key { key: catalog_key(), revision: Some(revision) });
    batch.writes.insert(catalog_key(), Write::Put(value::encode(catalog)?));
    commit_alone(store, batch).await
}

/// A collection that had records before its changes were listed is announced in the change log by the very batch that begins
/// to list them: what stands before is not all, what comes behind is.
fn beginnings(stored: &Catalog, wanted: &Catalog, now: Timestamp) -> Result<Batch> {
    let mut changes = ChangeList::default();
    for collection in wanted.collections.iter().filter(|collection| collection.changes) {
        if stored.collections.iter().any(|old| old.id == collection.id && !old.changes) {
            changes.begin(collection.id);
        }
    }
    let mut batch = Batch::default();
    changes.stamp(now, &mut batch)?;
    Ok(batch)
}

/// Records without a catalog are somebody else's, or all that is left of a damaged store: a new catalog would bury them. Gives
/// the guard that there still are none.
async fn refuse_rows_without_catalog(store: &dyn Store) -> Result<Guard> {
    let range = KeyRange {
        start: std::ops::Bound::Included(StoredKey::from(1_u16.to_be_bytes().to_vec())),
        end: std::ops::Bound::Unbounded,
    };
    let scan = Scan { range, reverse: false, limit: 1, max_bytes: usize::MAX, fetch: Fetch::Keys };
    let page = store.scan(&scan).await?;
    // The catalog may have been written between the two reads: then the guard does not hold, and it is found.
    if page.entries.is_empty() || read(store).await?.is_some() {
        return Ok(Guard::Range { range: scan.range, as_of: page.as_of, rows: 0 });
    }
    Err(Error::new(ErrorKind::Corrupt, "the store has records but no catalog; restore it from a copy"))
}
