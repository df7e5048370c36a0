//! What a room's record says of its members and messages is right after each step, in every view.

use std::pin::pin;

use futures_util::future::{join, join_all};
use strongroom_core::matrix::{
    ImportOptions, Importer, MatrixStore, Membership, Message, RawEvent, Room, RoomMember, RoomState, export_event,
    schema,
};
use strongroom_core::{ErrorKind, Merged, Timestamp};

use super::rooms::{ADA, ME, ROOM, export, json, member, message, redaction, room, room_id, sound, state_event, topic};
use super::support::{at, open, open_matrix};
use crate::case::cases;
use crate::child::{Role, Work};
use crate::groups::semantics::support::{poll_once, steps};
use crate::{Checked, Child, Context, ensure, ensure_eq, ensure_kind};

/// What child processes do.
pub(super) const ROLES: &[Role] = &[Role { name: "save members", run: |work| Box::pin(save_members(work)) }];

cases! { Behaviours;
    a_rooms_last_event_is_its_newest_messages_in_every_view,
    a_rooms_member_count_is_that_of_those_who_joined,
    a_rooms_membership_is_the_local_users,
    an_event_of_a_state_changes_all_that_follows_from_it,
    saves_of_a_room_at_once_are_all_there,
    a_save_that_is_left_alone_holds_up_nobody,
    a_save_that_is_dropped_happens_whole_or_not_at_all,
    verify_finds_what_was_written_past_the_rules_and_repair_rights_it,
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
