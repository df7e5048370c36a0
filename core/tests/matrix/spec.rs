//! Every example event of the Matrix specification, imported and checked.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use strongroom_core::Timestamp;
use strongroom_core::matrix::{
    AccountData, EventId, ImportOptions, Invitation, Membership, Message, Presence, PresenceState, ReadReceipt, Room,
    RoomAlias, RoomId, RoomMember, RoomState, Typing, UserId, relation,
};

use super::support::{ME, NOW, ROOM, database, dump, export, import_with, options};

/// The room and time that all examples share.
const SPEC_ROOM: &str = "!jEsUZKDJdhlrceRyVU:example.org";
const SPEC_TIME: i64 = 1_432_735_824_653;

/// The examples by name, each room event with an id of its own: `$` and the example's name.
fn examples() -> BTreeMap<String, Value> {
    let lines = include_str!("../data/matrix-spec-events.jsonl").lines();
    let examples: BTreeMap<String, Value> = lines
        .map(|line| {
            let mut line: Value = serde_json::from_str(line).unwrap();
            let name = line["example"].as_str().unwrap().to_owned();
            let mut event = line["event"].take();
            if event.get("event_id").is_some() {
                event["event_id"] = format!("${name}").into();
            }
            (name, event)
        })
        .collect();
    assert_eq!(examples.len(), 85);
    examples
}

const TO_DEVICE: [&str; 18] = [
    "m.dummy",
    "m.forwarded_room_key",
    "m.key.verification.accept",
    "m.key.verification.cancel",
    "m.key.verification.done",
    "m.key.verification.key",
    "m.key.verification.mac",
    "m.key.verification.ready",
    "m.key.verification.request",
    "m.key.verification.start",
    "m.key.verification.start$m.sas.v1",
    "m.room_key",
    "m.room_key.withheld",
    "m.room_key_bundle",
    "m.room_key_request$cancel_request",
    "m.room_key_request$request",
    "m.secret.request",
    "m.secret.send",
];
const ACCOUNT_DATA: [&str; 13] = [
    "m.accepted_terms",
    "m.direct",
    "m.fully_read",
    "m.identity_server",
    "m.ignored_user_list",
    "m.image_pack.rooms",
    "m.invite_permission_config",
    "m.key_backup",
    "m.marked_unread",
    "m.push_rules",
    "m.recent_emoji",
    "m.tag",
    "m.presence",
];
const LISTS: [&str; 2] = ["invite_room_state", "knock_room_state"];

#[tokio::test]
async fn every_example_alone_goes_where_it_belongs() {
    for (name, event) in examples() {
        let db = database().await;
        let report = import_with(&db, options(), [event.to_string()], 1).await;
        let stored = dump(&db).await;
        let places: Vec<(&str, usize)> =
            stored.iter().map(|(name, records)| (*name, records.len())).filter(|(_, records)| *records > 0).collect();
        let event_type = event["type"].as_str().unwrap_or_default();

        if LISTS.contains(&&*name) {
            assert_eq!(report.failed[0].error, "is not an object", "{name}");
            assert!(places.is_empty(), "{name}");
        } else if TO_DEVICE.contains(&&*name) {
            assert_eq!(report.skipped, BTreeMap::from([(event_type.to_owned(), 1)]), "{name}");
            assert!(places.is_empty(), "{name}");
        } else if event.get("event_id").is_none() {
            assert_eq!(report.stored, 1, "{name}");
            let expected = match event_type {
                "m.presence" => ("presence", 1),
                "m.receipt" => ("read_receipts", 2),
                "m.typing" => ("typing", 2),
                _ if ACCOUNT_DATA.contains(&&*name) => ("account_data", 1),
                _ => panic!("no place known for {name}"),
            };
            assert_eq!(places, [expected], "{name}");
        } else {
            assert_eq!(report.stored, 1, "{name}");
            let mut expected = vec![("messages", 1), ("rooms", 1)];
            if event.get("state_key").is_some() {
                expected.push(("room_state", 1));
            }
            if event_type == "m.room.member" {
                expected.push(("room_members", 1));
            }
            if event_type == "m.room.canonical_alias" {
                expected.push(("room_aliases", 3));
            }
            expected.sort_unstable();
            assert_eq!(places, expected, "{name}");
            check_message(&name, &event, &stored["messages"][0]);
            if let Some(state) = stored["room_state"].first() {
                check_state(&name, &event, state);
            }
            assert_eq!(stored["rooms"][0]["last_event"], SPEC_TIME, "{name}");
        }
    }
}

