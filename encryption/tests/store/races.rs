//! Many at once make one store.

use std::collections::BTreeSet;
use std::sync::Arc;

use strongroom_core::store::ENCRYPTION_HEADER;
use strongroom_encryption::EncryptionError;

use crate::store::support::{FLOOR, content, create, memory, options, own, put, raw_key, refused, value};
use crate::store::yielding::{Yielding, poll_at_most};

const TASKS: u32 = 64;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn all_who_open_or_create_end_with_one_key() {
    let raw = memory();
    let tasks: Vec<_> = (0..TASKS)
        .map(|number| {
            let raw = raw.clone();
            tokio::spawn(async move {
                let layer = options().open_or_create(raw, &raw_key(7)).await.unwrap();
                put(&layer, number, format!("value {number}")).await;
                layer
            })
        })
        .collect();
    let mut layers = Vec::new();
    for task in tasks {
        layers.push(task.await.unwrap());
    }
    // Whoever came first: each reads what all have written.
    for layer in &layers {
        for number in 0..TASKS {
            assert_eq!(value(layer, number).await, Some(format!("value {number}").into()));
        }
    }
}

#[tokio::test]
async fn whoever_opens_while_another_makes_the_store_opens_what_was_made() {
    for polls in 0.. {
        let raw = memory();
        let (slow, unlock, options) = (Yielding(raw.clone()), raw_key(7), options());
        let mut opening = Box::pin(options.open_or_create(Arc::new(slow), &unlock));
        if poll_at_most(polls, &mut opening).await.is_some() {
            assert!(polls > 4, "it has waited in between");
            break;
        }
        // The other may come second: both open one store, whoever made it.
        let other = options.open_or_create(raw.clone(), &unlock).await.unwrap();
        put(&other, 1, "of the other").await;
        let layer = opening.await.unwrap();
        assert_eq!(value(&layer, 1).await, Some("of the other".into()), "after {polls} polls");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_all_who_create_one_does() {
    let raw = memory();
    let tasks: Vec<_> = (0..TASKS as u8)
        .map(|number| {
            let raw = raw.clone();
            tokio::spawn(async move { options().create(raw, &raw_key(number)).await.map(|_| number) })
        })
        .collect();
    let mut made = BTreeSet::new();
    for task in tasks {
        match task.await.unwrap() {
            Ok(number) => assert!(made.insert(number)),
            refusal => assert_eq!(refused(refusal), EncryptionError::AlreadyCreated),
        }
    }
    assert_eq!(made.len(), 1);
    for number in 0..TASKS as u8 {
        let opened = options().open(raw.clone(), &raw_key(number)).await;
        assert_eq!(opened.is_ok(), made.contains(&number), "the key that opens it is its maker's");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn slots_that_are_added_at_once_are_all_there() {
    let raw = memory();
    let layer = Arc::new(create(&raw).await);
    let tasks: Vec<_> = (0..20_u8)
        .map(|number| {
            let layer = layer.clone();
            tokio::spawn(async move { layer.add_slot(&format!("slot {number}"), &raw_key(100 + number), FLOOR).await })
        })
        .collect();
    let mut added = 0;
    for task in tasks {
        match task.await.unwrap() {
            Ok(()) => added += 1,
            refusal => assert!(matches!(refused(refusal), EncryptionError::SlotRefused(_))),
        }
    }
    assert_eq!((added, layer.slots().await.unwrap().len()), (7, 8), "eight is the most");
    assert!(content(&*raw, ENCRYPTION_HEADER).await.is_some() && content(&*raw, own("keyring")).await.is_some());
}
