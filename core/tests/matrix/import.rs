//! What the import makes of messages, state, and all that is wrong with events.

use serde_json::{Value, json};
use strongroom_core::matrix::{
    AccountData, EventId, ImportOptions, Importer, Membership, Message, Presence, PresenceState, RawEvent, ReadReceipt,
    Room, RoomAlias, RoomAliasId, RoomMember, RoomState, Typing, UserId,
};
use strongroom_core::{ErrorKind, Timestamp};

use super::support::*;

fn related(id: &str, relates: Value) -> Value {
    let mut event = message(id, 10, "text");
    event["content"]["m.relates_to"] = relates;
    event
}

#[tokio::test]
async fn relations_have_fields_of_their_own() {
    let db = database().await;
    let encrypted = json!({"algorithm": "m.megolm.v1.aes-sha2", "ciphertext": "x", "m.relates_to":
        {"rel_type": "m.thread", "event_id": "$root", "is_falling_back": true, "m.in_reply_to": {"event_id": "$last"}}});
    let events = [
        related("$edit", json!({"rel_type": "m.replace", "event_id": "$o"})),
        related("$reaction", json!({"rel_type": "m.annotation", "event_id": "$o", "key": "👍"})),
        related("$reference", json!({"rel_type": "m.reference", "event_id": "$o"})),
        related("$reply", json!({"m.in_reply_to": {"event_id": "$o"}})),
        related("$thread", json!({"rel_type": "m.thread", "event_id": "$root", "m.in_reply_to": {"event_id": "$o"}})),
        event("$fallback", 11, "m.room.encrypted", encrypted),
        related("$new", json!({"rel_type": "org.new", "event_id": "$o"})),
        related("$odd1", json!("text")),
        related("$odd2", json!({"rel_type": 1, "event_id": "$o"})),
        related("$odd3", json!({"rel_type": "m.replace"})),
        related("$odd4", json!({"m.in_reply_to": {"event_id": {}}})),
    ];
    assert_eq!(import(&db, &events).await.stored, 11);
    for (id, kind, target, key, root, reply) in [
        ("$edit", Some("m.replace"), Some("$o"), None, None, None),
        ("$reaction", Some("m.annotation"), Some("$o"), Some("👍"), None, None),
        ("$reference", Some("m.reference"), Some("$o"), None, None, None),
        ("$reply", Some("m.in_reply_to"), Some("$o"), None, None, None),
        ("$thread", Some("m.thread"), Some("$root"), None, Some("$root"), Some("$o")),
        ("$fallback", Some("m.thread"), Some("$root"), None, Some("$root"), None),
        ("$new", Some("org.new"), Some("$o"), None, None, None),
        ("$odd1", None, None, None, None, None),
        ("$odd2", None, None, None, None, None),
        ("$odd3", None, None, None, None, None),
        ("$odd4", None, None, None, None, None),
    ] {
        let stored = get_message(&db, id).await;
        let text = |id: &Option<EventId>| id.as_ref().map(ToString::to_string);
        assert_eq!(stored.relates_to_type.as_deref(), kind, "{id}");
        assert_eq!(text(&stored.relates_to).as_deref(), target, "{id}");
        assert_eq!(stored.relation_key.as_deref(), key, "{id}");
        assert_eq!(text(&stored.thread_root).as_deref(), root, "{id}");
        assert_eq!(text(&stored.in_reply_to).as_deref(), reply, "{id}");
    }
    let (room, target) = (ROOM.into(), "$o".into());
    let edits = db.query(Message::RELATION).equal(&room).equal(&target).equal("m.replace").newest_first();
    assert_eq!(edits.page().await.unwrap().records.len(), 1);
    let thread = db.query(Message::THREAD).equal(&room).equal(&"$root".into()).newest_first().page().await.unwrap();
    assert!(thread.records.iter().map(|message| message.message_id.as_str()).eq(["$fallback", "$thread"]));
}

