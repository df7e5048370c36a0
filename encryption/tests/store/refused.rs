//! What is not opened, and what is not made anew: nothing is written by a refusal.

use strongroom_core::ErrorKind;
use strongroom_core::store::{Batch, LAYER_KEYS, Outcome, Store, StoredKey, Write};
use strongroom_encryption::{EncryptionError, Unlock, slots_of};

use crate::store::support::{
    commit, content, create, key, memory, open, options, own, put, raw_key, refused, rows, value,
};

#[tokio::test]
async fn an_empty_store_is_not_opened_and_stays_empty() {
    let raw = memory();
    assert_eq!(refused(open(&raw).await), EncryptionError::NotCreated);
    assert_eq!(refused(slots_of(&*raw).await), EncryptionError::NotCreated);
    assert!(rows(&*raw).await.is_empty());
}

#[tokio::test]
async fn a_store_is_not_created_twice() {
    let raw = memory();
    let layer = create(&raw).await;
    put(&layer, 1, "value").await;
    let before = rows(&*raw).await;
    assert_eq!(refused(options().create(raw.clone(), &raw_key(7)).await), EncryptionError::AlreadyCreated);
    assert_eq!(rows(&*raw).await, before);
    assert_eq!(value(&open(&raw).await.unwrap(), 1).await, Some("value".into()));
}

#[tokio::test]
async fn a_plain_store_is_not_opened_and_not_taken_over() {
    let raw = memory();
    put(&*raw, 1, "plain").await;
    let before = rows(&*raw).await;
    assert_eq!(refused(open(&raw).await), EncryptionError::NotEncrypted);
    assert_eq!(refused(options().create(raw.clone(), &raw_key(7)).await), EncryptionError::NotEncrypted);
    assert_eq!(refused(options().open_or_create(raw.clone(), &raw_key(7)).await), EncryptionError::NotEncrypted);
    assert_eq!(refused(slots_of(&*raw).await), EncryptionError::NotEncrypted);
    assert_eq!(rows(&*raw).await, before);
}

#[tokio::test]
async fn another_key_does_not_open_and_does_not_make_anew() {
    let raw = memory();
    create(&raw).await;
    let before = rows(&*raw).await;
    for unlock in [raw_key(8), Unlock::passphrase("\u{7}".repeat(32)), Unlock::passphrase("")] {
        let wrong = EncryptionError::WrongKeyOrDamagedSlot;
        assert_eq!(refused(options().open(raw.clone(), &unlock).await), wrong);
        assert_eq!(refused(options().open_or_create(raw.clone(), &unlock).await), wrong);
    }
    assert_eq!(rows(&*raw).await, before);
}

#[tokio::test]
async fn what_is_left_without_a_header_is_never_made_anew() {
    for gone in [&["header"][..], &["keyring"], &["header", "keyring"]] {
        let raw = memory();
        let layer = create(&raw).await;
        for number in 0..200 {
            put(&layer, number, "value").await;
        }
        let writes = gone.iter().map(|name| (own(name), Write::Delete)).collect();
        commit(&*raw, Batch { writes, ..Batch::default() }).await;
        let before = rows(&*raw).await;
        assert_eq!(refused(open(&raw).await), EncryptionError::HeaderMissing, "{gone:?}");
        assert_eq!(refused(options().open_or_create(raw.clone(), &raw_key(7)).await), EncryptionError::HeaderMissing);
        if gone.contains(&"keyring") {
            assert_eq!(refused(layer.rotate().await), EncryptionError::HeaderMissing);
        }
        assert_eq!(rows(&*raw).await, before);
    }
}

#[tokio::test]
async fn the_layer_s_own_keys_are_hidden_and_cannot_be_written() {
    let raw = memory();
    let layer = create(&raw).await;
    put(&layer, 1, "value").await;
    assert_eq!(rows(&layer).await.len(), 1, "only what was written");
    for name in ["", "header", "keyring", "sweep", "zzz"] {
        assert_eq!(content(&layer, own(name)).await, None);
        let batch = Batch { writes: [(own(name), Write::Delete)].into(), ..Batch::default() };
        let outcomes = layer.commit(vec![batch]).await.unwrap();
        let [Outcome::Rejected(error)] = &outcomes[..] else { panic!("{outcomes:?}") };
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
    }
    // The last key that is not the layer's.
    let last = StoredKey::from(LAYER_KEYS.as_bytes()[1..].to_vec());
    let batch = Batch { writes: [(last.clone(), Write::Put("last".into()))].into(), ..Batch::default() };
    commit(&layer, batch).await;
    assert!(content(&layer, last).await.is_some() && content(&layer, key(1)).await.is_some());
    layer.drop_range(&strongroom_core::store::KeyRange::ALL, &[]).await.unwrap();
    assert!(rows(&layer).await.is_empty());
    open(&raw).await.unwrap();
}
