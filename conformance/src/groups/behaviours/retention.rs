//! Messages go by age and by count, of each room and of all rooms together, the oldest first, and only those that the policy does not keep.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures_util::TryStreamExt;
use futures_util::future::join_all;
use serde::{Deserialize, Serialize};
use strongroom_core::engine::{self, StorageEngine};
use strongroom_core::matrix::{MatrixStore, Message, Room, RoomId, SendTransaction};
use strongroom_core::store::Revision;
use strongroom_core::{Dropped, Json, Record, Result, RetentionPolicy, RetentionRule, Schema, Timestamp};
use tokio::sync::Mutex;

use super::support::{at, open, open_again, open_matrix, open_watched, sound};
use crate::case::cases;
use crate::child::{Role, Work};
use crate::groups::crash::random::Random;
use crate::{Checked, Child, Context, Failure, ensure, ensure_eq};

cases! { Behaviours;
    what_is_older_than_the_age_goes_and_what_is_as_old_stays,
    of_a_count_the_newest_stay,
    the_count_for_all_takes_the_oldest_of_all_rooms,
    a_room_is_settled_before_all_together,
    what_a_policy_drops_is_what_a_model_says random true,
    a_dry_run_says_what_a_run_then_does random true,
    two_retentions_at_once_take_no_more_than_one,
    a_retention_that_another_overtakes_takes_nothing_more,
    a_room_keeps_its_derived_state_without_its_messages,
    a_policy_goes_over_hundreds_of_rooms,
    the_engine_keeps_conversations_alike,
    what_has_expired_counts_for_nothing,
    of_retentions_in_two_processes_each_message_is_counted_once [Reopen, Processes, Share],
}

pub(super) const ROLES: &[Role] = &[Role { name: "retain", run: |work| Box::pin(retain_when_told(work)) }];

type Policy = RetentionPolicy<RoomId>;

fn ages(age_ms_max: u64) -> RetentionRule {
    RetentionRule { age_ms_max: Some(age_ms_max), ..RetentionRule::default() }
}

fn counts(count_max: u64) -> RetentionRule {
    RetentionRule { count_max: Some(count_max), ..RetentionRule::default() }
}

fn all(all: RetentionRule) -> Policy {
    Policy { all, ..Policy::default() }
}

fn rooms(rules: impl IntoIterator<Item = (usize, RetentionRule)>) -> BTreeMap<RoomId, RetentionRule> {
    rules.into_iter().map(|(number, rule)| (room(number), rule)).collect()
}

fn room(number: usize) -> RoomId {
    format!("!r{number}").into()
}

fn message(room_number: usize, number: usize, time: i64) -> Message {
    let event = format!("${room_number}-{number}");
    Message::new(room(room_number), event, "m.room.message", "@ada:example.org", at(time), Json::empty_object())
}

async fn put(store: &MatrixStore, messages: &[Message]) -> Result<()> {
    for chunk in messages.chunks(200) {
        let messages = store.database().write(|tx| async move {
            for message in chunk {
                tx.put(message).await?;
            }
            Ok(())
        });
        messages.await?;
    }
    Ok(())
}

/// The times that a room's messages have, the oldest first.
async fn times(store: &MatrixStore, number: usize) -> Checked<Vec<i64>> {
    let messages = store.database().query(Message::ROOM_TIMESTAMP).equal(&room(number)).stream();
    let messages: Vec<Message> = messages.try_collect().await?;
    Ok(messages.iter().map(|message| message.timestamp.as_millis()).collect())
}

async fn what_is_older_than_the_age_goes_and_what_is_as_old_stays(context: Context) -> Checked {
    let (store, site) = open_matrix(&context).await?;
    for number in 0..3 {
        put(&store, &(0..10).map(|time| message(number, time, time as i64)).collect::<Vec<_>>()).await?;
    }
    site.clock.set(at(12));
    let policy = Policy { all: ages(8), groups: rooms([(1, ages(5)), (2, ages(100)), (7, ages(0))]) };
    let went = store.retain_messages(&policy, false).await?;
    let aged = |age| Dropped { age, ..Dropped::default() };
    // The rule of a room comes on top of that for all: it cannot keep what all must not.
    ensure_eq!(went.groups, [(room(0), aged(4)), (room(1), aged(7)), (room(2), aged(4))].into());
    ensure_eq!(went.dropped().records(), 15);
    ensure_eq!(times(&store, 0).await?, [4, 5, 6, 7, 8, 9]);
    ensure_eq!(times(&store, 1).await?, [7, 8, 9]);
    ensure!(store.retain_messages(&policy, false).await?.groups.is_empty(), "something went twice");
    // Ages without measure, and a clock that was set back.
    ensure!(store.retain_messages(&all(ages(u64::MAX)), false).await?.groups.is_empty(), "nothing is that old");
    site.clock.set(at(-1_000));
    ensure!(store.retain_messages(&policy, false).await?.groups.is_empty(), "nothing is older than the clock");
    sound(store.database()).await
}

