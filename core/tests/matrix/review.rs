//! What hostile or merely real exports must not do to an import.

use serde_json::{Value, json};
use strongroom_core::matrix::{EventId, Message, ReadReceipt, RoomAlias, RoomAliasId, UserId};

use super::support::*;

async fn stored(db: &strongroom_core::Database, id: &str) -> Option<Message> {
    db.get(&Message::key(&ROOM.into(), &EventId::from(id))).await.unwrap()
}

#[tokio::test]
async fn a_relation_that_no_key_can_hold_is_no_relation() {
    for relates in [
        json!({"rel_type": "m.reference", "event_id": "x".repeat(2_500)}),
        json!({"rel_type": "x".repeat(2_500), "event_id": "$m"}),
        json!({"rel_type": "m.thread", "event_id": "\0".repeat(1_000)}),
        json!({"m.in_reply_to": {"event_id": "x".repeat(2_500)}}),
    ] {
        let db = database().await;
        let mut event = message("$m", 1, "text");
        event["content"]["m.relates_to"] = relates;
        let report = import(&db, &[event]).await;
        assert!(report.failed.is_empty(), "{report:?}");
        let message = get_message(&db, "$m").await;
        assert!(message.relates_to.is_none() && message.relates_to_type.is_none() && message.thread_root.is_none());
        dump(&db).await;
    }
}

#[tokio::test]
async fn an_alias_that_no_key_can_hold_is_none() {
    let db = database().await;
    let content = json!({"alias": "#a:x", "alt_aliases": ["x".repeat(3_000)]});
    let report = import(&db, &[state("$a", 1, "m.room.canonical_alias", "", content)]).await;
    assert!(report.failed.is_empty(), "{report:?}");
    assert!(get_room(&db).await.aliases == ["#a:x".into()]);
    assert!(db.get(&RoomAlias::key(&RoomAliasId::from("#a:x"))).await.unwrap().is_some());
}

#[tokio::test]
async fn what_is_bundled_with_an_event_that_fails_is_kept() {
    // Element's export has the edited text in the original's place, so a later export has other content for the same id.
    let db = database().await;
    import(&db, &[message("$m", 1, "first")]).await;
    let mut edit = message("$edit", 2, "* second");
    edit["content"]["m.relates_to"] = json!({"rel_type": "m.replace", "event_id": "$m"});
    let mut edited = message("$m", 1, "second");
    edited["unsigned"] = json!({"m.relations": {"m.replace": edit}});
    let report = import(&db, &[edited]).await;
    assert_eq!((report.read, report.failed.len()), (1, 1));
    assert!(stored(&db, "$edit").await.is_some());
    assert!(get_message(&db, "$m").await.content.as_str().contains("first"));
}

