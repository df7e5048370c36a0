//! What a holder of the file sees of a schema's records, without any key.
//!
//! The report follows from the schema alone: the layer blinds `exact` components, leaves `ordered` ones as they are, leaves links
//! as links, and seals values. `encryption/tests/leakage` shows on stored rows that it is so, and keeps the report of both
//! schemas of core in files, so that a change of what leaks is seen in review.

use std::collections::BTreeSet;
use std::fmt;

use serde::Serialize;
use strongroom_core::Schema;
use strongroom_core::key::Kind;
use strongroom_core::schema::{Collection, ComponentDef, IndexDef, IndexRef, Presence, Role};

/// What a holder of the file of an encrypted store sees of the records of `schema`.
///
/// ```
/// let leakage = strongroom_encryption::leakage(&strongroom_core::engine::schema());
/// println!("{leakage}");
/// ```
pub fn leakage(schema: &Schema) -> Leakage {
    Leakage {
        schema: schema.name(),
        version: schema.version(),
        shown: SHOWN.iter().copied().chain(of_change_log(schema)).collect(),
        hidden: HIDDEN.to_vec(),
        collections: schema.collections().map(CollectionLeakage::of).collect(),
    }
}

/// The report. `Display` shows it as a table, serde as data.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Leakage {
    /// The schema's name.
    pub schema: &'static str,
    /// The schema's version.
    pub version: u32,
    /// What shows of every store, whatever its schema.
    pub shown: Vec<Fact>,
    /// What does not show of any.
    pub hidden: Vec<Fact>,
    /// What shows of each collection.
    pub collections: Vec<CollectionLeakage>,
}

/// One thing that is true of every store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Fact {
    /// What it is about, in a word or two.
    pub about: &'static str,
    /// What is seen, or not.
    pub says: &'static str,
}

/// What shows of one collection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct CollectionLeakage {
    /// Its number, which is in the file.
    pub id: u16,
    /// Its name, which is not.
    pub name: &'static str,
    /// What shows of each record's value.
    pub values: Seen,
    /// The primary key, each index, and the expiry index at the end.
    pub orders: Vec<OrderLeakage>,
}

/// What shows of one order of a collection's records: its primary key or an index.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct OrderLeakage {
    /// Its number, which is in the file: 0 for the primary key, 255 for the expiry index.
    pub id: u8,
    /// Its name, which is not; none for the primary key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<&'static str>,
    /// Each component, in the order of the key.
    pub components: Vec<ComponentLeakage>,
    /// Where the record's stored key is found, by which every entry is known to be of its record; none for the primary key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub record: Option<RecordKey>,
    /// Fields of which it shows whether a record has all of them, since without one it has no entry.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub presence_of: Vec<&'static str>,
    /// The field of which it shows how many distinct values a record has, since each has an entry.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub number_of: Option<&'static str>,
    /// The field of which it shows whether a record lacks it, since with it there is no entry.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub absence_of: Option<&'static str>,
}

/// Where an index entry says in clear whose it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum RecordKey {
    /// At the end of the entry's own key.
    Tail,
    /// In what the entry holds, for a unique index.
    Content,
}

/// What shows of one component.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ComponentLeakage {
    /// The record's field. Its name is not in the file.
    pub field: &'static str,
    /// Its type.
    pub kind: Kind,
    /// What shows of its value.
    pub seen: Seen,
}

/// What shows of a component or a value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Seen {
    /// Nothing: 16 bytes that are others in every entry.
    Nothing,
    /// Which records have the same value, and so how many; not which value, nor its length.
    Equality {
        /// Fields in which the records must be the same, or else an equal value looks different. None: it shows among all.
        among_same: Vec<&'static str>,
        /// How many values there are, where that is so few that their frequencies tell which is which.
        #[serde(skip_serializing_if = "Option::is_none")]
        values_max: Option<u8>,
    },
    /// The value, in clear, and with it order and length.
    Value,
    /// The length, roughly: values are padded to lengths of the form of Padmé, and to 64 bytes at least. In a store without
    /// padding, the exact length.
    LengthClass,
}

const SHOWN: &[Fact] = &[
    Fact {
        about: "numbers",
        says: "the numbers of collections and indexes; who knows the program knows which is which",
    },
    Fact { about: "rows", says: "how many records each collection has, and how many entries each index" },
    Fact {
        about: "links",
        says: "which index entry belongs to which record, so what an index shows is known of the record",
    },
    Fact { about: "lengths", says: "of each value a length class; without padding the exact length" },
    Fact {
        about: "revisions",
        says: "in which order rows were last written, and which were written in one step, also across collections",
    },
    Fact { about: "generations", says: "which key of values sealed a value: before or after which rotation" },
    Fact {
        about: "header",
        says: "an id of the store; of each slot its label, kind, costs of a guess or provider's name; roughly how many keys there are",
    },
    Fact {
        about: "maintenance",
        says: "which index is being built; how far a sweep has come, as the stored key of its last row",
    },
    Fact {
        about: "copies",
        says: "from several copies of the file: which records came, changed and went between them",
    },
    Fact {
        about: "leftovers",
        says: "what the engine has not overwritten yet: older states of all this, of deleted rows too",
    },
];

/// What the change log shows, where a collection is listed in it.
fn of_change_log(schema: &Schema) -> Option<Fact> {
    schema.collections().any(|collection| collection.changes).then_some(Fact {
        about: "change log",
        says: "until it is trimmed, of each transaction that wrote to a collection with `changes`: its place in the order, and \
               how long the list of the records is, as a length class",
    })
}

