//! Merging: replicas that have seen the same, in whatever order and however often, hold the same.

use futures_util::future::join_all;
use strongroom_core::matrix::{
    MatrixStore, Membership, Presence, PresenceState, ReadReceipt, RoomMember, RoomState, schema,
};
use strongroom_core::{Database, Json, Merge, Merged, Result};

use super::rooms::{ADA, ME, all, export, json, member, room_id, topic};
use super::support::{at, open, open_matrix};
use crate::case::cases;
use crate::child::{Role, Work};
use crate::{Checked, Child, Context, Failure, ensure, ensure_eq};

cases! { Behaviours;
    replicas_of_the_same_updates_end_byte_identical,
    the_order_repetition_and_division_of_updates_do_not_matter,
    a_late_older_update_changes_nothing_and_writes_nothing,
    at_one_time_and_event_the_larger_encoding_wins,
    a_removed_state_is_not_brought_back_by_an_older_one,
    what_was_redacted_is_not_brought_back_by_its_original,
    updates_that_are_merged_at_once_are_all_heard,
    a_merge_is_part_of_its_transaction,
    two_processes_that_merge_the_same_end_as_one [Reopen, Processes, Share],
}

/// What child processes do.
pub(super) const ROLES: &[Role] = &[Role { name: "merge updates", run: |work| Box::pin(merge_updates(work)) }];

/// Updates that two processes merge into one store.
const SHARED: usize = 60;

/// One update of one of the records that merge.
#[derive(Clone)]
enum Update {
    State(RoomState),
    Member(RoomMember),
    Presence(Presence),
    Receipt(ReadReceipt),
}

impl Update {
    async fn merge_into(&self, db: &Database) -> Result<Merged> {
        match self {
            Update::State(state) => db.merge(state).await,
            Update::Member(member) => db.merge(member).await,
            Update::Presence(presence) => db.merge(presence).await,
            Update::Receipt(receipt) => db.merge(receipt).await,
        }
    }
}

/// Many updates of few records at few times, so that many tie.
fn updates(random: &mut fastrand::Rng, count: usize) -> Checked<Vec<Update>> {
    let users = [ME, ADA, "@bob:x"];
    let words = ["", "a", "b", "a longer text that has another head in its encoding"];
    let any_word = |random: &mut fastrand::Rng| words[random.usize(..words.len())].to_owned();
    let mut updates = Vec::new();
    for _ in 0..count {
        let (time, word) = (random.i64(0..4), any_word(random));
        let user = users[random.usize(..users.len())];
        updates.push(match random.u8(..4) {
            0 => {
                let id = ["$1", "$2", "$3"][random.usize(..3)];
                let tombstone = random.u8(..4) == 0;
                let set = topic(id, time, &word)?;
                let content = if tombstone { json("{}")? } else { set.content.clone() };
                Update::State(RoomState { content, stored_at: at(random.i64(..3)), ..set })
            }
            1 => {
                let membership = [Membership::Join, Membership::Leave, Membership::Invite][random.usize(..3)];
                let event_id = random.bool().then(|| "$m".into());
                let joined_at = random.bool().then(|| at(random.i64(..4)));
                let display_name = random.bool().then_some(word);
                let power_level = random.i64(-1..101);
                let new = member(user, membership, time);
                Update::Member(RoomMember { event_id, joined_at, display_name, power_level, ..new })
            }
            2 => Update::Presence(presence(user, time, &word)),
            _ => Update::Receipt(ReadReceipt {
                room_id: room_id(),
                user_id: user.into(),
                event_id: ["$1", "$2"][random.usize(..2)].into(),
                receipt_type: ["m.read", "m.read.private"][random.usize(..2)].to_owned(),
                thread_id: random.bool().then_some(word),
                timestamp: at(time),
                proof: Json::null(),
                stored_at: at(random.i64(..3)),
            }),
        });
    }
    Ok(updates)
}

