use crate::place::{Place, lines, messages};

#[test]
fn a_command_that_reads_makes_no_store() {
    let place = Place::new();
    for command in [
        ["rooms"].as_slice(),
        &["timeline", "!a"],
        &["thread", "!a", "$b"],
        &["show", "rooms", "!a"],
        &["export", "!a"],
        &["delete-before", "0"],
        &["stats"],
        &["verify"],
        &["compact"],
    ] {
        place.run(command.iter().copied()).refused(1, &["no store redb:strongroom.redb", "import"]);
    }
    assert_eq!(std::fs::read_dir(place.path("")).unwrap().count(), 0);
}

#[test]
fn a_wrong_url_names_the_right_ones() {
    let place = Place::new();
    place.run(["stats", "--store", "mongodb://x"]).refused(2, &["mongodb", "redb:PATH", "memory:"]);
    place.run(["stats", "--store", "chat.redb"]).refused(2, &["chat.redb", "redb:PATH"]);
    place.run(["stats", "--store", "memory:"]).refused(2, &["keeps nothing"]);
    place.write("events.jsonl", lines(&messages(1)));
    place.run(["import", "events.jsonl", "--store", "redb:no/such/folder/x"]).refused(1, &["redb"]);
}

#[test]
fn the_store_can_come_from_the_environment() {
    let place = Place::new();
    place.write("events.jsonl", lines(&messages(1)));
    let import = place.keyed(["import", "events.jsonl"]).env("STRONGROOM_STORE", "redb:other.redb").status().unwrap();
    assert!(import.success() && place.path("other.redb").exists());
}

#[test]
fn a_foreign_file_is_refused_and_stays_as_it_is() {
    let place = Place::new();
    let foreign = "not a store ".repeat(1_000);
    place.write("strongroom.redb", &foreign);
    place.run(["stats"]).refused(1, &["redb"]);
    place.write("events.jsonl", lines(&messages(1)));
    place.run(["import", "events.jsonl"]).refused(1, &["redb"]);
    assert_eq!(std::fs::read_to_string(place.path("strongroom.redb")).unwrap(), foreign);
}

#[test]
fn wrong_arguments_end_with_two_and_one_line() {
    let place = Place::new();
    for command in [
        ["timeline"].as_slice(),
        &["timeline", "!a", "--limit", "many"],
        &["imports", "x"],
        &["stats", "--format", "xml"],
        &["stats", "extra"],
        &["show", "rooms"],
        &["demo", "--messages", "1"],
    ] {
        place.run(command.iter().copied()).refused(2, &["--help"]);
    }
}

#[test]
fn a_cursor_that_is_none_is_wrong_use() {
    let place = Place::with(&messages(1));
    place.run(["timeline", crate::place::ROOM, "--before", "nonsense"]).refused(2, &["nonsense", "cursor"]);
}

#[test]
fn help_tells_the_exit_statuses() {
    let place = Place::new();
    let help = place.run(["--help"]).done().stdout;
    for part in ["Exit status", "130", "Examples", "import", "STRONGROOM_STORE", "--key-file", "STRONGROOM_PASSPHRASE"]
    {
        assert!(help.contains(part), "{part}");
    }
    assert!(place.run(["--version"]).done().stdout.starts_with("strongroom "));
    let run = place.run_bare([]);
    assert_eq!((run.status, run.stdout.as_str()), (Some(2), ""));
}

#[test]
fn completions_are_written_for_each_shell() {
    let place = Place::new();
    for shell in ["bash", "zsh", "fish"] {
        assert!(place.run(["completions", shell]).done().stdout.contains("delete-before"), "{shell}");
    }
}
