//! Redaction: content and relations are gone for good, whatever came first and whatever comes again.

use strongroom_core::matrix::{
    EventId, ImportOptions, Importer, Invitation, MatrixStore, Membership, Message, RawEvent, RoomMember, RoomState,
    export_event, relation, schema,
};
use strongroom_core::store::{Content, Fetch, KeyRange, Scan, Store};
use strongroom_core::{Database, Merged};

use super::rooms::{ADA, ME, ROOM, json, member, message, redaction, room_id, sound, state_event, stored, topic};
use super::support::open_matrix;
use crate::case::cases;
use crate::child::{Role, Work};
use crate::{Checked, Child, Context, ensure, ensure_eq};

cases! { Behaviours;
    a_redaction_removes_content_and_relations_before_and_after_its_target,
    a_repeated_save_or_import_does_not_bring_back_what_was_redacted,
    a_redacted_edit_reaction_and_thread_leave_their_indexes,
    a_redacted_state_event_is_redacted_wherever_it_is_kept,
    a_record_without_its_event_is_redacted_in_both_orders,
    a_record_that_tells_another_time_than_its_event_is_redacted_with_it,
    a_quote_of_what_was_redacted_is_kept_in_no_state,
    a_second_redaction_removes_what_was_written_past_the_first,
    a_typed_redaction_finds_its_target_in_its_content,
    a_redacted_redaction_redacts_and_its_reason_is_gone,
    no_row_holds_what_was_redacted,
    what_one_process_saves_and_another_redacts_is_redacted [Reopen, Processes, Share],
}

/// What child processes do.
pub(super) const ROLES: &[Role] = &[Role { name: "save secrets", run: |work| Box::pin(save_secrets(work)) }];

/// Messages that one process saves while another redacts them.
const SECRETS: i64 = 24;

fn threaded() -> Checked<Message> {
    let content = r#"{"body":"a secret","m.relates_to":{"rel_type":"m.thread","event_id":"$0"}}"#;
    Ok(Message { content: json(content)?, ..message("$1", 10, "")? })
}

async fn redact(store: &MatrixStore, target: &str, id: &str, time: i64) -> Checked<Merged> {
    Ok(store.redact(&room_id(), &EventId::from(target), &redaction(id, time, "spam")).await?)
}

/// How many messages the indexes of a thread and of redacted messages show.
async fn in_indexes(store: &MatrixStore) -> Checked<(u64, u64)> {
    let db = store.database();
    let thread = db.query(Message::THREAD).equal(&room_id()).equal(&EventId::from("$0")).count().await?;
    let redacted = db.query(Message::REDACTED).equal(&room_id()).equal(&true).count().await?;
    Ok((thread, redacted))
}

fn is_redacted(message: &Message) -> Checked {
    ensure!(message.redacted && message.content.as_str() == "{}", "{} has its content", message.message_id);
    ensure_eq!(message.redaction_reason.as_deref(), Some("spam"));
    let relations = (&message.relates_to, &message.relates_to_type, &message.thread_root, &message.relation_key);
    ensure_eq!(relations, (&None, &None, &None, &None));
    ensure!(message.unsigned.is_none() && message.in_reply_to.is_none() && message.via.is_none(), "more is left");
    Ok(())
}

async fn a_redaction_removes_content_and_relations_before_and_after_its_target(context: Context) -> Checked {
    let mut ends = Vec::new();
    for before in [false, true] {
        let (store, _site) = open_matrix(&context).await?;
        if before {
            ensure_eq!(redact(&store, "$1", "$r", 20).await?, Merged::Stored);
        }
        let full = Message { via: Some(vec!["x".to_owned()]), in_reply_to: Some("$0".into()), ..threaded()? };
        store.save_message(&full).await?;
        if !before {
            ensure_eq!(in_indexes(&store).await?, (1, 0));
            ensure_eq!(redact(&store, "$1", "$r", 20).await?, Merged::Stored);
        }
        is_redacted(&stored(store.database(), "$1").await?)?;
        ensure_eq!(in_indexes(&store).await?, (0, 1));
        ensure_eq!(redact(&store, "$1", "$r", 20).await?, Merged::Unchanged);
        sound(&store).await?;
        ends.push(super::rooms::export(store.database()).await?);
    }
    ensure_eq!(ends[0], ends[1], "whichever came first");
    Ok(())
}

