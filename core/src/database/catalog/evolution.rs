//! The validator: which difference between catalog and program is safe.

use super::entry::{Catalog, CollectionEntry, ComponentEntry, IndexEntry};
use crate::schema::{EXPIRY_INDEX_ID, Schema};
use crate::{Error, ErrorKind, Result};

/// The catalog that the program wants, from the one that the store has. New indexes of old collections are marked as to be
/// built, removed keyspaces as to be dropped.
///
/// # Errors
///
/// `SchemaMismatch` with what differs.
pub(super) fn evolve(stored: &Catalog, schema: &Schema) -> Result<Catalog> {
    if stored.schema != schema.name {
        return refuse(format!("the store holds schema {:?}, the program expects {:?}", stored.schema, schema.name));
    }
    if stored.version > schema.version {
        return refuse(format!(
            "the store has version {} of schema {:?}, the program knows up to {}; use a newer program",
            stored.version, schema.name, schema.version
        ));
    }
    let mut wanted = Catalog::of(schema);
    wanted.drops.clone_from(&stored.drops);
    wanted.before.clone_from(&stored.before);
    wanted.removed = union(&stored.removed, &wanted.removed);
    for collection in &mut wanted.collections {
        if stored.removed.contains(&collection.id) {
            return refuse(format!(
                "collection {} uses id {}, which a removed one had",
                collection.name, collection.id
            ));
        }
        if let Some(old) = stored.collections.iter().find(|old| old.id == collection.id) {
            evolve_collection(old, collection, &mut wanted.drops)?;
        }
    }
    for old in &stored.collections {
        if wanted.collections.iter().any(|collection| collection.id == old.id) {
            continue;
        }
        if !wanted.removed.contains(&old.id) {
            return refuse(format!(
                "the store has collection {} (id {}), which the program does not know; declare it removed to delete it",
                old.name, old.id
            ));
        }
        wanted.drops.push((old.id, None));
    }
    Ok(wanted)
}

fn evolve_collection(
    old: &CollectionEntry,
    new: &mut CollectionEntry,
    drops: &mut Vec<(u16, Option<u8>)>,
) -> Result<()> {
    same_components(&format!("the key of collection {}", new.name), &old.key, &new.key)?;
    new.removed_indexes = union(&old.removed_indexes, &new.removed_indexes);
    for index in &mut new.indexes {
        if old.removed_indexes.contains(&index.id) {
            return refuse(format!(
                "index {} of collection {} uses id {}, which a removed one had",
                index.name, new.name, index.id
            ));
        }
        match old.indexes.iter().find(|old| old.id == index.id) {
            Some(old) => {
                same_index(&new.name, old, index)?;
                index.building = old.building;
            }
            None => index.building = true,
        }
    }
    for index in &old.indexes {
        if new.indexes.iter().any(|kept| kept.id == index.id) {
            continue;
        }
        if index.id == EXPIRY_INDEX_ID {
            return refuse(format!(
                "the records of collection {} expire in the store and do not in the program; keep `expires` and \
                 its field",
                new.name
            ));
        }
        if !new.removed_indexes.contains(&index.id) {
            return refuse(format!(
                "the store has index {} (id {}) of collection {}, which the program does not know; declare it removed to \
                 delete it",
                index.name, index.id, new.name
            ));
        }
        drops.push((new.id, Some(index.id)));
    }
    Ok(())
}

fn same_index(collection: &str, old: &IndexEntry, new: &IndexEntry) -> Result<()> {
    let place = format!("index {} (id {}) of collection {collection}", new.name, new.id);
    same_components(&place, &old.components, &new.components)?;
    if old.unique != new.unique {
        return refuse(format!(
            "{place}: unique was {}, is {}; a changed index needs a new id",
            old.unique, new.unique
        ));
    }
    if old.while_absent != new.while_absent {
        return refuse(format!(
            "{place}: while_absent was {}, is {}; a changed index needs a new id",
            old.while_absent.as_deref().unwrap_or("none"),
            new.while_absent.as_deref().unwrap_or("none")
        ));
    }
    Ok(())
}

fn same_components(place: &str, old: &[ComponentEntry], new: &[ComponentEntry]) -> Result<()> {
    if old == new {
        return Ok(());
    }
    let describe = |parts: &[ComponentEntry]| parts.iter().map(ComponentEntry::describe).collect::<Vec<_>>().join(", ");
    refuse(format!(
        "{place} was ({}) in the store, is ({}) in the program; changed components need a new id",
        describe(old),
        describe(new)
    ))
}

fn refuse<T>(message: String) -> Result<T> {
    Err(Error::new(ErrorKind::SchemaMismatch, message))
}

fn union<T: Copy + Ord>(a: &[T], b: &[T]) -> Vec<T> {
    let mut all = [a, b].concat();
    all.sort_unstable();
    all.dedup();
    all
}
