//! What can be seen of a type by its words alone.

use syn::{GenericArgument, PathArguments, Type};

/// The `T` of an `Option<T>`.
pub(crate) fn in_option(ty: &Type) -> Option<&Type> {
    argument_of(ty, &["Option"])
}

/// The `T` of a collection whose elements can be components.
pub(crate) fn in_list(ty: &Type) -> Option<&Type> {
    argument_of(ty, &["Vec", "BTreeSet"])
}

fn argument_of<'t>(ty: &'t Type, names: &[&str]) -> Option<&'t Type> {
    let path = match ty {
        Type::Path(ty) if ty.qself.is_none() => &ty.path,
        // A type that came through a macro_rules fragment.
        Type::Group(group) => return argument_of(&group.elem, names),
        _ => return None,
    };
    let last = path.segments.last()?;
    if !names.iter().any(|name| last.ident == name) {
        return None;
    }
    let PathArguments::AngleBracketed(arguments) = &last.arguments else { return None };
    match arguments.args.first()? {
        GenericArgument::Type(ty) if arguments.args.len() == 1 => Some(ty),
        _ => None,
    }
}
