//! What a room's record says of its members and messages is right after each step, in every view.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::future::{join, join_all};
use strongroom_core::matrix::{
    ImportOptions, Importer, MatrixStore, Membership, Message, RawEvent, Room, RoomMember, RoomState, export_event,
    schema,
};
use strongroom_core::store::{Batch, Fetch, KeyRange, Read, Rows, Scan, Store, StoredKey, Write};
use strongroom_core::{Database, ErrorKind, Merged, Record, Result, Timestamp, Verification};
use tokio::sync::oneshot;

use super::rooms::{
    ADA, ME, ROOM, export, json, member, message, redaction, room, room_id, sound, state_event, stored, topic,
};
use super::support::{at, open, open_matrix, open_watched};
use super::watch::Watch;
use crate::case::cases;
use crate::child::{Role, Work};
use crate::groups::semantics::support::{poll_once, steps};
use crate::twist::{Twist, Twisted};
use crate::{Checked, Child, Context, Failure, ensure, ensure_eq, ensure_kind};

/// What child processes do.
pub(super) const ROLES: &[Role] = &[Role { name: "save members", run: |work| Box::pin(save_members(work)) }];

cases! { Behaviours;
    a_rooms_last_event_is_its_newest_messages_in_every_view,
    a_rooms_member_count_is_that_of_those_who_joined,
    a_rooms_membership_is_the_local_users,
    an_event_of_a_state_changes_all_that_follows_from_it,
    saves_of_a_room_at_once_are_all_there,
    a_save_that_is_left_alone_holds_up_nobody,
    a_save_whose_transaction_another_one_began_and_left_is_carried_on,
    a_panic_in_a_transaction_of_saves_leaves_nobody_waiting,
    a_record_that_cannot_be_read_fails_no_save_but_its_own,
    a_save_that_is_dropped_happens_whole_or_not_at_all,
    verify_finds_what_was_written_past_the_rules_and_repair_rights_it,
    verify_judges_a_room_in_which_something_cannot_be_read,
    a_member_saved_again_is_unchanged_whatever_power_it_says,
    saves_and_an_import_of_the_same_events_end_alike,
    members_that_two_processes_save_are_all_counted [Reopen, Processes, Share],
}

async fn a_rooms_last_event_is_its_newest_messages_in_every_view(context: Context) -> Checked {
    let (store, _site) = open_matrix(&context).await?;
    let db = store.database();
    let times: Vec<i64> = (0..24).map(|number| (number * 7) % 24).collect();
    let writes = async {
        for time in &times {
            store.save_message(&message(&format!("${time}"), *time, "text")?).await?;
        }
        Checked::Ok(())
    };
    let reads = async {
        loop {
            let view = db.snapshot().await?;
            let newest = view.query(Message::ROOM_TIMESTAMP).equal(&room_id()).newest_first().first().await?;
            let newest = newest.map(|message| message.timestamp);
            let said = view.get(&Room::key(&room_id())).await?.map(|room| room.last_event);
            ensure_eq!(said, newest, "of one view");
            if view.query(Message::PRIMARY).count().await? == times.len() as u64 {
                return Checked::Ok(());
            }
            tokio::task::yield_now().await;
        }
    };
    let (written, read) = join(writes, reads).await;
    written?;
    read?;
    ensure_eq!(room(db).await?.last_event, at(23));
    // A message may be deleted; that there was one stays known.
    db.delete(&Message::key(&room_id(), &"$23".into())).await?;
    ensure_eq!(room(db).await?.last_event, at(23));
    sound(&store).await
}