fn presence(user: &str, time: i64, word: &str) -> Presence {
    Presence {
        user_id: user.into(),
        presence: PresenceState::Online,
        status_msg: (!word.is_empty()).then(|| word.to_owned()),
        last_active: at(time),
        currently_active: word.len() == 1,
        proof: Json::null(),
        updated_at: at(time),
    }
}

/// Gives a replica some updates, in an order of its own, some of them several times.
async fn hear(db: &Database, mut updates: Vec<Update>, random: &mut fastrand::Rng) -> Checked {
    for _ in 0..updates.len() / 4 {
        updates.push(updates[random.usize(..updates.len())].clone());
    }
    random.shuffle(&mut updates);
    for update in updates {
        update.merge_into(db).await?;
    }
    Ok(())
}

/// Tells one replica all that another one holds.
async fn tell(from: &Database, to: &Database) -> Checked {
    let states = all(from, RoomState::PRIMARY).await?.into_iter().map(Update::State);
    let members = all(from, RoomMember::PRIMARY).await?.into_iter().map(Update::Member);
    let presences = all(from, Presence::PRIMARY).await?.into_iter().map(Update::Presence);
    let receipts = all(from, ReadReceipt::PRIMARY).await?.into_iter().map(Update::Receipt);
    for update in states.chain(members).chain(presences).chain(receipts) {
        update.merge_into(to).await?;
    }
    Ok(())
}

/// Each of three replicas hears a part of the updates; then they tell each other, in turn.
async fn replicas_of_the_same_updates_end_byte_identical(context: Context) -> Checked {
    let mut random = fastrand::Rng::with_seed(context.seed());
    let updates = updates(&mut random, 60)?;
    let mut replicas = Vec::new();
    for _ in 0..3 {
        let (db, site) = open(&context, schema()).await?;
        replicas.push((db, site, Vec::new()));
    }
    for update in &updates {
        let all = replicas.len();
        replicas[random.usize(..all)].2.push(update.clone());
    }
    for (db, _, part) in &replicas {
        hear(db, part.clone(), &mut random).await?;
    }
    let [(a, ..), (b, ..), (c, ..)] = &replicas[..] else { return Err(Failure::new("there are three")) };
    ensure!(export(a).await? != export(b).await?, "the parts are so alike that this case shows nothing");
    for (from, to) in [(a, b), (b, c), (c, a), (a, b)] {
        tell(from, to).await?;
    }
    let ends = export(a).await?;
    ensure_eq!(export(b).await?, ends, "the second replica");
    ensure_eq!(export(c).await?, ends, "the third replica");
    Ok(())
}

async fn the_order_repetition_and_division_of_updates_do_not_matter(context: Context) -> Checked {
    let mut random = fastrand::Rng::with_seed(context.seed());
    let updates = updates(&mut random, 50)?;
    let mut ends = None;
    for _ in 0..3 {
        let (db, _site) = open(&context, schema()).await?;
        hear(&db, updates.clone(), &mut random).await?;
        let export = export(&db).await?;
        ensure_eq!(&export, ends.get_or_insert_with(|| export.clone()));
    }
    Ok(())
}

async fn a_late_older_update_changes_nothing_and_writes_nothing(context: Context) -> Checked {
    let (db, _site) = open(&context, schema()).await?;
    let receipt = |time| ReadReceipt {
        room_id: room_id(),
        user_id: ADA.into(),
        event_id: "$1".into(),
        receipt_type: "m.read".to_owned(),
        thread_id: None,
        timestamp: at(time),
        proof: Json::null(),
        stored_at: at(9),
    };
    let newer = [
        Update::State(topic("$2", 20, "new")?),
        Update::Member(member(ADA, Membership::Leave, 20)),
        Update::Presence(presence(ADA, 20, "new")),
        Update::Receipt(receipt(20)),
    ];
    let older = [
        Update::State(topic("$1", 10, "old, and a longer text")?),
        Update::Member(member(ADA, Membership::Join, 10)),
        Update::Presence(presence(ADA, 10, "old, and a longer text")),
        Update::Receipt(receipt(10)),
    ];
    for update in &newer {
        ensure_eq!(update.merge_into(&db).await?, Merged::Stored);
    }
    let (before, revision) = (export(&db).await?, db.stats().await?.revision);
    for update in newer.iter().chain(&older).chain(&newer) {
        ensure_eq!(update.merge_into(&db).await?, Merged::Unchanged);
    }
    ensure_eq!(export(&db).await?, before);
    ensure_eq!(db.stats().await?.revision, revision, "nothing was written");
    Ok(())
}

