//! Imports that are ended in the middle. The events come through a pipe that stays open, so that the command cannot finish;
//! once it has taken many, some of their batches are committed, since it reads at most four batches of 1 MiB ahead.

use serde_json::{Value, json};

use crate::place::{Place, lines, messages};

/// In all; about 64 of them are a batch.
const EVENTS: u64 = 450;
/// So many that a batch of them must be committed.
const MANY: u64 = 400;

/// Large ones: it is the bytes that fill the batches, and few events take little time.
fn large_messages(count: u64) -> Vec<Value> {
    let mut messages = messages(count);
    for message in &mut messages {
        message["content"]["formatted_body"] = json!("x".repeat(16 << 10));
    }
    messages
}

/// The store must be whole, and the same import again must complete it.
fn assert_completed_by_a_second_import(place: &Place) -> Value {
    if place.path("strongroom.redb").exists() {
        assert_eq!(place.json(["verify"])["problems"], serde_json::json!([]));
    }
    let all = large_messages(EVENTS);
    place.write("events.jsonl", lines(&all));
    let summary = place.json(["import", "events.jsonl"]);
    assert_eq!(summary["stored"].as_u64().unwrap() + summary["unchanged"].as_u64().unwrap(), EVENTS, "{summary}");
    let verified = place.json(["verify"]);
    assert_eq!(verified["collections"]["messages"]["records"], EVENTS);
    assert_eq!(verified["problems"], serde_json::json!([]));
    summary
}

#[test]
fn killed_at_any_moment_it_leaves_a_good_store() {
    for taken in [1, 200, MANY] {
        let place = Place::new();
        let mut child = place.begin_import(&lines(&large_messages(taken)));
        child.kill().unwrap();
        child.wait().unwrap();
        let summary = assert_completed_by_a_second_import(&place);
        let kept = summary["unchanged"].as_u64().unwrap();
        assert!(kept <= taken, "{kept} of {taken}");
        if taken == MANY {
            assert!(kept >= 64, "{kept}");
        }
    }
}

#[cfg(unix)]
#[test]
fn ctrl_c_finishes_the_batch_and_says_what_is_stored() {
    let place = Place::new();
    let mut child = place.begin_import(&lines(&large_messages(MANY)));
    // Held, so that the command cannot see an end of its input.
    let stdin = child.stdin.take();
    let sent = std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(sent.success());
    let run: crate::place::Run = child.wait_with_output().unwrap().into();
    drop(stdin);
    run.refused(130, &["interrupted", "stored", "again"]);
    assert_completed_by_a_second_import(&place);
}
