//! Writes the code of `#[derive(Record)]`.
//!
//! Paths are absolute and local names begin with two underscores, so nothing that the user has in scope can interfere. A
//! component's type keeps the place where it is written, so that "is no component" points at the field.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::ext::IdentExt;
use syn::{Ident, Path};

use crate::docs;
use crate::model::{Component, Expiry, Index, Model, Values};
use crate::span::{at, component_item};

/// The whole code for one record.
pub(crate) fn generate(model: &Model<'_>) -> TokenStream {
    let record = implementation(model);
    let inherent = inherent(model);
    quote! {
        #record
        #inherent
    }
}

fn implementation(model: &Model<'_>) -> TokenStream {
    let Model { krate, ident, key, .. } = model;
    let collection = collection(model);
    let push_key = key.iter().map(|component| push_field(krate, component));
    let entries = entries(model);
    let expires_at = expires_at(krate, model.expiry.as_ref());
    quote! {
        #[automatically_derived]
        impl #krate::schema::Record for #ident {
            const COLLECTION: &'static #krate::schema::Collection = #collection;

            fn key_components(&self, __out: &mut #krate::key::Components) {
                #(#push_key)*
            }

            fn index_entries(
                &self,
                __index: #krate::schema::IndexRef,
                __scratch: &mut #krate::key::Components,
                __entry: &mut dyn ::core::ops::FnMut(&#krate::key::Components),
            ) {
                #entries
            }

            fn expires_at(&self) -> ::core::option::Option<#krate::Timestamp> {
                #expires_at
            }
        }
    }
}

fn collection(model: &Model<'_>) -> TokenStream {
    let Model { krate, id, name, removed_indexes, uncached, changes, .. } = model;
    let key = definitions(krate, &model.key);
    let indexes = model.indexes.iter().map(|index| index_definition(krate, index));
    let expiry = option(model.expiry.as_ref().map(|expiry| expiry_definition(krate, expiry)));
    quote! {
        &#krate::schema::Collection {
            id: #id,
            name: #name,
            key: #key,
            indexes: &[#(#indexes),*],
            expiry: #expiry,
            removed_indexes: &[#(#removed_indexes),*],
            uncached: #uncached,
            changes: #changes,
        }
    }
}

fn index_definition(krate: &Path, index: &Index<'_>) -> TokenStream {
    let Index { id, name, unique, .. } = index;
    let components = definitions(krate, &index.components);
    let while_absent = option(index.while_absent.map(name_of));
    quote! {
        #krate::schema::IndexDef {
            id: #id,
            name: #name,
            components: #components,
            unique: #unique,
            while_absent: #while_absent,
        }
    }
}

fn expiry_definition(krate: &Path, expiry: &Expiry<'_>) -> TokenStream {
    let field = name_of(expiry.field);
    let presence = if expiry.optional { quote!(Optional) } else { quote!(Required) };
    quote! {
        &#krate::schema::IndexDef {
            id: #krate::schema::EXPIRY_INDEX_ID,
            name: "expires_at",
            components: &[#krate::schema::ComponentDef {
                field: #field,
                kind: #krate::key::Kind::Timestamp,
                role: #krate::schema::Role::Ordered,
                presence: #krate::schema::Presence::#presence,
            }],
            unique: false,
            while_absent: ::core::option::Option::None,
        }
    }
}

fn definitions(krate: &Path, components: &[Component<'_>]) -> TokenStream {
    let definitions = components.iter().map(|component| {
        let field = name_of(component.field);
        let kind = component_item(krate, component.ty, "KIND");
        let role = if component.ordered { quote!(Ordered) } else { quote!(Exact) };
        let presence = match component.values {
            Values::One => quote!(Required),
            Values::OneOrNone => quote!(Optional),
            Values::Many { .. } => quote!(Multi),
        };
        quote! {
            #krate::schema::ComponentDef {
                field: #field,
                kind: #kind,
                role: #krate::schema::Role::#role,
                presence: #krate::schema::Presence::#presence,
            }
        }
    });
    quote!(&[#(#definitions),*])
}

fn entries(model: &Model<'_>) -> TokenStream {
    let Model { krate, .. } = model;
    let indexes = model.indexes.iter().enumerate().map(|(position, index)| {
        let entries = index_entries(krate, index);
        quote!(#krate::schema::IndexRef::At(#position) => { #entries })
    });
    quote! {
        match __index {
            #krate::schema::IndexRef::Primary => {
                __scratch.clear();
                <Self as #krate::schema::Record>::key_components(self, __scratch);
                __entry(__scratch);
            }
            #(#indexes)*
            #krate::schema::IndexRef::Expiry => {
                if let ::core::option::Option::Some(__time) = <Self as #krate::schema::Record>::expires_at(self) {
                    __scratch.clear();
                    __scratch.push::<#krate::Timestamp>(&__time);
                    __entry(__scratch);
                }
            }
            // An index that the collection does not have has no entries.
            #krate::schema::IndexRef::At(_) => {}
        }
    }
}