async fn at_one_time_and_event_the_larger_encoding_wins(context: Context) -> Checked {
    for reversed in [false, true] {
        let (db, _site) = open(&context, schema()).await?;
        let mut both = [topic("$1", 10, "shorter")?, topic("$1", 10, "a longer text")?];
        let winner = both[1].clone();
        if reversed {
            both.reverse();
        }
        // The event's id goes before the encoding.
        let mut users = [member(ADA, Membership::Join, 10), member(ADA, Membership::Leave, 10)];
        users[0].event_id = Some("$b".into());
        users[1].event_id = Some("$a".into());
        users[1].display_name = Some("a name that makes it the larger".to_owned());
        if reversed {
            users.reverse();
        }
        for state in &both {
            db.merge(state).await?;
        }
        for user in &users {
            db.merge(user).await?;
        }
        ensure!(all(&db, RoomState::PRIMARY).await? == [winner], "the larger encoding is not there");
        let stored = db.get(&RoomMember::key(&room_id(), &ADA.into())).await?;
        ensure_eq!(stored.map(|member| member.membership), Some(Membership::Join));
    }
    Ok(())
}

async fn a_removed_state_is_not_brought_back_by_an_older_one(context: Context) -> Checked {
    let (store, _site) = open_matrix(&context).await?;
    let now = async || store.state(&room_id(), "m.room.topic", "").await;
    store.save_state(&topic("$1", 10, "dinner")?).await?;
    ensure!(now().await?.is_some(), "the topic is there");
    let removed = RoomState { content: json(" { } ")?, ..topic("$3", 30, "")? };
    ensure!(removed.is_tombstone(), "an empty content removes");
    store.save_state(&removed).await?;
    ensure!(now().await?.is_none(), "the topic was removed");
    let late = topic("$2", 20, "lunch")?;
    ensure_eq!(store.save_state(&late).await?, Merged::Unchanged);
    ensure_eq!(store.database().merge(&late).await?, Merged::Unchanged);
    ensure!(now().await?.is_none(), "an older topic came late");
    store.save_state(&topic("$4", 40, "supper")?).await?;
    ensure!(now().await?.is_some(), "a newer topic is set");
    Ok(())
}

