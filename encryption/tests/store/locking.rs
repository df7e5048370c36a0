//! The keys dropped, for a while or for good.

use std::sync::Arc;

use strongroom_core::store::{Batch, Fetch, KeyRange, Read, Revision, Scan, Store};
use strongroom_core::{Error, ErrorKind};
use strongroom_encryption::EncryptionError;

use crate::store::kept_open::KeptOpen;
use crate::store::support::{FLOOR, Layer, create, key, memory, open, own, put, put_of, raw_key, refused, rows, value};

/// Every call of the store and of a snapshot, and what it says.
async fn calls(layer: &Layer) -> Vec<(&'static str, EncryptionError)> {
    vec![
        ("get", refused(layer.get(&[key(1)]).await)),
        ("get of nothing", refused(layer.get(&[]).await)),
        ("scan", refused(layer.scan(&whole()).await)),
        ("summarize", refused(layer.summarize(&KeyRange::ALL).await)),
        ("snapshot", refused(layer.snapshot().await)),
        ("commit", refused(layer.commit(vec![put_of(1, "other")]).await)),
        ("commit of nothing", refused(layer.commit(vec![Batch::default()]).await)),
        ("changed", refused(layer.changed(Revision::ZERO).await)),
        ("drop_range", refused(layer.drop_range(&KeyRange::ALL, &[]).await)),
        ("compact", refused(layer.compact().await)),
        ("usage", refused(layer.usage().await)),
        ("slots", refused(layer.slots().await)),
        ("rotate", refused(layer.rotate().await)),
        ("reseal", refused(layer.reseal(|_| {}).await)),
        ("a component", refused(layer.info().codec.exact(b"component", &mut vec![0, 1, 0]))),
    ]
}

fn whole() -> Scan {
    Scan { range: KeyRange::ALL, reverse: false, limit: 10, max_bytes: 1 << 20, fetch: Fetch::Values }
}

#[tokio::test]
async fn a_locked_store_does_nothing_until_it_is_unlocked() {
    let raw = memory();
    let layer = create(&raw).await;
    put(&layer, 1, "value").await;
    let (before, snapshot) = (rows(&*raw).await, layer.snapshot().await.unwrap());
    layer.lock();
    for (call, error) in calls(&layer).await {
        assert_eq!(error, EncryptionError::Locked, "{call}");
    }
    assert_eq!(refused(snapshot.get(&[key(1)]).await), EncryptionError::Locked);
    assert_eq!(refused(snapshot.scan(&whole()).await), EncryptionError::Locked);
    assert_eq!(refused(snapshot.summarize(&KeyRange::ALL).await), EncryptionError::Locked);
    assert_eq!(format!("{layer:?}").matches("locked").count(), 1);
    assert_eq!(rows(&*raw).await, before);
    assert_eq!(refused(layer.unlock(&raw_key(8)).await), EncryptionError::WrongKeyOrDamagedSlot);
    assert_eq!(refused(layer.get(&[key(1)]).await), EncryptionError::Locked);
    layer.unlock(&raw_key(7)).await.unwrap();
    assert_eq!(value(&layer, 1).await, Some("value".into()));
    assert_eq!(value(&*snapshot, 1).await, Some("value".into()));
    layer.unlock(&raw_key(7)).await.unwrap();
    put(&layer, 1, "other").await;
    assert_eq!(value(&layer, 1).await, Some("other".into()));
}

/// It takes what has become of the keys meanwhile.
#[tokio::test]
async fn a_store_that_was_locked_through_a_rotation_goes_on() {
    let raw = memory();
    let (layer, other) = (create(&raw).await, open(&raw).await.unwrap());
    put(&layer, 1, "value").await;
    let snapshot = layer.snapshot().await.unwrap();
    layer.lock();
    other.rotate().await.unwrap();
    assert_eq!(other.reseal(|_| {}).await.unwrap().retired, [1]);
    layer.unlock(&raw_key(7)).await.unwrap();
    assert_eq!(value(&layer, 1).await, Some("value".into()));
    assert_eq!(value(&*snapshot, 1).await, Some("value".into()), "with the keyring that it sees");
}

#[tokio::test]
async fn a_closed_store_is_not_unlocked() {
    let raw = memory();
    let layer = create(&raw).await;
    put(&layer, 1, "value").await;
    layer.close().await.unwrap();
    layer.close().await.unwrap();
    let kind = |error: Error| error.kind();
    assert_eq!(layer.get(&[key(1)]).await.map_err(kind).unwrap_err(), ErrorKind::Closed);
    assert_eq!(layer.commit(vec![put_of(1, "x")]).await.map_err(kind).unwrap_err(), ErrorKind::Closed);
    assert_eq!(layer.unlock(&raw_key(7)).await.map_err(kind).unwrap_err(), ErrorKind::Closed);
    assert_eq!(layer.slots().await.map_err(kind).unwrap_err(), ErrorKind::Closed);
}

#[tokio::test]
async fn an_erased_store_opens_with_nothing_and_nobody_writes_to_it() {
    let raw = memory();
    let kept: Arc<dyn Store> = Arc::new(KeptOpen(raw.clone()));
    let (layer, other) = (create(&kept).await, open(&kept).await.unwrap());
    put(&layer, 1, "value").await;
    layer.rotate().await.unwrap();
    layer.erase().await.unwrap();
    let left = rows(&*raw).await;
    assert_eq!(left.len(), 1, "noise");
    for name in ["header", "keyring", "sweep"] {
        assert!(!left.iter().any(|(key, ..)| *key == own(name)));
    }
    assert_eq!(refused(open(&raw).await), EncryptionError::HeaderMissing);
    // Whoever had it open cannot write with keys that are gone.
    assert_eq!(refused(other.commit(vec![put_of(2, "late")]).await), EncryptionError::HeaderMissing);
    assert_eq!(refused(other.rotate().await), EncryptionError::HeaderMissing);
    assert_eq!(refused(other.add_slot("new", &raw_key(9), FLOOR).await), EncryptionError::HeaderMissing);
    assert_eq!(rows(&*raw).await, left);
}
