//! `compact` and `usage`.

use strongroom_core::ErrorKind;
use strongroom_core::store::{KeyRange, Store};

use super::random::noise;
use super::support::{
    batch, broken_guard, commit, everything, fill, join, key, link, log, put, range_guard, read, row, suffix, value,
};
use crate::case::cases;
use crate::{Checked, Context, ensure, ensure_eq};

cases! { Semantics;
    compact_keeps_every_row_and_revision [Compact],
    compact_takes_no_revision [Compact],
    compact_keeps_guards_exact [Compact],
    compact_of_an_empty_store_succeeds [Compact],
    compact_beside_snapshots_is_refused_or_harmless [Compact],
    compact_beside_readers_and_writers_loses_nothing [Compact],
    compact_says_what_it_freed [Compact],
    compact_gives_back_what_was_dropped [Compact, Reopen],
    what_was_compacted_opens_again [Compact, Reopen],
    usage_covers_what_is_written,
    usage_grows_with_what_is_written [Compact],
    usage_changes_nothing,
}

const MEGABYTE: usize = 1 << 20;

/// Writes so many megabytes that no engine can compress.
async fn write_megabytes(store: &dyn Store, seed: u64, count: u64) -> Checked {
    let size = store.info().limits.value_bytes_max.min(store.info().limits.batch_bytes_max / 2).min(MEGABYTE / 4);
    for number in 0..count * (MEGABYTE / size) as u64 {
        let bytes = noise(seed.wrapping_add(number << 32), size);
        commit(store, batch([(format!("big{number:04}"), put(bytes))])).await?;
    }
    Ok(())
}

async fn compact_keeps_every_row_and_revision(context: Context) -> Checked {
    let site = context.open().await?;
    let store = &*site.store;
    let names: Vec<_> = (0..500).map(|number| format!("{number:03}")).collect();
    fill(store, &names).await?;
    commit(store, batch([("", put("empty key")), ("e", put("")), ("l", link("e")), ("s", suffix(0))])).await?;
    commit(store, log([("log", "1")])).await?;
    store.drop_range(&KeyRange::prefix(b"2"), &[]).await?;
    let before = store.scan(&everything(store)).await?;
    let summary = store.summarize(&KeyRange::ALL).await?;
    for _ in 0..2 {
        store.compact().await?;
        ensure_eq!(store.scan(&everything(store)).await?, before);
        ensure_eq!(store.summarize(&KeyRange::ALL).await?, summary);
        ensure_eq!(read(store, "e").await?.map(|row| row.content), Some(value("")));
    }
    Ok(())
}

async fn compact_takes_no_revision(context: Context) -> Checked {
    let site = context.open().await?;
    let before = commit(&*site.store, batch([("a", put("1"))])).await?;
    site.store.compact().await?;
    ensure_eq!(site.store.get(&[]).await?.as_of, before);
    let after = commit(&*site.store, batch([("a", put("2"))])).await?;
    ensure!(after > before, "{after} after {before}");
    ensure_eq!(read(&*site.store, "a").await?, row(after, value("2")));
    Ok(())
}

async fn compact_keeps_guards_exact(context: Context) -> Checked {
    let site = context.open().await?;
    let as_of = commit(&*site.store, batch([("a", put("")), ("b", put(""))])).await?;
    commit(&*site.store, batch([("b", put("new"))])).await?;
    site.store.compact().await?;
    let guard = |prefix: &[u8]| [range_guard(KeyRange::prefix(prefix), as_of, 1)];
    ensure_eq!(broken_guard(&*site.store, guard(b"a")).await?, None);
    ensure_eq!(broken_guard(&*site.store, guard(b"b")).await?, Some(0));
    Ok(())
}

async fn compact_of_an_empty_store_succeeds(context: Context) -> Checked {
    let site = context.open().await?;
    site.store.compact().await?;
    ensure_eq!(site.store.summarize(&KeyRange::ALL).await?.rows, 0);
    commit(&*site.store, batch([("a", put(""))])).await?;
    site.store.drop_range(&KeyRange::ALL, &[]).await?;
    site.store.compact().await?;
    ensure_eq!(read(&*site.store, "a").await?, None);
    Ok(())
}

