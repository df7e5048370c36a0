//! Checks what the attributes say against the struct, and keeps what the code is written from.

use std::fmt::Display;

use proc_macro2::Span;
use syn::ext::IdentExt;
use syn::{Data, DeriveInput, Error, Field, Fields, Ident, LitStr, Path, Result, Type, Visibility};

use crate::attributes::{Id, IndexOptions, Part, RecordOptions};
use crate::types;

/// A checked record.
pub(crate) struct Model<'a> {
    pub(crate) krate: Path,
    pub(crate) ident: &'a Ident,
    pub(crate) visibility: &'a Visibility,
    pub(crate) id: u16,
    pub(crate) name: LitStr,
    pub(crate) key: Vec<Component<'a>>,
    pub(crate) indexes: Vec<Index<'a>>,
    pub(crate) expiry: Option<Expiry<'a>>,
    pub(crate) removed_indexes: Vec<u8>,
    pub(crate) uncached: bool,
    pub(crate) changes: bool,
}

/// A checked index.
pub(crate) struct Index<'a> {
    pub(crate) id: u8,
    pub(crate) name: LitStr,
    /// The name in upper case, for the constant.
    pub(crate) constant: Ident,
    pub(crate) components: Vec<Component<'a>>,
    pub(crate) unique: bool,
    pub(crate) while_absent: Option<&'a Ident>,
}

/// A checked component.
pub(crate) struct Component<'a> {
    pub(crate) field: &'a Ident,
    /// The component's type: in an index, that of the value in the `Option` or of the element.
    pub(crate) ty: &'a Type,
    pub(crate) ordered: bool,
    pub(crate) values: Values,
}

/// How many values a field has for an index.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Values {
    One,
    OneOrNone,
    /// `optional`: the list itself is in an `Option`.
    Many {
        optional: bool,
    },
}

/// The field that says when a record ceases to be.
pub(crate) struct Expiry<'a> {
    pub(crate) field: &'a Ident,
    /// The field's whole type, to point at.
    pub(crate) ty: &'a Type,
    pub(crate) optional: bool,
}

/// What the framework calls the indexes that every record or every record that expires has.
const RESERVED_NAMES: [&str; 3] = ["primary", "expiry", "expires_at"];

impl<'a> Model<'a> {
    /// Reads and checks; the error holds everything that is wrong, not only the first.
    pub(crate) fn new(input: &'a DeriveInput) -> Result<Self> {
        let fields = Structure::of(input)?;
        let options = RecordOptions::find(&input.attrs, &input.ident)?;
        let index_options = IndexOptions::find_all(&input.attrs)?;
        let mut errors = Errors(None);
        check_ids(&options.removed_indexes, &index_options, &mut errors);
        let key = options.key.iter().filter_map(|part| errors.keep(fields.key_component(part))).collect();
        check_repeats(&options.key, &mut errors);
        let expiry = options.expires.as_ref().and_then(|field| errors.keep(fields.expiry(field)));
        let indexes = index_options.into_iter().filter_map(|index| fields.index(index, &mut errors)).collect();
        let model = Model {
            krate: options.krate,
            ident: &input.ident,
            visibility: &input.vis,
            id: options.id.value,
            name: options.name,
            key,
            indexes,
            expiry,
            removed_indexes: options.removed_indexes.iter().map(|id| id.value).collect(),
            uncached: options.uncached,
            changes: options.changes,
        };
        errors.into_result(model)
    }
}

/// The struct's fields, to look names up in.
struct Structure<'a> {
    ident: &'a Ident,
    fields: Vec<(&'a Ident, &'a Field)>,
}

impl<'a> Structure<'a> {
    fn of(input: &'a DeriveInput) -> Result<Self> {
        if !input.generics.params.is_empty() {
            return Err(Error::new_spanned(&input.generics, "a record cannot have type, lifetime or const parameters"));
        }
        let Data::Struct(data) = &input.data else {
            return Err(Error::new(input.ident.span(), "a record is a struct with named fields"));
        };
        let Fields::Named(named) = &data.fields else {
            return Err(Error::new(input.ident.span(), "a record is a struct with named fields"));
        };
        let fields = named.named.iter().filter_map(|field| Some((field.ident.as_ref()?, field))).collect();
        Ok(Structure { ident: &input.ident, fields })
    }

    /// The field that an attribute names; keywords match their raw form.
    fn field(&self, name: &Ident) -> Result<(&'a Ident, &'a Type)> {
        let found = self.fields.iter().find(|(ident, _)| ident.unraw() == name.unraw());
        let unknown = || Error::new(name.span(), format!("`{}` has no field `{name}`", self.ident));
        found.map(|(ident, field)| (*ident, &field.ty)).ok_or_else(unknown)
    }