/// Also where the redacted record comes from another replica, and its redaction is not here.
async fn what_was_redacted_is_not_brought_back_by_its_original(context: Context) -> Checked {
    let original = RoomState {
        prev_state_id: Some("$0".into()),
        prev_content: Some(json(r#"{"topic":"quoted"}"#)?),
        ..topic("$1", 10, "a secret")?
    };
    let redacted = RoomState { content: json("{}")?, redacted: true, prev_content: None, ..original.clone() };
    let unquoted = RoomState { prev_content: None, ..original.clone() };
    let mut user = member(ADA, Membership::Join, 10);
    user.event_id = Some("$m".into());
    let named = RoomMember { display_name: Some("Ada".to_owned()), ..user.clone() };
    let unnamed = RoomMember { redacted: true, ..user };
    for redacted_first in [true, false] {
        let (db, _site) = open(&context, schema()).await?;
        let (states, users) = if redacted_first {
            ([&redacted, &original, &unquoted], [&unnamed, &named])
        } else {
            ([&unquoted, &original, &redacted], [&named, &unnamed])
        };
        for state in states {
            db.merge(state).await?;
        }
        for user in users {
            db.merge(user).await?;
        }
        let exported = export(&db).await?;
        ensure_eq!(exported["room_state"].len() + exported["room_members"].len(), 2);
        for word in ["a secret", "quoted", "Ada"] {
            ensure!(!format!("{exported:?}").contains(word), "{word} is there, redacted first: {redacted_first}");
        }
    }
    ensure!(original.clone().merge(unquoted.clone()) == unquoted, "a quote that was removed came back");
    Ok(())
}

async fn updates_that_are_merged_at_once_are_all_heard(context: Context) -> Checked {
    let (db, _site) = open(&context, schema()).await?;
    let users: Vec<RoomMember> = (0..24).map(|time| member(ADA, Membership::Join, 100 + (time * 7) % 24)).collect();
    let merged = join_all(users.iter().map(|user| db.merge(user))).await;
    ensure!(merged.into_iter().all(|merged| merged.is_ok()), "a merge failed");
    let user =
        db.get(&RoomMember::key(&room_id(), &ADA.into())).await?.ok_or_else(|| Failure::new("nobody is there"))?;
    ensure_eq!(user.updated_at, at(123));
    let store = MatrixStore::new(db)?;
    let users: Vec<RoomMember> = (0..24).map(|time| member(ADA, Membership::Join, 100 - time)).collect();
    let saved = join_all(users.iter().map(|user| store.save_member(user))).await;
    ensure!(saved.into_iter().all(|saved| saved.is_ok()), "a save failed");
    let user = store.database().get(&RoomMember::key(&room_id(), &ADA.into())).await?;
    ensure_eq!(user.and_then(|user| user.joined_at), Some(at(77)));
    Ok(())
}

async fn a_merge_is_part_of_its_transaction(context: Context) -> Checked {
    let (db, _site) = open(&context, schema()).await?;
    let (first, second) = (presence(ADA, 1, "a"), presence(ADA, 2, "b"));
    let (first, second) = (&first, &second);
    let failed: Result<()> = db
        .write(|tx| async move {
            tx.merge(second).await?;
            Err(strongroom_core::Error::application(std::io::Error::other("changed its mind")))
        })
        .await;
    ensure!(failed.is_err() && all(&db, Presence::PRIMARY).await?.is_empty(), "half of a transaction was kept");
    db.write(|tx| async move {
        tx.merge(second).await?;
        tx.merge(first).await
    })
    .await?;
    ensure!(all(&db, Presence::PRIMARY).await? == [second.clone()], "a merge did not see the one before it");
    Ok(())
}

async fn merge_updates(work: Work) -> Checked {
    let db = Database::builder(schema()).open(work.reopen().await?).await?;
    work.say("ready")?;
    let updates = updates(&mut fastrand::Rng::with_seed(work.argument), SHARED)?;
    for update in updates.iter().rev() {
        update.merge_into(&db).await?;
    }
    Ok(db.close().await?)
}

async fn two_processes_that_merge_the_same_end_as_one(context: Context) -> Checked {
    let ((db, site), (alone, _alone)) = (open(&context, schema()).await?, open(&context, schema()).await?);
    let mut child = Child::start(&context, "merge updates", &site.place, context.seed())?;
    ensure_eq!(child.next_line()?.as_deref(), Some("ready"));
    for update in &updates(&mut fastrand::Rng::with_seed(context.seed()), SHARED)? {
        update.merge_into(&db).await?;
        update.merge_into(&alone).await?;
    }
    ensure!(child.next_line()?.is_none(), "it says nothing more");
    child.wait()?;
    ensure_eq!(export(&db).await?, export(&alone).await?);
    ensure!(db.verify().await?.problems.is_empty(), "every entry has its record");
    Ok(())
}
