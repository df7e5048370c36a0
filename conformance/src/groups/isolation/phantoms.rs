//! What comes into a range that was read, changes in it or goes from it: through every way of reading a range, and only as
//! far as it was read.

use strongroom_core::store::{Batch, Content, Fetch, KeyRange, Row, Scan, Store, StoredKey, Write};
use strongroom_core::{Database, Result, Transaction};

use super::support::{Counter, Pause, counters, ensure_sound, over, value_in};
use crate::case::cases;
use crate::{Checked, Context, Failure, ensure, ensure_eq};

cases! { Isolation;
    an_insert_into_what_was_read_is_noticed,
    a_deletion_from_what_was_read_is_noticed,
    an_update_into_what_was_read_is_noticed,
    an_update_out_of_what_was_read_is_noticed,
    an_update_within_what_was_read_is_noticed,
    one_gone_and_one_come_is_noticed,
    an_insert_into_an_empty_range_that_was_read_is_noticed,
    of_a_limited_page_only_what_was_consumed_is_guarded,
    what_a_predicate_finds_does_not_grow_within_a_transaction,
    a_record_that_was_missing_is_guarded,
    a_record_behind_an_entry_that_stays_is_guarded,
    a_missing_target_of_a_link_is_guarded,
}

const GROUP: &str = "read";

/// Ways to read the group: all of it, or its first two, of 10, 20 and 30.
#[derive(Clone, Copy, Debug)]
enum Way {
    Records,
    Page,
    Limited,
    LimitedBackward,
    Count,
    CountAll,
    Range,
}

const ALL: [Way; 7] =
    [Way::Records, Way::Page, Way::Limited, Way::LimitedBackward, Way::Count, Way::CountAll, Way::Range];

async fn read(tx: &Transaction, way: Way) -> Result<u64> {
    let group = tx.query(Counter::GROUP).equal(GROUP);
    let records = match way {
        Way::Count => return group.count().await,
        Way::CountAll => return tx.count::<Counter>().await,
        Way::Records => tx.query(Counter::PRIMARY).page().await?,
        Way::Page => group.page().await?,
        Way::Limited => group.limit(2).page().await?,
        Way::LimitedBackward => group.descending().limit(2).page().await?,
        Way::Range => group.range(10..=30).page().await?,
    };
    Ok(records.records.len() as u64)
}

fn member(name: &str, value: i64) -> Counter {
    Counter::new(name, value).within(GROUP)
}

async fn members(context: &Context) -> Checked<Database> {
    let outside = Counter::new("outside", 20).within("other");
    counters(context, &[member("a", 10), member("b", 20), member("c", 30), outside]).await
}

/// How often a transaction runs that reads in this way and then writes something else, while `change` happens.
async fn runs(db: &Database, way: Way, change: impl Future<Output = Checked>) -> Checked<usize> {
    let pause = &Pause::default();
    let transaction = db.write(|tx| async move {
        let count = read(&tx, way).await?;
        pause.here().await;
        tx.put(&Counter::new("result", count as i64).within("results")).await
    });
    pause.meanwhile(transaction, change).await?;
    Ok(pause.runs())
}

/// In every way of reading, the change makes the transaction run again. It is given a value within what each of them reads.
async fn noticed(context: &Context, change: impl AsyncFn(&Database, i64) -> Result<()>) -> Checked {
    for way in ALL {
        let db = members(context).await?;
        let between = if matches!(way, Way::LimitedBackward) { 25 } else { 15 };
        let runs = runs(&db, way, async { Ok(change(&db, between).await?) }).await?;
        ensure_eq!(runs, 2, "runs of a transaction that read by {way:?}");
        ensure_sound(&db).await?;
        db.close().await?;
    }
    Ok(())
}

async fn an_insert_into_what_was_read_is_noticed(context: Context) -> Checked {
    noticed(&context, async |db, between| db.insert(&member("new", between)).await).await
}

async fn a_deletion_from_what_was_read_is_noticed(context: Context) -> Checked {
    noticed(&context, async |db, _| db.delete(&Counter::key("b")).await.map(drop)).await
}

async fn an_update_into_what_was_read_is_noticed(context: Context) -> Checked {
    noticed(&context, async |db, between| db.update(&member("outside", between)).await).await
}

async fn an_update_out_of_what_was_read_is_noticed(context: Context) -> Checked {
    noticed(&context, async |db, _| db.update(&Counter::new("b", 20).within("other")).await).await
}

async fn an_update_within_what_was_read_is_noticed(context: Context) -> Checked {
    noticed(&context, async |db, _| db.update(&member("b", 21)).await).await
}

/// As many as before: only their revisions tell.
async fn one_gone_and_one_come_is_noticed(context: Context) -> Checked {
    noticed(&context, async |db, between| {
        db.write(|tx| async move {
            tx.delete(&Counter::key("b")).await?;
            tx.insert(&member("new", between)).await
        })
        .await
    })
    .await
}

