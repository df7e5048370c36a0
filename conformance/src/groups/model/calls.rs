//! Random calls of the waist.

use std::collections::BTreeMap;
use std::ops::Bound;

use proptest::prelude::*;
use strongroom_core::store::Fetch;

/// Keys that are easily taken for one another.
pub(super) const KEYS: [&[u8]; 14] = [
    b"",
    b"\0",
    b"\0\0",
    b"a",
    b"a\0",
    b"a\0\0",
    b"a\x01",
    b"aa",
    b"ab",
    b"b",
    b"m\xFF",
    b"m\xFF\xFF",
    b"\xFF",
    b"\xFF\xFF",
];
/// Fronts of stamped keys: no other key begins so.
pub(super) const FRONTS: [&[u8]; 2] = [b"s\x01", b"s\x02"];
/// Snapshots that are held at one time.
pub(super) const SLOTS: usize = 3;

/// One call.
#[derive(Clone, Debug)]
pub(crate) enum Call {
    Commit(Vec<Draft>),
    DropRange(Span, Vec<DraftGuard>),
    Get(On, Vec<Name>),
    /// One page.
    Page {
        on: On,
        span: Span,
        reverse: bool,
        limit: usize,
        fetch: Fetch,
    },
    /// Page after page; where one ends for its bytes is the store's own affair.
    Walk {
        on: On,
        span: Span,
        reverse: bool,
        max_bytes: usize,
        fetch: Fetch,
    },
    Summarize(On, Span),
    /// Takes a snapshot, in place of the one that was held there.
    Hold(usize),
    Release(usize),
    Changed,
}

/// Where a call reads: the store, or a snapshot if one is held there.
#[derive(Clone, Copy, Debug)]
pub(crate) struct On(pub(super) Option<usize>);

/// A batch, before its guards have been read.
#[derive(Clone, Debug)]
pub(crate) enum Draft {
    Good {
        guards: Vec<DraftGuard>,
        writes: Vec<(Name, DraftWrite)>,
        stamped: BTreeMap<usize, u16>,
    },
    /// Past a limit, or malformed.
    Bad(Bad),
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Bad {
    Value,
    Writes,
    Guards,
    Suffix,
    StampedTwice,
}

/// Something that is read, perhaps from an old snapshot, and must still be so.
#[derive(Clone, Debug)]
pub(crate) enum DraftGuard {
    Key(On, Name),
    Range(On, Span),
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum DraftWrite {
    /// Two bytes, so often.
    Put(u16, usize),
    Link(Name),
    /// Of the key, without so many bytes at its front or all.
    Suffix(usize),
    Delete,
}

/// A key.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Name {
    Plain(usize),
    /// Of a stamped row: its front, and which commit it may be of.
    Stamped(usize, usize),
}

/// A range of keys.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Span(pub(super) Bound<Name>, pub(super) Bound<Name>);

fn on() -> impl Strategy<Value = On> {
    prop_oneof![2 => Just(On(None)), 1 => (0..SLOTS).prop_map(|slot| On(Some(slot)))]
}

fn name() -> impl Strategy<Value = Name> {
    prop_oneof![
        8 => (0..KEYS.len()).prop_map(Name::Plain),
        1 => (0..FRONTS.len(), 0..1_000_usize).prop_map(|(front, commit)| Name::Stamped(front, commit)),
    ]
}

fn span() -> impl Strategy<Value = Span> {
    let bound = || {
        prop_oneof![
            1 => Just(Bound::Unbounded),
            2 => name().prop_map(Bound::Included),
            2 => name().prop_map(Bound::Excluded),
        ]
    };
    (bound(), bound()).prop_map(|(start, end)| Span(start, end))
}

fn guards() -> impl Strategy<Value = Vec<DraftGuard>> {
    let guard = prop_oneof![
        (on(), name()).prop_map(|(on, name)| DraftGuard::Key(on, name)),
        (on(), span()).prop_map(|(on, span)| DraftGuard::Range(on, span)),
    ];
    prop::collection::vec(guard, 0..3)
}

fn draft() -> impl Strategy<Value = Draft> {
    let write = prop_oneof![
        4 => (any::<u16>(), 0..9_usize).prop_map(|(word, times)| DraftWrite::Put(word, times)),
        1 => name().prop_map(DraftWrite::Link),
        1 => (0..4_usize).prop_map(DraftWrite::Suffix),
        2 => Just(DraftWrite::Delete),
    ];
    let writes = prop::collection::vec((name(), write), 0..5);
    let stamped = prop::collection::btree_map(0..FRONTS.len(), any::<u16>(), 0..2);
    let bad = prop::sample::select(&[Bad::Value, Bad::Writes, Bad::Guards, Bad::Suffix, Bad::StampedTwice][..]);
    prop_oneof![
        12 => (guards(), writes, stamped).prop_map(|(guards, writes, stamped)| Draft::Good { guards, writes, stamped }),
        1 => bad.prop_map(Draft::Bad),
    ]
}

/// Random calls.
pub(crate) fn call() -> impl Strategy<Value = Call> {
    let fetch = || prop::sample::select(&[Fetch::Keys, Fetch::Values, Fetch::Targets][..]);
    prop_oneof![
        6 => prop::collection::vec(draft(), 1..6).prop_map(Call::Commit),
        1 => (span(), guards()).prop_map(|(span, guards)| Call::DropRange(span, guards)),
        4 => (on(), prop::collection::vec(name(), 0..11)).prop_map(|(on, names)| Call::Get(on, names)),
        6 => (on(), span(), any::<bool>(), 0..18_usize, fetch())
            .prop_map(|(on, span, reverse, limit, fetch)| Call::Page { on, span, reverse, limit, fetch }),
        3 => (on(), span(), any::<bool>(), 0..60_usize, fetch())
            .prop_map(|(on, span, reverse, max_bytes, fetch)| Call::Walk { on, span, reverse, max_bytes, fetch }),
        3 => (on(), span()).prop_map(|(on, span)| Call::Summarize(on, span)),
        2 => (0..SLOTS).prop_map(Call::Hold),
        1 => (0..SLOTS).prop_map(Call::Release),
        1 => Just(Call::Changed),
    ]
}

impl Call {
    /// How many operations it is: each batch and each guard counts.
    pub(crate) fn operations(&self) -> usize {
        let guards = |draft: &Draft| match draft {
            Draft::Good { guards, .. } => guards.len(),
            Draft::Bad(_) => 0,
        };
        match self {
            Call::Commit(drafts) => drafts.iter().map(|draft| 1 + guards(draft)).sum(),
            Call::DropRange(_, guards) => 1 + guards.len(),
            _ => 1,
        }
    }
}
