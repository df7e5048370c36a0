//! Which records go because they are old or because there are too many.
//!
//! One engine for every index whose components are a group, such as a room, and a time. What goes is always the oldest part of a group:
//! what lies before a time, and what lies up to an entry. So a rule is decided by looking at entries alone, what goes is a range, and a count and a
//! deletion of it are the same query.

mod merge;

use std::collections::BTreeMap;
use std::ops::Bound;

use serde::Serialize;

use super::Database;
use super::query::{Plan, Query, live_keys, read_page};
use crate::key::{Component, Components};
use crate::observe::operation;
use crate::schema::{Exact, Index, Ordered, Record};
use crate::store::{KeyRange, StoredKey};
use crate::{Result, Timestamp};

/// Entries that are looked at in one go.
const CHUNK: usize = 1_000;

/// What is kept at most. A field that is not set limits nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RetentionRule {
    /// Milliseconds since a record's time; what is older goes, and what is exactly as old stays.
    pub age_ms_max: Option<u64>,
    /// Records; the oldest go first.
    pub count_max: Option<u64>,
}

/// How long records are kept, and how many: for all of them together, and for groups that differ.
///
/// Without a rule, everything is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RetentionPolicy<G> {
    /// For every record. Its count is that of all groups together.
    pub all: RetentionRule,
    /// For the records of a group, besides the rule for all. Groups are settled first, so that a loud one costs the others nothing that it
    /// alone can pay.
    pub groups: BTreeMap<G, RetentionRule>,
}

impl<G> Default for RetentionPolicy<G> {
    fn default() -> Self {
        RetentionPolicy { all: RetentionRule::default(), groups: BTreeMap::new() }
    }
}

/// How many records of a group went, or would go, by the first reason that held.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Dropped {
    /// Older than the rule of the group or that for all allows.
    pub age: u64,
    /// More than the group's rule allows.
    pub count: u64,
    /// More than the rule for all allows.
    pub total: u64,
}

impl Dropped {
    /// All together.
    pub fn records(&self) -> u64 {
        self.age + self.count + self.total
    }
}

/// What a retention removed, or would remove.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Retained<G> {
    /// The groups of which something went.
    pub groups: BTreeMap<G, Dropped>,
}

impl<G> Retained<G> {
    /// What went of all groups together.
    pub fn dropped(&self) -> Dropped {
        self.groups.values().fold(Dropped::default(), |sum, group| Dropped {
            age: sum.age + group.age,
            count: sum.count + group.count,
            total: sum.total + group.total,
        })
    }
}

impl Database {
    /// Deletes the records that a policy does not keep, the oldest of each group first; with `dry_run` it only counts them.
    ///
    /// It works in steps of a few hundred records, each atomic, and can be broken off at any time. What is written meanwhile may be counted or
    /// not, but no record goes for it that the policy keeps. Records that cannot be read stay.
    ///
    /// An age costs a look at each group and at what goes. A group's count costs a look at as many entries as are kept. The count for
    /// all costs a look at each entry, and a few kilobytes of memory for each group.
    ///
    /// ```
    /// # use strongroom_core::{Database, Result, RetentionPolicy, RetentionRule, matrix::Message};
    /// # async fn example(db: Database) -> Result<()> {
    /// let all = RetentionRule { age_ms_max: Some(90 * 86_400_000), ..RetentionRule::default() };
    /// let policy = RetentionPolicy { all, ..RetentionPolicy::default() };
    /// let would = db.retain(Message::ROOM_TIMESTAMP, &policy, true).await?;
    /// println!("{} messages are older than 90 days", would.dropped().age);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// Those of [`Query::delete`]; `SnapshotExpired` if a count for all has more entries to look at than can be read while a view lives. What was
    /// deleted before stays so.
    #[allow(clippy::type_complexity, reason = "the type says which indexes will do")]
    pub async fn retain<R: Record, G: Component + Ord + Clone, T>(
        &self,
        index: Index<R, (Exact<G>, (Ordered<Timestamp>, T))>,
        policy: &RetentionPolicy<G>,
        dry_run: bool,
    ) -> Result<Retained<G>> {
        let index = Plan { skip_damaged: true, ..Plan::new(index.index) };
        let retention = Retention { db: self, index, policy, now: self.now(), dry_run };
        let watch = operation("retain").on(R::COLLECTION.name);
        let retained = watch.counting(retention.run::<R>(), |retained| retained.dropped().records());
        retained.await.map_err(|error| error.during("retain"))
    }
}

/// One run of a policy.
struct Retention<'p, G> {
    db: &'p Database,
    /// The whole index.
    index: Plan,
    policy: &'p RetentionPolicy<G>,
    now: Timestamp,
    dry_run: bool,
}