fn check_message(name: &str, event: &Value, stored: &Value) {
    let expected = json!({
        "room_id": event["room_id"],
        "message_id": event["event_id"],
        "event_type": event["type"],
        "sender_key": event["sender"],
        "timestamp": event["origin_server_ts"],
        "content": event["content"],
        "unsigned": event["unsigned"],
        "redacted": false,
        "stored_at": NOW,
    });
    let mut expected = expected.as_object().unwrap().clone();
    if let Some(key) = event.get("state_key") {
        expected.insert("state_key".to_owned(), key.clone());
    }
    match name {
        "m.reaction" => {
            expected.insert("relates_to".to_owned(), "$some_event_id".into());
            expected.insert("relates_to_type".to_owned(), "m.annotation".into());
            expected.insert("relation_key".to_owned(), "👍".into());
        }
        "m.room.redaction" => {
            expected.insert("relates_to".to_owned(), "$fukweghifu23:localhost".into());
            expected.insert("relates_to_type".to_owned(), relation::REDACTION.into());
        }
        _ => {}
    }
    assert_eq!(stored, &Value::Object(expected), "{name}");
}

fn check_state(name: &str, event: &Value, stored: &Value) {
    for (field, of_event) in [
        ("room_id", "room_id"),
        ("type", "type"),
        ("state_key", "state_key"),
        ("event_id", "event_id"),
        ("sender", "sender"),
        ("timestamp", "origin_server_ts"),
        ("content", "content"),
    ] {
        assert_eq!(stored[field], event[of_event], "{name}: {field}");
    }
    assert_eq!(stored["reason"], event["content"]["reason"], "{name}");
    if event["type"] == "m.room.member" {
        assert_eq!(stored["membership"], event["content"]["membership"], "{name}");
    } else {
        assert!(stored.get("membership").is_none(), "{name}");
    }
}

