use std::collections::BTreeSet;

use serde_json::Value;

use crate::place::Place;

fn ids_of(events: impl Iterator<Item = Value>) -> BTreeSet<String> {
    events.map(|event| event["event_id"].as_str().unwrap().to_owned()).collect()
}

/// The events of an export, and the redactions that came with them.
fn ids_in(path: &str) -> BTreeSet<String> {
    let export: Value = std::fs::read_to_string(path).unwrap().parse().unwrap();
    let events = export["messages"].as_array().unwrap();
    assert_eq!(events.len(), 600);
    let redactions = events.iter().map(|event| event["unsigned"]["redacted_because"].clone());
    ids_of(events.iter().cloned().chain(redactions.filter(|redaction| !redaction.is_null())))
}

#[test]
fn it_does_the_main_job_and_names_its_commands() {
    let place = Place::new();
    let run = place.run_bare(["demo", "--messages", "600"]).done();
    for command in ["import export.json", "rooms", "timeline '!kitchen:example.org'", "thread", "stats", "verify"] {
        assert!(run.stdout.contains(&format!("$ strongroom {command}")), "{command} in {}", run.stdout);
    }
    assert!(run.stdout.contains("no problems"), "{}", run.stdout);
    assert!(run.stdout.contains("encrypted, with a random key"), "{}", run.stdout);
    assert_eq!(std::fs::read_dir(place.path("")).unwrap().count(), 0, "the folder is removed");
}

#[test]
fn its_key_is_in_memory_and_nowhere_else() {
    let place = Place::new();
    let run = place.run_bare(["demo", "--keep", "--messages", "600"]).done();
    let folder = run.stderr.lines().find_map(|line| line.strip_prefix("kept: ")).unwrap();
    let files: BTreeSet<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(files, ["demo.redb", "export.json"].map(Into::into).into());
    let store = format!("redb:{folder}/demo.redb");
    place.run_bare(["rooms", "--store", &store]).refused(1, &["encrypted", "--key-file"]);
    place.run(["rooms", "--store", &store]).refused(1, &["does not open"]);
    assert!(run.stdout.contains("strongroom key generate"), "what comes next needs a key: {}", run.stdout);

    let plain = place.run(["demo", "--plain", "--messages", "600"]).done().stdout;
    assert!(plain.contains("--store redb:demo.redb --plain") && !plain.contains("random key"), "{plain}");
    // A passphrase of a real store is not for made-up data.
    let variable = place.command(["demo", "--messages", "600"]).env("STRONGROOM_PASSPHRASE", "soup").output().unwrap();
    assert!(String::from_utf8(variable.stdout).unwrap().contains("random key"));
}

#[test]
fn what_it_keeps_can_be_worked_with() {
    let place = Place::new();
    let run = place.run(["demo", "--keep", "--messages", "600"]).done();
    let folder = run.stderr.lines().find_map(|line| line.strip_prefix("kept: ")).unwrap();
    let store = format!("redb:{folder}/demo.redb");
    let exported = place.run(["export", "!kitchen:example.org", "--store", &store]).done().stdout;
    assert_eq!(ids_of(exported.lines().map(|line| line.parse().unwrap())), ids_in(&format!("{folder}/export.json")));
    place.write("again.jsonl", &exported);
    place.run(["import", "again.jsonl"]).done();
    assert_eq!(place.run(["export", "!kitchen:example.org"]).done().stdout, exported);
}
