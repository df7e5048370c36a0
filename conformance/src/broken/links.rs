//! Links that point elsewhere, and targets that are not what they point to.

use std::sync::Arc;

use async_trait::async_trait;
use strongroom_core::store::{Batch, Content, LinkTo, Outcome, Page, Read, Row, Rows, Scan, Store, StoredKey, Write};
use strongroom_core::{Error, ErrorKind, Result};

use super::Broken;
use super::changes::{Changes, twisted};
use crate::twist::Twist;

pub(super) const ALL: &[Broken] = &[
    Broken {
        name: "links_point_one_byte_off",
        wrong: "A link to the tail of its key begins one byte too late.",
        caught_by: "semantics::a_suffix_link_points_to_the_tail_of_its_key",
        wrap: |inner| Changes::default().batch(|batch| links(batch, |_, at| *at += 1)).on(inner),
    },
    Broken {
        name: "links_to_the_whole_key_point_nowhere",
        wrong: "A link to all of its own key is kept as one to the empty key.",
        caught_by: "semantics::a_suffix_of_zero_is_the_key_itself",
        wrap: |inner| {
            let nowhere = |key: &StoredKey, at: &mut u16| {
                if *at == 0 {
                    *at = key.len() as u16
                }
            };
            Changes::default().batch(move |batch| links(batch, nowhere)).on(inner)
        },
    },
    Broken {
        name: "links_to_the_empty_tail_are_rejected",
        wrong: "A link whose tail begins at its key's end counts as malformed.",
        caught_by: "semantics::a_suffix_as_long_as_the_key_is_the_empty_key",
        wrap: |inner| {
            let malformed = || Error::new(ErrorKind::InvalidInput, "a link's tail is empty");
            let empty = |(key, write): (&StoredKey, &Write)| matches!(write, Write::Link(LinkTo::Suffix(at)) if usize::from(*at) == key.len());
            let judge = move |batch: &Batch, outcome: &mut Outcome| {
                if batch.writes.iter().any(empty) {
                    *outcome = Outcome::Rejected(malformed());
                }
            };
            Changes::default().outcome(judge).on(inner)
        },
    },
    Broken {
        name: "dangling_links_are_hidden",
        wrong: "A page with targets leaves out links without one: an inner join.",
        caught_by: "semantics::a_dangling_link_is_shown_without_a_target",
        wrap: |inner| Changes::default().page(without_dangling).on(inner),
    },
    Broken {
        name: "dangling_links_are_refused",
        wrong: "A batch that links to a key without a row is rejected, as if links were foreign keys.",
        caught_by: "semantics::a_dangling_link_is_shown_without_a_target",
        wrap: |inner| Changes::default().commit(refuse_dangling).on(inner),
    },
    Broken {
        name: "links_are_followed_twice",
        wrong: "A link to a link brings what the second one points to.",
        caught_by: "semantics::a_link_to_a_link_is_followed_once",
        wrap: |inner| twisted(inner, FollowTwice),
    },
    Broken {
        name: "targets_are_read_in_a_later_view",
        wrong: "Targets come from the store as it is now, whatever the scan's view is.",
        caught_by: "semantics::links_are_followed_in_the_view_of_the_page",
        wrap: |inner| twisted(inner.clone(), LaterTargets(inner)),
    },
    Broken {
        name: "targets_carry_the_revision_of_their_link",
        wrong: "A target's revision is that of the link's row.",
        caught_by: "semantics::a_link_and_its_target_have_revisions_of_their_own",
        wrap: |inner| Changes::default().page(|_, page| with_the_links_revision(page)).on(inner),
    },
    Broken {
        name: "links_carry_the_revision_of_their_target",
        wrong: "A link's revision is that of the row it points to.",
        caught_by: "semantics::a_link_and_its_target_have_revisions_of_their_own",
        wrap: |inner| Changes::default().page(|_, page| with_the_targets_revision(page)).on(inner),
    },
    Broken {
        name: "get_follows_links",
        wrong: "A get of a link brings the row it points to.",
        caught_by: "semantics::a_link_reads_as_the_key_it_points_to",
        wrap: |inner| twisted(inner, GetFollows),
    },
    Broken {
        name: "links_become_values",
        wrong: "A link to a given key is kept as a value that holds the key.",
        caught_by: "semantics::a_link_comes_with_the_row_it_points_to",
        wrap: |inner| Changes::default().batch(as_values).on(inner),
    },
];

