//! Reads the attributes into plain data, as they are written.

use proc_macro2::Span;
use syn::ext::IdentExt;
use syn::parse::{Parse, ParseStream};
use syn::punctuated::Punctuated;
use syn::{Attribute, Error, Ident, LitInt, LitStr, Path, Result, Token, parenthesized, parse_quote};

/// A number and where it stands.
pub(crate) struct Id<T> {
    pub(crate) value: T,
    pub(crate) span: Span,
}

/// What `#[record(..)]` says.
pub(crate) struct RecordOptions {
    pub(crate) id: Id<u16>,
    pub(crate) name: LitStr,
    pub(crate) key: Vec<Part>,
    pub(crate) expires: Option<Ident>,
    pub(crate) removed_indexes: Vec<Id<u8>>,
    pub(crate) uncached: bool,
    pub(crate) changes: bool,
    pub(crate) krate: Path,
}

/// What one `#[index(..)]` says.
pub(crate) struct IndexOptions {
    pub(crate) id: Id<u8>,
    pub(crate) name: LitStr,
    pub(crate) on: Vec<Part>,
    pub(crate) unique: bool,
    pub(crate) while_absent: Option<Ident>,
}

/// One component of a key or index: `field`, `field: ordered`, `field: multi`, or both.
pub(crate) struct Part {
    pub(crate) field: Ident,
    pub(crate) ordered: bool,
    pub(crate) multi: bool,
}

impl RecordOptions {
    /// Reads the one `#[record(..)]` among `attributes`; `at` is where its absence is reported.
    pub(crate) fn find(attributes: &[Attribute], at: &Ident) -> Result<Self> {
        let mut found = attributes.iter().filter(|attribute| attribute.path().is_ident("record"));
        let missing = || {
            let example = "#[record(id = 1, name = \"messages\", key(room_id, message_id))]";
            Error::new(at.span(), format!("`{at}` needs an attribute such as {example}"))
        };
        let attribute = found.next().ok_or_else(missing)?;
        if let Some(second) = found.next() {
            return Err(Error::new_spanned(second, "a record has one #[record(..)] attribute"));
        }
        attribute.parse_args_with(|input: ParseStream<'_>| Self::parse(input, attribute))
    }

    fn parse(input: ParseStream<'_>, attribute: &Attribute) -> Result<Self> {
        let (mut id, mut name, mut key, mut expires, mut removed) = (None, None, None, None, None);
        let (mut uncached, mut changes, mut krate) = (None, None, None);
        for_each_option(input, |option| match option.to_string().as_str() {
            "id" => set(&mut id, option, collection_id(after_equals(input)?)?),
            "name" => set(&mut name, option, collection_name(after_equals(input)?)?),
            "key" => set(&mut key, option, parts(input, option)?),
            "expires" => set(&mut expires, option, field_after_equals(input)?),
            "removed_indexes" => set(&mut removed, option, removed_indexes(input)?),
            "uncached" => set(&mut uncached, option, ()),
            "changes" => set(&mut changes, option, ()),
            "crate" => set(&mut krate, option, path_after_equals(input)?),
            _ => Err(unknown(option, "id, name, key, expires, removed_indexes, uncached, changes or crate")),
        })?;
        Ok(RecordOptions {
            id: required(id, attribute, "id = <a permanent number>")?,
            name: required(name, attribute, "name = \"..\"")?,
            key: required(key, attribute, "key(field, ..)")?,
            expires,
            removed_indexes: removed.unwrap_or_default(),
            uncached: uncached.is_some(),
            changes: changes.is_some(),
            krate: krate.unwrap_or_else(default_crate),
        })
    }
}

impl IndexOptions {
    /// Reads every `#[index(..)]` among `attributes`.
    pub(crate) fn find_all(attributes: &[Attribute]) -> Result<Vec<Self>> {
        let found = attributes.iter().filter(|attribute| attribute.path().is_ident("index"));
        let parse =
            |attribute: &Attribute| attribute.parse_args_with(|input: ParseStream<'_>| Self::parse(input, attribute));
        found.map(parse).collect()
    }

    fn parse(input: ParseStream<'_>, attribute: &Attribute) -> Result<Self> {
        let (mut id, mut name, mut on, mut unique, mut while_absent) = (None, None, None, None, None);
        for_each_option(input, |option| match option.to_string().as_str() {
            "id" => set(&mut id, option, index_id(after_equals(input)?)?),
            "name" => set(&mut name, option, after_equals(input)?),
            "on" => set(&mut on, option, parts(input, option)?),
            "unique" => set(&mut unique, option, ()),
            "while_absent" => set(&mut while_absent, option, field_after_equals(input)?),
            _ => Err(unknown(option, "id, name, on, unique or while_absent")),
        })?;
        Ok(IndexOptions {
            id: required(id, attribute, "id = <a permanent number>")?,
            name: required(name, attribute, "name = \"..\"")?,
            on: required(on, attribute, "on(field, ..)")?,
            unique: unique.is_some(),
            while_absent,
        })
    }
}

/// Reads `#[component(crate = path)]`; without it, the default.
pub(crate) fn component_crate(attributes: &[Attribute]) -> Result<Path> {
    let mut krate = None;
    for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident("component")) {
        attribute.parse_args_with(|input: ParseStream<'_>| {
            for_each_option(input, |option| match option.to_string().as_str() {
                "crate" => set(&mut krate, option, path_after_equals(input)?),
                _ => Err(unknown(option, "crate")),
            })
        })?;
    }
    Ok(krate.unwrap_or_else(default_crate))
}

