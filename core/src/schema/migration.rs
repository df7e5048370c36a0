//! Migrations: what brings the records of older versions of a schema to the newest.

use std::any::TypeId;
use std::fmt;
use std::sync::Arc;

use bytes::Bytes;

use super::{Collection, Record, Schema};
use crate::database::{Erased, fingerprint, value};
use crate::error::{Error, ErrorKind, Result};
use crate::store::StoredKey;

/// The steps to one version of a schema from the one before.
///
/// Collections and indexes are added and removed by the declarations alone and need no step. A step is for what a declaration cannot say: how a
/// record of before becomes one of now. The record as it was is kept in the program as a type of its own, with its attributes.
///
/// Functions must be pure: the same record in, the same record out. They run more than once for each record, also while it is read.
///
/// ```
/// # use serde::{Deserialize, Serialize};
/// use strongroom_core::schema::{Migration, Schema};
/// # use strongroom_core::{Record, Result};
///
/// #[derive(Record, Serialize, Deserialize)]
/// #[record(crate = ::strongroom_core, id = 1, name = "notes", key(id))]
/// struct NoteV1 {
///     id: u64,
///     body: String,
/// }
///
/// #[derive(Record, Serialize, Deserialize)]
/// #[record(crate = ::strongroom_core, id = 1, name = "notes", key(id))]
/// struct Note {
///     id: u64,
///     text: String,
///     words: u64,
/// }
///
/// # fn schema() -> Result<Schema> {
/// let to_2 = Migration::to(2).rewrite(|old: NoteV1| {
///     Ok(Note { id: old.id, words: old.body.split_whitespace().count() as u64, text: old.body })
/// });
/// Schema::builder("chat", 2).collection::<Note>().migration(to_2).build()
/// # }
/// # schema().unwrap();
/// ```
#[derive(Clone, Debug)]
pub struct Migration {
    pub(crate) to: u32,
    pub(crate) rewrites: Vec<Rewrite>,
    pub(crate) splits: Vec<SplitStep>,
}

/// From a value of the old shape to one of the new.
type Convert = dyn Fn(&[u8]) -> Result<Bytes> + Send + Sync;
/// From a value to what is put for it.
type Run = dyn Fn(&[u8], &mut Split<'_>) -> Result<()> + Send + Sync;

/// The records of a collection get another shape.
#[derive(Clone)]
pub(crate) struct Rewrite {
    /// The schema version that it leads to, which is the number of the shape.
    pub(crate) to: u32,
    pub(crate) old: Erased,
    new: Erased,
    convert: Arc<Convert>,
}

/// Records of other collections are made from those of one.
#[derive(Clone)]
pub(crate) struct SplitStep {
    pub(crate) to: u32,
    pub(crate) old: Erased,
    run: Arc<Run>,
}

/// Where a [split](Migration::split) puts what it makes of a record.
#[derive(Debug)]
pub struct Split<'s> {
    schema: &'s Schema,
    to: u32,
    puts: Vec<(u16, Bytes)>,
}

impl Migration {
    /// Begins the steps that lead to a version of the schema.
    pub fn to(version: u32) -> Self {
        Migration { to: version, rewrites: Vec::new(), splits: Vec::new() }
    }

    /// Makes each `Old` of a collection a `New` of the same collection: fields are added, removed, renamed, or get another type.
    ///
    /// The record's key must stay, and so must its entries in each index that keeps its id: an index over a field that changes is a new index,
    /// with an id of its own, and the old one a removed one. Fields of keys and indexes may be renamed. An error of the function ends the
    /// migration before anything was written.
    #[must_use]
    pub fn rewrite<Old: Record, New: Record>(
        mut self,
        convert: impl Fn(Old) -> Result<New> + Send + Sync + 'static,
    ) -> Self {
        let to = self.to;
        let convert = move |bytes: &[u8]| {
            let old: Old = value::decode(bytes, Old::COLLECTION.name)?;
            value::encode_as(to, &convert(old).map_err(|error| failed(to, &error))?)
        };
        self.rewrites.push(Rewrite {
            to,
            old: Erased::of::<Old>(),
            new: Erased::of::<New>(),
            convert: Arc::new(convert),
        });
        self
    }

