//! Calls of the waist that are dropped: a commit that was polled happens, whatever becomes of its future, and nothing is left
//! behind.

use std::collections::BTreeMap;
use std::ops::Bound;

use proptest::prelude::*;
use strongroom_core::Result;
use strongroom_core::store::{Batch, Content, Fetch, KeyRange, Revision, Scan, Store, StoredKey, Write};

use super::cancel::{PATIENCE, ensure_all_snapshots_are_free, limits, poll_times};
use super::search::search;
use crate::case::cases;
use crate::{Checked, Context, ensure, ensure_eq};

cases! { Model;
    a_commit_that_was_polled_and_dropped_happens random true,
    dropped_calls_leave_nothing_behind random true,
}

type Contents = BTreeMap<StoredKey, Vec<u8>>;

async fn contents(store: &dyn Store) -> Checked<Contents> {
    let scan = Scan {
        range: KeyRange { end: Bound::Excluded(barrier()), ..KeyRange::ALL },
        reverse: false,
        limit: 100,
        max_bytes: usize::MAX,
        fetch: Fetch::Values,
    };
    let entries = store.scan(&scan).await?.entries.into_iter();
    let values = entries.filter_map(|entry| match entry.content {
        Some(Content::Value(value)) => Some((entry.key, value.to_vec())),
        _ => None,
    });
    Ok(values.collect())
}

/// The key of a row that tells nothing; behind all others.
fn barrier() -> StoredKey {
    StoredKey::from(b"z".to_vec())
}

async fn commit_barrier(store: &dyn Store) -> Checked {
    let writes = [(barrier(), Write::Put(bytes::Bytes::new()))].into();
    store.commit(vec![Batch { writes, ..Batch::default() }]).await?;
    Ok(())
}

/// Groups of batches over few keys: `None` deletes.
fn groups() -> impl Strategy<Value = Vec<Vec<(u8, Option<u8>)>>> {
    let batch = prop::collection::vec((b'a'..b'g', prop::option::weighted(0.7, any::<u8>())), 1..4);
    prop::collection::vec(batch, 1..8)
}

fn batch_of(writes: &[(u8, Option<u8>)]) -> Batch {
    let write = |byte: Option<u8>| byte.map_or(Write::Delete, |byte| Write::Put(vec![byte; 3].into()));
    let writes = writes.iter().map(|(key, byte)| (StoredKey::from(vec![*key]), write(*byte)));
    Batch { writes: writes.collect(), ..Batch::default() }
}

fn apply(contents: &mut Contents, batch: &Batch) {
    for (key, write) in &batch.writes {
        match write {
            Write::Put(value) => drop(contents.insert(key.clone(), value.to_vec())),
            _ => drop(contents.remove(key)),
        }
    }
}

async fn a_commit_that_was_polled_and_dropped_happens(context: Context) -> Checked {
    let history = prop::collection::vec((groups(), 1..4_usize), 1..60);
    search(&context, history, async |history| {
        let store = context.open().await?.store;
        let (mut now, mut operations) = (Contents::new(), 0);
        for (group, polls) in &history {
            let batches: Vec<Batch> = group.iter().map(|writes| batch_of(writes)).collect();
            // A reader may meet what is there between two batches of the group.
            let mut on_the_way = vec![now.clone()];
            for batch in &batches {
                apply(&mut now, batch);
                on_the_way.push(now.clone());
            }
            drop(poll_times(store.commit(batches), *polls).await);
            operations += group.iter().map(Vec::len).sum::<usize>();
            let mut asked = 0;
            loop {
                operations += 1;
                let found = contents(&*store).await?;
                if found == now {
                    break;
                }
                ensure!(on_the_way.contains(&found), "{found:?} was never there: {on_the_way:?}");
                ensure!(asked < PATIENCE, "the commit did not happen: {found:?} instead of {now:?}");
                commit_barrier(&*store).await?;
                asked += 1;
            }
        }
        store.close().await?;
        Ok(operations)
    })
    .await
}

#[derive(Clone, Copy, Debug)]
enum Call {
    Get,
    Scan,
    Summarize,
    Snapshot,
    Changed,
    DropRange,
    Commit(u8),
}

async fn make(store: &dyn Store, call: Call) -> Result<()> {
    let key = |byte| StoredKey::from(vec![byte]);
    let all = KeyRange::ALL;
    let limit = 100;
    match call {
        Call::Get => store.get(&[key(b'a'), key(b'b')]).await.map(drop),
        Call::Scan => {
            let scan = Scan { range: all, reverse: false, limit, max_bytes: usize::MAX, fetch: Fetch::Targets };
            store.scan(&scan).await.map(drop)
        }
        Call::Summarize => store.summarize(&all).await.map(drop),
        Call::Snapshot => store.snapshot().await.map(drop),
        // It waits for what does not come.
        Call::Changed => store.changed(Revision(u64::MAX)).await.map(drop),
        Call::DropRange => store.drop_range(&all, &[]).await.map(drop),
        Call::Commit(byte) => store.commit(vec![batch_of(&[(b'a' + byte % 6, Some(byte))])]).await.map(drop),
    }
}

async fn dropped_calls_leave_nothing_behind(context: Context) -> Checked {
    let call = prop_oneof![
        2 => Just(Call::Get),
        2 => Just(Call::Scan),
        2 => Just(Call::Summarize),
        6 => Just(Call::Snapshot),
        2 => Just(Call::Changed),
        1 => Just(Call::DropRange),
        3 => any::<u8>().prop_map(Call::Commit),
    ];
    let history = prop::collection::vec((call, 0..3_usize), 1..300);
    search(&context, history, async |history| {
        let store = context.open_with(limits(&context)).await?.store;
        for (call, polls) in &history {
            match poll_times(make(&*store, *call), *polls).await {
                // One that was dropped may still be on its way to give its snapshot back.
                Some(Err(error)) if !error.is_limit() => return Err(error.into()),
                _ => {}
            }
        }
        ensure_all_snapshots_are_free(&*store).await?;
        // What was dropped before comes before what is called now.
        store.drop_range(&KeyRange::ALL, &[]).await?;
        store.commit(vec![batch_of(&[(b'a', Some(7))])]).await?;
        ensure_eq!(contents(&*store).await?, Contents::from([(StoredKey::from(vec![b'a']), vec![7; 3])]));
        store.close().await?;
        Ok(history.len())
    })
    .await
}
