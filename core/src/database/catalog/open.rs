//! Opening: catalog and program are brought together before the first record is touched.

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::super::commit::commit_alone;
use super::super::context::catalog_key;
use super::super::keyspace::Keyspace;
use super::super::value;
use super::beginnings::beginnings;
use super::entry::Catalog;
use super::evolution::evolve;
use super::settle::{settle, settle_drops};
use super::upgrade::{go_back, upgrade};
use super::{FORMAT_VERSION, Until};
use crate::schema::Schema;
use crate::store::{Batch, Content, ENCRYPTION_HEADER, Fetch, Guard, KeyRange, Read, Revision, Scan, Store, Write};
use crate::{Error, ErrorKind, Result, Timestamp};

/// How deep a catalog is nested at most: two catalogs, one in the other.
const DEPTH_MAX: usize = 32;

/// What an opening found.
pub(crate) struct Opened {
    /// Of the catalog's row.
    pub(crate) revision: Revision,
    /// The indexes that are not complete yet.
    pub(crate) building: Vec<Keyspace>,
}

/// Brings the store's catalog to the program's schema, and the records as far as `until` says. `done` is told how many records were gone
/// over after each batch.
///
/// Safe to race and to be interrupted: every step is one guarded batch, and what is left of an interrupted one is finished
/// by whoever opens the store next.
pub(crate) fn open<'a>(
    store: &'a dyn Store,
    schema: &'a Schema,
    until: Until,
    now: Timestamp,
    done: &'a mut (dyn FnMut(u64) + Send),
) -> BoxFuture<'a, Result<Opened>> {
    async move {
        loop {
            let Some((stored, revision)) = read(store).await? else {
                let nothing = refuse_rows_without_catalog(store).await?;
                if let Some(revision) = create(store, nothing, &Catalog::of(schema)).await? {
                    return Ok(Opened { revision, building: Vec::new() });
                }
                continue;
            };
            let wanted = evolve(&stored, schema)?;
            if wanted == stored && stored.before.is_none() {
                if until == Until::Decided || !stored.is_under_way() {
                    return Ok(Opened { revision, building: stored.building().collect() });
                }
                settle(store, schema, stored, revision, done).await?;
            } else if stored.before.is_none() && !stored.drops.is_empty() {
                // What is still to be dropped may be what is to be added.
                settle_drops(store, stored, revision).await?;
            } else if wanted.is_under_way() || schema.has_splits_beyond(stored.version) {
                upgrade(store, schema, &stored, revision, wanted, until, now).await?;
            } else if stored.before.is_some() {
                // It was announced for steps that this program does not have.
                go_back(store, &stored, revision).await?;
            } else {
                replace(store, revision, &wanted, beginnings(&stored, &wanted, &[], now)?).await?;
            }
        }
    }
    .boxed()
}

/// The revision of the catalog's row, if the catalog is the program's schema, whole: a layer may have written the same again.
pub(crate) async fn revision_of_same(store: &dyn Store, schema: &Schema) -> Result<Option<Revision>> {
    let Some((stored, revision)) = read(store).await? else { return Ok(None) };
    let is_same = evolve(&stored, schema).is_ok_and(|wanted| wanted == stored);
    Ok((is_same && stored.before.is_none()).then_some(revision))
}

/// What of an upgrade is still to be done, at the moment that is read.
#[derive(Default)]
pub(crate) struct UnderWay {
    /// Whether there is something.
    pub(crate) anything: bool,
    /// The indexes that are not complete yet.
    pub(crate) building: Vec<Keyspace>,
    /// Where rows of removed collections and indexes may be.
    pub(crate) removed: Vec<KeyRange>,
}

impl UnderWay {
    pub(crate) fn of(store: &dyn Read) -> BoxFuture<'_, Result<Self>> {
        async move {
            let Some((catalog, _)) = read(store).await? else {
                return Err(Error::new(ErrorKind::Corrupt, "the store has lost its catalog; restore it from a copy"));
            };
            Ok(UnderWay {
                anything: catalog.is_under_way(),
                building: catalog.building().collect(),
                removed: catalog.drops.iter().map(|drop| dropped(*drop)).collect(),
            })
        }
        .boxed()
    }
}

/// The rows of a removed collection, or of one index of it.
pub(super) fn dropped((collection, index): (u16, Option<u8>)) -> KeyRange {
    match index {
        None => Keyspace::collection_range(collection),
        Some(index) => Keyspace { collection, index }.range(),
    }
}

async fn read(store: &dyn Read) -> Result<Option<(Catalog, Revision)>> {
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
pub(super) async fn replace(
    store: &dyn Store,
    revision: Revision,
    catalog: &Catalog,
    mut batch: Batch,
) -> Result<Option<Revision>> {
    batch.guards.push(Guard::Key { key: catalog_key(), revision: Some(revision) });
    batch.writes.insert(catalog_key(), Write::Put(value::encode(catalog)?));
    commit_alone(store, batch).await
}

/// Records without a catalog are somebody else's, or all that is left of a damaged store: a new catalog would bury them. Gives
/// the guard that there still are none.
async fn refuse_rows_without_catalog(store: &dyn Store) -> Result<Guard> {
    let range = Keyspace::of_any_schema();
    let scan = Scan { range, reverse: false, limit: 1, max_bytes: usize::MAX, fetch: Fetch::Keys };
    let page = store.scan(&scan).await?;
    // The catalog may have been written between the two reads: then the guard does not hold, and it is found.
    if page.entries.is_empty() || read(store).await?.is_some() {
        return Ok(Guard::Range { range: scan.range, as_of: page.as_of, rows: 0 });
    }
    Err(Error::new(ErrorKind::Corrupt, "the store has records but no catalog; restore it from a copy"))
}