async fn a_repeated_save_or_import_does_not_bring_back_what_was_redacted(context: Context) -> Checked {
    let (store, _site) = open_matrix(&context).await?;
    let original = threaded()?;
    store.save_message(&original).await?;
    redact(&store, "$1", "$r", 20).await?;
    let left = stored(store.database(), "$1").await?;
    ensure_eq!(store.save_message(&original).await?, Merged::Unchanged);
    let line = RawEvent { position: 1, json: export_event(&original)?.as_str().to_owned() };
    let mut importer = Importer::new(store.database().clone(), ImportOptions::default());
    importer.import(vec![line.clone(), line]).await?;
    ensure_eq!(importer.report().unchanged, 2);
    ensure!(stored(store.database(), "$1").await? == left, "something came back");
    // Deleted, and then heard of once more: the redaction is still here.
    store.database().delete(&Message::key(&room_id(), &"$1".into())).await?;
    store.save_message(&original).await?;
    is_redacted(&stored(store.database(), "$1").await?)?;
    // As another replica has it.
    let other = open_matrix(&context).await?;
    other.0.save_message(&left).await?;
    is_redacted(&stored(other.0.database(), "$1").await?)?;
    ensure_eq!(other.0.save_message(&original).await?, Merged::Unchanged);
    is_redacted(&stored(other.0.database(), "$1").await?)?;
    sound(&store).await
}

async fn a_redacted_edit_reaction_and_thread_leave_their_indexes(context: Context) -> Checked {
    let (store, _site) = open_matrix(&context).await?;
    store.save_message(&message("$0", 1, "original")?).await?;
    for (id, kind) in [("$1", relation::REPLACE), ("$2", relation::ANNOTATION), ("$3", relation::IN_REPLY_TO)] {
        let (relates_to, relates_to_type) = (Some("$0".into()), Some(kind.to_owned()));
        let related = message(id, 10, "related")?;
        store.save_message(&Message { relates_to, relates_to_type, ..related }).await?;
        let of_kind = async || {
            let all = store.database().query(Message::RELATION).equal(&room_id()).equal(&EventId::from("$0"));
            all.equal(kind).count().await
        };
        ensure_eq!(of_kind().await?, 1, "before");
        redact(&store, id, &format!("{id}-r"), 20).await?;
        ensure_eq!(of_kind().await?, 0, "after");
        is_redacted(&stored(store.database(), id).await?)?;
    }
    ensure!(!stored(store.database(), "$0").await?.redacted, "what they relate to stays");
    sound(&store).await
}

