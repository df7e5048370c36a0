//! Another key for the values, beside whoever reads and writes.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use strongroom_core::store::{Batch, Content, Guard, KeyPrefix, KeyRange, Outcome, Revision, Store, Write};
use strongroom_encryption::EncryptionError;

use crate::store::support::{
    Layer, commit, content, create, damage, key, key_ids, memory, open, options, own, put, put_of, raw_key, refused,
    rows, value,
};

async fn rotated(layer: &Layer) -> Vec<u32> {
    layer.rotate().await.unwrap();
    layer.reseal(|_| {}).await.unwrap().retired
}

#[tokio::test]
async fn new_values_get_the_new_key_at_once_and_old_ones_follow() {
    let raw = memory();
    let layer = create(&raw).await;
    for number in 0..10 {
        put(&layer, number, format!("value {number}")).await;
    }
    assert_eq!(layer.rotate().await.unwrap(), 2);
    put(&layer, 10, "value 10").await;
    let ids = |ids: Vec<(Revision, u32)>| ids.into_iter().map(|(_, id)| id).collect::<Vec<_>>();
    assert_eq!(ids(key_ids(&*raw).await), [vec![1; 10], vec![2]].concat());
    let mut told = Vec::new();
    let done = layer.reseal(|progress| told.push(progress)).await.unwrap();
    assert_eq!((done.progress.rows, done.progress.resealed), (11, 10));
    assert_eq!((done.damaged, &done.retired[..], &done.kept[..]), (0, &[1][..], &[][..]));
    assert_eq!(told.last(), Some(&done.progress));
    assert_eq!(ids(key_ids(&*raw).await), [2; 11]);
    for layer in [&layer, &open(&raw).await.unwrap()] {
        for number in 0..11 {
            assert_eq!(value(layer, number).await, Some(format!("value {number}").into()));
        }
    }
    assert_eq!(content(&*raw, own("sweep")).await, None, "nothing is left of the sweep");
    assert_eq!(layer.reseal(|_| {}).await.unwrap().retired, [0_u32; 0], "there is nothing to do");
}

/// Each row was sealed with the key that was the current one at its revision, or a later one: never with an older one.
async fn check_keys(raw: &dyn Store, rotations: &[(Revision, u32)]) {
    for (revision, id) in key_ids(raw).await {
        let due = rotations.iter().rev().find(|(at, _)| *at < revision).map_or(1, |(_, id)| *id);
        assert!(id >= due, "revision {revision} has key {id}, which key {due} had replaced");
    }
}

