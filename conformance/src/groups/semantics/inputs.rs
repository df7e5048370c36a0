//! Random inputs, small enough to meet each other. Unlike the waist's own types they show their bytes.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Bound;

use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use strongroom_core::store::{Batch, Fetch, KeyRange, Scan, Write};

use super::support::{batch, key, link, put, suffix};

/// Few and short keys, so that bounds meet keys, with the bytes at both ends of the order.
pub(super) fn names() -> impl Strategy<Value = Vec<u8>> {
    vec(prop::sample::select(vec![0_u8, 1, 0xFE, 0xFF]), 0..4)
}

/// A range that shows its bounds.
#[derive(Clone)]
pub(super) struct Span(pub(super) KeyRange);

impl fmt::Debug for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let KeyRange { start, end } = &self.0;
        write!(f, "{:?} to {:?}", start.as_ref().map(AsRef::<[u8]>::as_ref), end.as_ref().map(AsRef::<[u8]>::as_ref))
    }
}

pub(super) fn spans() -> impl Strategy<Value = Span> {
    let bound = || {
        prop_oneof![
            Just(Bound::Unbounded),
            names().prop_map(|name| Bound::Included(key(name))),
            names().prop_map(|name| Bound::Excluded(key(name))),
        ]
    };
    prop_oneof![
        4 => (bound(), bound()).prop_map(|(start, end)| Span(KeyRange { start, end })),
        1 => names().prop_map(|prefix| Span(KeyRange::prefix(&prefix))),
    ]
}

/// What becomes of one key.
#[derive(Clone, Debug)]
pub(super) enum Becomes {
    Value(Vec<u8>),
    Link(Vec<u8>),
    /// A link to its own tail, which begins at the end of the key at the latest.
    Suffix(u16),
    Nothing,
}

pub(super) type Rows = BTreeMap<Vec<u8>, Becomes>;

pub(super) fn rows() -> impl Strategy<Value = Rows> {
    let becomes = prop_oneof![
        6 => vec(any::<u8>(), 0..40).prop_map(Becomes::Value),
        3 => names().prop_map(Becomes::Link),
        3 => (0_u16..4).prop_map(Becomes::Suffix),
        1 => Just(Becomes::Nothing),
    ];
    btree_map(names(), becomes, 1..60)
}

pub(super) fn batch_of(rows: &Rows) -> Batch {
    batch(rows.iter().map(|(name, becomes)| (name, write(name, becomes))))
}

fn write(name: &[u8], becomes: &Becomes) -> Write {
    match becomes {
        Becomes::Value(bytes) => put(bytes),
        // Such a page counts nothing for it, however it was given: a layer cannot know.
        Becomes::Link(target) if name.ends_with(target) => suffix((name.len() - target.len()) as u16),
        Becomes::Link(target) => link(target),
        Becomes::Suffix(at) => suffix((*at).min(name.len().try_into().unwrap_or(u16::MAX))),
        Becomes::Nothing => Write::Delete,
    }
}

/// A scan that shows its bounds.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    span: Span,
    reverse: bool,
    limit: usize,
    max_bytes: usize,
    fetch: Fetch,
}

impl Asked {
    pub(super) fn scan(&self) -> Scan {
        let Asked { span, reverse, limit, max_bytes, fetch } = self.clone();
        Scan { range: span.0, reverse, limit, max_bytes, fetch }
    }
}

pub(super) fn scans() -> impl Strategy<Value = Asked> {
    let fetch = prop_oneof![Just(Fetch::Keys), Just(Fetch::Values), Just(Fetch::Targets)];
    let scan = (spans(), any::<bool>(), 0_usize..20, prop_oneof![0_usize..300, Just(usize::MAX)], fetch);
    scan.prop_map(|(span, reverse, limit, max_bytes, fetch)| Asked { span, reverse, limit, max_bytes, fetch })
}
