//! `key generate|list|add|remove|change|rotate`.

use serde_json::{Value, json};

use crate::place::{Place, ROOM, messages, write_private};

fn labels(place: &Place) -> Vec<String> {
    let list = place.json(["key", "list"]);
    list["slots"].as_array().unwrap().iter().map(|slot| slot["label"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_generated_key_is_private_and_never_overwrites() {
    let place = Place::new();
    let run = place.run_bare(["key", "generate", "chat.key"]).done();
    let text = std::fs::read_to_string(place.path("chat.key")).unwrap();
    assert!(text.trim_end().len() == 64 && text.trim_end().bytes().all(|byte| byte.is_ascii_hexdigit()), "{text:?}");
    assert!(!run.stdout.contains(text.trim_end()) && !run.stderr.contains(text.trim_end()), "it is not shown");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::metadata(place.path("chat.key")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    place.run_bare(["key", "generate", "chat.key"]).refused(1, &["chat.key", "never overwritten"]);
    assert_eq!(std::fs::read_to_string(place.path("chat.key")).unwrap(), text);
    place.run_bare(["key", "generate", "no/such/folder/key"]).refused(1, &["folder"]);
    let other = place.json(["key", "generate", "other.key"]);
    assert_eq!(other, json!({ "generated": "other.key" }));
    assert_ne!(std::fs::read_to_string(place.path("other.key")).unwrap(), text);

    place.write("events.jsonl", crate::place::lines(&messages(3)));
    place.run_bare(["import", "events.jsonl", "--key-file", "chat.key"]).done();
    place.run_bare(["verify", "--key-file", "chat.key"]).done();
    place.run_bare(["verify", "--key-file", "other.key"]).refused(1, &["does not open"]);
}

#[test]
fn the_slots_are_listed_with_and_without_a_key() {
    let place = Place::with(&messages(1));
    let main = json!({ "label": "main", "kind": "key" });
    assert_eq!(place.json(["key", "list"]), json!({ "slots": [main], "checked": true }));
    let unchecked = place.run_bare(["key", "list", "--format", "json"]).done();
    assert_eq!(unchecked.json(), json!({ "slots": [main], "checked": false }));

    place.write("new", "battery staple");
    place.run(["key", "add", "phone", "--new-passphrase-file", "new", "--kdf", "mobile"]).done();
    let phone = place.json(["key", "list"])["slots"][1].clone();
    let kdf = json!({ "algorithm": "argon2id", "memory_kib": 19 * 1024, "passes": 2, "lanes": 1 });
    assert_eq!(phone, json!({ "label": "phone", "kind": "passphrase", "kdf": kdf }));
    let table = place.run(["key", "list"]).done().stdout;
    assert!(table.contains("SLOT") && table.contains("19 MiB, 2 passes, 1 lane"), "{table}");
    let unchecked = place.run_bare(["key", "list"]).done();
    assert!(unchecked.stderr.contains("with a key the list is checked"), "{}", unchecked.stderr);
}

#[test]
fn slots_are_added_changed_and_removed() {
    let place = Place::with(&messages(20));
    place.write("new", "battery staple\n");
    place.write("newer", "correct horse\n");
    assert_eq!(
        place.json(["key", "add", "phone", "--new-passphrase-file", "new", "--kdf", "mobile"])["added"],
        "phone"
    );
    assert_eq!(labels(&place), ["main", "phone"]);
    place.run(["verify", "--passphrase-file", "new"]).done();
    place.run(["key", "add", "phone", "--new-passphrase-file", "newer"]).refused(1, &["label", "key list"]);

    let change = ["key", "change", "phone", "--new-passphrase-file", "newer", "--kdf", "mobile"];
    assert_eq!(place.json(change)["changed"], "phone");
    place.run(["verify", "--passphrase-file", "new"]).refused(1, &["does not open"]);
    place.run(["verify", "--passphrase-file", "newer"]).done();

    let other = place.key_file("other");
    write_private(&other, &"a5".repeat(32));
    let other = other.to_str().unwrap();
    place.run(["key", "add", "tablet", "--new-key-file", other]).done();
    // Each opens it, also to remove another.
    assert_eq!(place.json(["key", "remove", "main", "--passphrase-file", "newer"])["removed"], "main");
    place.run(["verify"]).refused(1, &["does not open"]);
    place.run(["key", "remove", "phone", "--key-file", other]).done();
    place.run(["key", "remove", "phone", "--key-file", other]).refused(1, &["no slot", "key list"]);
    place.run(["key", "remove", "tablet", "--key-file", other]).refused(1, &["last"]);
    let verified = place.json(["verify", "--key-file", other]);
    assert_eq!((&verified["problems"], &verified["collections"]["messages"]["records"]), (&json!([]), &json!(20)));
}

#[test]
fn a_slot_needs_something_new_that_opens_it() {
    let place = Place::with(&messages(1));
    for command in ["add", "change"] {
        place.run(["key", command, "main"]).refused(2, &["--new-key-file", "--new-passphrase-file"]);
    }
    place.write("new", "battery staple\n");
    let both = ["key", "add", "phone", "--new-passphrase-file", "new", "--new-key-file", "new"];
    place.run(both).refused(2, &["--help"]);
    place.run(["key", "add", "phone", "--new-key-file", "new", "--kdf", "mobile"]).refused(2, &["--help"]);
    place.run(["key", "add", "phone", "--new-key-file", "missing"]).refused(1, &["key generate missing"]);
    place.run(["key", "add", "", "--new-passphrase-file", "new"]).refused(1, &["label"]);
    for slot in 1..8 {
        write_private(&place.path("new.key"), &format!("{slot:02x}").repeat(32));
        place.run(["key", "add", &format!("slot {slot}"), "--new-key-file", "new.key"]).done();
    }
    place.run(["key", "add", "one more", "--new-key-file", "new.key"]).refused(1, &["8"]);
    assert_eq!(labels(&place).len(), 8);
    place.run_bare(["key", "add", "phone", "--new-passphrase-file", "new"]).refused(1, &["is encrypted"]);
}

#[test]
fn a_rotation_seals_everything_anew_and_destroys_the_old_key() {
    for store in ["redb:chat.redb", "sqlite:chat.db"] {
        let place = Place::new();
        place.write("events.jsonl", crate::place::lines(&messages(1_200)));
        place.run(["import", "events.jsonl", "--store", store]).done();
        let exported = place.run(["export", ROOM, "--store", store]).done().stdout;
        let rotated = place.json(["key", "rotate", "--store", store]);
        assert!(rotated["resealed"].as_u64().unwrap() >= 1_200, "{rotated}");
        assert_eq!((&rotated["damaged"], &rotated["kept"]), (&json!(0), &json!([])), "{rotated}");
        let first = rotated["retired"].as_array().unwrap().clone();
        assert_eq!(first.len(), 1, "{rotated}");

        // Nothing is left to go on with.
        let resumed = place.json(["key", "rotate", "--resume", "--store", store]);
        assert_eq!((&resumed["key"], &resumed["resealed"]), (&Value::Null, &json!(0)), "{resumed}");
        let again = place.json(["key", "rotate", "--store", store]);
        assert_eq!(again["retired"], json!([rotated["key"]]), "{again}");
        let table = place.run(["key", "rotate", "--store", store]).done().stdout;
        assert!(table.contains("destroyed, 0 still in use"), "{table}");

        assert_eq!(place.json(["verify", "--store", store])["problems"], json!([]));
        assert_eq!(place.run(["export", ROOM, "--store", store]).done().stdout, exported);
    }
}

/// The moments differ, and none of them may matter.
#[test]
fn a_rotation_that_is_killed_goes_on() {
    let place = Place::with(&messages(3_000));
    let exported = place.run(["export", ROOM]).done().stdout;
    for (round, arguments) in
        [&["key", "rotate"][..], &["key", "rotate", "--resume"], &["key", "rotate"]].iter().enumerate()
    {
        let mut child = place.keyed(arguments.iter().copied()).spawn().unwrap();
        // As long as another command takes that does nothing.
        for _ in 0..round {
            place.run(["--version"]).done();
        }
        child.kill().unwrap();
        child.wait().unwrap();
    }
    let resumed = place.json(["key", "rotate", "--resume"]);
    assert_eq!((&resumed["damaged"], &resumed["kept"]), (&json!(0), &json!([])), "{resumed}");
    assert_eq!(place.json(["verify"])["problems"], json!([]));
    assert_eq!(place.run(["export", ROOM]).done().stdout, exported);
}