impl<G: Component + Ord + Clone> Retention<'_, G> {
    async fn run<R: Record>(&self) -> Result<Retained<G>> {
        let mut groups = BTreeMap::new();
        let (mut names, mut rests) = (Vec::new(), Vec::new());
        let mut from = Bound::Unbounded;
        while let Some((name, group)) = self.next_group::<R>(from).await? {
            from = behind(group.locate(self.db.context.codec(), R::COLLECTION)?.range);
            let (dropped, rest) = self.settle::<R>(&name, group).await?;
            if self.policy.all.count_max.is_some() {
                names.push(name.clone());
                rests.push(rest);
            }
            groups.insert(name, dropped);
        }
        if let Some(max) = self.policy.all.count_max {
            let cuts = merge::cuts::<R>(&self.db.snapshot().await?, &rests, max).await?;
            for ((name, rest), cut) in names.into_iter().zip(rests).zip(cuts) {
                if let Some(cut) = cut {
                    groups.entry(name).or_default().total = self.drop::<R>(up_to(rest, cut)).await?;
                }
            }
        }
        groups.retain(|_, dropped| dropped.records() > 0);
        Ok(Retained { groups })
    }

    /// The first group of which an entry lies behind `from`, and all of its records.
    async fn next_group<R: Record>(&self, from: Bound<StoredKey>) -> Result<Option<(G, Plan)>> {
        let mut plan = self.index.clone();
        plan.within.start = from;
        let Some(record) = read_page::<R>(self.db, &plan, 1).await?.records.pop() else { return Ok(None) };
        let mut name = None;
        record.index_entries(plan.index, &mut Components::new(), &mut |components| {
            name = components.iter().next().map(|mut first| G::decode(&mut first));
        });
        let Some(name) = name.transpose()? else { return Ok(None) };
        let mut group = self.index.clone();
        group.equal.push::<G>(name.borrow());
        Ok(Some((name, group)))
    }

    /// Drops what the ages and the group's own count do not keep; gives what that was, and the rest.
    async fn settle<R: Record>(&self, name: &G, group: Plan) -> Result<(Dropped, Plan)> {
        let own = self.policy.groups.get::<G>(name).copied().unwrap_or_default();
        let mut dropped = Dropped::default();
        let mut rest = group;
        // The lesser of two ages is that which keeps less.
        let age = [own.age_ms_max, self.policy.all.age_ms_max].into_iter().flatten().min();
        if let Some(age) = age {
            let mut oldest_kept = Vec::new();
            let age = i64::try_from(age).unwrap_or(i64::MAX);
            Timestamp::encode(&self.now.saturating_add(-age), &mut oldest_kept);
            let aged = Plan { upper: Bound::Excluded(oldest_kept.clone()), ..rest.clone() };
            dropped.age = self.drop::<R>(aged).await?;
            rest.lower = Bound::Included(oldest_kept);
        }
        if let Some(max) = own.count_max
            && let Some(cut) = self.first_beyond::<R>(&rest, max).await?
        {
            dropped.count = self.drop::<R>(up_to(rest.clone(), cut.clone())).await?;
            rest.within.start = Bound::Excluded(cut);
        }
        Ok((dropped, rest))
    }

    /// The newest entry beyond the `kept` newest ones.
    async fn first_beyond<R: Record>(&self, plan: &Plan, kept: u64) -> Result<Option<StoredKey>> {
        let mut plan = Plan { reverse: true, ..plan.clone() };
        let mut left = kept;
        loop {
            let limit = usize::try_from(left).unwrap_or(usize::MAX).saturating_add(1).min(CHUNK);
            let (mut keys, next) = live_keys::<R>(self.db, &plan, limit).await?;
            if keys.len() as u64 > left {
                return Ok(keys.pop());
            }
            left -= keys.len() as u64;
            match next {
                Some(next) => plan.after = Some(next),
                None => return Ok(None),
            }
        }
    }

    /// Deletes or counts the records of a plan.
    async fn drop<R: Record>(&self, plan: Plan) -> Result<u64> {
        let query = self.query::<R>(plan);
        if self.dry_run { query.count().await } else { query.delete().await }
    }

    fn query<R: Record>(&self, plan: Plan) -> Query<Database, R, ()> {
        Query::planned(self.db.clone(), plan)
    }
}

/// What lies behind a range of keys with one prefix.
fn behind(range: KeyRange) -> Bound<StoredKey> {
    match range.end {
        Bound::Excluded(end) => Bound::Included(end),
        end => end,
    }
}

/// Of a plan what comes up to and with an entry.
fn up_to(mut plan: Plan, cut: StoredKey) -> Plan {
    plan.within.end = Bound::Included(cut);
    plan
}
