//! Code that claims to stand where a type is written, so that the compiler's errors about the type point there.

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, quote_spanned};
use syn::spanned::Spanned;
use syn::{Ident, Path, Type};

/// The place of `ty`; names resolve as those of all written code do.
pub(crate) fn at(ty: &Type) -> Span {
    Span::call_site().located_at(ty.span())
}

/// `<ty as Component>::item`.
pub(crate) fn component_item(krate: &Path, ty: &Type, item: &str) -> TokenStream {
    let span = at(ty);
    let mut tokens: Vec<_> = krate.to_token_stream().into_iter().collect();
    for token in &mut tokens {
        token.set_span(token.span().located_at(span));
    }
    let krate = TokenStream::from_iter(tokens);
    let item = Ident::new(item, span);
    quote_spanned!(span=> <#ty as #krate::key::Component>::#item)
}