#[tokio::test]
async fn the_content_is_kept_text_for_text() {
    let db = database().await;
    let content = r#"{ "body":"caf\u00e9 \/ ",  "n" : 1.50e0, "list":[1 ,2] }"#;
    let event = format!(
        r#"{{"content":{content},"event_id":"$e","origin_server_ts":1,"sender":"@a","type":"m.room.message","unsigned":{{ "age" : 5 }}}}"#
    );
    import_with(&db, options(), [event], 1).await;
    let stored = super::support::get_message(&db, "$e").await;
    assert_eq!(stored.content.as_str(), content);
    assert_eq!(stored.unsigned.unwrap().as_str(), r#"{ "age" : 5 }"#);
    let line = &export(&db).await[0];
    assert!(line.contains(content), "{line}");
}

#[tokio::test]
async fn all_examples_together_merge_into_one_room() {
    let db = database().await;
    // The member examples are one user's story: the same time, so the greatest event id decides.
    let report = import_with(&db, options(), examples().values().map(Value::to_string), 20).await;
    let room_events = examples().values().filter(|event| event.get("event_id").is_some()).count() as u64;
    let others = ["m.presence", "m.receipt", "m.typing"].len() as u64;
    let account_data = ACCOUNT_DATA.len() as u64 - 1;
    assert_eq!(report.stored, room_events + others + account_data);
    assert_eq!(report.skipped.values().sum::<u64>(), TO_DEVICE.len() as u64);
    assert_eq!(report.skipped["m.key.verification.start"], 2);
    assert_eq!(report.failed.len(), LISTS.len());
    assert_eq!(report.read, 85);
    assert_eq!(db.count::<Message>().await.unwrap(), room_events);

    let room_id = RoomId::from(SPEC_ROOM);
    let time = Timestamp::from_millis(SPEC_TIME);
    let room = db.get(&Room::key(&room_id)).await.unwrap().unwrap();
    assert!(room.creator == UserId::from("@example:example.org"));
    assert_eq!((&*room.version, room.membership, room.created_at), ("11", Membership::Leave, time));
    assert_eq!((room.last_event, room.member_count), (time, 0), "the last member event is an invitation");
    let aliases: Vec<&str> = room.aliases.iter().map(AsRef::as_ref).collect();
    assert_eq!(aliases, ["#myroom:example.com", "#somewhere:example.org", "#somewhere:localhost"]);
    for alias in &room.aliases {
        let row = db.get(&RoomAlias::key(alias)).await.unwrap().unwrap();
        assert!(row.room_id == room_id && row.created_at == time && row.creator == room.creator);
        assert_eq!(row.proof.as_str(), "null");
        let found = db.query(Room::ALIAS).equal(alias).first().await.unwrap().unwrap();
        assert!(found.room_id == room_id);
    }

    let alice = UserId::from("@alice:example.org");
    let member = db.get(&RoomMember::key(&room_id, &alice)).await.unwrap().unwrap();
    assert_eq!(member.membership, Membership::Invite);
    assert!(member.event_id == Some(EventId::from("$m.room.member$third_party_invite")));
    assert_eq!(member.display_name.as_deref(), Some("Alice Margatroid"));
    assert_eq!(member.avatar_url.as_deref(), Some("mxc://example.org/SEsfnsuifSDFSSEF"));
    assert_eq!((member.joined_at, member.left_at, member.updated_at), (Some(time), None, time));
    assert_eq!(member.power_level, 0);

    let levels = db.get(&RoomState::key(&room_id, "m.room.power_levels", "")).await.unwrap().unwrap();
    assert!(levels.event_id == EventId::from("$m.room.power_levels"));
    let topic = db.get(&RoomState::key(&room_id, "m.room.topic", "")).await.unwrap().unwrap();
    assert_eq!(topic.content.parse::<Value>().unwrap()["topic"], "An interesting room topic");

    let read = UserId::from("@erikj:jki.re");
    let private = UserId::from("@self:example.org");
    let at = EventId::from("$1435641916114394fHBLK:matrix.org");
    let public = db.get(&ReadReceipt::key(&ROOM.into(), &read, &at)).await.unwrap().unwrap();
    assert_eq!((&*public.receipt_type, public.timestamp.as_millis()), ("m.read", 1_436_451_550_453));
    assert_eq!((public.thread_id, public.proof.as_str()), (None, "null"));
    let private = db.get(&ReadReceipt::key(&ROOM.into(), &private, &at)).await.unwrap().unwrap();
    assert_eq!((&*private.receipt_type, private.timestamp.as_millis()), ("m.read.private", 1_661_384_801_651));

    let bob = UserId::from("@bob:example.com");
    let typing = db.get(&Typing::key(&ROOM.into(), &bob)).await.unwrap().unwrap();
    assert_eq!((typing.typing, typing.timeout_ms, typing.expires_at.as_millis()), (true, 30_000, NOW + 30_000));

    let cupcakes = db.get(&Presence::key(&UserId::from("@example:localhost"))).await.unwrap().unwrap();
    assert_eq!(cupcakes.presence, PresenceState::Online);
    assert_eq!(cupcakes.status_msg.as_deref(), Some("Making cupcakes"));
    assert_eq!((cupcakes.last_active.as_millis(), cupcakes.updated_at.as_millis()), (NOW - 2_478_593, NOW));
    assert!(!cupcakes.currently_active);

    let direct = db.get(&AccountData::key(&ME.into(), "m.direct")).await.unwrap().unwrap();
    assert_eq!(direct.content.parse::<Value>().unwrap(), examples()["m.direct"]["content"]);
    assert_eq!(db.query(AccountData::USER_DATA).equal(&ME.into()).count().await.unwrap(), account_data);

    let before = dump(&db).await;
    let again = import_with(&db, options(), examples().values().map(Value::to_string), 7).await;
    assert_eq!((again.stored, again.unchanged), (0, report.stored), "{again:?}");
    assert_eq!(dump(&db).await, before);
}

#[tokio::test]
async fn an_invitation_of_the_local_user_is_kept_until_it_is_answered() {
    let invite = examples()["m.room.member$invite_room_state"].clone();
    let alice = UserId::from("@alice:example.org");
    let key = Invitation::key(&RoomId::from(SPEC_ROOM), &alice);
    for me in [Some(alice.clone()), None] {
        let db = database().await;
        let options = ImportOptions { me, ..ImportOptions::default() };
        import_with(&db, options.clone(), [invite.to_string()], 1).await;
        let stored = db.get(&key).await.unwrap().unwrap();
        assert_eq!(stored.event.parse::<Value>().unwrap(), invite);
        let room_state: Value = stored.room_state.unwrap().parse().unwrap();
        assert_eq!(room_state, invite["unsigned"]["invite_room_state"]);
        assert_eq!((stored.received_at.as_millis(), stored.proof.as_str()), (SPEC_TIME, "null"));

        let mut join = examples()["m.room.member"].clone();
        join["origin_server_ts"] = (SPEC_TIME + 1).into();
        import_with(&db, options, [join.to_string()], 1).await;
        assert!(db.get(&key).await.unwrap().is_none());
    }
    let db = database().await;
    import_with(&db, options(), [invite.to_string()], 1).await;
    assert!(db.get(&key).await.unwrap().is_none(), "an invitation of somebody else");
}

#[tokio::test]
async fn without_a_local_user_account_data_is_skipped_and_named() {
    let db = database().await;
    let direct = examples()["m.direct"].to_string();
    let report = import_with(&db, ImportOptions::default(), [direct], 1).await;
    assert_eq!(report.skipped, BTreeMap::from([("m.direct".to_owned(), 1)]));
    assert_eq!(db.count::<AccountData>().await.unwrap(), 0);
}

#[tokio::test]
async fn an_export_imported_into_a_fresh_store_gives_the_same_records() {
    let db = database().await;
    let room_events: Vec<Value> = examples().into_values().filter(|event| event.get("event_id").is_some()).collect();
    import_with(&db, options(), room_events.iter().map(Value::to_string), 500).await;
    let lines = export(&db).await;
    let mut given: Vec<&Value> = room_events.iter().collect();
    given.sort_by_key(|event| event["event_id"].as_str().unwrap().to_owned());
    let mut exported: Vec<Value> = lines.iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    exported.sort_by_key(|event| event["event_id"].as_str().unwrap().to_owned());
    assert_eq!(exported.iter().collect::<Vec<_>>(), given, "what was imported comes out again");

    let fresh = database().await;
    let report = import_with(&fresh, options(), lines, 500).await;
    assert_eq!(report.stored, room_events.len() as u64);
    assert_eq!(dump(&fresh).await, dump(&db).await);
}
