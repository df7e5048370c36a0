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
    // What the records need to be read stays so, whatever the program still knows.
    wanted.format = wanted.format.max(stored.format);
    wanted.rewriting.clone_from(&stored.rewriting);
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
            let reshaped = evolve_shapes(old, collection, stored.version)?;
            if reshaped && !wanted.rewriting.contains(&collection.id) {
                wanted.rewriting.push(collection.id);
            }
            evolve_collection(old, collection, reshaped, &mut wanted.drops)?;
            let before = stored.before.as_ref().map_or(Some(old), |before| before.collection(collection.id));
            begins_as_stored(before, collection, schema)?;
        } else if !collection.shapes.is_empty() && schema.has_splits_beyond(stored.version) {
            // What a split puts has the shape that its version had.
            wanted.rewriting.push(collection.id);
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
        wanted.rewriting.retain(|id| *id != old.id);
        wanted.drops.push((old.id, None));
    }
    Ok(wanted)
}

/// Checks that a store of the older schema can be opened with the newer one.
pub(crate) fn check_evolution(older: &Schema, newer: &Schema) -> Result<()> {
    evolve(&Catalog::of(older), newer).map(drop)
}

/// Whether the program has migrations of a collection that the store has not seen.
fn evolve_shapes(old: &CollectionEntry, new: &CollectionEntry, stored_version: u32) -> Result<bool> {
    let Some(later) = new.shapes.strip_prefix(&old.shapes[..]) else {
        return refuse(format!(
            "the records of collection {} were rewritten by the migrations to the versions {:?}, the program has those to {:?}; a \
             migration is never removed",
            new.name, old.shapes, new.shapes
        ));
    };
    match later.first() {
        Some(to) if *to <= stored_version => refuse(format!(
            "the migration to version {to} rewrites collection {}, and the store has version {stored_version} without it; a rewrite must lead \
             to a newer version",
            new.name
        )),
        first => Ok(first.is_some()),
    }
}

/// Checks that the type which the next rewrite begins with has the key and the kept indexes that the store has: by them it is told
/// whether a record's entries stay as they are.
fn begins_as_stored(stored: Option<&CollectionEntry>, new: &CollectionEntry, schema: &Schema) -> Result<()> {
    let Some(stored) = stored else { return Ok(()) };
    let Some(rewrite) = schema.rewrites(new.id).find(|rewrite| rewrite.to > stored.shape()) else { return Ok(()) };
    let old = CollectionEntry::of(rewrite.old.collection, schema);
    let place = format!("collection {} as the migration to version {} begins with it", new.name, rewrite.to);
    same_components(&format!("the key of {place}"), &stored.key, &old.key, Names::Count)?;
    for kept in stored.indexes.iter().filter(|index| new.indexes.iter().any(|same| same.id == index.id)) {
        match old.indexes.iter().find(|index| index.id == kept.id) {
            Some(index) => same_index(&place, kept, index, Names::Count)?,
            None => return refuse(format!("{place} lacks index {} (id {}), which the store has", kept.name, kept.id)),
        }
    }
    Ok(())
}

/// Whether a component's field must have its old name: a rewrite may give it another.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Names {
    Count,
    MayChange,
}

fn evolve_collection(
    old: &CollectionEntry,
    new: &mut CollectionEntry,
    reshaped: bool,
    drops: &mut Vec<(u16, Option<u8>)>,
) -> Result<()> {
    let names = if reshaped { Names::MayChange } else { Names::Count };
    same_components(&format!("the key of collection {}", new.name), &old.key, &new.key, names)?;
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
                same_index(&format!("collection {}", new.name), old, index, names)?;
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

fn same_index(collection: &str, old: &IndexEntry, new: &IndexEntry, names: Names) -> Result<()> {
    let place = format!("index {} (id {}) of {collection}", new.name, new.id);
    same_components(&place, &old.components, &new.components, names)?;
    if old.unique != new.unique {
        return refuse(format!(
            "{place}: unique was {}, is {}; a changed index needs a new id",
            old.unique, new.unique
        ));
    }
    let same_condition = match names {
        Names::Count => old.while_absent == new.while_absent,
        Names::MayChange => old.while_absent.is_some() == new.while_absent.is_some(),
    };
    if !same_condition {
        return refuse(format!(
            "{place}: while_absent was {}, is {}; a changed index needs a new id",
            old.while_absent.as_deref().unwrap_or("none"),
            new.while_absent.as_deref().unwrap_or("none")
        ));
    }
    Ok(())
}

fn same_components(place: &str, old: &[ComponentEntry], new: &[ComponentEntry], names: Names) -> Result<()> {
    let same = |(old, new): (&ComponentEntry, &ComponentEntry)| {
        let named = ComponentEntry { field: new.field.clone(), ..old.clone() };
        if names == Names::MayChange { named == *new } else { old == new }
    };
    if old.len() == new.len() && old.iter().zip(new).all(same) {
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
