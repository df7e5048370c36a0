use crate::place::{Place, ROOM, message, messages};

#[test]
fn messages_strictly_before_a_time_go() {
    let place = Place::with(&messages(30));
    assert_eq!(place.json(["delete-before", "1700000000002"])["deleted"], 6);
    assert_eq!(place.json(["delete-before", "1700000000002"])["deleted"], 0);
    assert_eq!(place.json(["stats"])["collections"]["messages"]["records"], 24);
    assert_eq!(place.json(["verify"])["problems"].as_array().unwrap().len(), 0);
}

#[test]
fn a_room_bounds_the_deletion() {
    let mut events = messages(6);
    events[0]["room_id"] = "!other:example.org".into();
    let place = Place::with(&events);
    assert_eq!(place.json(["delete-before", "2030-01-01T00:00:00Z", "--room", "!other:example.org"])["deleted"], 1);
    assert_eq!(place.json(["delete-before", "2030-01-01T00:00:00Z"])["deleted"], 5);
    place.run(["delete-before", "0", "--room", "!no"]).refused(1, &["!no"]);
    place.run(["delete-before", "yesterday"]).refused(2, &["yesterday", "RFC 3339"]);
}

#[test]
fn compaction_tells_bytes_before_and_after() {
    let place = Place::with(&messages(3_000));
    place.run(["delete-before", "2030-01-01T00:00:00Z"]).done();
    let compacted = place.json(["compact"]);
    let (before, after) = (compacted["bytes_before"].as_u64().unwrap(), compacted["bytes_after"].as_u64().unwrap());
    assert!(after < before, "{compacted}");
    assert!(std::fs::metadata(place.path("strongroom.redb")).unwrap().len() < before);
    assert!(place.run(["compact"]).done().stdout.contains("bytes before"));
}

#[test]
fn a_deleted_message_can_be_imported_again() {
    let place = Place::with(&[message(1)]);
    place.run(["delete-before", "2030-01-01T00:00:00Z"]).done();
    assert_eq!(place.json(["import", "events.jsonl"])["stored"], 1);
    assert_eq!(place.json(["timeline", ROOM])["messages"].as_array().unwrap().len(), 1);
}
