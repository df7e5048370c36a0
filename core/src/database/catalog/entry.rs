//! The catalog as data.

use serde::{Deserialize, Serialize};

use super::super::keyspace::Keyspace;
use super::{FORMAT_VERSION, FORMAT_WITHOUT_MIGRATIONS};
use crate::key::Kind;
use crate::schema::{Collection, ComponentDef, IndexDef, Presence, Role, Schema};

/// The catalog's row.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Catalog {
    pub(super) format: u32,
    pub(super) schema: String,
    pub(super) version: u32,
    pub(super) collections: Vec<CollectionEntry>,
    /// Ids of collections that were removed.
    pub(super) removed: Vec<u16>,
    /// Keyspaces whose rows are still to be dropped: a collection, or one index of it.
    pub(super) drops: Vec<(u16, Option<u8>)>,
    /// While an upgrade is being prepared: the catalog to return to if that fails.
    pub(super) before: Option<Box<Catalog>>,
    /// Collections that may hold records of an older shape than their newest.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) rewriting: Vec<u16>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct CollectionEntry {
    pub(super) id: u16,
    pub(super) name: String,
    pub(super) key: Vec<ComponentEntry>,
    pub(super) indexes: Vec<IndexEntry>,
    pub(super) removed_indexes: Vec<u8>,
    /// Whether each write to it is listed in the change log. A catalog of before there was one does not say.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) changes: bool,
    /// The schema versions that gave its records another shape, the newest last.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) shapes: Vec<u32>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct IndexEntry {
    pub(super) id: u8,
    pub(super) name: String,
    pub(super) components: Vec<ComponentEntry>,
    pub(super) unique: bool,
    pub(super) while_absent: Option<String>,
    /// Whether its entries are not complete yet.
    pub(super) building: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ComponentEntry {
    pub(super) field: String,
    pub(super) kind: Kind,
    pub(super) role: Role,
    pub(super) presence: Presence,
}

impl Catalog {
    /// The catalog of a new store.
    pub(super) fn of(schema: &Schema) -> Self {
        // A store that no migration has touched stays readable for programs that know none.
        let format = if schema.migrations.is_empty() { FORMAT_WITHOUT_MIGRATIONS } else { FORMAT_VERSION };
        Catalog {
            format,
            schema: schema.name.to_owned(),
            version: schema.version,
            collections: schema.collections().map(|collection| CollectionEntry::of(collection, schema)).collect(),
            removed: schema.removed.clone(),
            drops: Vec::new(),
            before: None,
            rewriting: Vec::new(),
        }
    }

    pub(super) fn collection(&self, id: u16) -> Option<&CollectionEntry> {
        self.collections.iter().find(|collection| collection.id == id)
    }

    /// The indexes whose entries are not complete yet.
    pub(super) fn building(&self) -> impl Iterator<Item = Keyspace> {
        self.collections.iter().flat_map(|collection| {
            let building = collection.indexes.iter().filter(|index| index.building);
            building.map(|index| Keyspace { collection: collection.id, index: index.id })
        })
    }

    pub(super) fn indexes_mut(&mut self) -> impl Iterator<Item = &mut IndexEntry> {
        self.collections.iter_mut().flat_map(|collection| &mut collection.indexes)
    }

    /// The collections that an announced upgrade adds.
    pub(super) fn added(&self) -> impl Iterator<Item = &CollectionEntry> {
        let is_added = |id| self.before.as_ref().is_some_and(|before| before.collection(id).is_none());
        self.collections.iter().filter(move |collection| is_added(collection.id))
    }

    /// Whether rows are still to be written or dropped.
    pub(super) fn is_under_way(&self) -> bool {
        self.building().next().is_some() || !self.rewriting.is_empty() || !self.drops.is_empty()
    }
}

impl CollectionEntry {
    pub(super) fn of(collection: &Collection, schema: &Schema) -> Self {
        CollectionEntry {
            shapes: schema.shapes(collection.id),
            id: collection.id,
            name: collection.name.to_owned(),
            key: components(collection.key),
            indexes: collection.indexes.iter().chain(collection.expiry).map(IndexEntry::of).collect(),
            removed_indexes: collection.removed_indexes.to_vec(),
            changes: collection.changes,
        }
    }

    /// The shape that its records are written in.
    pub(super) fn shape(&self) -> u32 {
        self.shapes.last().copied().unwrap_or(0)
    }
}

impl IndexEntry {
    pub(super) fn of(index: &IndexDef) -> Self {
        IndexEntry {
            id: index.id,
            name: index.name.to_owned(),
            components: components(index.components),
            unique: index.unique,
            while_absent: index.while_absent.map(str::to_owned),
            building: false,
        }
    }
}

impl ComponentEntry {
    /// For error messages: `timestamp: ordered Timestamp`.
    pub(super) fn describe(&self) -> String {
        let role = match self.role {
            Role::Exact => "exact",
            Role::Ordered => "ordered",
        };
        let presence = match self.presence {
            Presence::Required => "",
            Presence::Optional => " optional",
            Presence::Multi => " multi",
        };
        format!("{}: {role}{presence} {}", self.field, self.kind)
    }
}

fn components(definitions: &[ComponentDef]) -> Vec<ComponentEntry> {
    let entry = |part: &ComponentDef| ComponentEntry {
        field: part.field.to_owned(),
        kind: part.kind,
        role: part.role,
        presence: part.presence,
    };
    definitions.iter().map(entry).collect()
}
