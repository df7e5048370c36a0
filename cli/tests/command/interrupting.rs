//! Imports that are ended in the middle. The events come through a pipe that stays open, so that the command cannot finish;
//! once it has taken many, some of their batches are committed, since it reads only a few ahead.

use serde_json::Value;

use crate::place::{Place, ROOM, lines, messages};

const EVENTS: u64 = 9_000;

/// The store must be whole, and the same import again must complete it.
fn assert_completed_by_a_second_import(place: &Place) -> Value {
    if place.path("strongroom.redb").exists() {
        assert_eq!(place.json(["verify"])["problems"], serde_json::json!([]));
    }
    let all = messages(EVENTS);
    place.write("events.jsonl", lines(&all));
    let summary = place.json(["import", "events.jsonl"]);
    assert_eq!(summary["stored"].as_u64().unwrap() + summary["unchanged"].as_u64().unwrap(), EVENTS, "{summary}");
    let verified = place.json(["verify"]);
    assert_eq!(verified["collections"]["messages"]["records"], EVENTS);
    assert_eq!(verified["problems"], serde_json::json!([]));
    assert_eq!(place.run(["export", ROOM]).done().stdout.lines().count() as u64, EVENTS);
    summary
}

#[test]
fn killed_at_any_moment_it_leaves_a_good_store() {
    for taken in [0, 1, 1_500, 4_000, 8_500] {
        let place = Place::new();
        let mut child = place.begin_import(&lines(&messages(taken)));
        child.kill().unwrap();
        child.wait().unwrap();
        let summary = assert_completed_by_a_second_import(&place);
        let kept = summary["unchanged"].as_u64().unwrap();
        assert!(kept <= taken, "{kept} of {taken}");
        if taken == 8_500 {
            assert!(kept >= 1_000, "{kept}");
        }
    }
}

#[cfg(unix)]
#[test]
fn ctrl_c_finishes_the_batch_and_says_what_is_stored() {
    let place = Place::new();
    let mut child = place.begin_import(&lines(&messages(8_500)));
    // Held, so that the command cannot see an end of its input.
    let stdin = child.stdin.take();
    let sent = std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(sent.success());
    let run: crate::place::Run = child.wait_with_output().unwrap().into();
    drop(stdin);
    run.refused(130, &["interrupted", "stored", "again"]);
    assert_completed_by_a_second_import(&place);
}