async fn compact_beside_snapshots_is_refused_or_harmless(context: Context) -> Checked {
    let site = context.open().await?;
    let store = &*site.store;
    fill(store, &["a", "b", "c"]).await?;
    let snapshot = store.snapshot().await?;
    let before = snapshot.scan(&everything(store)).await?;
    store.drop_range(&KeyRange::prefix(b"b"), &[]).await?;
    commit(store, batch([("a", put("new"))])).await?;
    match store.compact().await {
        Ok(_) => {}
        Err(error) if error.kind() == ErrorKind::Busy => ensure!(error.is_retryable()),
        Err(error) => return Err(error.into()),
    }
    ensure_eq!(snapshot.scan(&everything(store)).await?, before);
    ensure_eq!(read(&*snapshot, "b").await?.map(|row| row.content), Some(value("b")));
    ensure_eq!(store.summarize(&KeyRange::ALL).await?.rows, 2);
    commit(store, batch([("d", put(""))])).await?;
    ensure_eq!(snapshot.scan(&everything(store)).await?, before);
    // Once it is gone, nothing is in the way.
    drop(snapshot);
    store.compact().await?;
    let contents = store.get(&["a", "b", "d"].map(key)).await?.rows.into_iter().map(|row| row.map(|row| row.content));
    ensure_eq!(contents.collect::<Vec<_>>(), [Some(value("new")), None, Some(value(""))]);
    Ok(())
}

async fn compact_beside_readers_and_writers_loses_nothing(context: Context) -> Checked {
    let site = context.open().await?;
    let store = site.store.clone();
    let writer = tokio::spawn(async move {
        for number in 0..40 {
            let name = format!("{number:02}");
            let written = commit(&*store, batch([(&name, put(&name))])).await?;
            ensure_eq!(read(&*store, &name).await?, row(written, value(&name)));
        }
        Ok(())
    });
    loop {
        let last = writer.is_finished();
        match site.store.compact().await {
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::Busy => {}
            Err(error) => return Err(error.into()),
        }
        if last {
            break;
        }
    }
    join(writer).await?;
    ensure_eq!(site.store.scan(&everything(&*site.store)).await?.entries.len(), 40);
    Ok(())
}

async fn compact_says_what_it_freed(context: Context) -> Checked {
    let site = context.open().await?;
    write_megabytes(&*site.store, context.seed(), 1).await?;
    for _ in 0..2 {
        let done = site.store.compact().await?;
        ensure!(done.bytes_after <= done.bytes_before, "{done:?}");
        ensure!(done.bytes_after >= MEGABYTE as u64, "a megabyte of rows in {} bytes", done.bytes_after);
    }
    Ok(())
}

async fn compact_gives_back_what_was_dropped(context: Context) -> Checked {
    let site = context.open().await?;
    fill(&*site.store, &["a", "z"]).await?;
    write_megabytes(&*site.store, context.seed(), 8).await?;
    let full = site.store.usage().await?.bytes;
    site.store.drop_range(&KeyRange::prefix(b"big"), &[]).await?;
    let done = site.store.compact().await?;
    let left = site.store.usage().await?.bytes;
    ensure!(left < full / 2, "{left} bytes are left of {full}; {done:?}");
    ensure!(done.bytes_after < done.bytes_before, "{done:?}");
    ensure_eq!(site.store.summarize(&KeyRange::ALL).await?.rows, 2);
    Ok(())
}

async fn what_was_compacted_opens_again(context: Context) -> Checked {
    let mut site = context.open().await?;
    fill(&*site.store, &["a", "b", "c"]).await?;
    site.store.drop_range(&KeyRange::prefix(b"b"), &[]).await?;
    let before = site.store.scan(&everything(&*site.store)).await?;
    site.store.compact().await?;
    site.reopen().await?;
    ensure_eq!(site.store.scan(&everything(&*site.store)).await?, before);
    site.store.compact().await?;
    ensure_eq!(site.store.scan(&everything(&*site.store)).await?, before);
    Ok(())
}

async fn usage_covers_what_is_written(context: Context) -> Checked {
    let site = context.open().await?;
    write_megabytes(&*site.store, context.seed(), 8).await?;
    let full = site.store.usage().await?.bytes;
    ensure!(full >= 8 * MEGABYTE as u64, "eight megabytes of rows in {full} bytes");
    Ok(())
}

/// Not where the medium is a server's: others leave space there, which is used again before anything grows.
async fn usage_grows_with_what_is_written(context: Context) -> Checked {
    let site = context.open().await?;
    let empty = site.store.usage().await?.bytes;
    write_megabytes(&*site.store, context.seed(), 8).await?;
    let full = site.store.usage().await?.bytes;
    ensure!(full > empty, "{full} bytes after {empty}");
    Ok(())
}

async fn usage_changes_nothing(context: Context) -> Checked {
    let site = context.open().await?;
    fill(&*site.store, &["a"]).await?;
    let before = site.store.scan(&everything(&*site.store)).await?;
    let first = site.store.usage().await?;
    ensure!(first.bytes > 0, "no bytes for a row");
    ensure_eq!(site.store.scan(&everything(&*site.store)).await?, before);
    Ok(())
}
