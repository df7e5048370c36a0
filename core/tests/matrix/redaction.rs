//! Redaction: what was deleted never comes back, whatever the order of arrival.

use serde_json::{Value, json};
use strongroom_core::Database;
use strongroom_core::matrix::{EventId, Invitation, Membership, Message, RoomAlias, RoomAliasId, UserId, relation};

use super::support::*;

/// Every order of up to five events.
fn orders(events: &[Value]) -> Vec<Vec<Value>> {
    if events.is_empty() {
        return vec![Vec::new()];
    }
    let mut all = Vec::new();
    for at in 0..events.len() {
        let mut rest = events.to_vec();
        let first = rest.remove(at);
        for mut order in orders(&rest) {
            order.insert(0, first.clone());
            all.push(order);
        }
    }
    all
}

/// Imports every order, in one batch and one by one: the records must always be the same, without the secret. Nothing may
/// change when the events come again, nor when the export is imported into a fresh store.
async fn check_orders(events: &[Value]) -> Database {
    let db = database().await;
    import(&db, events).await;
    let expected = dump(&db).await;
    let text = serde_json::to_string(&expected).unwrap();
    assert!(!text.contains("secret"), "{text}");

    for order in orders(events) {
        for batch in [usize::MAX, 1] {
            let db = database().await;
            let report = import_with(&db, options(), order.iter().map(Value::to_string), batch).await;
            assert!(report.failed.is_empty(), "{report:?}");
            assert_eq!(dump(&db).await, expected, "{order:#?}");
        }
        let again = import(&db, &order).await;
        assert_eq!((again.stored, again.failed.len()), (0, 0), "{again:?}");
    }
    assert_eq!(dump(&db).await, expected, "after the same again");
    let fresh = database().await;
    import_with(&fresh, options(), export(&db).await, 2).await;
    assert_eq!(dump(&fresh).await, expected, "after an export");
    db
}

#[tokio::test]
async fn a_redaction_removes_content_and_relations_before_and_after_its_target() {
    let mut target = message("$m", 10, "secret");
    target["content"]["m.relates_to"] =
        json!({"rel_type": "m.thread", "event_id": "$root", "m.in_reply_to": {"event_id": "$other"}});
    target["unsigned"] = json!({"age": 1, "secret": true});
    let db = check_orders(&[target, redaction("$r", 20, "$m", "spam"), message("$other", 5, "stays")]).await;

    let redacted = get_message(&db, "$m").await;
    assert_eq!((redacted.content.as_str(), redacted.redacted), ("{}", true));
    assert_eq!(redacted.redaction_reason.as_deref(), Some("spam"));
    assert!(redacted.unsigned.is_none() && redacted.relates_to.is_none() && redacted.relates_to_type.is_none());
    assert!(redacted.thread_root.is_none() && redacted.in_reply_to.is_none());
    assert_eq!((redacted.timestamp.as_millis(), &*redacted.event_type), (10, "m.room.message"));
    assert!(redacted.sender_key == UserId::from("@alice:example.org"));

    let room = ROOM.into();
    let thread = db.query(Message::THREAD).equal(&room).equal(&EventId::from("$root"));
    assert_eq!(thread.count().await.unwrap(), 0);
    let flagged = db.query(Message::REDACTED).equal(&room).equal(&true).page().await.unwrap().records;
    assert!(flagged.len() == 1 && flagged[0].message_id == EventId::from("$m"));
    assert_eq!(get_message(&db, "$other").await.content.parse::<Value>().unwrap()["body"], "stays");
}

#[tokio::test]
async fn a_tombstone_without_its_target_is_no_event_of_its_own() {
    let db = check_orders(&[redaction("$r", 20, "$absent", "spam"), message("$other", 5, "stays")]).await;
    assert_eq!(db.count::<Message>().await.unwrap(), 2);
    assert_eq!(export(&db).await.len(), 2);
    let waiting = get_message(&db, "$r").await;
    assert_eq!(waiting.relates_to_type.as_deref(), Some(relation::REDACTION));
    assert!(!waiting.redacted);
}

#[tokio::test]
async fn the_target_may_stand_in_the_content_or_on_the_event() {
    let in_content = event("$r1", 20, "m.room.redaction", json!({"redacts": "$a", "reason": "one"}));
    let mut both = event("$r2", 21, "m.room.redaction", json!({"redacts": "$b", "reason": "two"}));
    both["redacts"] = "$b".into();
    let events = [message("$a", 1, "secret"), message("$b", 2, "secret"), in_content, both];
    let db = check_orders(&events).await;
    assert_eq!(get_message(&db, "$a").await.redaction_reason.as_deref(), Some("one"));
    assert_eq!(get_message(&db, "$b").await.redaction_reason.as_deref(), Some("two"));

    let lines: Vec<Value> = export(&db).await.iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines[2]["content"]["redacts"], "$a");
    assert!(lines[2].get("redacts").is_none(), "it comes out where it stood");
    let top = redaction("$r3", 30, "$c", "three");
    let db = check_orders(std::slice::from_ref(&top)).await;
    assert_eq!(serde_json::from_str::<Value>(&export(&db).await[0]).unwrap(), top);
}