async fn of_a_count_the_newest_stay(context: Context) -> Checked {
    let (store, _site) = open_matrix(&context).await?;
    // More than one look takes, and ties at every place where a cut may be.
    put(&store, &(0..1_100).map(|time| message(0, time, time as i64 / 4)).collect::<Vec<_>>()).await?;
    put(&store, &(0..5).map(|time| message(1, time, time as i64)).collect::<Vec<_>>()).await?;
    let before: Vec<Message> =
        store.database().query(Message::ROOM_TIMESTAMP).equal(&room(0)).stream().try_collect().await?;
    let mut left = 1_100;
    for max in [1_200, 1_100, 1_099, 1_030, 10, 1, 0] {
        let policy = Policy { groups: rooms([(0, counts(max))]), ..Policy::default() };
        let went = store.retain_messages(&policy, false).await?.dropped();
        ensure_eq!(went, Dropped { count: left - left.min(max), ..Dropped::default() }, "down to {max}");
        left = left.min(max);
        let kept: Vec<Message> =
            store.database().query(Message::ROOM_TIMESTAMP).equal(&room(0)).stream().try_collect().await?;
        ensure!(kept == before[before.len() - left as usize..], "other messages than the newest {left} stayed");
    }
    ensure_eq!(times(&store, 1).await?.len(), 5);
    sound(store.database()).await
}

async fn the_count_for_all_takes_the_oldest_of_all_rooms(context: Context) -> Checked {
    let (store, _site) = open_matrix(&context).await?;
    put(&store, &(0..60).map(|time| message(time % 7, time, time as i64)).collect::<Vec<_>>()).await?;
    let went = store.retain_messages(&all(counts(20)), false).await?;
    ensure_eq!(went.dropped(), Dropped { total: 40, ..Dropped::default() });
    for number in 0..7 {
        let expected: Vec<i64> = (40..60).filter(|time| time % 7 == number as i64).collect();
        ensure_eq!(times(&store, number).await?, expected);
    }
    ensure_eq!(store.retain_messages(&all(counts(0)), false).await?.dropped().total, 20);
    ensure_eq!(store.database().count::<Message>().await?, 0);
    sound(store.database()).await
}

async fn a_room_is_settled_before_all_together(context: Context) -> Checked {
    let (store, _site) = open_matrix(&context).await?;
    // A loud room with what is newest, a quiet one with what is oldest.
    put(&store, &(0..50).map(|time| message(0, time, 1_000 + time as i64)).collect::<Vec<_>>()).await?;
    put(&store, &(0..5).map(|time| message(1, time, time as i64)).collect::<Vec<_>>()).await?;
    let policy = Policy { all: counts(20), groups: rooms([(0, counts(15))]) };
    let went = store.retain_messages(&policy, false).await?;
    ensure_eq!(went.groups, [(room(0), Dropped { count: 35, ..Dropped::default() })].into());
    ensure_eq!(times(&store, 1).await?.len(), 5, "the loud room alone could pay");
    Ok(())
}

/// A policy of any kind over a few rooms.
fn any_policy(random: &mut Random) -> Policy {
    let rule = |random: &mut Random| RetentionRule {
        age_ms_max: (random.below(2) == 0).then(|| random.below(60)),
        count_max: (random.below(2) == 0).then(|| random.below(30)),
    };
    let mut policy = all(rule(random));
    policy.all.count_max = policy.all.count_max.map(|max| max * 4);
    for number in 0..4 {
        if random.below(2) == 0 {
            policy.groups.insert(room(number), rule(random));
        }
    }
    policy
}

async fn any_messages(store: &MatrixStore, random: &mut Random, round: usize) -> Result<()> {
    let mut messages = Vec::new();
    for number in 0..4 {
        let many = random.below(40) as usize;
        messages.extend((0..many).map(|at| message(number, round * 100 + at, random.below(50) as i64)));
    }
    put(store, &messages).await
}

const NOW: i64 = 50;