/// In its message, the room's state, the member, an invitation and the quote in the event that replaced it.
async fn a_redacted_state_event_is_redacted_wherever_it_is_kept(context: Context) -> Checked {
    let (store, _site) = open_matrix(&context).await?;
    let store = store.me(ME);
    let db = store.database();
    let named = r#"{"membership":"join","displayname":"a secret"}"#;
    store.save_message(&state_event("$1", 10, "m.room.member", ADA, named)?).await?;
    let invited = r#"{"membership":"invite","displayname":"a secret"}"#;
    store.save_message(&state_event("$2", 20, "m.room.member", ME, invited)?).await?;
    store.save_message(&state_event("$3", 30, "m.room.topic", "", r#"{"topic":"a secret"}"#)?).await?;
    let unsigned = json(r#"{"replaces_state":"$3","prev_content":{"topic":"a secret"}}"#)?;
    let next = state_event("$4", 40, "m.room.topic", "", r#"{"topic":"open"}"#)?;
    store.save_message(&Message { unsigned: Some(unsigned), ..next }).await?;
    ensure!(db.get(&Invitation::key(&room_id(), &ME.into())).await?.is_some(), "there is an invitation");
    for (target, time) in [("$1", 50), ("$2", 60), ("$3", 70)] {
        redact(&store, target, &format!("{target}-r"), time).await?;
        ensure!(stored(db, target).await?.redacted, "{target}");
    }
    ensure_eq!(found(&*_site.store, b"a secret").await?, 0, "rows with the secret");
    let ada = db.get(&RoomMember::key(&room_id(), &ADA.into())).await?;
    ensure_eq!(ada.map(|ada| (ada.membership, ada.redacted)), Some((Membership::Join, true)));
    let state = db.get(&RoomState::key(&room_id(), "m.room.member", ADA)).await?;
    ensure_eq!(state.map(|state| (state.redacted, state.content)), Some((true, json(r#"{"membership":"join"}"#)?)));
    ensure_eq!(
        store.state(&room_id(), "m.room.topic", "").await?.map(|topic| topic.content),
        Some(json(r#"{"topic":"open"}"#)?)
    );
    sound(&store).await
}

/// Records that were saved by themselves name an event; its redaction finds them.
async fn a_record_without_its_event_is_redacted_in_both_orders(context: Context) -> Checked {
    let named = RoomMember {
        event_id: Some("$1".into()),
        display_name: Some("a secret".to_owned()),
        ..member(ADA, Membership::Join, 10)
    };
    let secret = topic("$2", 10, "a secret")?;
    let quoting = RoomState {
        r#type: "m.room.name".to_owned(),
        prev_state_id: Some("$2".into()),
        prev_content: Some(secret.content.clone()),
        ..topic("$3", 30, "open")?
    };
    for before in [false, true] {
        let (store, site) = open_matrix(&context).await?;
        if before {
            redact(&store, "$1", "$1-r", 20).await?;
            redact(&store, "$2", "$2-r", 20).await?;
        }
        store.save_state(&quoting).await?;
        store.save_member(&named).await?;
        store.save_state(&secret).await?;
        if !before {
            redact(&store, "$1", "$1-r", 20).await?;
            redact(&store, "$2", "$2-r", 20).await?;
        }
        ensure_eq!(store.save_member(&named).await?, Merged::Unchanged);
        ensure_eq!(store.save_state(&secret).await?, Merged::Unchanged);
        ensure_eq!(found(&*site.store, b"a secret").await?, 0, "rows with the secret, redacted before: {before}");
        sound(&store).await?;
    }
    Ok(())
}

async fn a_record_that_tells_another_time_than_its_event_is_redacted_with_it(context: Context) -> Checked {
    let (store, site) = open_matrix(&context).await?;
    let named = r#"{"membership":"join","displayname":"a secret"}"#;
    store.save_message(&state_event("$1", 10, "m.room.member", ADA, named)?).await?;
    let display_name = Some("a secret".to_owned());
    let event_id = Some("$1".into());
    store.save_member(&RoomMember { event_id, display_name, ..member(ADA, Membership::Join, 11) }).await?;
    store.save_message(&state_event("$2", 10, "m.room.topic", "", r#"{"topic":"a secret"}"#)?).await?;
    store.save_state(&topic("$2", 11, "a secret")?).await?;
    redact(&store, "$1", "$1-r", 20).await?;
    redact(&store, "$2", "$2-r", 20).await?;
    ensure_eq!(found(&*site.store, b"a secret").await?, 0, "rows with the secret");
    sound(&store).await
}

/// Whether the event it quotes is among the messages, is redacted there already, or is not named at all.
async fn a_quote_of_what_was_redacted_is_kept_in_no_state(context: Context) -> Checked {
    let target = state_event("$1", 10, "m.room.topic", "", r#"{"topic":"a secret"}"#)?;
    let quoting = RoomState {
        prev_state_id: Some("$1".into()),
        prev_content: Some(target.content.clone()),
        ..topic("$2", 20, "open")?
    };
    for redacted in [false, true] {
        let (store, site) = open_matrix(&context).await?;
        if !redacted {
            store.save_message(&target).await?;
        }
        store.save_state(&quoting).await?;
        let kept = store.database().get(&RoomState::key(&room_id(), "m.room.topic", "")).await?;
        ensure!(kept.is_some_and(|state| state.prev_content.is_some()), "the quote is kept until then");
        if redacted {
            store.save_message(&Message { redacted, ..target.clone() }).await?;
        } else {
            redact(&store, "$1", "$r", 30).await?;
        }
        ensure_eq!(found(&*site.store, b"a secret").await?, 0, "rows with the secret, came redacted: {redacted}");
        ensure_eq!(store.save_state(&quoting).await?, Merged::Unchanged);
        ensure_eq!(found(&*site.store, b"a secret").await?, 0, "rows with the secret, saved again");
        sound(&store).await?;
    }
    let (store, site) = open_matrix(&context).await?;
    store.save_state(&RoomState { prev_state_id: None, ..quoting }).await?;
    ensure_eq!(found(&*site.store, b"a secret").await?, 0, "rows with a quote that names no event");
    Ok(())
}

async fn a_second_redaction_removes_what_was_written_past_the_first(context: Context) -> Checked {
    let (store, site) = open_matrix(&context).await?;
    let original = threaded()?;
    store.save_message(&original).await?;
    redact(&store, "$1", "$r", 20).await?;
    store.database().put(&original).await?;
    ensure_eq!(redact(&store, "$1", "$r", 20).await?, Merged::Stored);
    is_redacted(&stored(store.database(), "$1").await?)?;
    ensure_eq!(found(&*site.store, b"a secret").await?, 0, "rows with the secret");
    ensure_eq!(redact(&store, "$1", "$r", 20).await?, Merged::Unchanged);
    sound(&store).await
}

/// Also where the record names a thread, which a redaction has none of.
async fn a_typed_redaction_finds_its_target_in_its_content(context: Context) -> Checked {
    let (store, _site) = open_matrix(&context).await?;
    store.save_message(&threaded()?).await?;
    let by = Message {
        event_type: "m.room.redaction".to_owned(),
        content: json(r#"{"redacts":"$1","reason":"spam"}"#)?,
        thread_root: Some("$0".into()),
        ..message("$r", 20, "")?
    };
    store.save_message(&by).await?;
    is_redacted(&stored(store.database(), "$1").await?)?;
    sound(&store).await
}

async fn a_redacted_redaction_redacts_and_its_reason_is_gone(context: Context) -> Checked {
    let (store, site) = open_matrix(&context).await?;
    store.save_message(&threaded()?).await?;
    let rude = redaction("$r", 20, "a rude reason");
    store.redact(&room_id(), &"$1".into(), &rude).await?;
    ensure_eq!(stored(store.database(), "$1").await?.redaction_reason.as_deref(), Some("a rude reason"));
    redact(&store, "$r", "$rr", 30).await?;
    let target = stored(store.database(), "$1").await?;
    ensure!(target.redacted && target.redaction_reason.is_none(), "the target stays redacted, without the reason");
    ensure_eq!(found(&*site.store, b"a rude reason").await?, 0, "rows with the reason");
    store.save_message(&threaded()?).await?;
    ensure!(stored(store.database(), "$1").await?.redacted, "it still redacts");
    sound(&store).await
}

async fn no_row_holds_what_was_redacted(context: Context) -> Checked {
    let (store, site) = open_matrix(&context).await?;
    let full = Message { unsigned: Some(json(r#"{"note":"a secret too"}"#)?), ..threaded()? };
    store.save_message(&full).await?;
    let (readable, before) = (found(&*site.store, ROOM.as_bytes()).await? > 0, found(&*site.store, b"a secret").await?);
    ensure_eq!(before > 0, readable, "where a room's name can be read, the content can");
    redact(&store, "$1", "$r", 20).await?;
    store.save_message(&full).await?;
    ensure_eq!(found(&*site.store, b"a secret").await?, 0, "rows with the secret");
    Ok(())
}

/// How many rows have these bytes in their key or value.
async fn found(store: &dyn Store, bytes: &[u8]) -> Checked<usize> {
    let mut range = KeyRange::prefix(&[]);
    let mut found = 0;
    loop {
        let limit = store.info().limits.page_entries_max;
        let scan = Scan { range: range.clone(), reverse: false, limit, max_bytes: usize::MAX, fetch: Fetch::Values };
        let page = store.scan(&scan).await?;
        let Some(last) = page.entries.last() else { return Ok(found) };
        range = range.beyond(&last.key, false);
        let has = |text: &[u8]| text.windows(bytes.len()).any(|window| window == bytes);
        let holds = |content: &Option<Content>| matches!(content, Some(Content::Value(value)) if has(value));
        found += page.entries.iter().filter(|entry| has(entry.key.as_bytes()) || holds(&entry.content)).count();
    }
}

/// Each of them twice, as it comes from a server and once more with another page.
async fn save_secrets(work: Work) -> Checked {
    let store = MatrixStore::new(Database::builder(schema()).open(work.reopen().await?).await?)?;
    work.say("ready")?;
    for number in (0..SECRETS).chain(0..SECRETS) {
        store.save_message(&message(&format!("$secret{number}"), number, "a secret")?).await?;
    }
    Ok(store.database().close().await?)
}

async fn what_one_process_saves_and_another_redacts_is_redacted(context: Context) -> Checked {
    let (store, site) = open_matrix(&context).await?;
    let mut child = Child::start(&context, "save secrets", &site.place, 0)?;
    ensure_eq!(child.next_line()?.as_deref(), Some("ready"));
    // From the other end: some come before their target, some behind it.
    for number in (0..SECRETS).rev() {
        redact(&store, &format!("$secret{number}"), &format!("$by{number}"), 100 + number).await?;
    }
    ensure!(child.next_line()?.is_none(), "it says nothing more");
    child.wait()?;
    for number in 0..SECRETS {
        let left = stored(store.database(), &format!("$secret{number}")).await?;
        ensure!(left.redacted && left.content.as_str() == "{}", "message {number}: {}", left.content.as_str());
    }
    sound(&store).await
}