#[tokio::test]
async fn of_several_redactions_the_earliest_gives_the_reason() {
    let events = [
        message("$m", 1, "secret"),
        redaction("$late", 30, "$m", "late"),
        redaction("$early", 20, "$m", "early"),
        redaction("$tie", 20, "$m", "tie, greater id"),
    ];
    let db = check_orders(&events).await;
    assert_eq!(get_message(&db, "$m").await.redaction_reason.as_deref(), Some("early"));
}

#[tokio::test]
async fn a_redacted_redaction_still_redacts_and_takes_its_reason_along() {
    let events =
        [message("$m", 1, "secret"), redaction("$r", 20, "$m", "a secret reason"), redaction("$rr", 30, "$r", "rude")];
    let db = check_orders(&events).await;
    let message = get_message(&db, "$m").await;
    assert_eq!((message.redacted, message.redaction_reason, message.content.as_str()), (true, None, "{}"));
    let redaction = get_message(&db, "$r").await;
    assert_eq!((redaction.redacted, redaction.redaction_reason.as_deref()), (true, Some("rude")));
    assert!(redaction.relates_to == Some(EventId::from("$m")), "the tombstone stays");
}

#[tokio::test]
async fn an_event_that_comes_redacted_is_kept_so_and_its_redaction_is_an_event() {
    let because = redaction("$r", 20, "$m", "spam");
    let mut redacted = message("$m", 10, "");
    redacted["content"] = json!({});
    redacted["unsigned"] = json!({"redacted_because": because, "age": 3});
    let db = check_orders(&[redacted.clone(), message("$m", 10, "secret")]).await;
    assert_eq!(db.count::<Message>().await.unwrap(), 2);
    assert_eq!(get_message(&db, "$m").await.redaction_reason.as_deref(), Some("spam"));
    assert_eq!(get_message(&db, "$r").await.content.parse::<Value>().unwrap(), json!({"reason": "spam"}));

    // A redaction that is not a whole event, and one that does not name its target.
    redacted["unsigned"] = json!({"redacted_because": {"content": {"reason": "why"}}});
    let db = check_orders(&[redacted.clone(), message("$m", 10, "secret")]).await;
    assert_eq!(db.count::<Message>().await.unwrap(), 1);
    assert_eq!(get_message(&db, "$m").await.redaction_reason.as_deref(), Some("why"));
    let mut because = because;
    because.as_object_mut().unwrap().remove("redacts");
    redacted["unsigned"] = json!({"redacted_because": because});
    let db = check_orders(&[redacted, message("$m", 10, "secret")]).await;
    assert!(get_message(&db, "$r").await.relates_to == Some(EventId::from("$m")));
}

#[tokio::test]
async fn a_redacted_edit_does_not_live_on_in_what_it_edited() {
    let mut edit = message("$edit", 20, "secret");
    edit["content"]["m.relates_to"] = json!({"rel_type": "m.replace", "event_id": "$m"});
    let mut reply = message("$reply", 15, "secret");
    reply["content"]["m.relates_to"] = json!({"rel_type": "m.thread", "event_id": "$m"});
    reply["unsigned"] = json!({"m.relations": {"m.replace": edit}});
    let mut original = message("$m", 10, "first");
    original["unsigned"] = json!({"age": 7, "m.relations": {
        "m.replace": edit,
        "m.annotation": {"chunk": [{"type": "m.reaction", "key": "👍", "count": 3}]},
        "m.thread": {"count": 1, "latest_event": reply},
    }});
    let events = [original, redaction("$r1", 30, "$edit", "x"), redaction("$r2", 31, "$reply", "y")];
    let db = check_orders(&events).await;
    assert_eq!(db.count::<Message>().await.unwrap(), 5, "the bundled ones have rows of their own");
    let unsigned: Value = get_message(&db, "$m").await.unsigned.unwrap().parse().unwrap();
    let aggregated = json!({"age": 7, "m.relations": {
        "m.annotation": {"chunk": [{"type": "m.reaction", "key": "👍", "count": 3}]}, "m.thread": {"count": 1}}});
    assert_eq!(unsigned, aggregated, "what is only counted stays, and nothing is made up");
}

