use serde_json::json;

use crate::place::{Place, ROOM, message, messages};

#[test]
fn what_is_too_old_or_too_many_is_deleted() {
    let mut events = messages(30);
    events[0]["room_id"] = "!other:example.org".into();
    let place = Place::with(&events);
    let rooms = |dropped: &serde_json::Value| dropped["rooms"].as_object().unwrap().len();

    let would = place.json(["retain", "--max-count", "10", "--dry-run"]);
    assert_eq!(would["dropped"], json!({ "age": 0, "count": 0, "total": 20 }));
    assert_eq!((&would["dry_run"], rooms(&would)), (&json!(true), 2));
    assert_eq!(place.json(["stats"])["collections"]["messages"]["records"], 30);

    let of_room = place.json(["retain", "--max-count", "12", "--room", ROOM]);
    assert_eq!(of_room["rooms"], json!({ ROOM: { "age": 0, "count": 17, "total": 0 } }));
    assert_eq!(place.json(["retain", "--max-count", "10"])["dropped"]["total"], 3);
    assert_eq!(place.json(["verify"])["problems"].as_array().unwrap().len(), 0);

    let aged = place.run(["retain", "--max-age", "1y", "--dry-run"]).done();
    assert!(aged.stdout.contains("TOO OLD") && aged.stdout.contains("10 messages would be deleted"), "{}", aged.stdout);
    assert!(place.run(["retain", "--max-age", "1y"]).done().stdout.contains("10 messages deleted"));
    assert!(place.run(["retain", "--max-age", "1y"]).done().stdout.contains("0 messages deleted"));
    place.run(["retain"]).refused(2, &["--max-age"]);
    place.run(["retain", "--max-age", "soon"]).refused(2, &["soon", "90d"]);
    place.run(["retain", "--max-count", "1", "--room", "!no"]).refused(1, &["!no"]);
}

#[test]
fn what_has_expired_is_removed() {
    // A typing notice holds for half a minute from its import: nothing has expired that soon.
    let typing = json!({ "type": "m.typing", "room_id": ROOM, "content": { "user_ids": ["@ada:example.org"] } });
    let place = Place::with(&[message(1), typing]);
    let swept = json!({ "dry_run": false, "records": 0, "collections": {}, "damaged": 0 });
    assert_eq!(place.json(["sweep"]), swept);
    assert_eq!(place.json(["stats"])["collections"]["typing"]["records"], 1);
    assert!(place.run(["sweep", "--dry-run"]).done().stdout.contains("0 expired records would be removed"));
}
