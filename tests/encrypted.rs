//! Opening by URL, plain and encrypted.
#![cfg(all(feature = "redb", feature = "encryption"))]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::sync::Arc;

use strongroom::encryption::{Argon2Params, Encrypted, EncryptionError, SecretKey, SlotKind, Unlock};
use strongroom::engine::{Metadata, StorageEngine, StorageEngineExt};
use strongroom::store::Store;
use strongroom::{Database, ErrorKind, engine, open};
use tempfile::TempDir;

fn folder() -> (TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("redb:{}/chat.redb", folder.path().display());
    (folder, url)
}

fn key(byte: u8) -> Unlock {
    Unlock::raw_key(SecretKey::new([byte; 32]))
}

fn metadata() -> Metadata {
    Metadata { key: "device".to_owned(), value: r#"{"name":"kitchen tablet"}"#.parse().unwrap() }
}

#[tokio::test]
async fn an_encrypted_store_is_made_once_and_opened_then() {
    let (folder, url) = folder();
    let store: Arc<Encrypted<Arc<dyn Store>>> = open(&url).encrypted(key(1)).await.unwrap();
    let engine = StorageEngine::open(store).await.unwrap();
    engine.save_metadata(&metadata()).await.unwrap();
    engine.close().await.unwrap();
    let file = std::fs::read(folder.path().join("chat.redb")).unwrap();
    for secret in ["device", "kitchen tablet", "metadata"] {
        assert!(!file.windows(secret.len()).any(|part| part == secret.as_bytes()), "{secret}");
    }
    let engine = StorageEngine::open(open(&url).encrypted(key(1)).await.unwrap()).await.unwrap();
    assert_eq!(engine.metadata("device").await.unwrap(), Some(metadata()));
}

#[tokio::test]
async fn after_a_wrong_key_the_right_one_is_not_told_that_the_store_is_busy() {
    let (_folder, url) = folder();
    open(&url).encrypted(key(1)).await.unwrap().close().await.unwrap();
    for _ in 0..3 {
        let error = open(&url).encrypted(key(2)).await.unwrap_err();
        assert_eq!(EncryptionError::of(&error), Some(EncryptionError::WrongKeyOrDamagedSlot));
    }
    open(&url).encrypted(key(1)).await.unwrap().close().await.unwrap();
}

#[tokio::test]
async fn plain_and_encrypted_stores_are_not_taken_for_each_other() {
    let (_folder, url) = folder();
    StorageEngine::open(open(&url).await.unwrap()).await.unwrap().close().await.unwrap();
    let error = open(&url).encrypted(key(1)).await.unwrap_err();
    assert_eq!(EncryptionError::of(&error), Some(EncryptionError::NotEncrypted));

    let (_folder, url) = self::folder();
    open(&url).encrypted(key(1)).await.unwrap().close().await.unwrap();
    let store = open(&url).await.unwrap();
    let error = Database::open(store.clone(), engine::schema()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Encrypted);
    store.close().await.unwrap();
    let error = StorageEngine::builder(&url).encrypt_at_rest(false).open().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Encrypted);
    StorageEngine::builder(&url).unlock(key(1)).open().await.unwrap().close().await.unwrap();
}

#[tokio::test]
async fn what_is_set_counts_for_the_first_slot() {
    let (_folder, url) = folder();
    let opening =
        open(&url).encrypted(Unlock::passphrase("soup")).label("phone").kdf(Argon2Params::FLOOR).padding(false);
    let store = opening.await.unwrap();
    let slots = store.slots().await.unwrap();
    assert_eq!((slots.len(), slots[0].label.as_str()), (1, "phone"));
    assert_eq!(slots[0].kind, SlotKind::Passphrase(Argon2Params::FLOOR));
}

#[tokio::test]
async fn the_engine_encrypts_unless_it_is_told_not_to() {
    let (_folder, url) = folder();
    let error = StorageEngine::builder(&url).open().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert!(error.to_string().contains("unlock") && error.to_string().contains("encrypt_at_rest(false)"), "{error}");
    let error = StorageEngine::builder(&url).unlock(key(1)).encrypt_at_rest(false).open().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);

    let engine = StorageEngine::builder(&url).unlock(key(1)).open().await.unwrap();
    engine.save_metadata(&metadata()).await.unwrap();
    engine.close().await.unwrap();
    StorageEngine::builder(&url).unlock(key(2)).open().await.unwrap_err();
    let engine = StorageEngine::builder(&url).unlock(key(1)).open().await.unwrap();
    assert_eq!(engine.metadata("device").await.unwrap(), Some(metadata()));

    let (_folder, plain) = self::folder();
    StorageEngine::builder(&plain).encrypt_at_rest(false).open().await.unwrap();
}

#[tokio::test]
async fn a_malformed_url_is_an_error_when_it_is_awaited() {
    assert_eq!(open("chat.redb").await.unwrap_err().kind(), ErrorKind::InvalidInput);
    assert_eq!(open("chat.redb").encrypted(key(1)).await.unwrap_err().kind(), ErrorKind::InvalidInput);
}
