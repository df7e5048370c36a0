//! The catalog as data.

use serde::{Deserialize, Serialize};

use super::FORMAT_VERSION;
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
    /// While indexes are being built: the catalog to return to if that fails.
    pub(super) before: Option<Box<Catalog>>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct CollectionEntry {
    pub(super) id: u16,
    pub(super) name: String,
    pub(super) key: Vec<ComponentEntry>,
    pub(super) indexes: Vec<IndexEntry>,
    pub(super) removed_indexes: Vec<u8>,
    /// Whether each write to it is listed in the change log. A catalog of before there was one does not say.
    #[serde(default)]
    pub(super) changes: bool,
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
        Catalog {
            format: FORMAT_VERSION,
            schema: schema.name.to_owned(),
            version: schema.version,
            collections: schema.collections().map(CollectionEntry::of).collect(),
            removed: schema.removed.clone(),
            drops: Vec::new(),
            before: None,
        }
    }
}

impl CollectionEntry {
    pub(super) fn of(collection: &Collection) -> Self {
        CollectionEntry {
            id: collection.id,
            name: collection.name.to_owned(),
            key: components(collection.key),
            indexes: collection.indexes.iter().chain(collection.expiry).map(IndexEntry::of).collect(),
            removed_indexes: collection.removed_indexes.to_vec(),
            changes: collection.changes,
        }
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
