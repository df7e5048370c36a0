//! Writes the code of `#[derive(Component)]`.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::{Data, DeriveInput, Error, Fields, Result, Type};

use crate::attributes::component_crate;
use crate::span::{at, component_item};

/// The whole code for one new type.
pub(crate) fn generate(input: &DeriveInput) -> Result<TokenStream> {
    let krate = component_crate(&input.attrs)?;
    let (ident, ty) = (&input.ident, inner(input)?);
    let item = |name| component_item(&krate, ty, name);
    let (kind, borrowed, encode, decode) = (item("KIND"), item("Borrowed"), item("encode"), item("decode"));
    let borrow = quote_spanned!(at(ty)=> <#ty as ::core::borrow::Borrow<#borrowed>>::borrow);
    let encode = quote_spanned!(at(ty)=> #encode(#borrow(&__value.0), __out));
    let decode = quote_spanned!(at(ty)=> #decode(__input));
    Ok(quote! {
        // The compiler would list every new type of a program where a type is no component.
        #[diagnostic::do_not_recommend]
        #[automatically_derived]
        impl #krate::key::Component for #ident {
            type Borrowed = Self;
            const KIND: #krate::key::Kind = #kind;

            fn encode(__value: &Self, __out: &mut ::std::vec::Vec<u8>) {
                #encode
            }

            fn decode(__input: &mut &[u8]) -> #krate::Result<Self> {
                ::core::result::Result::map(#decode, Self)
            }
        }
    })
}

fn inner(input: &DeriveInput) -> Result<&Type> {
    if !input.generics.params.is_empty() {
        let message = "a component cannot have type, lifetime or const parameters";
        return Err(Error::new_spanned(&input.generics, message));
    }
    let fields = match &input.data {
        Data::Struct(data) => &data.fields,
        _ => &Fields::Unit,
    };
    match fields {
        Fields::Unnamed(fields) if fields.unnamed.len() == 1 => Ok(&fields.unnamed[0].ty),
        _ => Err(Error::new(
            input.ident.span(),
            "a component is a struct around one type, such as `struct RoomId(String);`",
        )),
    }
}
