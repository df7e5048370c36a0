//! The command: what it prints, writes and answers.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on must fail")]

use std::fs;
use std::process::{Command, Output};

use serde_json::Value;

const CASE: &str = "semantics::an_empty_value_is_no_absent_row";

fn command(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_strongroom-conformance"))
        .args(arguments)
        .env_remove("STRONGROOM_CI")
        .output()
        .unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[test]
fn a_run_shows_a_matrix_and_writes_what_was_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let [json, junit, markdown] = ["r.json", "r.xml", "r.md"].map(|name| folder.path().join(name));
    let files = [&json, &junit, &markdown].map(|path| path.to_str().unwrap());
    let output = command(&[
        "run",
        "--backend",
        "memory,redb",
        "--group",
        "semantics",
        "--case",
        "an_empty_value_is_no",
        "--seed",
        "7",
        "--json",
        files[0],
        "--junit",
        files[1],
        "--markdown",
        files[2],
    ]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let shown = text(&output.stdout);
    assert!(
        shown.contains("memory") && shown.contains("redb") && shown.contains("an_empty_value_is_no_absent_row"),
        "{shown}"
    );
    assert!(!shown.contains('\u{1b}'), "no colours where there is no terminal");

    let document: Value = serde_json::from_slice(&fs::read(json).unwrap()).unwrap();
    assert_eq!(document["seed"], 7);
    assert!(document["version"].is_string());
    let cases = document["cases"].as_array().unwrap();
    assert_eq!(cases.len(), 2);
    for (case, stack) in cases.iter().zip(["memory", "redb"]) {
        assert_eq!(case["group"], "semantics");
        assert_eq!(case["name"], "an_empty_value_is_no_absent_row");
        assert_eq!(case["stack"], stack);
        assert_eq!(case["outcome"], "pass");
        assert!(case["reason"].is_null() && case["seconds"].is_number());
    }
    let junit = fs::read_to_string(junit).unwrap();
    assert!(junit.contains("tests=\"2\"") && junit.contains("failures=\"0\""), "{junit}");
    assert!(fs::read_to_string(markdown).unwrap().contains("| an empty value is no absent row | pass | pass |"));
}

#[test]
fn a_case_that_cannot_run_is_not_applicable_with_its_reason() {
    let folder = tempfile::tempdir().unwrap();
    let json = folder.path().join("r.json");
    let output = command(&["run", "--backend", "memory", "--group", "crash", "--json", json.to_str().unwrap()]);
    assert!(output.status.success(), "{}{}", text(&output.stdout), text(&output.stderr));
    let document: Value = serde_json::from_slice(&fs::read(json).unwrap()).unwrap();
    let cases = document["cases"].as_array().unwrap();
    assert!(!cases.is_empty());
    for case in cases.iter().filter(|case| case["outcome"] != "pass") {
        assert_eq!(case["outcome"], "n/a");
        assert_eq!(case["reason"], "nothing outlives the process");
    }
}

#[test]
fn a_failure_ends_with_status_1_and_says_why() {
    // Nothing is done in no time.
    let output = command(&["run", "--backend", "memory", "--case", CASE, "--patience", "0s"]);
    assert_eq!(output.status.code(), Some(1));
    let shown = text(&output.stdout);
    assert!(shown.contains("FAIL") && shown.contains("has not ended after 0 seconds"), "{shown}");
}

#[test]
fn no_effort_at_all_still_proves_something() {
    let folder = tempfile::tempdir().unwrap();
    let json = folder.path().join("r.json");
    let case = "an_aborted_transaction_leaves_nothing";
    let effort = ["--operations", "0", "--kills", "0", "--cuts", "0"];
    let path = json.to_str().unwrap();
    let arguments = ["run", "--backend", "memory", "--group", "model", "--case", case, "--json", path];
    let output = command(&[&arguments[..], &effort[..]].concat());
    assert!(output.status.success(), "{}", text(&output.stdout));
    let document: Value = serde_json::from_slice(&fs::read(json).unwrap()).unwrap();
    let reason = document["cases"][0]["reason"].as_str().unwrap();
    let operations: u64 = reason.strip_suffix(" operations").unwrap().parse().unwrap();
    assert!(operations > 0, "{reason}");
}

#[test]
fn wrong_use_ends_with_status_2_and_names_what_there_is() {
    for (arguments, named) in [
        (&["run", "--backend", "mongo"][..], "memory"),
        (&["run", "--backend", "all", "--group", "speed"], "semantics"),
        (&["run", "--backend", "all", "--case", "no such case"], "list"),
        (&["run", "--backend", "all", "--budget", "soon"], "10m"),
        (&["run"], "--backend"),
    ] {
        let output = command(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(text(&output.stderr).contains(named), "{arguments:?}: {}", text(&output.stderr));
    }
}

#[test]
fn list_names_every_case() {
    let output = command(&["list"]);
    assert!(output.status.success());
    assert!(text(&output.stdout).lines().any(|line| line == CASE));
}
