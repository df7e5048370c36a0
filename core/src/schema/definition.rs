//! Definitions as data: what the derive writes, the catalog keeps and the validator compares.

use crate::database::Erased;
use crate::error::{Error, ErrorKind, Result};
use crate::key::Kind;

use super::{Migration, Record};

/// The index id that the framework uses for `expires_at`; a collection cannot use it itself.
pub const EXPIRY_INDEX_ID: u8 = 255;

/// One collection of records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Collection {
    /// Permanent number, 1 to 65,535; never used again for another collection.
    pub id: u16,
    /// Name for people; may change.
    pub name: &'static str,
    /// The components of the primary key.
    pub key: &'static [ComponentDef],
    /// The secondary indexes; the expiry index is not among them.
    pub indexes: &'static [IndexDef],
    /// The expiry index, if its records expire.
    pub expiry: Option<&'static IndexDef>,
    /// Index ids that were used once and never may be again.
    pub removed_indexes: &'static [u8],
    /// Whether no cache may hold its rows. Not kept in the catalog: it may change at any time.
    pub uncached: bool,
    /// Whether what is written to it is listed in the change log: see [`Database::changes`](crate::Database::changes).
    pub changes: bool,
}

/// One index of a collection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IndexDef {
    /// Permanent number in its collection, 1 to 254; never used again for another index.
    pub id: u8,
    /// Name for people; may change.
    pub name: &'static str,
    /// What it is sorted by, before the primary key.
    pub components: &'static [ComponentDef],
    /// Whether two records may not have the same components.
    pub unique: bool,
    /// The field that must be absent for a record to be in the index.
    pub while_absent: Option<&'static str>,
}

/// One component of a key or index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ComponentDef {
    /// The record's field.
    pub field: &'static str,
    /// Its encoding; of an optional or multi component, that of the value or element.
    pub kind: Kind,
    /// What it can be asked for.
    pub role: Role,
    /// How many values a record has.
    pub presence: Presence,
}

/// What a component can be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Equality alone; an encrypting layer blinds it.
    Exact,
    /// Ranges and order too; its order stays visible to whoever holds the file.
    Ordered,
}

/// How many values of a component a record has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Presence {
    /// One.
    Required,
    /// One or none; without one, the record has no entry in the index.
    Optional,
    /// Any number; the record has an entry for each distinct one.
    Multi,
}

/// Which of a record's orders: its primary key or one of its indexes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IndexRef {
    /// The primary key.
    Primary,
    /// The index at this position of [`Collection::indexes`].
    At(usize),
    /// The expiry index.
    Expiry,
}

impl Collection {
    /// The components of one of the collection's orders.
    pub fn components(&self, index: IndexRef) -> &'static [ComponentDef] {
        match self.index(index) {
            None => self.key,
            Some(index) => index.components,
        }
    }

    /// The definition of an index; none for the primary key.
    pub fn index(&self, index: IndexRef) -> Option<&'static IndexDef> {
        match index {
            IndexRef::Primary => None,
            IndexRef::At(at) => self.indexes.get(at),
            IndexRef::Expiry => self.expiry,
        }
    }

    /// All its indexes, the expiry index last.
    pub fn index_refs(&self) -> impl Iterator<Item = IndexRef> + use<> {
        let expiry = self.expiry.map(|_| IndexRef::Expiry);
        (0..self.indexes.len()).map(IndexRef::At).chain(expiry)
    }
}

/// What a program stores: a name, a version and its collections.
#[derive(Clone, Debug)]
pub struct Schema {
    pub(crate) name: &'static str,
    pub(crate) version: u32,
    pub(crate) erased: Vec<Erased>,
    pub(crate) removed: Vec<u16>,
    /// The oldest first.
    pub(crate) migrations: Vec<Migration>,
}

impl Schema {
    /// Begins a schema. `name` is permanent; `version` grows with every change.
    pub fn builder(name: &'static str, version: u32) -> SchemaBuilder {
        SchemaBuilder {
            schema: Schema { name, version, erased: Vec::new(), removed: Vec::new(), migrations: Vec::new() },
        }
    }

