//! What opens a store: the flags, the variable, and what is refused without or with the wrong ones.

use std::path::Path;

use crate::place::{Place, ROOM, lines, message, messages, write_private};

/// A place with events to import and no store.
fn place() -> Place {
    let place = Place::new();
    place.write("events.jsonl", lines(&messages(3)));
    place
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// Files of the store in the place.
fn has_store(place: &Place) -> bool {
    place.path("strongroom.redb").exists()
}

#[test]
fn a_new_store_needs_a_key_or_to_be_told_that_it_has_none() {
    let place = place();
    for store in ["redb:strongroom.redb", "sqlite:strongroom.db"] {
        let words = ["--key-file", "--passphrase-file", "STRONGROOM_PASSPHRASE", "--plain", "strongroom key generate"];
        place.run_bare(["import", "events.jsonl", "--store", store]).refused(2, &words);
    }
    // Before anything is read: whoever pipes an export in is told at once.
    place.run_bare(["import", "-"]).refused(2, &["needs a key"]);
    place.run_bare(["import", "missing.jsonl"]).refused(2, &["needs a key"]);
    assert_eq!(std::fs::read_dir(place.path("")).unwrap().count(), 1, "no store is made");
    place.run_bare(["import", "events.jsonl", "--store", "memory:"]).done();
    place.run_bare(["import", "events.jsonl", "--plain"]).done();
}

#[test]
fn an_empty_store_is_a_new_one() {
    let place = place();
    // What an import leaves behind that ends before it has stored anything.
    place.run(["import", "events.jsonl", "--plain"]).done();
    let empty = place.path("empty.redb");
    drop(strongroom::redb::Redb::open(&empty).unwrap());
    place.run_bare(["import", "events.jsonl", "--store", "redb:empty.redb"]).refused(2, &["needs a key"]);
    place.run(["import", "events.jsonl", "--store", "redb:empty.redb"]).done();
    place.run_bare(["rooms", "--store", "redb:empty.redb"]).refused(1, &["is encrypted"]);
}

#[test]
fn a_key_file_opens_what_it_made_and_another_does_not() {
    let place = place();
    let (key, other) = (place.key_file("main"), place.key_file("other"));
    place.run_bare(["import", "events.jsonl", "--key-file", text(&key)]).done();
    place.run_bare(["verify", "--key-file", text(&key)]).done();
    place.run_bare(["--key-file", text(&key), "timeline", ROOM]).done();

    write_private(&other, &"a5".repeat(32));
    place.run_bare(["rooms", "--key-file", text(&other)]).refused(1, &["does not open with --key-file", "key list"]);
    place.run_bare(["rooms"]).refused(1, &["is encrypted", "--key-file", "--passphrase-file", "STRONGROOM_PASSPHRASE"]);
    place.run_bare(["import", "events.jsonl"]).refused(1, &["is encrypted"]);
    place.run_bare(["rooms", "--plain"]).refused(1, &["is encrypted", "--plain"]);
}

#[test]
fn a_passphrase_comes_from_a_file_or_the_variable() {
    let place = place();
    place.write("passphrase", "correct horse ü \n");
    place.run_bare(["import", "events.jsonl", "--passphrase-file", "passphrase"]).done();
    place.write("crlf", "correct horse ü \r\n");
    place.write("bare", "correct horse ü ");
    for file in ["crlf", "bare"] {
        place.run_bare(["rooms", "--passphrase-file", file]).done();
    }
    let with_variable = |passphrase: &str, arguments: &[&str]| {
        let mut command = place.command(arguments.iter().copied());
        crate::place::Run::from(command.env("STRONGROOM_PASSPHRASE", passphrase).output().unwrap())
    };
    with_variable("correct horse ü ", &["rooms"]).done();
    with_variable("wrong", &["rooms", "--passphrase-file", "bare"]).done();
    let wrong = with_variable("correct horse ü", &["rooms"]).refused(1, &["does not open with STRONGROOM_PASSPHRASE"]);
    assert!(!wrong.stderr.contains("correct horse"), "{}", wrong.stderr);
    with_variable("", &["rooms"]).refused(1, &["no key was given"]);
    with_variable("", &["import", "events.jsonl", "--store", "redb:new.redb"]).refused(2, &["needs a key"]);

    place.write("two", "correct horse ü \n\n");
    let wrong = place.run_bare(["rooms", "--passphrase-file", "two"]).refused(1, &["--passphrase-file two"]);
    assert!(!wrong.stderr.contains("correct horse"), "{}", wrong.stderr);
    place.write("empty", "\n");
    place.run_bare(["rooms", "--passphrase-file", "empty"]).refused(1, &["empty", "1 to 1,024 bytes"]);
    place.write("long", "x".repeat(1_025));
    place.run_bare(["rooms", "--passphrase-file", "long"]).refused(1, &["long", "1 to 1,024 bytes"]);
    place.run_bare(["rooms", "--passphrase-file", "missing"]).refused(1, &["the passphrase file cannot be read"]);
}

#[test]
fn a_plain_store_opens_without_a_key_and_not_with_one() {
    let place = place();
    place.run(["import", "events.jsonl", "--plain"]).done();
    for flags in [&["rooms"][..], &["rooms", "--plain"]] {
        place.run_bare(flags.iter().copied()).done();
    }
    place.run(["rooms"]).refused(1, &["not encrypted", "--plain"]);
    place.write("more.jsonl", lines(&[message(9)]));
    place.run(["import", "more.jsonl"]).refused(1, &["not encrypted"]);
    let variable = place.command(["rooms"]).env("STRONGROOM_PASSPHRASE", "soup").output().unwrap();
    crate::place::Run::from(variable).refused(1, &["not encrypted"]);
    let variable = place.command(["rooms", "--plain"]).env("STRONGROOM_PASSPHRASE", "soup").output().unwrap();
    crate::place::Run::from(variable).done();
    let key = place.json(["stats", "--plain"]);
    assert_eq!(key["collections"]["messages"]["records"], 3, "nothing came of the refused import");
    place.run(["key", "list"]).refused(1, &["not encrypted"]);
    place.run_bare(["key", "rotate"]).refused(1, &["not encrypted"]);
}

#[test]
fn more_than_one_key_is_wrong_use() {
    let place = place();
    let key = place.key_file("main");
    let key = ["--key-file", text(&key)];
    for (one, other) in [
        (&key[..], &["--plain"][..]),
        (&key, &["--passphrase-file", "passphrase"]),
        (&["--plain"], &["--passphrase-file", "passphrase"]),
    ] {
        // Wherever they stand.
        let arguments = one.iter().chain(&["import", "events.jsonl"]).chain(other);
        place.run_bare(arguments.copied()).refused(2, &["exclude each other"]);
    }
    assert!(!has_store(&place));
}

#[test]
fn a_key_file_that_is_none_is_refused() {
    let place = place();
    place.run_bare(["import", "events.jsonl", "--key-file", "no.key"]).refused(1, &["strongroom key generate no.key"]);
    write_private(&place.path("short.key"), "5a5a");
    place.run_bare(["import", "events.jsonl", "--key-file", "short.key"]).refused(1, &["short.key", "64 hexadecimal"]);
    #[cfg(unix)]
    for mode in [0o644, 0o640, 0o604] {
        write_private(&place.path("loose.key"), &"5a".repeat(32));
        crate::place::set_mode(&place.path("loose.key"), mode);
        place.run_bare(["import", "events.jsonl", "--key-file", "loose.key"]).refused(1, &["loose.key", "chmod 600"]);
    }
    assert!(!has_store(&place));
}