    /// Makes records of other collections from each `Old`, as it is before this version's rewrites.
    ///
    /// The other collections must be ones that the same opening adds to the store. The old records stay: a rewrite to the same version takes
    /// out of them what has moved, or [`removed`](super::SchemaBuilder::removed) lets the whole collection go. An equal record may be put more than once; two that
    /// differ under one key are refused.
    #[must_use]
    pub fn split<Old: Record>(
        mut self,
        split: impl Fn(&Old, &mut Split<'_>) -> Result<()> + Send + Sync + 'static,
    ) -> Self {
        let to = self.to;
        let run = move |bytes: &[u8], out: &mut Split<'_>| {
            let old: Old = value::decode(bytes, Old::COLLECTION.name)?;
            split(&old, out).map_err(|error| failed(to, &error))
        };
        self.splits.push(SplitStep { to, old: Erased::of::<Old>(), run: Arc::new(run) });
        self
    }
}

impl Split<'_> {
    /// Puts a record into its collection.
    ///
    /// # Errors
    ///
    /// `InvalidInput` if the schema does not have this record at the version that the step leads to, or if it cannot be serialized.
    pub fn put<R: Record>(&mut self, record: &R) -> Result<()> {
        let collection = R::COLLECTION;
        // The record as this version has it, which later rewrites may change.
        if self.schema.type_before(collection.id, self.to.saturating_add(1)) != Some(TypeId::of::<R>()) {
            let message = format!(
                "a split to version {} puts a record into collection {} that the schema does not have there",
                self.to, collection.name
            );
            return Err(Error::new(ErrorKind::InvalidInput, message));
        }
        let shape = self.schema.rewrites(collection.id).map(|rewrite| rewrite.to).filter(|to| *to <= self.to).last();
        self.puts.push((collection.id, value::encode_as(shape.unwrap_or(0), record)?));
        Ok(())
    }
}

impl SplitStep {
    /// What becomes of a record that has the shape of before this step: collections and values.
    pub(crate) fn run(&self, schema: &Schema, value: &[u8]) -> Result<Vec<(u16, Bytes)>> {
        let mut out = Split { schema, to: self.to, puts: Vec::new() };
        (self.run)(value, &mut out)?;
        Ok(out.puts)
    }
}

impl Schema {
    /// The rewrites of a collection, the oldest first.
    pub(crate) fn rewrites(&self, collection: u16) -> impl Iterator<Item = &Rewrite> {
        let rewrites = self.migrations.iter().flat_map(|migration| &migration.rewrites);
        rewrites.filter(move |rewrite| rewrite.old.collection.id == collection)
    }

    /// Whether a store of this version has records from which others are still to be made.
    pub(crate) fn has_splits_beyond(&self, version: u32) -> bool {
        self.migrations.iter().any(|migration| migration.to > version && !migration.splits.is_empty())
    }

    /// The shapes that a collection has had, the newest last; none if it has the one that it began with.
    pub(crate) fn shapes(&self, collection: u16) -> Vec<u32> {
        self.rewrites(collection).map(|rewrite| rewrite.to).collect()
    }

    /// The shape that the program writes a collection's records in.
    pub(crate) fn shape(&self, collection: u16) -> u32 {
        self.rewrites(collection).last().map_or(0, |rewrite| rewrite.to)
    }

    /// A record's value in the shape of now.
    ///
    /// # Errors
    ///
    /// `UnsupportedVersion` for a shape that the program does not know, `Application` with what a step's function returned, `Corrupt`.
    pub(crate) fn current(&self, collection: &Collection, value: Bytes, key: &StoredKey) -> Result<Bytes> {
        if self.migrations.is_empty() && value::is_of_the_first_shape(&value) {
            return Ok(value);
        }
        self.before(u32::MAX, collection, value, key)
    }