#[tokio::test]
async fn bundled_edits_are_events_and_malformed_ones_stay_where_they_are() {
    let db = database().await;
    let mut edit = related("$edit", json!({"rel_type": "m.replace", "event_id": "$m"}));
    edit.as_object_mut().unwrap().remove("room_id");
    let mut outer = message("$m", 5, "first");
    outer["unsigned"] = json!({"m.relations": {"m.replace": edit}});
    let mut partial = message("$p", 6, "first");
    partial["unsigned"] =
        json!({"m.relations": {"m.replace": {"event_id": "$e2", "sender": "@a:x", "origin_server_ts": 4}}});
    let mut stray = message("$s", 7, "first");
    let mut elsewhere = edit.clone();
    elsewhere["room_id"] = "!elsewhere".into();
    stray["unsigned"] = json!({"m.relations": {"m.replace": elsewhere}});

    let report = import(&db, &[outer.clone(), partial.clone(), stray.clone()]).await;
    assert_eq!((report.read, report.stored), (3, 3), "bundled events count under the outer one");
    assert_eq!(db.count::<Message>().await.unwrap(), 4);
    assert!(get_message(&db, "$edit").await.relates_to == Some("$m".into()));
    stray["unsigned"]["m.relations"]["m.replace"].as_object_mut().unwrap().remove("content");
    for (id, event) in [("$p", partial), ("$s", stray)] {
        assert_eq!(get_message(&db, id).await.unsigned.unwrap().parse::<Value>().unwrap(), event["unsigned"]);
    }

    // A newer export, with another edit bundled to a message that is here already.
    edit["event_id"] = "$edit2".into();
    outer["unsigned"] = json!({"m.relations": {"m.replace": edit}});
    let report = import(&db, &[outer.clone(), outer]).await;
    assert_eq!((report.stored, report.unchanged), (1, 1));
    assert!(get_message(&db, "$edit2").await.relates_to == Some("$m".into()));
}

#[tokio::test]
async fn the_same_id_with_other_content_fails_and_the_first_stays() {
    let db = database().await;
    let first = message("$m", 1, "first");
    let respelled = first.to_string().replace("\":", "\" :\n ");
    let mut other_sender = first.clone();
    other_sender["sender"] = "@mallory:x".into();
    let mut other_age = first.clone();
    other_age["unsigned"] = json!({"age": 9});
    let others = [message("$m", 1, "secret"), message("$m", 2, "first"), other_sender];
    let texts = [first.to_string(), respelled, other_age.to_string()];
    let report =
        import_with(&db, options(), texts.into_iter().chain(others.iter().map(Value::to_string)), usize::MAX).await;
    assert_eq!((report.stored, report.unchanged, report.failed.len()), (1, 2, 3));
    let positions: Vec<u64> = report.failed.iter().map(|failure| failure.position).collect();
    assert_eq!(positions, [4, 5, 6]);
    assert!(report.failed.iter().all(|failure| failure.error.contains("other content")));
    assert_eq!(get_message(&db, "$m").await.content.parse::<Value>().unwrap()["body"], "first");
    assert_eq!(import(&db, &others).await.failed.len(), 3, "also against what is stored");
}

#[tokio::test]
async fn a_decrypted_message_takes_the_place_of_what_nobody_could_read() {
    let encrypted = event("$m", 1, "m.room.encrypted", json!({"algorithm": "m.megolm.v1.aes-sha2", "ciphertext": "x"}));
    let bad =
        event("$m", 1, "m.room.message", json!({"msgtype": "m.bad.encrypted", "body": "** Unable to decrypt **"}));
    let clear = message("$m", 1, "hello");
    for order in [[&encrypted, &bad, &clear], [&clear, &bad, &encrypted], [&bad, &clear, &encrypted]] {
        let db = database().await;
        for event in order {
            assert!(import(&db, std::slice::from_ref(event)).await.failed.is_empty());
        }
        assert!(get_message(&db, "$m").await.content.as_str().contains("hello"));
        assert_eq!(db.count::<Message>().await.unwrap(), 1);
    }
    let db = database().await;
    let report = import(&db, &[bad.clone(), message("$n", 2, "m.bad.encrypted")]).await;
    assert_eq!((report.stored, report.undecryptable), (2, 1), "kept and counted");
    let report = import(&db, std::slice::from_ref(&clear)).await;
    assert_eq!((report.stored, report.undecryptable), (1, 0));
    let report = import(&db, &[bad]).await;
    assert_eq!((report.unchanged, report.undecryptable), (1, 1));
}