/// What stays, reckoned in the plainest way, from messages in the order of the index within each room.
fn model(stored: &BTreeMap<RoomId, Vec<i64>>, policy: &Policy) -> BTreeMap<RoomId, Dropped> {
    let mut went: BTreeMap<RoomId, Dropped> = BTreeMap::new();
    let mut kept: Vec<(i64, RoomId)> = Vec::new();
    for (room, times) in stored {
        let own = policy.groups.get(room).copied().unwrap_or_default();
        let too_old = |time: i64, rule: &RetentionRule| rule.age_ms_max.is_some_and(|age| NOW - time > age as i64);
        let young: Vec<i64> =
            times.iter().copied().filter(|time| !too_old(*time, &own) && !too_old(*time, &policy.all)).collect();
        let stay = own.count_max.map_or(young.len(), |max| young.len().min(max as usize));
        let dropped = Dropped { age: (times.len() - young.len()) as u64, count: (young.len() - stay) as u64, total: 0 };
        went.insert(room.clone(), dropped);
        kept.extend(young[young.len() - stay..].iter().map(|time| (*time, room.clone())));
    }
    kept.sort_by_key(|(time, _)| *time);
    let excess = policy.all.count_max.map_or(0, |max| kept.len().saturating_sub(max as usize));
    // Which of those that share a time across rooms goes is left open: so only sums are compared where there are such.
    for (_, room) in kept.into_iter().take(excess) {
        went.entry(room).or_default().total += 1;
    }
    went.retain(|_, dropped| dropped.records() > 0);
    went
}

async fn stored(store: &MatrixStore) -> Checked<BTreeMap<RoomId, Vec<i64>>> {
    let mut stored = BTreeMap::new();
    for number in 0..4 {
        stored.insert(room(number), times(store, number).await?);
    }
    Ok(stored)
}

async fn what_a_policy_drops_is_what_a_model_says(context: Context) -> Checked {
    let (store, site) = open_matrix(&context).await?;
    site.clock.set(at(NOW));
    let mut random = Random::new(context.seed(), 1);
    for round in 0..(context.effort().operations / 200).clamp(5, 100) {
        any_messages(&store, &mut random, round).await?;
        let policy = any_policy(&mut random);
        let before = stored(&store).await?;
        let expected = model(&before, &policy);
        let went = store.retain_messages(&policy, false).await?;
        let sum = |went: &BTreeMap<RoomId, Dropped>| went.values().map(|dropped| dropped.total).sum::<u64>();
        let by_itself = |went: &BTreeMap<RoomId, Dropped>| {
            let of_rooms = went.iter().map(|(room, dropped)| (room.clone(), (dropped.age, dropped.count)));
            of_rooms.filter(|(_, dropped)| *dropped != (0, 0)).collect::<Vec<_>>()
        };
        ensure_eq!(by_itself(&went.groups), by_itself(&expected), "{policy:?}");
        ensure_eq!(sum(&went.groups), sum(&expected), "{policy:?}");
        // What is left of each room is its newest, and of all rooms nothing is left that is older than what went for the total.
        let after = stored(&store).await?;
        let mut newest_gone = i64::MIN;
        for (room, before) in &before {
            let (left, gone) = (&after[room], before.len() - after[room].len());
            ensure!(before.ends_with(left), "a room lost others than its oldest");
            if went.groups.get(room).is_some_and(|dropped| dropped.total > 0) {
                newest_gone = newest_gone.max(before[gone - 1]);
            }
        }
        ensure!(after.values().flatten().all(|time| *time >= newest_gone), "something older stayed for the total");
        context.count("policies", 1);
    }
    sound(store.database()).await
}

async fn a_dry_run_says_what_a_run_then_does(context: Context) -> Checked {
    let (store, site) = open_matrix(&context).await?;
    site.clock.set(at(NOW));
    let mut random = Random::new(context.seed(), 2);
    for round in 0..(context.effort().operations / 200).clamp(5, 100) {
        any_messages(&store, &mut random, round).await?;
        let policy = any_policy(&mut random);
        let before = stored(&store).await?;
        let would = store.retain_messages(&policy, true).await?;
        ensure_eq!(stored(&store).await?, before, "a dry run removed something");
        ensure_eq!(store.retain_messages(&policy, false).await?, would, "{policy:?}");
    }
    Ok(())
}

