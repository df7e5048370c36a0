//! The report of what leaks: kept in files, so that a change is seen in review, and compared with stored rows.

mod guests;
mod rows;

use std::fs;
use std::path::Path;

use strongroom_core::{Schema, engine, matrix};
use strongroom_encryption::leakage;

/// Compares with a file beside this test. `STRONGROOM_BLESS=1` writes it anew: look at the difference before it is committed.
#[track_caller]
fn golden(name: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden").join(name);
    if std::env::var_os("STRONGROOM_BLESS").is_some() {
        fs::write(&path, text).unwrap();
    }
    let kept = fs::read_to_string(&path).unwrap_or_default();
    assert!(kept == text, "what leaks has changed: {name} differs from\n{text}");
}

fn shown(schema: &Schema) -> String {
    leakage(schema).to_string()
}

#[test]
fn of_the_schema_matrix() {
    golden("matrix.txt", &shown(&matrix::schema()));
}

#[test]
fn of_the_schema_engine() {
    golden("engine.txt", &shown(&engine::schema()));
}

#[test]
fn of_a_schema_with_every_kind_of_index() {
    golden("guests.txt", &shown(&guests::schema()));
}

#[test]
fn as_json() {
    let json = serde_json::to_string_pretty(&leakage(&guests::schema())).unwrap();
    golden("guests.json", &(json + "\n"));
}