    /// A record's value in the last shape before that of a version.
    pub(crate) fn before(&self, version: u32, collection: &Collection, value: Bytes, key: &StoredKey) -> Result<Bytes> {
        let shape = value::shape(&value, collection.name)?;
        if shape != 0 && !self.rewrites(collection.id).any(|rewrite| rewrite.to == shape) {
            let message = format!(
                "collection {}: a record has the shape of version {shape} of the schema, which this program does not know; use a newer \
                 program (row {})",
                collection.name,
                fingerprint(key)
            );
            return Err(Error::new(ErrorKind::UnsupportedVersion, message));
        }
        let mut steps = self.rewrites(collection.id).filter(|rewrite| rewrite.to > shape && rewrite.to < version);
        steps.try_fold(value, |value, step| {
            (step.convert)(&value).map_err(|error| error.at(format!("{} (row {})", collection.name, fingerprint(key))))
        })
    }

    /// The type of a collection's records before a version's rewrites; none if the schema does not say.
    fn type_before(&self, collection: u16, version: u32) -> Option<TypeId> {
        let last = self.rewrites(collection).filter(|rewrite| rewrite.to < version).last();
        let next = self.rewrites(collection).find(|rewrite| rewrite.to >= version);
        last.map(|rewrite| rewrite.new.record).or(next.map(|rewrite| rewrite.old.record)).or_else(|| {
            let erased = self.erased.iter().find(|erased| erased.collection.id == collection);
            erased.map(|erased| erased.record)
        })
    }

    /// Checks that the migrations follow each other and that each begins with what the one before has left.
    pub(super) fn check_migrations(&self) -> Result<()> {
        let mut last = 0;
        for migration in &self.migrations {
            if migration.to <= last || migration.to > self.version {
                return wrong(
                    migration.to,
                    &format!("must lead beyond version {last}, and not beyond {}", self.version),
                );
            }
            last = migration.to;
        }
        for migration in &self.migrations {
            let to = migration.to;
            for (at, step) in migration.rewrites.iter().enumerate() {
                let name = step.new.collection.name;
                if step.old.collection.id != step.new.collection.id {
                    return wrong(
                        to,
                        &format!("rewrites a record of collection {name} from one of another collection"),
                    );
                }
                let twice = |other: &Rewrite| other.old.collection.id == step.old.collection.id;
                if migration.rewrites[..at].iter().any(twice) {
                    return wrong(to, &format!("rewrites collection {name} twice"));
                }
            }
            let begins = migration.rewrites.iter().map(|step| &step.old);
            for old in begins.chain(migration.splits.iter().map(|step| &step.old)) {
                let (id, name) = (old.collection.id, old.collection.name);
                if self.type_before(id, to).is_some_and(|record| record != old.record) {
                    return wrong(to, &format!("begins with another type than collection {name} has before it"));
                }
                let known = self.collections().any(|collection| collection.id == id) || self.removed.contains(&id);
                if !known {
                    return wrong(to, &format!("begins with collection {name}, which the schema neither has nor had"));
                }
            }
        }
        for erased in &self.erased {
            let ends = self.rewrites(erased.collection.id).last();
            if let Some(step) = ends.filter(|step| step.new.record != erased.record) {
                return wrong(
                    step.to,
                    &format!("ends with another type than collection {} has", erased.collection.name),
                );
            }
        }
        Ok(())
    }
}

fn wrong(to: u32, what: &str) -> Result<()> {
    Err(Error::new(ErrorKind::SchemaMismatch, format!("the migration to version {to} {what}")))
}

/// What a step's function returned, as the error of a caller's closure.
fn failed(to: u32, error: &Error) -> Error {
    Error::new(ErrorKind::Application, format!("the migration to version {to} cannot take a record"))
        .with_source(error.clone())
}

impl fmt::Debug for Rewrite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Rewrite(collection {} to {})", self.old.collection.name, self.to)
    }
}

impl fmt::Debug for SplitStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Split(collection {} to {})", self.old.collection.name, self.to)
    }
}