    /// The schema's name.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// The schema's version.
    pub fn version(&self) -> u32 {
        self.version
    }

    /// Its collections, in the order given.
    pub fn collections(&self) -> impl Iterator<Item = &'static Collection> + '_ {
        self.erased.iter().map(|erased| erased.collection)
    }

    /// Checks that a store of an `older` version of this schema can be opened with this one, as [`Database::open`](crate::Database::open)
    /// does: for a test that keeps the older declarations. What depends on the records (duplicates under a unique index, what the steps of a
    /// migration make of them) shows only then.
    ///
    /// # Errors
    ///
    /// `SchemaMismatch` with the first difference that is not safe: another schema or an older version; an id that a removed one had; a
    /// changed component; a collection or index that is missing and not declared removed; a migration that is missing.
    pub fn check_evolution(&self, older: &Schema) -> Result<()> {
        crate::database::check_evolution(older, self)
    }

    /// The collection of this name.
    pub fn collection(&self, name: &str) -> Option<&'static Collection> {
        self.collections().find(|collection| collection.name == name)
    }
}

/// Collects a [`Schema`].
#[derive(Clone, Debug)]
pub struct SchemaBuilder {
    schema: Schema,
}

impl SchemaBuilder {
    /// Adds the collection of `R`.
    #[must_use]
    pub fn collection<R: Record>(mut self) -> Self {
        self.schema.erased.push(Erased::of::<R>());
        self
    }

    /// Says that the collection of this id existed once: its records are deleted, its id is never used again.
    #[must_use]
    pub fn removed(mut self, id: u16) -> Self {
        self.schema.removed.push(id);
        self
    }

    /// Adds the steps to one version, the oldest first. They are never removed from the list or changed: a store may still be older.
    #[must_use]
    pub fn migration(mut self, migration: Migration) -> Self {
        self.schema.migrations.push(migration);
        self
    }

    /// Checks and gives the schema.
    ///
    /// # Errors
    ///
    /// `SchemaMismatch`, naming the collection: an id or name used twice, a reserved or removed id, no key, an index
    /// without components, more than one multi component in an index; migrations that do not follow each other, or one that begins or
    /// ends with another type than the collection has there.
    pub fn build(self) -> Result<Schema> {
        let schema = self.schema;
        let collections: Vec<_> = schema.collections().collect();
        for (at, collection) in collections.iter().enumerate() {
            let wrong = |what: String| {
                Err(Error::new(ErrorKind::SchemaMismatch, format!("collection {}: {what}", collection.name)))
            };
            if collection.id == 0 {
                return wrong("id 0 is reserved".to_owned());
            }
            if schema.removed.contains(&collection.id) {
                return wrong(format!("id {} belongs to a removed collection", collection.id));
            }
            for other in &collections[..at] {
                if other.id == collection.id || other.name == collection.name {
                    return wrong(format!("shares its id or name with {} (id {})", other.name, other.id));
                }
            }
            if collection.key.is_empty() {
                return wrong("has no key".to_owned());
            }
            if let Some(part) = collection.key.iter().find(|part| part.presence == Presence::Multi) {
                return wrong(format!("key component {} cannot be multi", part.field));
            }
            for (at, index) in collection.indexes.iter().enumerate() {
                if index.id == 0 || index.id == EXPIRY_INDEX_ID {
                    return wrong(format!("index {}: id {} is reserved", index.name, index.id));
                }
                if collection.removed_indexes.contains(&index.id) {
                    return wrong(format!("index {}: id {} belongs to a removed index", index.name, index.id));
                }
                if index.components.is_empty() {
                    return wrong(format!("index {} has no components", index.name));
                }
                if index.components.iter().filter(|part| part.presence == Presence::Multi).count() > 1 {
                    return wrong(format!("index {} has more than one multi component", index.name));
                }
                for other in &collection.indexes[..at] {
                    if other.id == index.id || other.name == index.name {
                        return wrong(format!("index {} shares its id or name with {}", index.name, other.name));
                    }
                }
            }
        }
        schema.check_migrations()?;
        Ok(schema)
    }
}