#[tokio::test]
async fn rooms_follow_their_state_and_members() {
    let db = database().await;
    let levels = |id: &str, time, content| state(id, time, "m.room.power_levels", "", content);
    import(
        &db,
        &[
            state("$create", 5, "m.room.create", "", json!({"room_version": "11"})),
            member("$1", 10, "@a:x", "join"),
            member("$2", 11, "@b:x", "join"),
            member("$3", 12, "@b:x", "leave"),
            member("$4", 13, "@c:x", "ban"),
            member("$5", 14, ME, "join"),
            levels("$levels", 15, json!({"users": {"@a:x": 100, "@b:x": "50"}})),
            message("$m", 20, "last"),
        ],
    )
    .await;
    let room = get_room(&db).await;
    assert_eq!((room.member_count, room.membership, &*room.version), (2, Membership::Join, "11"));
    assert_eq!((room.created_at.as_millis(), room.last_event.as_millis()), (5, 20));
    assert!(room.creator == UserId::from("@alice:example.org"), "of room version 11 the sender");
    let b = get_member(&db, "@b:x").await.unwrap();
    assert_eq!((b.membership, b.power_level, b.display_name.as_deref()), (Membership::Leave, 50, Some("name $3")));
    assert_eq!(b.joined_at.zip(b.left_at), Some((Timestamp::from_millis(11), Timestamp::from_millis(12))));
    assert_eq!(get_member(&db, "@a:x").await.unwrap().power_level, 100);

    // Late and older: no change. Late and newer: the count, the names and the power follow.
    import(&db, &[member("$0", 9, "@b:x", "join"), message("$m0", 1, "old")]).await;
    assert_eq!(
        (get_room(&db).await.member_count, get_member(&db, "@b:x").await.unwrap().membership),
        (2, Membership::Leave)
    );
    assert_eq!(get_member(&db, "@b:x").await.unwrap().joined_at.unwrap().as_millis(), 9);
    import(&db, &[member("$6", 30, "@b:x", "join"), member("$7", 31, ME, "leave")]).await;
    import(&db, &[levels("$levels2", 32, json!({"users": {"@a:x": 1}, "users_default": 7}))]).await;
    let room = get_room(&db).await;
    assert_eq!((room.member_count, room.membership, room.last_event.as_millis()), (2, Membership::Leave, 32));
    for (user, power) in [("@a:x", 1), ("@b:x", 7), ("@c:x", 7), (ME, 7)] {
        assert_eq!(get_member(&db, user).await.unwrap().power_level, power, "{user}");
    }
    import(&db, &[levels("$levels3", 33, json!({"users": {"@c:x": 3}, "users_default": 7}))]).await;
    for (user, power) in [("@a:x", 7), ("@b:x", 7), ("@c:x", 3)] {
        assert_eq!(get_member(&db, user).await.unwrap().power_level, power, "{user}");
    }
    let joined = db.query(RoomMember::MEMBERSHIP).equal(&ROOM.into()).equal(&Membership::Join);
    assert_eq!(joined.count().await.unwrap(), 2);
    let left = db.query(Room::MEMBERSHIP).equal(&Membership::Leave).newest_first().first().await.unwrap();
    assert!(left.is_some());
}

#[tokio::test]
async fn a_room_of_which_little_is_known_has_defaults() {
    let db = database().await;
    let options = ImportOptions { me: None, ..options() };
    import_with(&db, options, [message("$m", -7, "text").to_string()], 1).await;
    let room = get_room(&db).await;
    assert_eq!((room.creator.as_str(), &*room.version, room.membership), ("", "1", Membership::Leave));
    assert_eq!((room.member_count, room.last_event.as_millis(), room.created_at.as_millis()), (0, -7, 0));
}

#[tokio::test]
async fn aliases_follow_the_state() {
    let db = database().await;
    let canonical = |id: &str, time, alias: Value, more: Value| {
        state(id, time, "m.room.canonical_alias", "", json!({"alias": alias, "alt_aliases": more}))
    };
    import(&db, &[canonical("$1", 1, json!("#a:x"), json!(["#b:x", "#a:x", 7]))]).await;
    let alias = |name: &str| RoomAlias::key(&RoomAliasId::from(name));
    assert!(get_room(&db).await.aliases == ["#a:x".into(), "#b:x".into()]);
    import(&db, &[state("$2", 2, "m.room.aliases", "x", json!({"aliases": ["#b:x", "#c:x"]}))]).await;
    import(&db, &[canonical("$3", 3, json!(""), json!([]))]).await;
    assert!(get_room(&db).await.aliases == ["#b:x".into(), "#c:x".into()]);
    assert!(db.get(&alias("#a:x")).await.unwrap().is_none());
    assert_eq!(db.get(&alias("#b:x")).await.unwrap().unwrap().created_at.as_millis(), 2);

    // Another room takes an alias over.
    let mut other = canonical("$4", 4, json!("#c:x"), json!([]));
    other["room_id"] = "!other".into();
    import(&db, &[other]).await;
    assert!(db.get(&alias("#c:x")).await.unwrap().unwrap().room_id == "!other".into());
    import(&db, &[state("$5", 5, "m.room.aliases", "x", json!({"aliases": []}))]).await;
    assert!(db.get(&alias("#c:x")).await.unwrap().is_some(), "it is the other room's now");
    assert!(get_room(&db).await.aliases.is_empty());
}