async fn keyring_revision(raw: &dyn Store) -> Revision {
    raw.get(&[own("keyring")]).await.unwrap().rows[0].as_ref().unwrap().revision
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_handles_write_through_rotations_and_none_keeps_an_old_key() {
    let raw = memory();
    let one = Arc::new(create(&raw).await);
    let two = Arc::new(open(&raw).await.unwrap());
    let stop = Arc::new(AtomicBool::new(false));
    let writer = |layer: Arc<Layer>, base: u32| {
        let stop = stop.clone();
        tokio::spawn(async move {
            let mut written = 0;
            while !stop.load(Ordering::Relaxed) || written < 50 {
                put(&*layer, base + written, format!("value {}", base + written)).await;
                // What was written is read, by whichever handle.
                assert_eq!(value(&*layer, base + written).await, Some(format!("value {}", base + written).into()));
                written += 1;
                tokio::task::yield_now().await;
            }
            (base, written)
        })
    };
    let writers = [
        writer(one.clone(), 0),
        writer(one.clone(), 1 << 20),
        writer(two.clone(), 2 << 20),
        writer(two.clone(), 3 << 20),
    ];
    let mut rotations = Vec::new();
    for expected in 2..8 {
        // Each is made by the handle that did not make the last.
        let by = if expected % 2 == 0 { &one } else { &two };
        assert_eq!(by.rotate().await.unwrap(), expected);
        rotations.push((keyring_revision(&*raw).await, expected));
        tokio::task::yield_now().await;
    }
    check_keys(&*raw, &rotations).await;
    // And once more with the sweep beside them.
    let done = two.reseal(|_| {}).await.unwrap();
    assert_eq!((done.damaged, &done.retired[..], &done.kept[..]), (0, &[1, 2, 3, 4, 5, 6][..], &[][..]));
    stop.store(true, Ordering::Relaxed);
    for writer in writers {
        let (base, written) = writer.await.unwrap();
        for layer in [&*one, &*two, &open(&raw).await.unwrap()] {
            for number in base..base + written {
                assert_eq!(value(layer, number).await, Some(format!("value {number}").into()));
            }
        }
    }
    assert!(key_ids(&*raw).await.iter().all(|(_, id)| *id == 7));
}

#[tokio::test]
async fn a_second_handle_follows_at_its_next_write() {
    let raw = memory();
    let (one, two) = (create(&raw).await, open(&raw).await.unwrap());
    put(&two, 1, "first").await;
    one.rotate().await.unwrap();
    one.rotate().await.unwrap();
    // Many at once, of which one reads alone and one has a guard of its own that does not hold.
    let conflict = Batch { guards: vec![Guard::Key { key: key(1), revision: None }], ..put_of(3, "never") };
    let outcomes = two.commit(vec![put_of(2, "second"), Batch::default(), conflict]).await.unwrap();
    let [Outcome::Committed(_), Outcome::Committed(_), Outcome::Conflict { guard: 0 }] = outcomes[..] else {
        panic!("{outcomes:?}");
    };
    let ids: Vec<u32> = key_ids(&*raw).await.into_iter().map(|(_, id)| id).collect();
    assert_eq!(ids, [1, 3]);
    assert_eq!(value(&one, 2).await, Some("second".into()));
}

#[tokio::test]
async fn stamped_rows_survive() {
    let raw = memory();
    let layer = create(&raw).await;
    let prefix = KeyPrefix(key(1));
    let mut stamped = Vec::new();
    for text in ["one", "two", "three"] {
        let batch = Batch { stamped: vec![(prefix.clone(), text.into())], ..Batch::default() };
        stamped.push((prefix.stamp(commit(&layer, batch).await), text));
    }
    for retired in 1..4 {
        assert_eq!(rotated(&layer).await, [retired]);
        for (key, text) in &stamped {
            assert_eq!(content(&layer, key.clone()).await, Some(Content::Value((*text).into())));
        }
    }
    // Sealed anew they are bound to the whole of their key: now it shows if they are exchanged.
    let [(one, _), (two, _), _] = &stamped[..] else { panic!("three") };
    let value = content(&*raw, two.clone()).await.unwrap();
    let Content::Value(value) = value else { panic!("a value") };
    let writes = [(one.clone(), Write::Put(value))].into();
    commit(&*raw, Batch { writes, ..Batch::default() }).await;
    assert!(matches!(damage(&layer, one.clone()).await, EncryptionError::AuthFailed { .. }));
}

#[tokio::test]
async fn a_snapshot_reads_on_after_its_keys_were_destroyed() {
    let raw = memory();
    let (one, two) = (create(&raw).await, open(&raw).await.unwrap());
    put(&one, 1, "first").await;
    let oldest = [one.snapshot().await.unwrap(), two.snapshot().await.unwrap()];
    assert_eq!(rotated(&one).await, [1]);
    put(&one, 1, "second").await;
    // The second handle never saw this keyring but here.
    let middle = [one.snapshot().await.unwrap(), two.snapshot().await.unwrap()];
    assert_eq!(rotated(&one).await, [2]);
    put(&one, 1, "third").await;
    for layer in [&one, &two] {
        assert_eq!(value(layer, 1).await, Some("third".into()));
    }
    for (snapshots, expected) in [(oldest, "first"), (middle, "second")] {
        for snapshot in snapshots {
            assert_eq!(value(&*snapshot, 1).await, Some(expected.into()));
            assert_eq!(rows(&*snapshot).await.len(), 1);
            assert_eq!(snapshot.summarize(&KeyRange::ALL).await.unwrap().rows, 1);
        }
    }
}

#[tokio::test]
async fn a_keyring_is_full_at_some_time_and_a_sweep_makes_room() {
    let raw = memory();
    let layer = create(&raw).await;
    put(&layer, 1, "value").await;
    for id in 2..=64 {
        assert_eq!(layer.rotate().await.unwrap(), id);
    }
    assert_eq!(refused(layer.rotate().await), EncryptionError::KeyringFull);
    assert_eq!(layer.reseal(|_| {}).await.unwrap().retired, (1..64).collect::<Vec<_>>());
    assert_eq!(layer.rotate().await.unwrap(), 65);
    assert_eq!(value(&open(&raw).await.unwrap(), 1).await, Some("value".into()));
    // A rotation changes no slot.
    let refusal = options().open(raw, &raw_key(8)).await;
    assert_eq!(refused(refusal), EncryptionError::WrongKeyOrDamagedSlot);
}