impl Parse for Part {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let mut part = Part { field: input.call(Ident::parse_any)?, ordered: false, multi: false };
        if input.parse::<Option<Token![:]>>()?.is_some() {
            part.parse_role(input)?;
            while !input.is_empty() && !input.peek(Token![,]) {
                part.parse_role(input)?;
            }
        }
        Ok(part)
    }
}

impl Part {
    fn parse_role(&mut self, input: ParseStream<'_>) -> Result<()> {
        let role = input.call(Ident::parse_any)?;
        let flag = match role.to_string().as_str() {
            "ordered" => &mut self.ordered,
            "multi" => &mut self.multi,
            _ => {
                let message = format!("field `{}`: unknown role `{role}`; expected ordered or multi", self.field);
                return Err(Error::new(role.span(), message));
            }
        };
        if std::mem::replace(flag, true) {
            return Err(Error::new(role.span(), format!("field `{}`: `{role}` is given twice", self.field)));
        }
        Ok(())
    }
}

fn for_each_option(input: ParseStream<'_>, mut read: impl FnMut(&Ident) -> Result<()>) -> Result<()> {
    while !input.is_empty() {
        read(&input.call(Ident::parse_any)?)?;
        if !input.is_empty() {
            input.parse::<Token![,]>()?;
        }
    }
    Ok(())
}

fn set<T>(slot: &mut Option<T>, option: &Ident, value: T) -> Result<()> {
    match slot.replace(value) {
        None => Ok(()),
        Some(_) => Err(Error::new(option.span(), format!("`{option}` is given twice"))),
    }
}

fn required<T>(value: Option<T>, attribute: &Attribute, form: &str) -> Result<T> {
    value.ok_or_else(|| Error::new_spanned(attribute, format!("`{form}` is missing")))
}

fn unknown(option: &Ident, expected: &str) -> Error {
    Error::new(option.span(), format!("unknown option `{option}`; expected {expected}"))
}

fn after_equals<T: Parse>(input: ParseStream<'_>) -> Result<T> {
    input.parse::<Token![=]>()?;
    input.parse()
}

fn field_after_equals(input: ParseStream<'_>) -> Result<Ident> {
    input.parse::<Token![=]>()?;
    input.call(Ident::parse_any)
}

fn path_after_equals(input: ParseStream<'_>) -> Result<Path> {
    input.parse::<Token![=]>()?;
    input.call(Path::parse_mod_style)
}

fn default_crate() -> Path {
    parse_quote!(::strongroom)
}

fn parts(input: ParseStream<'_>, option: &Ident) -> Result<Vec<Part>> {
    let list;
    parenthesized!(list in input);
    let parts = Punctuated::<Part, Token![,]>::parse_terminated(&list)?;
    if parts.is_empty() {
        return Err(Error::new(option.span(), format!("`{option}(..)` names no field")));
    }
    Ok(parts.into_iter().collect())
}

fn removed_indexes(input: ParseStream<'_>) -> Result<Vec<Id<u8>>> {
    let list;
    parenthesized!(list in input);
    let ids = Punctuated::<LitInt, Token![,]>::parse_terminated(&list)?;
    ids.into_iter().map(index_id).collect()
}

fn collection_id(id: LitInt) -> Result<Id<u16>> {
    match id.base10_parse() {
        Ok(value @ 1..) => Ok(Id { value, span: id.span() }),
        _ => Err(Error::new(id.span(), "a collection's id is a number from 1 to 65535")),
    }
}

fn index_id(id: LitInt) -> Result<Id<u8>> {
    match id.base10_parse() {
        Ok(value @ 1..=254) => Ok(Id { value, span: id.span() }),
        _ => Err(Error::new(id.span(), "an index's id is a number from 1 to 254")),
    }
}

fn collection_name(name: LitStr) -> Result<LitStr> {
    if name.value().is_empty() {
        return Err(Error::new(name.span(), "a collection's name cannot be empty"));
    }
    Ok(name)
}
