//! `#[derive(Record)]` and `#[derive(Component)]`, re-exported by `strongroom`.
//!
//! What is written in attributes goes three steps, a module each: `attributes` reads it, `model` checks it against the
//! struct, `record` writes the code. Every error points at the words that caused it and names the field.

mod attributes;
mod component;
mod docs;
mod model;
mod record;
mod span;
mod types;

use proc_macro::TokenStream;
use syn::{DeriveInput, parse_macro_input};

/// Makes a struct the record of a collection.
///
/// ```text
/// #[derive(Record, Serialize, Deserialize)]
/// #[record(id = 1, name = "messages", key(room_id, message_id), expires = expires_at, removed_indexes(7, 9))]
/// #[index(id = 1, name = "room_timestamp", on(room_id, timestamp: ordered))]
/// #[index(id = 2, name = "alias", on(aliases: multi))]
/// #[index(id = 3, name = "message_proof", on(message_id), unique)]
/// #[index(id = 4, name = "unclaimed", on(user_id, created_at: ordered), while_absent = used_at)]
/// pub struct Message { /* named fields; no generics */ }
/// ```
///
/// `#[record(..)]`, once:
///
/// - `id`: the collection's permanent number, 1 to 65,535.
/// - `name`: its name, for people.
/// - `key(field, ..)`: the components of the primary key.
/// - `expires = field`: when the record ceases to be; of type `Timestamp` or `Option<Timestamp>`.
/// - `removed_indexes(id, ..)`: index ids that were used once and never may be again.
/// - `uncached`: no cache may hold these records, as is right for keys.
/// - `changes`: what is written to the collection is listed in the database's change log, for those who follow it.
/// - `crate = path`: where Strongroom is, if not at `::strongroom`.
///
/// `#[index(..)]`, once an index:
///
/// - `id`: its permanent number in the collection, 1 to 254.
/// - `name`: its name in lower case; in upper case it is the name of a constant.
/// - `on(field, ..)`: its components.
/// - `unique`: two records may not have the same components.
/// - `while_absent = field`: only records in which this `Option` is `None` are in the index.
///
/// A component is `field` (matched for equality alone) or `field: ordered` (ranges and order too). In an index, an
/// `Option<T>` is a component of type `T`, and a record without it has no entry; `field: multi` takes a `Vec<T>` or
/// `BTreeSet<T>` or an `Option` of one, and the record has an entry for each distinct element. In the primary key an
/// `Option<T>` is a component of type `Option<T>`. "Option", "Vec" and "BTreeSet" are known by these names alone.
///
/// clippy's `duplicated_attributes` takes two `#[index(..)]` of one record for one if they have only exact components on the
/// same field: allow it for the module.
///
/// A field that is in no key and no index can be added at any time, with `#[serde(default)]` or as an `Option`: without
/// either, records from before cannot be read. A removed field is skipped.
///
/// Beside `impl Record` it gives, with the struct's visibility: the function `key`, which makes a `Key` from the key's
/// components; the constant `PRIMARY`; one constant an index; `EXPIRY` if the record expires.
#[proc_macro_derive(Record, attributes(record, index))]
pub fn record(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    let code = model::Model::new(&input).map(|model| record::generate(&model));
    code.unwrap_or_else(syn::Error::into_compile_error).into()
}

/// Makes a new type (`struct RoomId(String);`) a component of keys, encoded as the type it holds.
///
/// The type can be changed to or from what it holds without changing the stored keys. `#[component(crate = path)]` says
/// where Strongroom is, if not at `::strongroom`.
#[proc_macro_derive(Component, attributes(component))]
pub fn component(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    component::generate(&input).unwrap_or_else(syn::Error::into_compile_error).into()
}
