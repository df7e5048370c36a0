//! A long read runs where it is called, in slices: other tasks get their turn before it ends.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on must fail")]

use std::pin::{Pin, pin};
use std::task::{Context, Waker};

use strongroom_core::store::{Batch, Fetch, KeyRange, Read, Scan, Store, StoredKey, Write};
use strongroom_memory::Memory;

/// How often a future lets others run before it ends.
fn turns<F: Future + Unpin>(mut future: F) -> usize {
    let mut context = Context::from_waker(Waker::noop());
    (0..1_000).take_while(|_| Pin::new(&mut future).poll(&mut context).is_pending()).count()
}

#[tokio::test]
async fn a_long_read_lets_others_run() {
    let store = Memory::new();
    let keys: Vec<_> = (0..2_000).map(|number| StoredKey::from(format!("{number:04}").into_bytes())).collect();
    let writes = keys.iter().map(|key| (key.clone(), Write::Put("value".into()))).collect();
    store.commit(vec![Batch { writes, ..Batch::default() }]).await.unwrap();
    let scan =
        |limit| Scan { range: KeyRange::ALL, reverse: false, limit, max_bytes: usize::MAX, fetch: Fetch::Values };
    assert!(turns(pin!(store.get(&keys))) >= 5);
    assert!(turns(pin!(store.scan(&scan(2_000)))) >= 5);
    assert!(turns(pin!(store.summarize(&KeyRange::ALL))) >= 5);
    // A short one need not.
    assert_eq!(turns(pin!(store.get(&keys[..100]))), 0);
    assert_eq!(turns(pin!(store.scan(&scan(100)))), 0);
}