#[tokio::test]
async fn the_latest_state_wins_and_ties_go_to_the_greater_id() {
    let db = database().await;
    let topic = |id: &str, time, text: &str| state(id, time, "m.room.topic", "", json!({"topic": text}));
    import(&db, &[topic("$b", 10, "b"), topic("$c", 9, "c"), topic("$a", 10, "a")]).await;
    assert!(get_state(&db, "m.room.topic", "").await.unwrap().event_id == "$b".into());
    import(&db, &[topic("$d", 10, "d")]).await;
    assert!(get_state(&db, "m.room.topic", "").await.unwrap().event_id == "$d".into());
    let all = db.query(RoomState::ROOM_TYPE).equal(&ROOM.into()).equal("m.room.topic");
    assert_eq!(all.count().await.unwrap(), 1);
    assert_eq!(db.count::<Message>().await.unwrap(), 4);
}

#[tokio::test]
async fn the_newest_receipt_and_presence_win() {
    let db = database().await;
    let receipt = |kind: &str, ts: i64| json!({"type": "m.receipt", "content": {"$e": {kind: {"@a:x": {"ts": ts, "thread_id": "main"}}}}});
    let presence = |ts: Option<i64>, state: &str| {
        let mut event = json!({"type": "m.presence", "sender": "@a:x", "content": {"presence": state}});
        if let Some(ts) = ts {
            event["origin_server_ts"] = ts.into();
        }
        event
    };
    let report = import(&db, &[receipt("m.read", 5), receipt("m.read.private", 4), receipt("m.read", 5)]).await;
    assert_eq!((report.stored, report.unchanged), (1, 2));
    let key = ReadReceipt::key(&ROOM.into(), &"@a:x".into(), &"$e".into());
    let stored = db.get(&key).await.unwrap().unwrap();
    assert_eq!((&*stored.receipt_type, stored.thread_id.as_deref()), ("m.read", Some("main")));

    let events = [presence(Some(10), "online"), presence(Some(9), "offline"), presence(Some(10), "online")];
    let report = import(&db, &events).await;
    assert_eq!((report.stored, report.unchanged), (1, 2));
    let report = import(&db, &[presence(None, "unavailable"), presence(None, "unavailable")]).await;
    assert_eq!((report.stored, report.unchanged), (1, 1), "without a time it is of now");
    let stored = db.get(&Presence::key(&"@a:x".into())).await.unwrap().unwrap();
    assert_eq!((stored.presence, stored.updated_at.as_millis()), (PresenceState::Unavailable, NOW));
}

#[tokio::test]
async fn a_typing_event_names_all_who_type() {
    let db = database().await;
    let typing = |users: Value| json!({"type": "m.typing", "room_id": ROOM, "content": {"user_ids": users}});
    let report =
        import(&db, &[typing(json!(["@a:x", "@b:x"])), typing(json!(["@b:x"])), typing(json!(["@b:x"]))]).await;
    assert_eq!((report.stored, report.unchanged), (2, 1));
    import(&db, &[typing(json!(["@b:x", "@c:x"]))]).await;
    let here = db.query(Typing::ROOM_TYPING).equal(&ROOM.into()).page().await.unwrap().records;
    assert!(here.iter().map(|typing| typing.user_id.as_str()).eq(["@b:x", "@c:x"]));
    import(&db, &[typing(json!([]))]).await;
    assert_eq!(db.count::<Typing>().await.unwrap(), 0);
}