/// The statements that give one index's entries: what is absent returns first, then one entry or a loop of them.
fn index_entries(krate: &Path, index: &Index<'_>) -> TokenStream {
    let while_absent = index.while_absent.map(|field| {
        quote! {
            if ::core::option::Option::is_some(&self.#field) {
                return;
            }
        }
    });
    let unwraps = index.components.iter().enumerate().map(|(position, component)| {
        let (field, value) = (component.field, value_name(position));
        match component.values {
            Values::OneOrNone | Values::Many { optional: true } => quote! {
                let ::core::option::Option::Some(#value) = &self.#field else { return };
            },
            Values::One | Values::Many { optional: false } => quote! {
                let #value = &self.#field;
            },
        }
    });
    let pushes = index.components.iter().enumerate().map(|(position, component)| {
        let value = value_name(position);
        push(krate, component, &quote!(__scratch), &quote!(#value))
    });
    let entry = quote! {
        __scratch.clear();
        #(#pushes)*
        __entry(__scratch);
    };
    let many = index.components.iter().position(|component| matches!(component.values, Values::Many { .. }));
    let entries = match many.map(value_name) {
        None => entry,
        Some(value) => quote! {
            for #value in #value {
                #entry
            }
        },
    };
    quote! {
        #while_absent
        #(#unwraps)*
        #entries
    }
}

fn push_field(krate: &Path, component: &Component<'_>) -> TokenStream {
    let field = component.field;
    push(krate, component, &quote!(__out), &quote!(&self.#field))
}

/// Appends `value`, a reference to the component's type, to `out`.
fn push(krate: &Path, component: &Component<'_>, out: &TokenStream, value: &TokenStream) -> TokenStream {
    let ty = component.ty;
    let borrowed = borrowed(krate, component);
    quote_spanned!(at(ty)=> #out.push::<#ty>(<#ty as ::core::borrow::Borrow<#borrowed>>::borrow(#value));)
}

fn borrowed(krate: &Path, component: &Component<'_>) -> TokenStream {
    component_item(krate, component.ty, "Borrowed")
}

fn expires_at(krate: &Path, expiry: Option<&Expiry<'_>>) -> TokenStream {
    let Some(Expiry { field, ty, optional }) = expiry else {
        return quote!(::core::option::Option::None);
    };
    // Typed here, and not by the return type, so that another type is reported at the field.
    let time = if *optional {
        quote_spanned!(at(ty)=> let __time: ::core::option::Option<#krate::Timestamp> = self.#field;)
    } else {
        quote_spanned!(at(ty)=> let __time: #krate::Timestamp = self.#field;)
    };
    let some = if *optional { quote!(__time) } else { quote!(::core::option::Option::Some(__time)) };
    quote! {
        #time
        #some
    }
}

/// `key`, `PRIMARY`, the indexes and `EXPIRY`.
fn inherent(model: &Model<'_>) -> TokenStream {
    let Model { krate, ident, .. } = model;
    let name = model.name.value();
    let key = key_function(model, &docs::key(&name));
    let primary_name = Ident::new("PRIMARY", ident.span());
    let primary_type = component_types(krate, &model.key);
    let primary_docs = docs::primary(&name, &model.key);
    let primary = constant(model, &primary_name, &primary_type, &quote!(Primary), &primary_docs);
    let indexes = model.indexes.iter().enumerate().map(|(position, index)| {
        let ty = component_types(krate, &index.components);
        constant(model, &index.constant, &ty, &quote!(At(#position)), &docs::index(index))
    });
    let expiry = model.expiry.as_ref().map(|expiry| {
        let name_in_code = Ident::new("EXPIRY", expiry.field.span());
        let ty = quote!((#krate::schema::Ordered<#krate::Timestamp>, ()));
        constant(model, &name_in_code, &ty, &quote!(Expiry), &docs::expiry(&name, &name_of(expiry.field)))
    });
    quote! {
        // What of it is used is the program's choice.
        #[allow(dead_code, unreachable_pub, clippy::too_many_arguments)]
        #[automatically_derived]
        impl #ident {
            #key
            #primary
            #(#indexes)*
            #expiry
        }
    }
}

fn key_function(model: &Model<'_>, docs: &str) -> TokenStream {
    let Model { krate, ident, visibility, .. } = model;
    let parameters = model.key.iter().map(|component| {
        let (field, borrowed) = (component.field, borrowed(krate, component));
        quote_spanned!(at(component.ty)=> #field: &#borrowed)
    });
    let pushes = model.key.iter().map(|component| {
        let (field, ty) = (component.field, component.ty);
        quote_spanned!(at(ty)=> __components.push::<#ty>(#field);)
    });
    quote! {
        #[doc = #docs]
        #visibility fn key(#(#parameters),*) -> #krate::schema::Key<#ident> {
            let mut __components = #krate::key::Components::new();
            #(#pushes)*
            #krate::schema::Key::from_components(__components)
        }
    }
}

fn constant(model: &Model<'_>, name: &Ident, types: &TokenStream, index: &TokenStream, docs: &str) -> TokenStream {
    let Model { krate, ident, visibility, .. } = model;
    quote! {
        #[doc = #docs]
        #visibility const #name: #krate::schema::Index<#ident, #types> =
            #krate::schema::Index::new(#krate::schema::IndexRef::#index);
    }
}

/// The components as a type: `(Exact<A>, (Ordered<B>, ()))`.
fn component_types(krate: &Path, components: &[Component<'_>]) -> TokenStream {
    components.iter().rfold(quote!(()), |rest, component| {
        let ty = component.ty;
        let role = if component.ordered { quote!(Ordered) } else { quote!(Exact) };
        quote!((#krate::schema::#role<#ty>, #rest))
    })
}

/// The local name of the value of an index's component.
fn value_name(position: usize) -> Ident {
    quote::format_ident!("__value_{position}")
}

fn name_of(field: &Ident) -> String {
    field.unraw().to_string()
}

fn option<T: quote::ToTokens>(value: Option<T>) -> TokenStream {
    match value {
        Some(value) => quote!(::core::option::Option::Some(#value)),
        None => quote!(::core::option::Option::None),
    }
}