const HIDDEN: &[Fact] = &[
    Fact { about: "values", says: "all of a record but its length class" },
    Fact { about: "names", says: "the names of the schema, its collections, indexes and fields" },
    Fact { about: "exact components", says: "value, order and length; also to who tries likely values" },
    Fact {
        about: "other fronts",
        says: "in one key or index, whether components are equal behind different fronts; another index may show it",
    },
    Fact {
        about: "other keyspaces",
        says: "whether components are equal in two collections or indexes, but for what links, revisions and counts tell",
    },
    Fact { about: "other stores", says: "whether two stores have anything in common: each has keys of its own" },
];

impl CollectionLeakage {
    fn of(collection: &'static Collection) -> Self {
        let orders = std::iter::once(IndexRef::Primary).chain(collection.index_refs());
        CollectionLeakage {
            id: collection.id,
            name: collection.name,
            values: Seen::LengthClass,
            orders: orders.map(|order| OrderLeakage::of(collection, order)).collect(),
        }
    }
}

impl OrderLeakage {
    fn of(collection: &'static Collection, order: IndexRef) -> Self {
        let (index, definition) = (collection.index(order), collection.components(order));
        let components = definition.iter().enumerate().map(|(at, part)| ComponentLeakage {
            field: part.field,
            kind: part.kind,
            seen: seen(collection, order, &definition[..at], part),
        });
        let with = |presence| definition.iter().filter(move |part| part.presence == presence).map(|part| part.field);
        OrderLeakage {
            id: index.map_or(0, |index| index.id),
            name: index.map(|index| index.name),
            components: components.collect(),
            record: index.map(|index| if index.unique { RecordKey::Content } else { RecordKey::Tail }),
            // A record without its key is none: an optional part of a key is a value like any other.
            presence_of: if index.is_some() { with(Presence::Optional).collect() } else { Vec::new() },
            number_of: with(Presence::Multi).next(),
            absence_of: index.and_then(|index| index.while_absent),
        }
    }
}

fn seen(collection: &Collection, order: IndexRef, front: &[ComponentDef], part: &ComponentDef) -> Seen {
    if part.role == Role::Ordered {
        return Seen::Value;
    }
    let fields: BTreeSet<&str> = front.iter().chain([part]).map(|part| part.field).collect();
    let one_record = |components: &[ComponentDef]| components.iter().all(|part| fields.contains(part.field));
    // Every record has its one entry there, so two of them differ in these fields.
    let tells_apart = |index: &&IndexDef| {
        let always = index.components.iter().all(|part| part.presence == Presence::Required);
        index.unique && always && index.while_absent.is_none()
    };
    let last = collection.components(order).len() == front.len() + 1;
    let unique_entry = last && collection.index(order).is_some_and(|index| index.unique);
    let mut unique = collection.indexes.iter().filter(tells_apart);
    // Where no two entries can be equal, equality shows nothing.
    if unique_entry || one_record(collection.key) || unique.any(|index| one_record(index.components)) {
        return Seen::Nothing;
    }
    Seen::Equality {
        among_same: front.iter().map(|part| part.field).collect(),
        values_max: match part.kind {
            Kind::Bool => Some(2),
            Kind::OptionBool => Some(3),
            _ => None,
        },
    }
}

impl fmt::Display for Leakage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "schema {}, version {}", self.schema, self.version)?;
        writeln!(f, "\nA holder of the file sees, of every store:")?;
        list(f, &self.shown)?;
        writeln!(f, "\nand does not see:")?;
        list(f, &self.hidden)?;
        self.collections.iter().try_for_each(|collection| write!(f, "\n{collection}"))
    }
}

fn list(f: &mut fmt::Formatter<'_>, facts: &[Fact]) -> fmt::Result {
    let width = facts.iter().map(|fact| fact.about.len()).max().unwrap_or_default();
    facts.iter().try_for_each(|fact| writeln!(f, "  {:width$}  {}", fact.about, fact.says))
}

impl fmt::Display for CollectionLeakage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "collection {}, {}", self.id, self.name)?;
        let mut lines = Vec::new();
        for order in &self.orders {
            let mut title = match order.name {
                None => "key".to_owned(),
                Some(name) => format!("index {}, {name}", order.id),
            };
            for part in &order.components {
                lines.push([std::mem::take(&mut title), part.field.to_owned(), part.seen.to_string()]);
            }
            lines.extend(order.notes().into_iter().map(|note| [String::new(), String::new(), note]));
        }
        lines.push(["value".to_owned(), String::new(), self.values.to_string()]);
        let width = |column: usize| lines.iter().map(|line| line[column].len()).max().unwrap_or_default();
        let (first, second) = (width(0), width(1));
        lines.iter().try_for_each(|[title, field, seen]| writeln!(f, "  {title:first$}  {field:second$}  {seen}"))
    }
}

impl OrderLeakage {
    fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        if !self.presence_of.is_empty() {
            notes.push(format!("whether a record has {}", self.presence_of.join(" and ")));
        }
        notes.extend(self.number_of.map(|field| format!("how many {field} a record has")));
        notes.extend(self.absence_of.map(|field| format!("whether a record lacks {field}")));
        notes
    }
}

impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Seen::Nothing => f.write_str("nothing"),
            Seen::Equality { among_same, values_max } => {
                match among_same.as_slice() {
                    [] => f.write_str("equality, among all")?,
                    front => write!(f, "equality, within the same {}", front.join(", "))?,
                }
                match values_max {
                    None => Ok(()),
                    Some(values) => write!(f, "; {values} values, so frequency tells which"),
                }
            }
            Seen::Value => f.write_str("VALUE AND ORDER, in clear"),
            Seen::LengthClass => f.write_str("length class (without padding, the exact length)"),
        }
    }
}