    fn key_component(&self, part: &Part) -> Result<Component<'a>> {
        let (field, ty) = self.field(&part.field)?;
        if part.multi {
            return Err(at(&part.field, "a component of the primary key cannot be multi"));
        }
        Ok(Component { field, ty, ordered: part.ordered, values: Values::One })
    }

    fn index_component(&self, part: &Part) -> Result<Component<'a>> {
        let (field, whole) = self.field(&part.field)?;
        let inner = types::in_option(whole);
        let (ty, values) = match inner {
            _ if part.multi => {
                let list = types::in_list(inner.unwrap_or(whole));
                let not_a_list = || at(&part.field, "multi needs a Vec or BTreeSet, or an Option of one");
                (list.ok_or_else(not_a_list)?, Values::Many { optional: inner.is_some() })
            }
            Some(inner) => (inner, Values::OneOrNone),
            None => (whole, Values::One),
        };
        Ok(Component { field, ty, ordered: part.ordered, values })
    }

    fn index(&self, options: IndexOptions, errors: &mut Errors) -> Option<Index<'a>> {
        check_repeats(&options.on, errors);
        if let Some(second) = options.on.iter().filter(|part| part.multi).nth(1) {
            errors.add(at(&second.field, "an index has at most one multi component"));
        }
        let parts = options.on.iter();
        let components = parts.filter_map(|part| errors.keep(self.index_component(part))).collect();
        let while_absent = options.while_absent.as_ref();
        let while_absent = while_absent.and_then(|field| errors.keep(self.while_absent(field, &options.on)));
        let constant = errors.keep(constant(&options.name))?;
        let (id, unique) = (options.id.value, options.unique);
        Some(Index { id, name: options.name, constant, components, unique, while_absent })
    }

    fn while_absent(&self, name: &Ident, on: &[Part]) -> Result<&'a Ident> {
        let (field, ty) = self.field(name)?;
        if types::in_option(ty).is_none() {
            return Err(at(name, "while_absent needs an Option"));
        }
        if on.iter().any(|part| part.field.unraw() == name.unraw()) {
            return Err(at(name, "while_absent cannot be a component of the same index, which would stay empty"));
        }
        Ok(field)
    }

    fn expiry(&self, name: &Ident) -> Result<Expiry<'a>> {
        let (field, ty) = self.field(name)?;
        Ok(Expiry { field, ty, optional: types::in_option(ty).is_some() })
    }
}

fn check_ids(removed: &[Id<u8>], indexes: &[IndexOptions], errors: &mut Errors) {
    for (position, index) in indexes.iter().enumerate() {
        let name = index.name.value();
        for earlier in &indexes[..position] {
            let other = earlier.name.value();
            if earlier.id.value == index.id.value {
                errors.say(index.id.span, format!("index `{name}` has the id of index `{other}`"));
            }
            if other.eq_ignore_ascii_case(&name) {
                errors.say(index.name.span(), format!("there are two indexes named `{name}`"));
            }
        }
        if removed.iter().any(|removed| removed.value == index.id.value) {
            errors.say(index.id.span, format!("index `{name}` has the id of a removed index"));
        }
    }
    for (position, id) in removed.iter().enumerate() {
        if removed[..position].iter().any(|earlier| earlier.value == id.value) {
            errors.say(id.span, format!("removed index {} is given twice", id.value));
        }
    }
}

fn check_repeats(parts: &[Part], errors: &mut Errors) {
    for (position, part) in parts.iter().enumerate() {
        if parts[..position].iter().any(|earlier| earlier.field.unraw() == part.field.unraw()) {
            errors.add(at(&part.field, "a field can be a component once"));
        }
    }
}

/// The name of an index's constant.
fn constant(name: &LitStr) -> Result<Ident> {
    let text = name.value();
    let legal = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    if !text.starts_with(|c: char| c.is_ascii_lowercase()) || !text.chars().all(legal) {
        let message = "an index's name is a lower-case letter, then lower-case letters, digits and _";
        return Err(Error::new(name.span(), message));
    }
    if RESERVED_NAMES.contains(&text.as_str()) {
        return Err(Error::new(name.span(), format!("the index name `{text}` is the framework's own")));
    }
    Ok(Ident::new(&text.to_ascii_uppercase(), name.span()))
}

fn at(field: &Ident, message: impl Display) -> Error {
    Error::new(field.span(), format!("field `{field}`: {message}"))
}

/// Everything found wrong so far.
struct Errors(Option<Error>);

impl Errors {
    fn add(&mut self, error: Error) {
        match &mut self.0 {
            None => self.0 = Some(error),
            Some(errors) => errors.combine(error),
        }
    }

    fn say(&mut self, span: Span, message: String) {
        self.add(Error::new(span, message));
    }

    fn keep<T>(&mut self, result: Result<T>) -> Option<T> {
        result.map_err(|error| self.add(error)).ok()
    }

    fn into_result<T>(self, value: T) -> Result<T> {
        self.0.map_or(Ok(value), Err)
    }
}