#[tokio::test]
async fn a_respelled_content_that_no_parser_takes_whole_is_the_same() {
    for body in [r#""half \ud83d""#, "1e999"] {
        let db = database().await;
        let text = message("$m", 1, "BODY").to_string().replace(r#""BODY""#, body);
        let spaced = text.replace("\"content\":{", "\"content\":\n{\n  ");
        assert_eq!(import_with(&db, options(), [spaced.clone()], 1).await.stored, 1);
        let exported = export(&db).await;
        let again = import_with(&db, options(), [spaced, text].into_iter().chain(exported), 1).await;
        assert_eq!((again.unchanged, again.failed.len()), (3, 0), "{again:?}");
    }
}

#[tokio::test]
async fn numbers_are_compared_as_numbers() {
    let with = |number: &str| message("$m", 1, "N").to_string().replace(r#""N""#, number);
    let db = database().await;
    let report = import_with(&db, options(), [with("[1.0,1e3,-0]"), with("[1,1000,0]"), with("[1,1001,0]")], 9).await;
    assert_eq!((report.stored, report.unchanged, report.failed.len()), (1, 1, 1), "{report:?}");
}

#[tokio::test]
async fn the_thread_of_older_servers_is_bundled_too() {
    let mut reply = message("$reply", 15, "secret");
    reply["content"]["m.relates_to"] = json!({"rel_type": "io.element.thread", "event_id": "$m"});
    let mut original = message("$m", 10, "first");
    original["unsigned"] = json!({"m.relations": {"io.element.thread": {"count": 1, "latest_event": reply}}});
    let db = database().await;
    import(&db, &[original, redaction("$r", 30, "$reply", "y")]).await;
    assert!(!format!("{:?}", dump(&db).await).contains("secret"));
    assert!(get_message(&db, "$reply").await.redacted);
}

#[tokio::test]
async fn a_bundled_event_that_is_not_whole_keeps_no_content() {
    for change in [
        json!({"room_id": "!elsewhere"}),
        json!({"origin_server_ts": "x"}),
        json!({"event_id": null}),
        json!({"event_id": "x".repeat(3_000)}),
        json!({"sender": "x".repeat(3_000)}),
    ] {
        let mut edit = message("$edit", 20, "secret");
        for (name, value) in change.as_object().unwrap() {
            edit[name] = value.clone();
        }
        let mut original = message("$m", 10, "first");
        original["unsigned"] = json!({"age": 1, "m.relations": {"m.replace": edit}});
        let db = database().await;
        let report = import(&db, &[original, redaction("$r", 30, "$edit", "y")]).await;
        assert_eq!(report.stored, 2, "{report:?}");
        assert!(!format!("{:?}", dump(&db).await).contains("secret"));
        assert!(get_message(&db, "$m").await.unsigned.unwrap().as_str().contains("m.replace"));
    }
}

#[tokio::test]
async fn a_redaction_that_comes_redacted_takes_its_reason_along() {
    let db = database().await;
    import(&db, &[message("$m", 1, "secret"), redaction("$r", 2, "$m", "a secret reason")]).await;
    let mut redacted = redaction("$r", 2, "$m", "");
    redacted["content"] = json!({});
    redacted["unsigned"] = json!({"redacted_because": {"content": {"reason": "rude"}}});
    import(&db, &[redacted]).await;
    assert!(!format!("{:?}", dump(&db).await).contains("secret"));
}

#[tokio::test]
async fn a_redacted_redaction_without_a_target_learns_it() {
    // Before room version 11 a redacted redaction has lost its `redacts`.
    let mut redacted = redaction("$r", 2, "$m", "");
    redacted.as_object_mut().unwrap().remove("redacts");
    redacted["content"] = json!({});
    redacted["unsigned"] = json!({"redacted_because": redaction("$rr", 3, "$r", "rude")});
    let whole = redaction("$r", 2, "$m", "a secret reason");
    let target = message("$m", 1, "secret");
    let mut dumps = Vec::new();
    for order in [[&target, &redacted, &whole], [&target, &whole, &redacted], [&redacted, &whole, &target]] {
        for batch in [1, 3] {
            let db = database().await;
            let report = import_with(&db, options(), order.into_iter().map(Value::to_string), batch).await;
            assert!(report.failed.is_empty(), "{report:?}");
            dumps.push(dump(&db).await);
        }
    }
    assert!(!format!("{dumps:?}").contains("secret"));
    assert!(dumps.iter().all(|dump| *dump == dumps[0]), "{dumps:#?}");
}

#[tokio::test]
async fn a_decrypted_message_keeps_the_relation_of_its_encrypted_form() {
    let relates = json!({"rel_type": "m.thread", "event_id": "$root"});
    let encrypted = event("$m", 1, "m.room.encrypted", json!({"ciphertext": "x", "m.relates_to": relates}));
    let clear = message("$m", 1, "hello");
    for order in [[&encrypted, &clear], [&clear, &encrypted]] {
        for batch in [1, 2] {
            let db = database().await;
            import_with(&db, options(), order.into_iter().map(Value::to_string), batch).await;
            let message = get_message(&db, "$m").await;
            assert!(message.content.as_str().contains("hello"));
            assert!(message.thread_root == Some("$root".into()) && message.relates_to == Some("$root".into()));
            let again = import_with(&db, options(), order.into_iter().map(Value::to_string), batch).await;
            assert_eq!(again.stored, 0);
        }
    }
}

#[tokio::test]
async fn a_redacted_message_has_the_type_that_was_decrypted_in_any_order() {
    let mut redacted = event("$m", 1, "m.room.encrypted", json!({}));
    redacted["unsigned"] = json!({"redacted_because": redaction("$r", 3, "$m", "x")});
    let clear = event("$m", 1, "m.reaction", json!({"secret": 1}));
    let bad = event("$m", 1, "m.room.message", json!({"msgtype": "m.bad.encrypted", "body": "secret"}));
    for order in
        [[&clear, &redacted, &bad], [&redacted, &clear, &bad], [&bad, &redacted, &clear], [&redacted, &bad, &clear]]
    {
        for batch in [1, 3] {
            let db = database().await;
            import_with(&db, options(), order.into_iter().map(Value::to_string), batch).await;
            assert_eq!(get_message(&db, "$m").await.event_type, "m.reaction");
            assert!(!format!("{:?}", dump(&db).await).contains("secret"));
        }
    }
}

#[tokio::test]
async fn a_redaction_with_an_odd_content_redacts() {
    let odd = redaction("$r", 2, "$m", "x").to_string().replace("\"reason\"", r#""\ud800""#);
    let db = database().await;
    import_with(&db, options(), [message("$m", 1, "secret").to_string(), odd], 9).await;
    assert!(get_message(&db, "$m").await.redacted);
}

#[tokio::test]
async fn since_room_version_11_the_creator_is_the_sender() {
    for (version, creator) in [("10", "@c:x"), ("11", "@alice:example.org"), ("12", "@alice:example.org")] {
        let db = database().await;
        let content = json!({"room_version": version, "creator": "@c:x"});
        import(&db, &[state("$c", 1, "m.room.create", "", content)]).await;
        assert!(get_room(&db).await.creator == UserId::from(creator), "{version}");
    }
}

#[tokio::test]
async fn of_a_third_party_invitation_the_signature_stays() {
    let mut invite = member("$i", 1, ME, "invite");
    invite["content"]["third_party_invite"] = json!({"display_name": "secret", "signed": {"mxid": ME, "token": "t"}});
    let db = database().await;
    import(&db, &[invite, redaction("$r", 2, "$i", "x")]).await;
    let content: Value = get_message(&db, "$i").await.content.parse().unwrap();
    assert_eq!(content, json!({"membership": "invite", "third_party_invite": {"signed": {"mxid": ME, "token": "t"}}}));
}

#[tokio::test]
async fn a_quote_is_found_however_many_there_are() {
    let mut events = vec![state("$old", 1, "m.room.topic", "", json!({"topic": "secret"}))];
    for at in 0..250 {
        let mut new = state(&format!("${at}"), 2 + at, "m.room.topic", "", json!({"topic": "t"}));
        new["unsigned"] = json!({"replaces_state": "$old", "prev_content": {"topic": "secret"}});
        events.push(new);
    }
    let db = database().await;
    import(&db, &events).await;
    import(&db, &[redaction("$r", 900, "$old", "x")]).await;
    assert!(!format!("{:?}", dump(&db).await).contains("secret"));
}

#[tokio::test]
async fn a_receipt_without_a_time_is_older_than_any() {
    let db = database().await;
    let receipts = json!({"type": "m.receipt", "content": {"$e": {"m.read": {"@a:x": {"ts": 1}, "@b:x": {}}}}});
    let late = json!({"type": "m.receipt", "content": {"$e": {"m.read": {"@a:x": {}, "@b:x": {"ts": 2}}}}});
    let report = import(&db, &[receipts.clone(), late.clone(), receipts, late]).await;
    assert_eq!((report.stored, report.unchanged), (2, 2), "{report:?}");
    let times = [("@a:x", 1), ("@b:x", 2)];
    for (user, time) in times {
        let key = ReadReceipt::key(&ROOM.into(), &user.into(), &"$e".into());
        assert_eq!(db.get(&key).await.unwrap().unwrap().timestamp.as_millis(), time, "{user}");
    }
}

/// Messages can be deleted by time while the state that they set stays: a redaction that comes later must still reach it.
#[tokio::test]
async fn a_redaction_reaches_state_whose_message_was_deleted() {
    let db = database().await;
    let topic = state("$topic", 1, "m.room.topic", "", json!({"topic": "secret"}));
    let mut joined = member("$join", 2, "@a:example.org", "join");
    joined["content"]["displayname"] = json!("secret");
    import(&db, &[topic, joined]).await;
    let before = strongroom_core::Timestamp::from_millis(10);
    assert_eq!(db.query(Message::ROOM_TIMESTAMP).equal(&ROOM.into()).before(before).delete().await.unwrap(), 2);
    import(&db, &[redaction("$r1", 20, "$topic", "spam"), redaction("$r2", 21, "$join", "spam")]).await;
    assert_eq!(get_state(&db, "m.room.topic", "").await.unwrap().content.as_str(), "{}");
    let member = get_member(&db, "@a:example.org").await.unwrap();
    assert_eq!((member.display_name, get_room(&db).await.member_count), (None, 1));
    assert!(!format!("{:?}", dump(&db).await).contains("secret"));
}
