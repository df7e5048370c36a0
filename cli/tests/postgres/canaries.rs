//! What no output and no log has.

use std::process::Command;

use serde_json::{Value, json};
use strongroom_conformance_servers::Postgres;

use crate::place::{Place, Run, lines};
use crate::with_new_namespace;

const ROOM: &str = "!canaryroom:example.org";

fn events() -> Vec<Value> {
    let event = |number: u64| {
        json!({
            "type": "m.room.message", "room_id": ROOM, "event_id": format!("$canaryevent{number:04}"),
            "sender": "@canarysender:example.org", "origin_server_ts": 1_700_000_000_000 + number,
            "content": { "msgtype": "m.text", "body": format!("canarybody {number}") },
        })
    };
    (0..50).map(event).collect()
}

/// The server's own password is the name of its database, too, so another one is looked for.
const CANARY: &str = "canarypassword";

fn run(mut command: Command, store: &str) -> Run {
    command.env("STRONGROOM_STORE", store).env("PGPASSWORD", "strongroom").output().unwrap().into()
}

pub(crate) fn no_output_has_a_password_a_key_or_what_was_imported(server: &Postgres) {
    let place = Place::new();
    place.write("events.jsonl", lines(&events()));
    place.write("a.bin", "canarymedium");
    // This user is asked for no password, so that a wrong one opens the store.
    let url = server.url().replace("strongroom@", &format!("strongroom:{CANARY}@"));
    let (store, other, third) = (with_new_namespace(&url), with_new_namespace(&url), with_new_namespace(&url));
    let key = place.key_file("main");
    let key = key.to_str().unwrap();
    let with_parameter = format!("{}&password={CANARY}", with_new_namespace(&server.url()));
    for (arguments, status) in [
        (&["--help"][..], 0),
        (&["import", "--help"], 0),
        (&["rooms"], 1),
        (&["import", "events.jsonl"], 0),
        (&["import", "events.jsonl", "--store", &with_parameter], 0),
        (&["stats", "--sizes"], 0),
        (&["stats", "--format", "json"], 0),
        (&["stats", "--store", &with_parameter], 0),
        (&["verify"], 0),
        (&["sweep"], 0),
        (&["compact"], 1),
        (&["leakage"], 0),
        (&["key", "list"], 0),
        (&["key", "rotate"], 0),
        (&["copy", &other, "--new-key-file", key], 0),
        (&["copy", &other, "--new-key-file", key], 1),
        (&["copy", &other, "--new-key-file", key, "--resume", "--format", "json"], 0),
        (&["copy", &store, "--new-plain", "--resume"], 2),
        (&["copy", &third], 2),
        (&["backup", "redb:backup.redb"], 0),
        (&["backup", &third], 2),
        (&["restore", "redb:backup.redb", "--store", &third], 0),
        (&["restore", "redb:backup.redb", "--store", &third], 1),
        (&["salvage", "redb:saved.redb", "--new-key-file", key], 0),
        (&["media", "put", "a.bin", "--room", "!r"], 2),
        (&["media", "put", "a.bin", "--room", "!r", "--objects", "file:bytes"], 0),
        (&["media", "copy", &other, "--objects", "file:bytes", "--new-key-file", key, "--to-objects", "file:to"], 0),
        (&["rooms", "--plain"], 1),
        (&["rooms", "--key-file", "none.key"], 1),
        // In the wrong place, or mistyped.
        (&[&store], 2),
        (&["stats", &store], 2),
        (&["stats", "--stor", &store], 2),
        (&["stats", "--format", &store], 2),
        (&["stats", "--store", &store.replace("postgres:", "mysql:")], 2),
        (&["stats", "--store", &store.replace("postgres:", "postgres")], 2),
        (&["stats", "--store", &format!("{store}&mistyped=a")], 2),
        (&["stats", "--store", &store.replace("127.0.0.1", "127.0.0.1:1/")], 1),
    ] {
        let ended = run(place.keyed(arguments.iter().copied()), &store);
        let said = format!("{arguments:?}\n{}\n{}", ended.stdout, ended.stderr);
        assert_eq!(ended.status, Some(status), "{said}");
        for secret in ["canary", &"5a".repeat(32), &"\u{5a}".repeat(32)] {
            assert!(!ended.stdout.contains(secret) && !ended.stderr.contains(secret), "{secret} in {said}");
        }
    }
    // The password that opens a store is in the environment, and it is that: without it nothing opens.
    let (user, rest) =
        server.url_with_password().split_once(":strongroom@").map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap();
    let guarded = with_new_namespace(&format!("{user}@{rest}"));
    run(place.keyed(["import", "events.jsonl"]), &guarded).done();
    let mut without = place.keyed(["rooms"]);
    let without = Run::from(without.env("STRONGROOM_STORE", &guarded).env_remove("PGPASSWORD").output().unwrap());
    without.refused(1, &["password"]);

    assert!(!server.log().contains("canary"), "{}", server.log());
    // All of it could be found: a store's content is shown where it is asked for.
    let shown = run(place.keyed(["timeline", ROOM, "--limit", "1", "--format", "json"]), &store).done();
    assert_eq!(shown.json()["messages"][0]["content"]["body"], "canarybody 49");
}
