//! What is refused, in which words, and that nothing is made by it.

use strongroom_conformance_servers::Postgres;

use crate::place::{Place, lines, messages};
use crate::{exists, new_store};

pub(crate) fn a_command_that_reads_or_is_refused_makes_no_store(server: &Postgres) {
    let place = Place::new();
    place.write("events.jsonl", lines(&messages(3)));
    let store = new_store(server);
    for command in [
        ["rooms"].as_slice(),
        &["timeline", "!a"],
        &["export", "!a"],
        &["stats"],
        &["verify"],
        &["compact"],
        &["sweep"],
    ] {
        let arguments = command.iter().copied().chain(["--store", &store]);
        place.run(arguments).refused(1, &["there is no store postgres://", &store, "import"]);
    }
    place.run(["key", "list", "--store", &store]).refused(1, &["there is no store"]);
    place.run(["copy", "redb:new.redb", "--new-plain", "--from", &store]).refused(1, &["there is no store"]);
    place.run(["backup", "redb:new.redb", "--store", &store]).refused(1, &["there is no store"]);
    place
        .run(["media", "list", "--objects", "file:a", "--store", &store])
        .refused(1, &["there is no store", "media put"]);
    // For want of a key, or of anything to import.
    place.run_bare(["import", "events.jsonl", "--store", &store]).refused(2, &["new store postgres://", "needs a key"]);
    place.run(["import", "missing.jsonl", "--store", &store]).refused(1, &["missing.jsonl"]);
    assert!(!exists(&store));
    place.run(["import", "events.jsonl", "--store", &store]).done();
    assert!(exists(&store));
}

pub(crate) fn what_is_wrong_with_a_url_is_one_line(server: &Postgres) {
    let place = Place::new();
    place.write("events.jsonl", lines(&messages(3)));
    let (url, guarded) = (server.url(), server.url_with_password());
    let wrong = guarded.replace(":strongroom@", ":mistyped@");
    let elsewhere = format!("{}/elsewhere", url.strip_suffix("/strongroom").unwrap());
    // Port 1 of the loopback interface: nothing listens there.
    for (store, status, words) in [
        ("postgres://me:mistyped@127.0.0.1:1/chat?namespace=a".to_owned(), 1, ["127.0.0.1:1", "connection"]),
        (format!("{wrong}?namespace=a"), 1, ["refuses this user or password", "28P01"]),
        (format!("{elsewhere}?namespace=a"), 1, ["the database does not exist", "create it first"]),
        (url.clone(), 2, ["--store: ", "names no namespace: add ?namespace=NAME"]),
        (format!("{guarded}?namespace="), 2, ["--store: ", "names no namespace: add ?namespace=NAME"]),
        (format!("{url}?namespace=a&scheme=b"), 2, ["--store: ", "a parameter that is not known here"]),
        (format!("{url}?namespace=a&schema=Rooms"), 2, ["--store: ", "a schema's name"]),
        (format!("{url}?namespace=a&sslmode=mistyped"), 2, ["--store: ", "no URL like postgres://"]),
        ("postgres://me:mis/typed@host/chat?namespace=a".to_owned(), 2, ["--store: ", "no URL like postgres://"]),
        (format!("{url}?namespace=a#b"), 2, ["--store: ", "%23"]),
    ] {
        for command in [["stats", "--plain"].as_slice(), &["import", "events.jsonl", "--plain"]] {
            let refused = place.run(command.iter().copied().chain(["--store", &store])).refused(status, &words);
            assert!(!refused.stderr.contains("typed"), "{}", refused.stderr);
        }
        let copied = place.run(["copy", &store, "--from", "redb:none.redb", "--plain", "--new-plain"]);
        assert_ne!(copied.status, Some(0));
    }
    assert_eq!(std::fs::read_dir(place.path("")).unwrap().count(), 1, "nothing is made");
}
