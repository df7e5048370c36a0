//! Pages that are too long, too short, or say the wrong thing about what follows and about their view.

use std::ops::Bound;

use async_trait::async_trait;
use strongroom_core::Result;
use strongroom_core::store::{Content, Entry, Fetch, Page, Read, Revision, Scan};

use super::Broken;
use super::changes::{Changes, twisted};
use crate::twist::Twist;

pub(super) const ALL: &[Broken] = &[
    Broken {
        name: "more_is_never_said",
        wrong: "A page never says that the range has more.",
        caught_by: "semantics::more_is_exact_at_the_end_of_the_range",
        wrap: |inner| Changes::default().page(|_, page| page.more = false).on(inner),
    },
    Broken {
        name: "more_is_said_of_every_full_page",
        wrong: "A page that ends exactly with its range says that there is more.",
        caught_by: "semantics::more_is_exact_at_the_end_of_the_range",
        wrap: |inner| Changes::default().page(|scan, page| page.more |= page.entries.len() == scan.limit).on(inner),
    },
    Broken {
        name: "more_is_not_said_where_bytes_end_a_page",
        wrong: "A page that ends because of max_bytes does not say that there is more.",
        caught_by: "semantics::more_is_exact_where_max_bytes_end_a_page",
        wrap: |inner| Changes::default().page(|scan, page| page.more &= page.entries.len() == scan.limit).on(inner),
    },
    Broken {
        name: "a_limit_of_zero_gives_one",
        wrong: "A page with a limit of 0 has an entry.",
        caught_by: "semantics::a_limit_of_zero_gives_no_entry_and_says_whether_there_is_one",
        wrap: |inner| Changes::default().scan(|scan| scan.limit = scan.limit.max(1)).on(inner),
    },
    Broken {
        name: "a_limit_of_zero_is_none",
        wrong: "A limit of 0 is taken as no limit.",
        caught_by: "semantics::a_limit_of_zero_gives_no_entry_and_says_whether_there_is_one",
        wrap: |inner| {
            let most = inner.info().limits.page_entries_max;
            Changes::default()
                .scan(move |scan| {
                    if scan.limit == 0 {
                        scan.limit = most
                    }
                })
                .on(inner)
        },
    },
    Broken {
        name: "a_page_has_one_too_many",
        wrong: "A page has one entry more than its limit.",
        caught_by: "semantics::a_page_has_at_most_limit_entries",
        wrap: |inner| {
            let most = inner.info().limits.page_entries_max;
            Changes::default()
                .scan(move |scan| {
                    if scan.limit < most {
                        scan.limit += 1
                    }
                })
                .on(inner)
        },
    },
    Broken {
        name: "max_bytes_is_ignored",
        wrong: "A page grows to its limit however many bytes that is.",
        caught_by: "semantics::max_bytes_of_zero_gives_one_entry",
        wrap: |inner| Changes::default().scan(|scan| scan.max_bytes = usize::MAX).on(inner),
    },
    Broken {
        name: "a_page_ends_before_the_entry_that_passes_max_bytes",
        wrong: "The entry that passes max_bytes is left to the next page.",
        caught_by: "semantics::a_page_ends_with_the_entry_that_passes_max_bytes",
        wrap: |inner| Changes::default().page(without_the_passing_one).on(inner),
    },
    Broken {
        name: "a_page_ends_where_max_bytes_is_reached",
        wrong: "A page ends when its bytes are max_bytes, not when they pass it.",
        caught_by: "semantics::max_bytes_that_are_met_exactly_do_not_end_a_page",
        wrap: |inner| Changes::default().scan(|scan| scan.max_bytes = scan.max_bytes.saturating_sub(1)).on(inner),
    },
    Broken {
        name: "a_row_past_max_bytes_is_never_given",
        wrong: "A page whose first row is larger than max_bytes is empty, and so is every later one.",
        caught_by: "semantics::an_entry_larger_than_max_bytes_is_given",
        wrap: |inner| {
            Changes::default().page(|scan, page| page.entries.retain(|entry| bytes(entry) <= scan.max_bytes)).on(inner)
        },
    },
    Broken {
        name: "targets_do_not_count_for_max_bytes",
        wrong: "What links point to does not count for max_bytes.",
        caught_by: "semantics::max_bytes_count_targets_where_they_are_fetched",
        wrap: |inner| twisted(inner, UncountedTargets),
    },
    Broken {
        name: "the_next_page_skips_a_row",
        wrong: "A page that begins behind a key skips a row.",
        caught_by: "semantics::pages_of_every_limit_together_are_one_scan",
        wrap: |inner| Changes::default().page(without_the_first).on(inner),
    },
    Broken {
        name: "the_next_reverse_page_repeats_a_row",
        wrong: "A reverse page that begins before a key begins with it.",
        caught_by: "semantics::pages_of_every_limit_together_are_one_scan",
        wrap: |inner| {
            Changes::default()
                .scan(|scan| {
                    if scan.reverse {
                        include_end(scan)
                    }
                })
                .on(inner)
        },
    },
    Broken {
        name: "keys_come_with_values",
        wrong: "A scan for keys brings contents.",
        caught_by: "semantics::keys_alone_come_without_content_or_target",
        wrap: |inner| {
            Changes::default()
                .scan(|scan| {
                    if scan.fetch == Fetch::Keys {
                        scan.fetch = Fetch::Values
                    }
                })
                .on(inner)
        },
    },
    Broken {
        name: "values_come_with_targets",
        wrong: "A scan for values follows links.",
        caught_by: "semantics::values_come_with_content_and_without_target",
        wrap: |inner| {
            Changes::default()
                .scan(|scan| {
                    if scan.fetch == Fetch::Values {
                        scan.fetch = Fetch::Targets
                    }
                })
                .on(inner)
        },
    },
    Broken {
        name: "a_get_is_of_revision_zero",
        wrong: "A get does not say which revision it read.",
        caught_by: "semantics::get_of_no_keys_gives_the_current_revision",
        wrap: |inner| Changes::default().rows(|_, rows| rows.as_of = Revision::ZERO).on(inner),
    },
    Broken {
        name: "a_get_without_keys_is_of_revision_zero",
        wrong: "A get of no keys does not ask which revision is current.",
        caught_by: "semantics::get_of_no_keys_gives_the_current_revision",
        wrap: |inner| {
            Changes::default()
                .rows(|keys, rows| {
                    if keys.is_empty() {
                        rows.as_of = Revision::ZERO
                    }
                })
                .on(inner)
        },
    },
    Broken {
        name: "a_page_is_of_its_newest_row",
        wrong: "A page says the newest revision among its rows instead of the one that it read.",
        caught_by: "semantics::summarize_counts_what_a_scan_gives_over_every_range",
        wrap: |inner| Changes::default().page(|_, page| page.as_of = newest(page)).on(inner),
    },
    Broken {
        name: "a_page_is_of_a_revision_to_come",
        wrong: "A page says that it read the revision that the next batch will have.",
        caught_by: "semantics::an_empty_store_has_no_rows",
        wrap: |inner| Changes::default().page(|_, page| page.as_of = page.as_of.next()).on(inner),
    },
    Broken {
        name: "a_summary_is_of_its_newest_row",
        wrong: "A summary says the newest revision among its rows instead of the one that it read.",
        caught_by: "semantics::an_empty_or_inverted_range_summarizes_to_nothing",
        wrap: |inner| Changes::default().summary(|_, summary| summary.as_of = summary.newest).on(inner),
    },
    Broken {
        name: "a_summary_counts_one_page",
        wrong: "A summary stops counting where a page would end.",
        caught_by: "semantics::summarize_is_not_bound_by_the_limits_of_a_page",
        wrap: |inner| {
            let most = inner.info().limits.page_entries_max as u64;
            Changes::default().summary(move |_, summary| summary.rows = summary.rows.min(most)).on(inner)
        },
    },
    Broken {
        name: "a_summary_knows_the_store_not_the_range",
        wrong: "The newest revision of a summary is that of the store: also of what was deleted or lies elsewhere.",
        caught_by: "semantics::newest_is_the_newest_of_the_range_alone",
        wrap: |inner| Changes::default().summary(|_, summary| summary.newest = summary.as_of).on(inner),
    },
    Broken {
        name: "a_long_page_sees_two_revisions",
        wrong: "A page is read in two parts, each as the store then is.",
        caught_by: "semantics::links_are_followed_in_the_view_of_the_page",
        wrap: |inner| twisted(inner, TornPages),
    },
];