async fn a_rooms_member_count_is_that_of_those_who_joined(context: Context) -> Checked {
    let (store, _site) = open_matrix(&context).await?;
    let bob = "@bob:x";
    for (user, membership, time, count) in [
        (ADA, Membership::Invite, 10, 0),
        (ADA, Membership::Join, 20, 1),
        (ADA, Membership::Join, 20, 1),
        (ADA, Membership::Join, 25, 1),
        (bob, Membership::Join, 30, 2),
        // Late news.
        (bob, Membership::Invite, 15, 2),
        (ADA, Membership::Leave, 22, 2),
        (ADA, Membership::Ban, 40, 1),
        (ADA, Membership::Join, 39, 1),
        (bob, Membership::Leave, 50, 0),
    ] {
        store.save_member(&member(user, membership, time)).await?;
        let room = room(store.database()).await?;
        ensure_eq!(room.member_count, count, "{user} {membership} at {time}");
        sound(&store).await?;
    }
    let ada = store.database().get(&RoomMember::key(&room_id(), &ADA.into())).await?;
    ensure_eq!(ada.map(|ada| (ada.joined_at, ada.left_at)), Some((Some(at(20)), Some(at(40)))));
    Ok(())
}

async fn a_rooms_membership_is_the_local_users(context: Context) -> Checked {
    let (store, _site) = open_matrix(&context).await?;
    let store = store.me(ME);
    store.save_member(&member(ADA, Membership::Join, 10)).await?;
    ensure_eq!(room(store.database()).await?.membership, Membership::Leave, "not yet known");
    for (membership, time, expected) in [
        (Membership::Invite, 20, Membership::Invite),
        (Membership::Join, 30, Membership::Join),
        (Membership::Leave, 25, Membership::Join),
        (Membership::Ban, 40, Membership::Ban),
    ] {
        store.save_member(&member(ME, membership, time)).await?;
        ensure_eq!(room(store.database()).await?.membership, expected, "after {membership} at {time}");
        sound(&store).await?;
    }
    Ok(())
}