async fn an_insert_into_an_empty_range_that_was_read_is_noticed(context: Context) -> Checked {
    for way in [Way::Page, Way::Limited, Way::LimitedBackward, Way::Count, Way::Range] {
        let db = counters(&context, &[]).await?;
        let runs = runs(&db, way, async { Ok(db.insert(&member("new", 20)).await?) }).await?;
        ensure_eq!(runs, 2, "runs of a transaction that read nothing by {way:?}");
        db.close().await?;
    }
    Ok(())
}

async fn of_a_limited_page_only_what_was_consumed_is_guarded(context: Context) -> Checked {
    for (way, beyond, consumed) in [(Way::Limited, 25, 15), (Way::LimitedBackward, 15, 25)] {
        for (value, expected) in [(beyond, 1), (consumed, 2)] {
            let db = members(&context).await?;
            let runs = runs(&db, way, async { Ok(db.insert(&member("new", value)).await?) }).await?;
            ensure_eq!(runs, expected, "runs of a transaction that read by {way:?}, with an insert at {value}");
            db.close().await?;
        }
    }
    Ok(())
}

/// PMP: asked again, the predicate finds what it found.
async fn what_a_predicate_finds_does_not_grow_within_a_transaction(context: Context) -> Checked {
    let db = &members(&context).await?;
    let pause = &Pause::default();
    let transaction = db.write(|tx| async move {
        let first = [read(&tx, Way::Page).await?, read(&tx, Way::Count).await?, read(&tx, Way::Records).await?];
        pause.here().await;
        let again = [read(&tx, Way::Page).await?, read(&tx, Way::Count).await?, read(&tx, Way::Records).await?];
        Ok((first, again))
    });
    let change = async {
        db.insert(&member("new", 15)).await?;
        Ok(db.delete(&Counter::key("c")).await?)
    };
    let ((first, again), _) = pause.meanwhile(transaction, change).await?;
    ensure_eq!((first, again), ([3, 3, 4], [3, 3, 4]));
    Ok(())
}

async fn a_record_that_was_missing_is_guarded(context: Context) -> Checked {
    let db = &counters(&context, &[]).await?;
    let pause = &Pause::default();
    let transaction = db.write(|tx| async move {
        let missing = value_in(&tx, "x").await?;
        pause.here().await;
        tx.put(&Counter::new("result", missing)).await
    });
    let change = async { Ok(db.insert(&Counter::new("x", 5)).await?) };
    pause.meanwhile(transaction, change).await?;
    let result = db.get(&Counter::key("result")).await?.map(|counter| counter.value);
    ensure_eq!((result, pause.runs()), (Some(5), 2));
    Ok(())
}

/// A change of what no index holds leaves every entry as it is.
async fn a_record_behind_an_entry_that_stays_is_guarded(context: Context) -> Checked {
    let db = &members(&context).await?;
    for way in [Way::Page, Way::Limited, Way::Range, Way::Records] {
        let change = async {
            let badge = Some(format!("{way:?}"));
            Ok(db.update(&Counter { badge, ..member("b", 20) }).await?)
        };
        ensure_eq!(runs(db, way, change).await?, 2, "runs of a transaction that read by {way:?}");
    }
    Ok(())
}

/// A link whose record is gone is damage; who passes over it has read that there is no record.
async fn a_missing_target_of_a_link_is_guarded(context: Context) -> Checked {
    let site = context.open().await?;
    let db = &over(&site.store).await?;
    db.put(&member("lost", 1)).await?;
    let (key, value) = lose(&*site.store).await?;
    let (pause, key, value) = (&Pause::default(), &key, &value);
    let transaction = db.write(|tx| async move {
        let page = tx.query(Counter::GROUP).equal(GROUP).skip_damaged().page().await?;
        pause.here().await;
        let counted = page.records.len() as i64 * 10 + page.damaged.len() as i64;
        tx.put(&Counter::new("result", counted).within("results")).await
    });
    let come_back = async { commit(&*site.store, key, Write::Put(value.clone())).await };
    pause.meanwhile(transaction, come_back).await?;
    let result = db.get(&Counter::key("result")).await?.map(|counter| counter.value);
    ensure_eq!((result, pause.runs()), (Some(10), 2), "ten a record, one a damage; and the runs");
    Ok(())
}

/// Takes the only record that is linked to away, and leaves the links.
async fn lose(store: &dyn Store) -> Checked<(StoredKey, bytes::Bytes)> {
    let all = Scan { range: KeyRange::ALL, reverse: false, limit: 100, max_bytes: usize::MAX, fetch: Fetch::Targets };
    let entries = store.scan(&all).await?.entries;
    let linked = entries.into_iter().find_map(|entry| match (entry.content, entry.target) {
        (Some(Content::Link(key)), Some(Row { content: Content::Value(value), .. })) => Some((key, value)),
        _ => None,
    });
    let (key, value) = linked.ok_or_else(|| Failure::new("no entry links to its record"))?;
    commit(store, &key, Write::Delete).await?;
    Ok((key, value))
}

async fn commit(store: &dyn Store, key: &StoredKey, write: Write) -> Checked {
    let batch = Batch { writes: [(key.clone(), write)].into(), ..Batch::default() };
    let outcomes = store.commit(vec![batch]).await?;
    ensure!(outcomes.iter().all(|outcome| outcome.revision().is_some()), "{outcomes:?}");
    Ok(())
}
