//! What does not open is left as it is, keeps its key, and hides nothing else.

use strongroom_core::store::{Batch, Content, Store, Write};
use strongroom_encryption::EncryptionError;

use crate::store::support::{
    commit, content, create, damage, key, memory, open, own, put, put_of, refused, rows, value,
};

/// Changes the raw value of a number.
async fn strike(raw: &dyn Store, number: u32, change: impl FnOnce(&mut Vec<u8>)) {
    let Some(Content::Value(value)) = content(raw, key(number)).await else { panic!("a value") };
    let mut value = value.to_vec();
    change(&mut value);
    put(raw, number, value).await;
}

#[tokio::test]
async fn a_damaged_value_keeps_its_key_until_it_is_gone() {
    let raw = memory();
    let layer = create(&raw).await;
    for number in 0..5 {
        put(&layer, number, format!("value {number}")).await;
    }
    strike(&*raw, 2, |value| value[40] ^= 1).await;
    let damaged = content(&*raw, key(2)).await;
    layer.rotate().await.unwrap();
    let done = layer.reseal(|_| {}).await.unwrap();
    assert_eq!((done.progress.resealed, done.damaged), (4, 1));
    assert_eq!((&done.retired[..], &done.kept[..]), (&[][..], &[1][..]));
    assert_eq!(content(&*raw, key(2)).await, damaged, "it is left as it is");
    // Whoever puts it right still can: its key is there.
    let anew = open(&raw).await.unwrap();
    strike(&*raw, 2, |value| value[40] ^= 1).await;
    assert_eq!(value(&anew, 2).await, Some("value 2".into()));
    strike(&*raw, 2, |value| value[40] ^= 1).await;
    assert!(matches!(damage(&anew, key(2)).await, EncryptionError::AuthFailed { .. }));
    for number in [0, 1, 3, 4] {
        assert_eq!(value(&layer, number).await, Some(format!("value {number}").into()));
    }
    put(&layer, 2, "written anew").await;
    assert_eq!(layer.reseal(|_| {}).await.unwrap().retired, [1]);
}

/// A key that nobody knows is none that could be destroyed, and what was never sealed needs none.
#[tokio::test]
async fn values_under_no_key_keep_none() {
    let raw = memory();
    let layer = create(&raw).await;
    for number in 0..4 {
        put(&layer, number, "value").await;
    }
    strike(&*raw, 0, |value| value[3] = 9).await;
    strike(&*raw, 1, |value| *value = b"\x01plain".to_vec()).await;
    strike(&*raw, 2, |value| value.truncate(20)).await;
    layer.rotate().await.unwrap();
    let done = layer.reseal(|_| {}).await.unwrap();
    assert_eq!((done.progress.resealed, &done.retired[..]), (1, &[1][..]));
    assert_eq!(damage(&layer, key(0)).await, EncryptionError::UnknownKeyId);
    assert_eq!(damage(&layer, key(1)).await, EncryptionError::NotAnEnvelope);
    assert_eq!(damage(&layer, key(2)).await, EncryptionError::Truncated);
    assert_eq!(value(&layer, 3).await, Some("value".into()));
}

/// Nobody vouches for how far a sweep has come. Whatever the row says, no key is destroyed that is in use.
#[tokio::test]
async fn a_forged_mark_of_the_sweep_destroys_nothing() {
    let target = 2_u32.to_be_bytes();
    let marks = [
        [&target[..], &[0xFF; 40]].concat(),
        [&target[..], key(3).as_bytes()].concat(),
        target.to_vec(),
        3_u32.to_be_bytes().to_vec(),
        b"no".to_vec(),
        Vec::new(),
    ];
    for mark in marks {
        let raw = memory();
        let layer = create(&raw).await;
        for number in 0..5 {
            put(&layer, number, "value").await;
        }
        layer.rotate().await.unwrap();
        commit(&*raw, Batch { writes: [(own("sweep"), Write::Put(mark.into()))].into(), ..Batch::default() }).await;
        let first = layer.reseal(|_| {}).await.unwrap();
        let second = layer.reseal(|_| {}).await.unwrap();
        assert_eq!([first.retired, second.retired].concat(), [1], "in the end it is done");
        let anew = open(&raw).await.unwrap();
        for number in 0..5 {
            assert_eq!(value(&anew, number).await, Some("value".into()));
        }
    }
}

#[tokio::test]
async fn without_its_keyring_a_store_does_nothing_more() {
    let raw = memory();
    let layer = create(&raw).await;
    put(&layer, 1, "value").await;
    layer.rotate().await.unwrap();
    commit(&*raw, Batch { writes: [(own("keyring"), Write::Delete)].into(), ..Batch::default() }).await;
    let before = rows(&*raw).await;
    let missing = EncryptionError::HeaderMissing;
    assert_eq!(refused(layer.rotate().await), missing);
    assert_eq!(refused(layer.reseal(|_| {}).await), missing);
    assert_eq!(refused(layer.commit(vec![put_of(2, "x")]).await), missing);
    assert_eq!(refused(open(&raw).await), missing);
    assert_eq!(rows(&*raw).await, before);
}