fn bytes(entry: &Entry) -> usize {
    let target = entry.target.as_ref().map_or(0, |row| row.content.bytes());
    entry.key.len() + entry.content.as_ref().map_or(0, Content::bytes) + target
}

fn without_the_passing_one(scan: &Scan, page: &mut Page) {
    let sum: usize = page.entries.iter().map(bytes).sum();
    if sum > scan.max_bytes && page.entries.len() > 1 {
        page.entries.pop();
        page.more = true;
    }
}

fn without_the_first(scan: &Scan, page: &mut Page) {
    if !scan.reverse && matches!(scan.range.start, Bound::Excluded(_)) && page.entries.len() > 1 {
        page.entries.remove(0);
    }
}

fn include_end(scan: &mut Scan) {
    if let Bound::Excluded(end) = &scan.range.end {
        scan.range.end = Bound::Included(end.clone());
    }
}

fn newest(page: &Page) -> Revision {
    page.entries.iter().map(|entry| entry.revision).max().unwrap_or(page.as_of)
}

/// Pages by what is in the range's rows alone, then follows the links.
#[derive(Debug)]
struct UncountedTargets;

#[async_trait]
impl Twist for UncountedTargets {
    async fn scan(&self, inner: &dyn Read, scan: &Scan) -> Result<Page> {
        if scan.fetch != Fetch::Targets {
            return inner.scan(scan).await;
        }
        let mut page = inner.scan(&Scan { fetch: Fetch::Values, ..scan.clone() }).await?;
        for entry in &mut page.entries {
            if let Some(Content::Link(target)) = &entry.content {
                entry.target = inner.get(std::slice::from_ref(target)).await?.rows.pop().flatten();
            }
        }
        Ok(page)
    }
}

#[derive(Debug)]
struct TornPages;

#[async_trait]
impl Twist for TornPages {
    async fn scan(&self, inner: &dyn Read, scan: &Scan) -> Result<Page> {
        let mut page = inner.scan(&Scan { limit: scan.limit.div_ceil(2), ..scan.clone() }).await?;
        let Some(last) = page.entries.last().filter(|_| page.more && scan.max_bytes == usize::MAX) else {
            return inner.scan(scan).await;
        };
        tokio::task::yield_now().await;
        let (range, limit) = (scan.range.beyond(&last.key, scan.reverse), scan.limit - page.entries.len());
        let rest = inner.scan(&Scan { range, limit, ..scan.clone() }).await?;
        page.entries.extend(rest.entries);
        page.more = rest.more;
        Ok(page)
    }
}
