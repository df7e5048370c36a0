//! `#[derive(Record)]` and `#[derive(Component)]`.
use proc_macro::TokenStream;

/// Record.
#[proc_macro_derive(Record, attributes(record, index))]
pub fn record(_input: TokenStream) -> TokenStream {
    TokenStream::new()
}

/// Component.
#[proc_macro_derive(Component)]
pub fn component(_input: TokenStream) -> TokenStream {
    TokenStream::new()
}