#[tokio::test]
async fn account_data_is_the_local_users_and_what_comes_later_is_newer() {
    let db = database().await;
    let data = |value: i64| json!({"type": "org.custom", "content": {"value": value}});
    let of_room = json!({"type": "m.tag", "room_id": ROOM, "content": {}});
    let to_device = json!({"type": "org.to_device", "sender": "@a:x", "content": {}});
    let report = import(&db, &[data(1), data(2), data(2), of_room, to_device]).await;
    assert_eq!((report.stored, report.unchanged), (2, 1));
    assert_eq!(report.skipped.into_keys().collect::<Vec<_>>(), ["m.tag", "org.to_device"]);
    let stored = db.get(&AccountData::key(&ME.into(), "org.custom")).await.unwrap().unwrap();
    assert_eq!(stored.content.as_str(), r#"{"value":2}"#);
}

#[tokio::test]
async fn malformed_events_are_reported_by_position_and_field_and_the_rest_goes_on() {
    let good = || message("$good", 1, "secret");
    let with = |field: &str, value: Value| {
        let mut event = good();
        event[field] = value;
        event.to_string()
    };
    let without = |field: &str| {
        let mut event = good();
        event.as_object_mut().unwrap().remove(field);
        event.to_string()
    };
    let bomb = |open: &str, close: &str| {
        let nested = open.repeat(200_000) + "1" + &close.repeat(200_000);
        good().to_string().replace(r#""secret""#, &nested)
    };
    let cases = [
        (String::new(), "is not JSON"),
        ("secret".to_owned(), "is not JSON"),
        ("\"secret\"".to_owned(), "is not an object"),
        ("[]".to_owned(), "is not an object"),
        ("null".to_owned(), "is not an object"),
        ("{".repeat(1 << 20), "is not JSON"),
        ("[".repeat(1 << 20), "is not JSON"),
        ("[".repeat(500_000) + &"]".repeat(500_000), "is not an object"),
        (bomb("[", "]"), "content is nested deeper"),
        (bomb("{\"a\":", "}"), "content is nested deeper"),
        ("{}".to_owned(), "type is missing"),
        (without("event_id"), "event_id is missing"),
        (without("sender"), "sender is missing"),
        (without("type"), "type is missing"),
        (without("content"), "content is missing"),
        (without("origin_server_ts"), "origin_server_ts is missing"),
        (with("event_id", json!(5)), "event_id is not text"),
        (with("event_id", json!("")), "is empty"),
        (with("room_id", json!({})), "room_id is not text"),
        (with("sender", json!(["secret"])), "sender is not text"),
        (with("type", json!(true)), "type is not text"),
        (with("state_key", json!(0)), "state_key is not text"),
        (with("content", json!("secret")), "content is not an object"),
        (with("unsigned", json!([1])), "unsigned is not an object"),
        (with("redacts", json!(1)), "redacts is not text"),
        (with("origin_server_ts", json!(1.5)), "origin_server_ts is not an integer of 64 bits"),
        (with("origin_server_ts", json!("1")), "origin_server_ts is not an integer of 64 bits"),
        (with("origin_server_ts", json!(u64::MAX)), "origin_server_ts is not an integer of 64 bits"),
        (with("origin_server_ts", json!(1e300)), "origin_server_ts is not an integer of 64 bits"),
        (with("event_id", json!("x".repeat(3_000))), "bytes in a key"),
        (with("room_id", json!("x".repeat(3_000))), "bytes in a key"),
        (with("sender", json!("x".repeat(3_000))), "bytes in a key"),
        (good().to_string().replacen('{', r#"{"event_id":"$two","#, 1), "event_id stands there twice"),
        (member("$x", 1, "@a:x", "secret").to_string(), "content.membership is not one of"),
        (state("$x", 1, "m.room.member", "@a:x", json!({})).to_string(), "content.membership is not one of"),
        (json!({"type": "m.room.message", "content": {"body": "secret"}}).to_string(), "event_id is missing"),
        (
            json!({"type": "m.receipt", "content": {"$e": {"m.read": {"@a": {"ts": "x"}}}}}).to_string(),
            "a receipt's ts",
        ),
        (json!({"type": "m.receipt", "content": {"$e": 1}}).to_string(), "content, below an event, is not an object"),
        (json!({"type": "m.typing", "content": {"user_ids": [1]}}).to_string(), "content.user_ids"),
        (json!({"type": "m.presence", "sender": "@a", "content": {"presence": "?"}}).to_string(), "content.presence"),
        (json!({"type": "m.presence", "content": {"presence": "online"}}).to_string(), "sender is missing"),
        (json!({"type": "org.data", "content": 1}).to_string(), "content is not an object"),
    ];
    // One batch with a good event between all of them; and the negative time is no mistake.
    let good = |at: usize| message(&format!("$good{at}"), -(at as i64), "kept").to_string();
    let events: Vec<String> = cases.iter().enumerate().flat_map(|(at, (bad, _))| [bad.clone(), good(at)]).collect();
    let db = database().await;
    let report = import_with(&db, options(), events, usize::MAX).await;
    assert_eq!(report.stored, cases.len() as u64);
    assert_eq!(report.failed.len(), cases.len());
    for (at, ((_, expected), failure)) in cases.iter().zip(&report.failed).enumerate() {
        assert_eq!(failure.position, 2 * at as u64 + 1, "{failure:?}");
        assert!(failure.error.contains(expected), "{expected}: {}", failure.error);
        assert!(!failure.error.contains("secret") && failure.error.len() < 120, "{}", failure.error);
    }
    assert_eq!(dump(&db).await["messages"].len(), cases.len());
    assert_eq!(get_message(&db, "$good3").await.timestamp.as_millis(), -3);
}

#[tokio::test]
async fn events_without_a_room_need_one_given() {
    let db = database().await;
    let mut event = message("$m", 1, "x");
    event.as_object_mut().unwrap().remove("room_id");
    let report = import_with(&db, ImportOptions::default(), [event.to_string()], 1).await;
    assert!(report.failed[0].error.contains("room_id is missing"));
    assert_eq!(import(&db, &[event]).await.stored, 1);
}

#[tokio::test]
async fn strict_stops_at_the_first_failure_and_keeps_what_was_before() {
    let db = database().await;
    let mut importer = Importer::new(db.clone(), ImportOptions { strict: true, ..options() });
    let batch = |events: &[String]| {
        let raw = |(position, json): (u64, &String)| RawEvent { position, json: json.clone() };
        (1..).zip(events).map(raw).collect::<Vec<_>>()
    };
    let events = [message("$1", 1, "x").to_string(), "{}".to_owned(), message("$2", 2, "x").to_string()];
    let error = importer.import(batch(&events)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert!(error.to_string().contains("event 2: type is missing"), "{error}");
    let report = importer.report();
    assert_eq!((report.read, report.stored, report.failed.len()), (2, 1, 1));
    assert_eq!(db.count::<Message>().await.unwrap(), 1);

    let long = message(&"x".repeat(3_000), 3, "x").to_string();
    let conflict = message("$1", 1, "other").to_string();
    for bad in [long, conflict] {
        let events = [message("$3", 1, "x").to_string(), bad, message("$4", 2, "x").to_string()];
        let mut importer = Importer::new(database().await, ImportOptions { strict: true, ..options() });
        importer.import(batch(&[message("$1", 1, "x").to_string()])).await.unwrap();
        importer.import(batch(&events)).await.unwrap_err();
        assert_eq!((importer.report().read, importer.report().stored), (3, 2));
    }
}

#[tokio::test]
async fn a_failure_outside_of_an_event_is_counted() {
    let mut importer = Importer::new(database().await, options());
    importer.failed(3, "the file ends in the middle of an event".to_owned());
    let report = serde_json::to_value(importer.report()).unwrap();
    let expected = json!({"read": 1, "stored": 0, "unchanged": 0, "skipped": {}, "undecryptable": 0,
        "failed": [{"position": 3, "error": "the file ends in the middle of an event"}]});
    assert_eq!(report, expected);
}

#[tokio::test]
async fn odd_ids_are_ids() {
    let db = database().await;
    let ids = ["$a/b+c=", "$nul\0byte", "$ünï", "no sigil", "\u{10FFFF}", "$a/b"];
    let events: Vec<Value> = ids.iter().map(|id| message(id, 1, id)).collect();
    assert_eq!(import(&db, &events).await.stored, 6);
    for id in ids {
        assert_eq!(get_message(&db, id).await.content.parse::<Value>().unwrap()["body"], id);
    }
    let fresh = database().await;
    import_with(&fresh, options(), export(&db).await, 2).await;
    assert_eq!(dump(&fresh).await, dump(&db).await);
    assert_eq!(import(&db, &events).await.unchanged, 6);
}

#[tokio::test]
async fn many_different_types_are_counted_without_end() {
    let db = database().await;
    let events = (0..1_500).map(|at| json!({"type": format!("org.t{at}"), "content": {}}).to_string());
    let report = import_with(&db, ImportOptions::default(), events, 500).await;
    assert_eq!((report.read, report.skipped.len()), (1_500, 1_001));
    assert_eq!(report.skipped["(other types)"], 500);
}

#[tokio::test]
async fn an_import_can_be_spawned() {
    let mut importer = Importer::new(database().await, options());
    let raw = RawEvent { position: 1, json: message("$m", 1, "x").to_string() };
    tokio::spawn(async move { importer.import(vec![raw]).await }).await.unwrap().unwrap();
}