async fn two_retentions_at_once_take_no_more_than_one(context: Context) -> Checked {
    let (store, site) = open_matrix(&context).await?;
    let other = MatrixStore::new(open_again(&site, strongroom_core::matrix::schema()).await?)?;
    site.clock.set(at(2_000));
    put(&store, &(0..1_000).map(|time| message(time % 5, time, time as i64)).collect::<Vec<_>>()).await?;
    let policy = Policy { all: counts(300), groups: rooms([(0, counts(150)), (1, ages(1_500))]) };
    let retentions = [&store, &other, &store, &other].map(|store| {
        let (store, policy) = (store.clone(), policy.clone());
        tokio::spawn(async move { store.retain_messages(&policy, false).await })
    });
    let mut went = 0;
    for retention in join_all(retentions).await {
        went += retention.map_err(|error| Failure::new(error.to_string()))??.dropped().records();
    }
    ensure_eq!((went, store.database().count::<Message>().await?), (700, 300));
    for number in 0..5 {
        let expected: Vec<i64> = (700..1_000).filter(|time| time % 5 == number as i64).collect();
        ensure_eq!(times(&store, number).await?, expected);
    }
    sound(store.database()).await
}

/// The other one deletes while this one is counting.
async fn a_retention_that_another_overtakes_takes_nothing_more(context: Context) -> Checked {
    let (other, site) = open_matrix(&context).await?;
    put(&other, &(0..60).map(|time| message(time % 3, time, time as i64)).collect::<Vec<_>>()).await?;
    let (db, watch) = open_watched(&site, strongroom_core::matrix::schema()).await?;
    let store = MatrixStore::new(db)?;
    let first = other.clone();
    watch.after_summary(async move {
        ensure_eq!(first.retain_messages(&all(counts(20)), false).await?.dropped().total, 40);
        Ok(())
    });
    ensure_eq!(store.retain_messages(&all(counts(20)), false).await?.dropped().total, 0);
    ensure_eq!(store.database().count::<Message>().await?, 20);
    sound(store.database()).await
}

fn known_room(number: usize) -> Room {
    Room {
        room_id: room(number),
        creator: "@ada:example.org".into(),
        version: "11".to_owned(),
        membership: strongroom_core::matrix::Membership::Join,
        member_count: 2,
        aliases: Vec::new(),
        last_event: at(100),
        created_at: at(1),
    }
}

async fn a_room_keeps_its_derived_state_without_its_messages(context: Context) -> Checked {
    let (store, _site) = open_matrix(&context).await?;
    put(&store, &[message(0, 1, 100)]).await?;
    let known = known_room(0);
    store.database().put(&known).await?;
    ensure_eq!(store.retain_messages(&all(counts(0)), false).await?.dropped().records(), 1);
    ensure!(store.database().get(&Room::key(&room(0))).await? == Some(known), "the room changed");
    sound(store.database()).await
}

/// No more looks than groups and what goes: it must end soon also where there are many rooms.
async fn a_policy_goes_over_hundreds_of_rooms(context: Context) -> Checked {
    let (store, site) = open_matrix(&context).await?;
    site.clock.set(at(1_000));
    let messages = (0..600).map(|number| message(number % 300, number, number as i64));
    put(&store, &messages.collect::<Vec<_>>()).await?;
    let would = store.retain_messages(&all(ages(900)), true).await?;
    ensure_eq!(would.dropped(), Dropped { age: 100, ..Dropped::default() });
    let went = store.retain_messages(&all(counts(250)), false).await?;
    ensure_eq!((went.groups.len(), went.dropped().total), (300, 350));
    ensure_eq!(store.database().count::<Message>().await?, 250);
    sound(store.database()).await
}

async fn the_engine_keeps_conversations_alike(context: Context) -> Checked {
    let (db, _site) = open(&context, engine::schema()).await?;
    let engine = StorageEngine::new(db.clone())?;
    for number in 0..12 {
        engine
            .save_message(&engine::Message {
                id: format!("m{number}"),
                conversation_id: format!("c{}", number % 2),
                sender: "ada".to_owned(),
                recipient: None,
                timestamp: at(number),
                status: engine::MessageStatus::Sent,
                content: Json::null(),
                proof_id: None,
            })
            .await?;
    }
    let policy = RetentionPolicy { all: counts(7), groups: [("c0".to_owned(), counts(2))].into() };
    let went = engine.retain_messages(&policy, false).await?;
    ensure_eq!(went.groups["c0"], Dropped { count: 4, ..Dropped::default() });
    ensure_eq!(went.groups["c1"], Dropped { total: 1, ..Dropped::default() });
    ensure_eq!(db.count::<engine::Message>().await?, 7);
    // Any index of a group and a time will do.
    let transactions = open_matrix(&context).await?.0;
    let none = transactions.database().retain(SendTransaction::ROOM_TRANSACTIONS, &all(counts(0)), false).await?;
    ensure!(none.groups.is_empty(), "there was nothing");
    sound(&db).await
}

