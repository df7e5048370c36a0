//! Stores as each format wrote them, kept as files: this program opens them, finds every record, and goes on with them.
//!
//! The files under `tests/fixtures/format-N` were written once, by the program of that format, and never change. When the format
//! changes, write those of the new one and add them to the repository:
//! `cargo test -p strongroom --test formats -- --ignored write_the_fixtures`. It leaves alone what is there.
#![cfg(all(feature = "redb", feature = "sqlite", feature = "encryption"))]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod records;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use futures_util::TryStreamExt;
use strongroom::encryption::{SecretKey, Unlock};
use strongroom::store::Store;
use strongroom::{Database, Record, Schema, open};

use records::{Counter, Note, counters, notes, schema};

/// The stores that each format is kept in: engine, and whether it is encrypted.
const STACKS: [(&str, bool); 4] = [("redb", false), ("redb", true), ("sqlite", false), ("sqlite", true)];

fn fixture(format: u32, engine: &str, encrypted: bool) -> PathBuf {
    let name = format!("{}.{engine}.store", if encrypted { "encrypted" } else { "plain" });
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/fixtures/format-{format}")).join(name)
}

/// Opens a file; the key of encrypted ones is a fixed one, for tests alone.
async fn store(file: &Path, engine: &str, encrypted: bool) -> Arc<dyn Store> {
    let url = format!("{engine}:{}", file.display());
    if encrypted {
        open(&url).encrypted(Unlock::raw_key(SecretKey::new([7; 32]))).await.unwrap()
    } else {
        open(&url).await.unwrap()
    }
}

async fn all<R: Record>(db: &Database, primary: impl Fn(&Database) -> strongroom::Query<Database, R, ()>) -> Vec<R> {
    primary(db).stream().try_collect().await.unwrap()
}

async fn write(format: u32, schema: Schema, fill: impl AsyncFn(&Database)) {
    for (engine, encrypted) in STACKS {
        let kept = fixture(format, engine, encrypted);
        if kept.exists() {
            continue;
        }
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("store");
        let db = Database::builder(schema.clone()).open(store(&file, engine, encrypted).await).await.unwrap();
        fill(&db).await;
        db.compact().await.unwrap();
        db.close().await.unwrap();
        fs::create_dir_all(kept.parent().unwrap()).unwrap();
        fs::copy(&file, &kept).unwrap();
    }
}

#[tokio::test]
#[ignore = "writes the files that the other tests read"]
async fn write_the_fixtures() {
    write(1, schema(), async |db| {
        for note in notes() {
            db.put(&note).await.unwrap();
        }
        for counter in counters() {
            db.put(&counter).await.unwrap();
        }
    })
    .await;
}
