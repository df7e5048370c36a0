//! Distinctive plaintexts and keys appear in no file of an encrypted store, whatever the engine keeps beside its own: while it
//! is open, in a rotation, and after it was closed. The same store without the layer has them, so they would be found.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on must fail")]

use std::fs;
use std::path::Path;
use std::sync::Arc;

use strongroom_conformance::evil::{self, CANARY, RECORDS, draft, letter};
use strongroom_conformance::{Factory, Folder, Place, Settings};
use strongroom_conformance_runner::stacks::{RedbFactory, SqliteFactory};
use strongroom_core::Database;
use strongroom_core::store::Store;
use strongroom_encryption::{Argon2Params, EncryptedOptions, SecretKey, Unlock};

const PASSPHRASE: &str = "passphrase-canary-90ab";
/// 32 bytes.
const KEY: &str = "key-canary-of-32-bytes-012345678";

/// How many times each secret is in the files of a folder.
fn found(folder: &Path) -> usize {
    let mut found = 0;
    let mut files = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        assert!(path.is_file(), "an engine keeps files alone");
        let bytes = fs::read(&path).unwrap();
        files += 1;
        // As text, which is searched faster; what is no text in it is no secret either.
        let text = String::from_utf8_lossy(&bytes);
        for secret in [CANARY, PASSPHRASE, &KEY[..16]] {
            found += text.matches(secret).count();
        }
        // Nor does a name say what it is.
        assert!(!path.to_string_lossy().contains(CANARY));
    }
    assert!(files > 0, "there is a file");
    found
}

async fn write(db: &Database) {
    for id in 0..RECORDS {
        db.insert(&letter(id)).await.unwrap();
        db.insert(&draft(id)).await.unwrap();
    }
    // Enough that pages are split, and some freed.
    for ids in [RECORDS..150, 150..300] {
        let ids = &ids;
        db.write(|tx| async move {
            for id in ids.clone() {
                tx.put(&letter(id)).await?;
            }
            Ok(())
        })
        .await
        .unwrap();
    }
    for id in 10..20 {
        db.delete(&evil::Letter::key(&evil::room(), &id)).await.unwrap();
    }
    db.query(evil::Letter::BY_TIME).equal(&evil::room()).skip_damaged().limit(20).page().await.unwrap();
}

async fn place_of(factory: &dyn Factory, name: &str) -> (Folder, Arc<dyn Store>) {
    let folder = Folder::temporary().unwrap();
    let place = Place { folder: folder.path().to_owned(), name: name.to_owned() };
    let store = factory.open(&place, &Settings::new(factory.limits())).await.unwrap();
    (folder, store)
}

async fn no_file_has_them(factory: &dyn Factory) {
    let (folder, raw) = place_of(factory, "sealed").await;
    let mut options = EncryptedOptions::default();
    options.kdf = Argon2Params::FLOOR;
    let layer = Arc::new(options.create(raw, &Unlock::passphrase(PASSPHRASE)).await.unwrap());
    layer
        .add_slot("spare", &Unlock::raw_key(SecretKey::new(KEY.as_bytes().try_into().unwrap())), Argon2Params::FLOOR)
        .await
        .unwrap();
    let db = evil::open(layer.clone()).await.unwrap();
    let view = db.snapshot().await.unwrap();
    write(&db).await;
    assert_eq!(found(folder.path()), 0, "while it is written, with a view held open");
    drop(view);
    layer.rotate().await.unwrap();
    layer.reseal(|_| assert_eq!(found(folder.path()), 0, "in a rotation")).await.unwrap();
    db.compact().await.unwrap();
    assert_eq!(found(folder.path()), 0, "after a compaction");
    db.close().await.unwrap();
    assert_eq!(found(folder.path()), 0, "after it was closed");
}

async fn without_the_layer_they_are_there(factory: &dyn Factory) {
    let (folder, raw) = place_of(factory, "plain").await;
    let db = evil::open(raw).await.unwrap();
    write(&db).await;
    assert!(found(folder.path()) > RECORDS as usize, "while it is open");
    db.close().await.unwrap();
    assert!(found(folder.path()) > RECORDS as usize, "after it was closed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redb_s_files_hold_none() {
    no_file_has_them(&RedbFactory).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sqlite_s_files_hold_none() {
    no_file_has_them(&SqliteFactory).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn they_would_be_found() {
    without_the_layer_they_are_there(&RedbFactory).await;
    without_the_layer_they_are_there(&SqliteFactory).await;
}
