use std::io::{BufRead, BufReader};

use serde_json::{Value, json};

use crate::place::{Place, ROOM, message, messages};

fn ids(messages: &[Value]) -> Vec<&str> {
    messages.iter().map(|message| message["message_id"].as_str().unwrap()).collect()
}

#[test]
fn paging_over_ties_equals_a_plain_sort() {
    let place = Place::with(&messages(200));
    // 7 is no multiple of 3, so pages end inside of ties.
    let pages = place.pages(ROOM, "7");
    assert!(pages[..pages.len() - 1].iter().all(|page| page.len() == 7));
    let paged: Vec<Value> = pages.concat();
    assert!(paged.is_sorted_by_key(|message| std::cmp::Reverse(message["timestamp"].as_i64())));
    let mut paged: Vec<(i64, &str)> = paged
        .iter()
        .map(|message| (message["timestamp"].as_i64().unwrap(), message["message_id"].as_str().unwrap()))
        .collect();
    paged.sort_unstable();
    let sent = messages(200);
    let mut sorted: Vec<(i64, &str)> = sent
        .iter()
        .map(|event| (event["origin_server_ts"].as_i64().unwrap(), event["event_id"].as_str().unwrap()))
        .collect();
    sorted.sort_unstable();
    assert_eq!(paged, sorted);
}

#[test]
fn a_time_bounds_the_timeline_and_is_exclusive() {
    let place = Place::with(&messages(9));
    let before = |time: &str| {
        let page = place.json(["timeline", ROOM, "--before", time]);
        let mut ids: Vec<String> = ids(page["messages"].as_array().unwrap()).into_iter().map(str::to_owned).collect();
        ids.sort();
        ids
    };
    assert_eq!(before("1700000000001"), ["$event000000", "$event000001", "$event000002"]);
    assert_eq!(before("2023-11-14T22:13:20.001Z"), before("1700000000001"));
    assert_eq!(before("2023-11-14T23:13:20.0005+01:00"), before("1700000000001"));
    assert!(before("-5").is_empty());
}

#[test]
fn a_limit_of_zero_gives_none() {
    let place = Place::with(&messages(3));
    assert_eq!(place.json(["timeline", ROOM, "--limit", "0"])["messages"], json!([]));
}

#[test]
fn people_get_a_table_that_a_message_cannot_drive() {
    let mut hostile = message(1);
    hostile["content"]["body"] = json!("\u{1b}[2J\u{9b}31mred\nsecond line\u{202e}");
    let place = Place::with(&[hostile]);
    let run = place.run(["timeline", ROOM]).done();
    assert!(run.stdout.contains("SENDER") && run.stdout.contains("@user1:example.org"), "{}", run.stdout);
    assert!(run.stdout.contains("second line"), "{}", run.stdout);
    assert!(!run.stdout.contains(['\u{1b}', '\u{9b}', '\u{202e}']), "{:?}", run.stdout);
    assert_eq!(run.stdout.lines().count(), 2, "{}", run.stdout);
}

#[test]
fn a_thread_has_its_root_and_replies_in_time_order() {
    let mut events = messages(30);
    let root = events[4]["event_id"].clone();
    for at in [9, 8, 20] {
        events[at]["content"]["m.relates_to"] = json!({ "rel_type": "m.thread", "event_id": root });
    }
    let place = Place::with(&events);
    let thread = place.json(["thread", ROOM, root.as_str().unwrap()]);
    assert_eq!(thread["root"]["message_id"], root);
    assert_eq!(ids(thread["messages"].as_array().unwrap()), ["$event000008", "$event000009", "$event000020"]);
    assert_eq!(thread["next"], Value::Null);
    assert_eq!(place.json(["thread", ROOM, "$event000020"]), thread, "a reply leads to its thread");
    assert_eq!(place.json(["thread", ROOM, "$event000001"])["messages"], json!([]));
    place.run(["thread", ROOM, "$nothing"]).refused(1, &["$nothing"]);
}

#[test]
fn one_record_is_shown() {
    let place = Place::with(&[message(7)]);
    let record = place.json(["show", "messages", ROOM, "$event000007"]);
    assert_eq!(record["content"], json!({ "msgtype": "m.text", "body": "message 7" }));
    assert!(place.run(["show", "rooms", ROOM]).done().stdout.contains("last_event"));
    place.run(["show", "messages", ROOM, "$other"]).refused(1, &["messages", "$other"]);
    place.run(["show", "messages", ROOM]).refused(2, &["2 parts", "ROOM_ID MESSAGE_ID"]);
    place.run(["show", "letters", "a"]).refused(2, &["letters", "room_members"]);
}

#[test]
fn every_collection_can_be_shown() {
    let place = Place::with(&[message(1)]);
    let collections = place.json(["stats"])["collections"].as_object().unwrap().clone();
    assert_eq!(collections.len(), 18);
    for name in collections.keys() {
        // The message for a wrong number of parts says how many are right.
        let usage = place.run(["show", name, "a", "b", "c", "d"]).refused(2, &["parts"]).stderr;
        let parts = usage.split(" has ").nth(1).unwrap().split(' ').next().unwrap().parse::<usize>().unwrap();
        let key = ["x", "y", "z"];
        place.run(["show", name].into_iter().chain(key[..parts].iter().copied())).refused(1, &["no record"]);
    }
}

#[test]
fn an_unknown_room_is_said_to_be_unknown() {
    let place = Place::with(&[message(1)]);
    for command in [["timeline", "!no"].as_slice(), &["export", "!no"], &["thread", "!no", "$x"]] {
        place.run(command.iter().copied()).refused(1, &["!no", "strongroom rooms"]);
    }
}

#[test]
fn verify_and_stats_have_their_shape() {
    let place = Place::with(&messages(50));
    let verified = place.json(["verify"]);
    assert_eq!(verified.as_object().unwrap().keys().collect::<Vec<_>>(), ["collections", "problems"]);
    assert_eq!(verified["problems"], json!([]));
    assert_eq!(verified["collections"]["messages"]["records"], 50);
    assert!(verified["collections"]["messages"]["entries"].as_u64().unwrap() >= 100);
    let stats = place.json(["stats"]);
    assert_eq!(stats["collections"], verified["collections"]);
    assert_eq!(stats["store"], "redb:strongroom.redb");
    assert!(stats["bytes"].as_u64().unwrap() > 0 && stats["revision"].as_u64().unwrap() > 0);
    assert_eq!(stats.get("sizes"), None, "only when asked for");
    let sizes = &place.json(["stats", "--sizes"])["sizes"];
    assert_eq!(sizes["messages"]["records"], 50);
    assert!(sizes["messages"]["record_bytes"].as_u64().unwrap() > 50 * 20);
    assert!(place.run(["stats", "--sizes"]).done().stdout.contains("BYTES"));
    assert!(place.run(["verify"]).done().stdout.contains("no problems"));
}

#[cfg(unix)]
#[test]
fn a_closed_pipe_ends_it_quietly() {
    let place = Place::with(&messages(3_000));
    let mut child = place.keyed(["export", ROOM]).spawn().unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    stdout.read_line(&mut line).unwrap();
    drop(stdout);
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), String::from_utf8_lossy(&output.stderr).as_ref()), (Some(0), ""));
    assert!(line.contains("$event000000"));
}