async fn an_event_of_a_state_changes_all_that_follows_from_it(context: Context) -> Checked {
    let (store, _site) = open_matrix(&context).await?;
    let db = store.database();
    let power = r#"{"users":{"@ada:x":100},"users_default":5}"#;
    store.save_message(&state_event("$1", 10, "m.room.create", "", r#"{"room_version":"11"}"#)?).await?;
    store.save_message(&state_event("$2", 20, "m.room.member", ADA, r#"{"membership":"join"}"#)?).await?;
    store.save_member(&RoomMember { power_level: 50, ..member(ME, Membership::Join, 25) }).await?;
    let level = async |user: &str| {
        Ok::<_, crate::Failure>(db.get(&RoomMember::key(&room_id(), &user.into())).await?.map(|m| m.power_level))
    };
    ensure_eq!(level(ME).await?, Some(50), "what was given, until the room says");
    store.save_state(&RoomState::new(ROOM, "m.room.power_levels", "", "$3", ADA, at(30), json(power)?)).await?;
    ensure_eq!((level(ADA).await?, level(ME).await?), (Some(100), Some(5)));
    let alias = RoomState::new(ROOM, "m.room.canonical_alias", "", "$4", ADA, at(40), json(r##"{"alias":"#k:x"}"##)?);
    store.save_state(&alias).await?;
    let room = room(db).await?;
    ensure_eq!((room.member_count, room.creator.as_str(), room.version.as_str()), (2, ADA, "11"));
    ensure_eq!((room.aliases, room.last_event), (vec!["#k:x".into()], at(40)));
    let no_member = state_event("$5", 50, "m.room.member", ADA, r#"{"membership":"friend"}"#)?;
    ensure_kind!(store.save_message(&no_member).await, ErrorKind::InvalidInput);
    ensure_kind!(store.save_message(&message("$2", 20, "another event")?).await, ErrorKind::AlreadyExists);
    sound(&store).await
}

async fn saves_of_a_room_at_once_are_all_there(context: Context) -> Checked {
    let (store, _site) = open_matrix(&context).await?;
    let db = store.database();
    let messages: Vec<Message> =
        (0..64).map(|number| message(&format!("${number}"), number, "text")).collect::<Checked<_>>()?;
    let users: Vec<RoomMember> =
        (0..16).map(|number| member(&format!("@{number}:x"), Membership::Join, number)).collect();
    // Those who come while a transaction is under way go into one together.
    let before = db.stats().await?.revision.0;
    let mut first = Box::pin(store.save_message(&messages[0]));
    let waits = poll_once(&mut first).is_pending();
    let (_, saved) = join(
        async { if waits { first.await.ok() } else { None } },
        join_all(messages[1..].iter().map(|message| store.save_message(message))),
    )
    .await;
    ensure!(saved.into_iter().all(|saved| saved.is_ok_and(|saved| saved == Merged::Stored)), "a message is missing");
    let transactions = db.stats().await?.revision.0 - before;
    ensure!(!waits || transactions <= 4, "64 messages at once took {transactions} transactions");
    let (saved, again) = join(
        join_all(users.iter().map(|user| store.save_member(user))),
        join_all(messages.iter().map(|message| store.save_message(message))),
    )
    .await;
    ensure!(saved.into_iter().all(|saved| saved.is_ok_and(|saved| saved == Merged::Stored)), "a member is missing");
    ensure!(again.into_iter().all(|saved| saved.is_ok_and(|saved| saved == Merged::Unchanged)), "it was there");
    let room = room(db).await?;
    ensure_eq!((room.member_count, room.last_event, db.count::<Message>().await?), (16, at(63), 64));
    sound(&store).await
}

/// One that was begun and is neither polled nor dropped.
async fn a_save_that_is_left_alone_holds_up_nobody(context: Context) -> Checked {
    let (store, _site) = open_matrix(&context).await?;
    let [first, second] = [message("$1", 1, "one")?, message("$2", 2, "two")?];
    let mut left = Box::pin(store.save_message(&first));
    let begun = poll_once(&mut left).is_pending();
    store.save_message(&second).await?;
    if begun {
        left.await?;
    }
    ensure_eq!(room(store.database()).await?.last_event, at(2));
    ensure_eq!(store.database().count::<Message>().await?, 2);
    sound(&store).await
}

/// Lets the next commit stand still before it begins, until what this gives is dropped.
fn pause(watch: &Watch) -> oneshot::Sender<()> {
    let (gate, dropped) = oneshot::channel();
    watch.before_commit(async {
        let _ = dropped.await;
        Ok(())
    });
    gate
}

/// One that waits need not have polled the transaction that has its update.
async fn a_save_whose_transaction_another_one_began_and_left_is_carried_on(context: Context) -> Checked {
    let site = context.open().await?;
    let (db, watch) = open_watched(&site, schema()).await?;
    let store = MatrixStore::new(db)?;
    let [a, b, c] = [message("$1", 1, "one")?, message("$2", 2, "two")?, message("$3", 3, "three")?];
    let gate = pause(&watch);
    let mut first = Box::pin(store.save_message(&a));
    ensure!(poll_once(&mut first).is_pending(), "the first is under way");
    let (mut second, mut third) = (Box::pin(store.save_message(&b)), Box::pin(store.save_message(&c)));
    ensure!(poll_once(&mut second).is_pending() && poll_once(&mut third).is_pending(), "the others wait for it");
    drop(gate);
    ensure_eq!(first.await?, Merged::Stored);
    let gate = pause(&watch);
    ensure!(poll_once(&mut third).is_pending(), "the third has begun the next transaction");
    drop((third, gate));
    ensure_eq!(second.await?, Merged::Stored);
    stored(store.database(), "$2").await?;
    // With the last that waits, the transaction goes too: nothing of it stays open.
    let gate = pause(&watch);
    let last = message("$4", 4, "four")?;
    let mut left = Box::pin(store.save_message(&last));
    ensure!(poll_once(&mut left).is_pending(), "one is under way");
    drop((left, gate));
    store.save_message(&c).await?;
    sound(&store).await
}

/// A store of which one read, once it is told to, ends in a panic.
#[derive(Debug, Default)]
struct Panics(AtomicBool);

#[async_trait]
impl Twist for Panics {
    async fn get(&self, inner: &dyn Read, keys: &[StoredKey]) -> Result<Rows> {
        if self.0.swap(false, Ordering::Relaxed) {
            tokio::task::yield_now().await;
            std::panic::resume_unwind(Box::new("a panic that a test makes"));
        }
        inner.get(keys).await
    }
}

async fn a_panic_in_a_transaction_of_saves_leaves_nobody_waiting(context: Context) -> Checked {
    let site = context.open().await?;
    let twist = Arc::new(Panics::default());
    let twisted = Arc::new(Twisted::new(site.store.clone(), twist.clone()));
    let store = MatrixStore::new(Database::open(twisted, schema()).await?)?;
    let [a, b] = [message("$1", 1, "one")?, message("$2", 2, "two")?];
    twist.0.store(true, Ordering::Relaxed);
    let mut first = Box::pin(store.save_message(&a));
    ensure!(poll_once(&mut first).is_pending(), "the first is under way");
    let (first, second) = join(first, store.save_message(&b)).await;
    ensure_kind!(first, ErrorKind::CommitUnknown);
    ensure_eq!(second?, Merged::Stored);
    ensure_eq!(store.save_message(&a).await?, Merged::Stored);
    sound(&store).await
}

/// Writes something that is no record over the only record of a collection.
async fn damage<R: Record>(store: &dyn Store, value: &'static [u8]) -> Checked {
    let [high, low] = R::COLLECTION.id.to_be_bytes();
    let range = KeyRange::prefix(&[high, low, 0]);
    let scan = Scan { range, reverse: false, limit: 2, max_bytes: usize::MAX, fetch: Fetch::Keys };
    let entries = store.scan(&scan).await?.entries;
    let [entry] = &entries[..] else { return Err(Failure::new("it is not the only one")) };
    let writes = [(entry.key.clone(), Write::Put(Bytes::from_static(value)))].into();
    store.commit(vec![Batch { writes, ..Batch::default() }]).await?;
    Ok(())
}

async fn a_record_that_cannot_be_read_fails_no_save_but_its_own(context: Context) -> Checked {
    for (value, kind) in [(&b"\x01garbage"[..], ErrorKind::Corrupt), (b"\x03", ErrorKind::UnsupportedVersion)] {
        let site = context.open().await?;
        let (db, watch) = open_watched(&site, schema()).await?;
        let store = MatrixStore::new(db)?;
        let [bad, good, first] = [message("$1", 1, "one")?, message("$2", 2, "two")?, message("$3", 3, "three")?];
        store.save_message(&bad).await?;
        damage::<Message>(&*site.store, value).await?;
        let gate = pause(&watch);
        let mut first = Box::pin(store.save_message(&first));
        ensure!(poll_once(&mut first).is_pending(), "the first is under way");
        let (mut bad, mut good) = (Box::pin(store.save_message(&bad)), Box::pin(store.save_message(&good)));
        ensure!(poll_once(&mut bad).is_pending() && poll_once(&mut good).is_pending(), "the others wait for it");
        drop(gate);
        let (first, (bad, good)) = join(first, join(bad, good)).await;
        ensure_eq!((first?, good?), (Merged::Stored, Merged::Stored));
        ensure_eq!(bad.err().map(|error| error.kind()), Some(kind));
    }
    Ok(())
}

async fn a_save_that_is_dropped_happens_whole_or_not_at_all(context: Context) -> Checked {
    let (store, _site) = open_matrix(&context).await?;
    for polls in 0..12 {
        let user = member(&format!("@{polls}:x"), Membership::Join, polls as i64);
        {
            let mut save = pin!(store.save_member(&user));
            let _ = steps(&mut save, polls).await;
        }
        let other = member("@other:x", Membership::Join, polls as i64);
        store.save_member(&other).await?;
        store.save_member(&user).await?;
        ensure_eq!(room(store.database()).await?.member_count, polls as u64 + 2, "dropped after {polls} polls");
    }
    sound(&store).await
}

async fn verify_finds_what_was_written_past_the_rules_and_repair_rights_it(context: Context) -> Checked {
    let (store, _site) = open_matrix(&context).await?;
    let store = store.me(ME);
    let db = store.database();
    store.save_member(&member(ADA, Membership::Join, 10)).await?;
    store.save_member(&member(ME, Membership::Join, 20)).await?;
    store.save_message(&message("$1", 30, "text")?).await?;
    sound(&store).await?;
    let right = room(db).await?;
    let wrong = [
        (Room { member_count: 9, ..right.clone() }, "member_count"),
        (Room { membership: Membership::Leave, ..right.clone() }, "membership is"),
        (Room { last_event: Timestamp::MIN, ..right.clone() }, "last_event"),
    ];
    for (room_record, word) in wrong {
        db.put(&room_record).await?;
        let found = store.verify().await?;
        ensure!(
            matches!(&found.problems[..], [one] if one.collection == "rooms" && one.problem.contains(word)),
            "{:?}, and not one of {word}",
            found.problems
        );
        ensure_eq!(store.repair_rooms().await?, 1);
        ensure!(room(db).await? == right, "the room is not what it was, after a wrong {word}");
        ensure_eq!(store.repair_rooms().await?, 0);
    }
    // Later than the newest message is no problem: that one may have been deleted.
    db.put(&Room { last_event: at(99), ..right }).await?;
    sound(&store).await
}

async fn verify_judges_a_room_in_which_something_cannot_be_read(context: Context) -> Checked {
    let (store, site) = open_matrix(&context).await?;
    let store = store.me(ME);
    let db = store.database();
    store.save_message(&message("$1", 30, "the newest")?).await?;
    damage::<Message>(&*site.store, b"\x01garbage").await?;
    store.save_message(&message("$2", 20, "text")?).await?;
    store.save_member(&member(ME, Membership::Join, 10)).await?;
    let of = |found: &Verification, collection: &str| {
        found.problems.iter().filter(|problem| problem.collection == collection).count()
    };
    let found = store.verify().await?;
    ensure!(of(&found, "messages") > 0 && of(&found, "rooms") == 0, "{:?}", found.problems);
    let right = room(db).await?;
    db.put(&Room { member_count: 9, ..right.clone() }).await?;
    ensure_eq!(of(&store.verify().await?, "rooms"), 1, "the count is wrong all the same");
    ensure_eq!(store.repair_rooms().await?, 1);
    ensure!(room(db).await? == right, "the room is not what it was");
    damage::<RoomMember>(&*site.store, b"\x01garbage").await?;
    let found = store.verify().await?;
    ensure!(of(&found, "messages") > 0 && of(&found, "room_members") > 0, "{:?}", found.problems);
    Ok(())
}

/// The power comes from the room's state.
async fn a_member_saved_again_is_unchanged_whatever_power_it_says(context: Context) -> Checked {
    let (store, _site) = open_matrix(&context).await?;
    store.save_message(&state_event("$1", 1, "m.room.power_levels", "", r#"{"users":{"@ada:x":100}}"#)?).await?;
    for power_level in [0, 100, 1_000_000] {
        let ada = RoomMember { power_level, ..member(ADA, Membership::Join, 10) };
        let expected = if power_level == 0 { Merged::Stored } else { Merged::Unchanged };
        ensure_eq!(store.save_member(&ada).await?, expected, "{power_level}");
        ensure_eq!(store.save_member(&ada).await?, Merged::Unchanged, "{power_level}, again");
        let stored = store.database().get(&RoomMember::key(&room_id(), &ADA.into())).await?;
        ensure_eq!(stored.map(|ada| ada.power_level), Some(100));
    }
    Ok(())
}

/// The same rules for both, whatever the order.
async fn saves_and_an_import_of_the_same_events_end_alike(context: Context) -> Checked {
    let (imported, _site) = open(&context, schema()).await?;
    let (store, _other_site) = open_matrix(&context).await?;
    let store = store.me(ME);
    let mut events = vec![
        state_event("$1", 1, "m.room.create", "", r#"{"room_version":"11"}"#)?,
        state_event("$2", 2, "m.room.member", ADA, r#"{"membership":"join","displayname":"Ada"}"#)?,
        state_event("$3", 3, "m.room.member", ME, r#"{"membership":"invite"}"#)?,
        state_event("$4", 4, "m.room.member", ME, r#"{"membership":"join"}"#)?,
        state_event("$5", 5, "m.room.power_levels", "", r#"{"users":{"@ada:x":100}}"#)?,
        state_event("$6", 6, "m.room.topic", "", r#"{"topic":"one"}"#)?,
        state_event("$7", 7, "m.room.topic", "", r#"{}"#)?,
        message("$8", 8, "root")?,
        message("$11", 11, "redacted")?,
    ];
    for (id, time, relation) in [
        ("$9", 9, r#"{"rel_type":"m.thread","event_id":"$8"}"#),
        ("$10", 10, r#"{"rel_type":"m.annotation","event_id":"$8","key":"+"}"#),
    ] {
        let content = json(&format!(r#"{{"body":"related","m.relates_to":{relation}}}"#))?;
        events.push(Message { content, ..message(id, time, "")? });
    }
    events.push(Message {
        event_type: "m.room.redaction".to_owned(),
        content: json(r#"{"redacts":"$11","reason":"spam"}"#)?,
        ..message("$12", 12, "")?
    });
    let now = imported.now();
    events.iter_mut().for_each(|event| event.stored_at = now);
    let options = ImportOptions { room: None, me: Some(ME.into()), strict: true };
    let mut importer = Importer::new(imported.clone(), options);
    let mut lines = Vec::new();
    for (position, event) in (1..).zip(&events) {
        lines.push(RawEvent { position, json: export_event(event)?.as_str().to_owned() });
    }
    importer.import(lines).await?;
    for event in events.iter().rev() {
        store.save_message(event).await?;
    }
    ensure_eq!(export(store.database()).await?, export(&imported).await?);
    let redacted = store.database().query(Message::REDACTED).equal(&room_id()).equal(&true).count().await?;
    ensure_eq!(redacted, 1);
    // What was imported and what is saved are one room.
    let store = MatrixStore::new(imported)?.me(ME);
    ensure_eq!(store.save_message(&events[0]).await?, Merged::Unchanged);
    ensure_eq!(store.save_state(&topic("$6", 6, "one")?).await?, Merged::Unchanged);
    store.redact(&room_id(), &"$8".into(), &redaction("$13", 13, "old")).await?;
    sound(&store).await
}

const PROCESSES: u64 = 2;
const MEMBERS_EACH: u64 = 20;

/// A child that saves members: half of its own, half the same as the others save.
async fn save_members(work: Work) -> Checked {
    let store = MatrixStore::new(strongroom_core::Database::builder(schema()).open(work.reopen().await?).await?)?;
    for number in 0..MEMBERS_EACH {
        let whose = if number % 2 == 0 { work.argument } else { PROCESSES };
        store.save_member(&member(&format!("@{number}-{whose}:x"), Membership::Join, number as i64)).await?;
        work.say(number)?;
    }
    Ok(store.database().close().await?)
}

async fn members_that_two_processes_save_are_all_counted(context: Context) -> Checked {
    let (store, site) = open_matrix(&context).await?;
    let start = |number| Child::start(&context, "save members", &site.place, number);
    let mut children: Vec<Child> = (0..PROCESSES).map(start).collect::<Checked<_>>()?;
    for child in &mut children {
        let mut saved = 0;
        while child.next_line()?.is_some() {
            saved += 1;
        }
        child.wait()?;
        ensure_eq!(saved, MEMBERS_EACH);
    }
    let own = PROCESSES * MEMBERS_EACH / 2;
    ensure_eq!(room(store.database()).await?.member_count, own + MEMBERS_EACH / 2);
    sound(&store).await
}
