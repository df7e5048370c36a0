//! Keys: tuples of typed components in an order-preserving, self-delimiting encoding.
//!
//! | type | bytes |
//! |---|---|
//! | `bool` | `00` or `01` |
//! | `u32`, `u64` | 4 or 8 bytes, most significant first |
//! | `i32`, `i64`, [`Timestamp`](crate::Timestamp) | the same with the sign bit inverted |
//! | `String`, `Vec<u8>` | the bytes, with `00` as `01 01` and `01` as `01 02`, then `00` |
//! | `Option<T>` | `00`, or `01` and the value |
//!
//! Encoded components compare as bytes exactly as their values compare, and no encoding is a prefix of another of the same
//! type: so a concatenation orders as the tuple does, and the encodings of its first components are a prefix of the whole.

mod component;
mod components;

pub use component::{Component, Kind};
pub use components::Components;