#[tokio::test]
async fn a_redacted_state_event_does_not_live_on_in_the_one_that_replaced_it() {
    let old = state("$old", 10, "m.room.topic", "", json!({"topic": "secret"}));
    let mut new = state("$new", 20, "m.room.topic", "", json!({"topic": "new"}));
    new["unsigned"] = json!({"replaces_state": "$old", "prev_content": {"topic": "secret"}, "age": 1});
    let mut newest = state("$newest", 30, "m.room.topic", "", json!({"topic": "newest"}));
    newest["unsigned"] = json!({"replaces_state": "$new", "prev_content": {"topic": "new"}});
    let db = check_orders(&[old, new.clone(), newest, redaction("$r", 40, "$old", "x")]).await;
    let current = get_state(&db, "m.room.topic", "").await.unwrap();
    assert!(current.prev_state_id == Some(EventId::from("$new")));
    assert_eq!(current.prev_content.unwrap().as_str(), r#"{"topic":"new"}"#);
    let quoting = get_message(&db, "$new").await;
    assert_eq!(quoting.unsigned.unwrap().parse::<Value>().unwrap(), json!({"replaces_state": "$old", "age": 1}));
    check_orders(&[new, redaction("$r", 40, "$old", "x")]).await;

    // A copy that does not say whose it is cannot be found again.
    let mut nameless = state("$nameless", 50, "m.room.topic", "", json!({"topic": "t"}));
    nameless["unsigned"] = json!({"prev_content": {"topic": "secret"}, "age": 2});
    let db = check_orders(&[nameless]).await;
    let unsigned = get_message(&db, "$nameless").await.unsigned.unwrap();
    assert_eq!(unsigned.as_str(), r#"{"age":2}"#);
}

#[tokio::test]
async fn a_redacted_member_stays_a_member_without_a_face() {
    let mut join = member("$join", 10, ME, "join");
    join["content"]["displayname"] = "secret".into();
    join["content"]["reason"] = "secret".into();
    let db = check_orders(&[join, member("$invite", 5, ME, "invite"), redaction("$r", 20, "$join", "x")]).await;
    let member = get_member(&db, ME).await.unwrap();
    assert_eq!((member.membership, member.display_name), (Membership::Join, None));
    let state = get_state(&db, "m.room.member", ME).await.unwrap();
    assert_eq!((state.content.as_str(), state.reason), (r#"{"membership":"join"}"#, None));
    assert_eq!(state.membership, Some(Membership::Join));
    let room = get_room(&db).await;
    assert_eq!((room.member_count, room.membership), (1, Membership::Join));
}

#[tokio::test]
async fn redacted_power_levels_and_creation_keep_the_rules_of_the_room() {
    let levels = json!({"users": {ME: 50}, "users_default": 5, "notifications": {"room": "secret"}});
    let events = [
        state("$create", 1, "m.room.create", "", json!({"room_version": "10", "creator": "@c:x"})),
        member("$join", 2, ME, "join"),
        state("$levels", 3, "m.room.power_levels", "", levels),
        redaction("$r1", 4, "$levels", "x"),
        redaction("$r2", 5, "$create", "x"),
    ];
    let db = check_orders(&events).await;
    assert_eq!(get_member(&db, ME).await.unwrap().power_level, 50);
    let room = get_room(&db).await;
    assert!(room.creator == UserId::from("@c:x") && room.version == "10");
    assert_eq!(room.created_at.as_millis(), 1);
}

#[tokio::test]
async fn redacted_aliases_are_gone_and_so_is_a_redacted_invitation() {
    let aliases = json!({"alias": "#secret:x", "alt_aliases": ["#secret-too:x"]});
    let old = state("$old", 1, "m.room.aliases", "x", json!({"aliases": ["#kept:x"]}));
    let events = [old, state("$a", 2, "m.room.canonical_alias", "", aliases), redaction("$r", 3, "$a", "x")];
    let db = check_orders(&events).await;
    let kept = RoomAliasId::from("#kept:x");
    assert!(get_room(&db).await.aliases == [kept.clone()]);
    assert_eq!(db.count::<RoomAlias>().await.unwrap(), 1);
    assert!(db.get(&RoomAlias::key(&kept)).await.unwrap().is_some());

    let mut invite = member("$i", 1, ME, "invite");
    invite["content"]["displayname"] = "secret".into();
    invite["unsigned"] = json!({"invite_room_state": [{"content": {"name": "secret"}}]});
    let db = check_orders(&[invite, redaction("$r", 3, "$i", "x")]).await;
    let invitation = db.get(&Invitation::key(&ROOM.into(), &ME.into())).await.unwrap().unwrap();
    assert!(invitation.room_state.is_none());
}

#[tokio::test]
async fn nobody_can_fake_a_tombstone() {
    let mut fake = message("$fake", 1, "x");
    fake["content"]["m.relates_to"] = json!({"rel_type": "m.redaction", "event_id": "$m"});
    let mut quote = message("$quote", 1, "x");
    quote["content"]["m.relates_to"] = json!({"rel_type": "m.replaces_state", "event_id": "$m"});
    let as_state = state("$state", 2, "m.room.redaction", "", json!({"redacts": "$m"}));
    let db = check_orders(&[fake, quote, as_state, message("$m", 10, "stays")]).await;
    assert!(!get_message(&db, "$m").await.redacted);
    assert!(get_message(&db, "$fake").await.relates_to.is_none());

    // Another room's redaction is none of this room's business.
    let mut elsewhere = redaction("$r", 20, "$m", "x");
    elsewhere["room_id"] = "!elsewhere".into();
    let db = check_orders(&[elsewhere, message("$m", 10, "stays")]).await;
    assert!(!get_message(&db, "$m").await.redacted);
}