fn links(batch: &mut Batch, change: impl Fn(&StoredKey, &mut u16)) {
    for (key, write) in &mut batch.writes {
        if let Write::Link(LinkTo::Suffix(at)) = write {
            change(key, at);
            *at = (*at).min(u16::try_from(key.len()).unwrap_or(u16::MAX));
        }
    }
}

fn as_values(batch: &mut Batch) {
    for write in batch.writes.values_mut() {
        if let Write::Link(LinkTo::Key(key)) = write {
            *write = Write::Put(key.clone().into_bytes());
        }
    }
}

fn without_dangling(scan: &Scan, page: &mut Page) {
    let dangling = |content: &Option<Content>| matches!(content, Some(Content::Link(_)));
    if scan.fetch == strongroom_core::store::Fetch::Targets {
        page.entries.retain(|entry| entry.target.is_some() || !dangling(&entry.content));
    }
}

async fn refuse_dangling(inner: Arc<dyn Store>, batches: Vec<Batch>) -> Result<Vec<Outcome>> {
    let mut outcomes = Vec::new();
    for batch in batches {
        let targets = batch.writes.iter().filter_map(|(key, write)| match write {
            Write::Link(link) => Some(link.resolve(key)),
            Write::Put(_) | Write::Delete => None,
        });
        let targets: Vec<_> = targets.filter(|target| !batch.writes.contains_key(target)).collect();
        if inner.get(&targets).await?.rows.contains(&None) {
            outcomes.push(Outcome::Rejected(Error::new(ErrorKind::InvalidInput, "a link without a target")));
        } else {
            outcomes.extend(inner.commit(vec![batch]).await?);
        }
    }
    Ok(outcomes)
}

fn with_the_links_revision(page: &mut Page) {
    for entry in &mut page.entries {
        if let Some(target) = &mut entry.target {
            target.revision = entry.revision;
        }
    }
}

fn with_the_targets_revision(page: &mut Page) {
    for entry in &mut page.entries {
        entry.revision = entry.target.as_ref().map_or(entry.revision, |target| target.revision);
    }
}

async fn follow(read: &dyn Read, row: Row) -> Result<Option<Row>> {
    match &row.content {
        Content::Link(target) => Ok(read.get(std::slice::from_ref(target)).await?.rows.pop().flatten()),
        Content::Value(_) | Content::Damaged(_) => Ok(Some(row)),
    }
}

#[derive(Debug)]
struct FollowTwice;

#[async_trait]
impl Twist for FollowTwice {
    async fn scan(&self, inner: &dyn Read, scan: &Scan) -> Result<Page> {
        let mut page = inner.scan(scan).await?;
        for entry in &mut page.entries {
            if let Some(target) = entry.target.take() {
                entry.target = follow(inner, target).await?;
            }
        }
        Ok(page)
    }
}

#[derive(Debug)]
struct LaterTargets(Arc<dyn Store>);

#[async_trait]
impl Twist for LaterTargets {
    async fn scan(&self, inner: &dyn Read, scan: &Scan) -> Result<Page> {
        let mut page = inner.scan(scan).await?;
        for entry in &mut page.entries {
            if let (Some(Content::Link(target)), Some(_)) = (&entry.content, &entry.target) {
                entry.target = self.0.get(std::slice::from_ref(target)).await?.rows.pop().flatten();
            }
        }
        Ok(page)
    }
}

#[derive(Debug)]
struct GetFollows;

#[async_trait]
impl Twist for GetFollows {
    async fn get(&self, inner: &dyn Read, keys: &[StoredKey]) -> Result<Rows> {
        let mut rows = inner.get(keys).await?;
        for row in &mut rows.rows {
            if let Some(found) = row.take() {
                *row = follow(inner, found).await?;
            }
        }
        Ok(rows)
    }
}
