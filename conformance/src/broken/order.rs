//! Answers in another order than the one asked for.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use strongroom_core::store::{Entry, Page, Scan, StoredKey};

use super::Broken;
use super::changes::Changes;

pub(super) const ALL: &[Broken] = &[
    Broken {
        name: "get_answers_in_key_order",
        wrong: "The rows of a get come in the order of the keys, not as asked.",
        caught_by: "semantics::get_answers_in_the_order_asked",
        wrap: |inner| Changes::default().keys(|keys| keys.sort()).on(inner),
    },
    Broken {
        name: "get_answers_a_key_once",
        wrong: "A key that is asked twice is answered once.",
        caught_by: "semantics::a_key_asked_twice_is_answered_twice",
        wrap: |inner| {
            let once = |keys: &mut Vec<StoredKey>| {
                let mut seen = BTreeSet::new();
                keys.retain(|key| seen.insert(key.clone()));
            };
            Changes::default().keys(once).on(inner)
        },
    },
    Broken {
        name: "get_leaves_out_what_is_absent",
        wrong: "A get answers with the rows that there are, and without an element for the others.",
        caught_by: "semantics::a_key_without_a_row_is_none",
        wrap: |inner| Changes::default().rows(|_, rows| rows.rows.retain(Option::is_some)).on(inner),
    },
    Broken {
        name: "get_forgets_keys_past_a_thousand",
        wrong: "A get of many keys asks for a thousand and answers that the others have no row.",
        caught_by: "semantics::as_many_keys_as_the_limit_are_answered_in_one_get",
        wrap: |inner| {
            Changes::default().rows(|_, rows| rows.rows.iter_mut().skip(1_000).for_each(|row| *row = None)).on(inner)
        },
    },
    Broken {
        name: "reverse_is_ignored",
        wrong: "A reverse scan goes forward.",
        caught_by: "semantics::the_reverse_is_exactly_reversed",
        wrap: |inner| Changes::default().scan(|scan| scan.reverse = false).on(inner),
    },
    Broken {
        name: "reverse_turns_the_first_page",
        wrong: "A reverse scan takes the page that a forward one would, and turns it.",
        caught_by: "semantics::pages_of_every_limit_together_are_one_scan",
        wrap: |inner| {
            let turn = |scan: &Scan, page: &mut Page| {
                if scan.reverse {
                    page.entries.reverse()
                }
            };
            Changes::default().scan(|scan| scan.reverse = false).page(turn).on(inner)
        },
    },
    Broken {
        name: "reverse_is_not_exact_where_a_key_continues_another",
        wrong: "A reverse scan gives a key before the longer ones that begin with it.",
        caught_by: "semantics::the_reverse_is_exactly_reversed",
        wrap: |inner| {
            Changes::default()
                .page(|scan, page| {
                    if scan.reverse {
                        shorter_first(&mut page.entries)
                    }
                })
                .on(inner)
        },
    },
    Broken {
        name: "bytes_are_compared_as_signed",
        wrong: "Bytes from 0x80 on come before the others.",
        caught_by: "semantics::keys_are_in_the_order_of_their_unsigned_bytes",
        wrap: |inner| {
            let signed = |entry: &Entry| entry.key.as_bytes().iter().map(|byte| *byte as i8).collect::<Vec<_>>();
            Changes::default().page(move |scan, page| sort(scan, page, signed)).on(inner)
        },
    },
    Broken {
        name: "shorter_keys_come_first",
        wrong: "Keys are ordered by their length, then by their bytes.",
        caught_by: "semantics::a_key_comes_before_all_that_continue_it",
        wrap: |inner| {
            let by_length = |entry: &Entry| (entry.key.len(), entry.key.clone());
            Changes::default().page(move |scan, page| sort(scan, page, by_length)).on(inner)
        },
    },
    Broken {
        name: "rows_come_in_the_order_of_their_commits",
        wrong: "A page is ordered by revision, as a log would be.",
        caught_by: "semantics::random_ranges_read_like_a_btreemap",
        wrap: |inner| Changes::default().page(|scan, page| sort(scan, page, |entry| entry.revision)).on(inner),
    },
];

fn sort<K: Ord>(scan: &Scan, page: &mut Page, by: impl Fn(&Entry) -> K) {
    if scan.reverse {
        page.entries.sort_by_key(|entry| Reverse(by(entry)));
    } else {
        page.entries.sort_by_key(by);
    }
}

fn shorter_first(entries: &mut [Entry]) {
    for at in 1..entries.len() {
        if entries[at - 1].key.as_bytes().starts_with(entries[at].key.as_bytes()) {
            entries.swap(at - 1, at);
        }
    }
}
