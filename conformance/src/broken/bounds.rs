//! Ranges that hold a key too many or too few.

use std::ops::Bound;

use strongroom_core::store::{KeyRange, StoredKey};

use super::Broken;
use super::changes::Changes;

pub(super) const ALL: &[Broken] = &[
    Broken {
        name: "an_excluded_start_is_read",
        wrong: "A range begins with its start although that is excluded: every next page repeats a row.",
        caught_by: "semantics::an_open_bound_leaves_its_key_out_and_a_closed_one_does_not",
        wrap: |inner| Changes::default().ranges(|range| included(&mut range.start)).on(inner),
    },
    Broken {
        name: "an_included_start_is_skipped",
        wrong: "A range begins behind its start although that is included.",
        caught_by: "semantics::an_open_bound_leaves_its_key_out_and_a_closed_one_does_not",
        wrap: |inner| Changes::default().ranges(|range| excluded(&mut range.start)).on(inner),
    },
    Broken {
        name: "an_excluded_end_is_read",
        wrong: "A range ends with its end although that is excluded.",
        caught_by: "semantics::every_combination_of_bounds_reads_like_a_btreemap",
        wrap: |inner| Changes::default().ranges(|range| included(&mut range.end)).on(inner),
    },
    Broken {
        name: "an_included_end_is_skipped",
        wrong: "A range ends before its end although that is included.",
        caught_by: "semantics::every_combination_of_bounds_reads_backwards_like_a_btreemap",
        wrap: |inner| Changes::default().ranges(|range| excluded(&mut range.end)).on(inner),
    },
    Broken {
        name: "an_unbounded_end_is_0xff",
        wrong: "A range without an end stops before the keys that begin with 0xFF.",
        caught_by: "semantics::keys_are_in_the_order_of_their_unsigned_bytes",
        wrap: |inner| Changes::default().ranges(|range| bounded(&mut range.end, &[0xFF])).on(inner),
    },
    Broken {
        name: "an_unbounded_start_skips_the_empty_key",
        wrong: "A range without a start begins behind the empty key.",
        caught_by: "semantics::a_key_comes_before_all_that_continue_it",
        wrap: |inner| Changes::default().ranges(|range| bounded(&mut range.start, &[])).on(inner),
    },
    Broken {
        name: "a_prefix_that_ends_in_0xff_has_no_successor",
        wrong: "The end of a prefix is computed again, and the carry out of a last byte 0xFF is forgotten.",
        caught_by: "semantics::a_prefix_gives_exactly_the_keys_that_begin_with_it",
        wrap: |inner| Changes::default().ranges(without_carry).on(inner),
    },
    Broken {
        name: "an_inverted_range_is_turned",
        wrong: "A range that ends before it begins is read from its end to its start.",
        caught_by: "semantics::an_empty_or_inverted_range_has_no_rows",
        wrap: |inner| Changes::default().ranges(turned).on(inner),
    },
    Broken {
        name: "a_range_of_one_key_is_empty",
        wrong: "A range whose included ends are the same key has no row.",
        caught_by: "semantics::summarize_counts_what_a_scan_gives_over_every_range",
        wrap: |inner| {
            Changes::default()
                .ranges(|range| {
                    if range.start == range.end {
                        excluded(&mut range.end)
                    }
                })
                .on(inner)
        },
    },
];

fn included(bound: &mut Bound<StoredKey>) {
    if let Bound::Excluded(key) = bound {
        *bound = Bound::Included(key.clone());
    }
}

fn excluded(bound: &mut Bound<StoredKey>) {
    if let Bound::Included(key) = bound {
        *bound = Bound::Excluded(key.clone());
    }
}

fn bounded(bound: &mut Bound<StoredKey>, key: &[u8]) {
    if *bound == Bound::Unbounded {
        *bound = Bound::Excluded(StoredKey::from(key.to_vec()));
    }
}

fn without_carry(range: &mut KeyRange) {
    let Bound::Included(prefix) = &range.start else { return };
    if prefix.as_bytes().ends_with(&[0xFF]) && *range == KeyRange::prefix(prefix.as_bytes()) {
        let mut end = prefix.as_bytes().to_vec();
        end.pop();
        end.push(0);
        range.end = Bound::Excluded(StoredKey::from(end));
    }
}

fn turned(range: &mut KeyRange) {
    let (Bound::Included(start) | Bound::Excluded(start)) = &range.start else { return };
    let (Bound::Included(end) | Bound::Excluded(end)) = &range.end else { return };
    if start > end {
        std::mem::swap(&mut range.start, &mut range.end);
    }
}