/// A record that may expire before it is too old.
#[derive(Clone, Record, Serialize, Deserialize)]
#[record(crate = ::strongroom_core, id = 9, name = "stories", key(id), expires = expires_at)]
#[index(id = 1, name = "told", on(teller, told_at: ordered))]
struct Story {
    id: u32,
    teller: String,
    told_at: Timestamp,
    expires_at: Option<Timestamp>,
}

async fn what_has_expired_counts_for_nothing(context: Context) -> Checked {
    let (db, site) = open(&context, Schema::builder("stories", 1).collection::<Story>().build()?).await?;
    for id in 0..30 {
        // The newest ones have expired, and every third of the others.
        let expires_at = (id >= 24 || id % 3 == 0).then(|| at(100));
        let teller = format!("t{}", id % 2);
        db.put(&Story { id, teller, told_at: at(i64::from(id)), expires_at }).await?;
    }
    site.clock.set(at(100));
    ensure_eq!(db.count::<Story>().await?, 16);
    let policy = RetentionPolicy { all: counts(9), groups: [("t0".to_owned(), counts(5))].into() };
    let would = db.retain(Story::TOLD, &policy, true).await?;
    ensure_eq!(would.dropped(), Dropped { age: 0, count: 3, total: 4 });
    ensure_eq!(db.retain(Story::TOLD, &policy, false).await?, would);
    let mut left: Vec<u32> = db.query(Story::PRIMARY).page().await?.records.iter().map(|story| story.id).collect();
    left.sort_unstable();
    ensure_eq!(left, [11, 13, 14, 16, 17, 19, 20, 22, 23]);
    sound(&db).await
}

/// A child that keeps the newest messages of all rooms, as often as its argument says, each time when the parent has put one more room, and
/// tells what went.
async fn retain_when_told(work: Work) -> Checked {
    let store = MatrixStore::open(work.reopen().await?).await?;
    work.say("ready")?;
    let mut revision = Revision::ZERO;
    for rounds in 0..work.argument {
        while store.database().count::<Room>().await? <= rounds {
            revision = store.database().changed(revision).await?;
        }
        work.say(store.retain_messages(&all(counts(20)), false).await?.dropped().records())?;
    }
    Ok(store.database().close().await?)
}

fn said(child: &mut Child) -> Checked<u64> {
    let line = child.next_line()?.ok_or_else(|| Failure::new("the child ended"))?;
    line.parse().map_err(|_| Failure::new(line))
}

async fn of_retentions_in_two_processes_each_message_is_counted_once(context: Context) -> Checked {
    let (other, site) = open_matrix(&context).await?;
    let (db, watch) = open_watched(&site, strongroom_core::matrix::schema()).await?;
    let store = MatrixStore::new(db)?;
    put(&other, &(0..60).map(|time| message(time % 3, time, time as i64)).collect::<Vec<_>>()).await?;
    let mut child = Child::start(&context, "retain", &site.place, 2)?;
    ensure_eq!(child.next_line()?.as_deref(), Some("ready"));

    // The other process is done when this one has counted.
    let child = Arc::new(Mutex::new(child));
    let (there, first) = (child.clone(), other.clone());
    watch.after_summary(async move {
        first.database().put(&known_room(0)).await?;
        ensure_eq!(said(&mut *there.lock().await)?, 40);
        Ok(())
    });
    ensure_eq!(store.retain_messages(&all(counts(20)), false).await?.dropped().records(), 0);

    // Both at once.
    put(&other, &(100..400).map(|time| message(time % 3, time, time as i64)).collect::<Vec<_>>()).await?;
    other.database().put(&known_room(1)).await?;
    let here = store.retain_messages(&all(counts(20)), false).await?.dropped().records();
    let mut child = child.lock().await;
    let there = said(&mut child)?;
    child.wait()?;
    ensure_eq!(here + there, 300, "{here} here, {there} there");
    for number in 0..3 {
        let expected: Vec<i64> = (380..400).filter(|time| time % 3 == number as i64).collect();
        ensure_eq!(times(&other, number).await?, expected);
    }
    sound(other.database()).await
}
