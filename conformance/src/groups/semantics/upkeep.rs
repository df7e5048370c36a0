//! `info`, `usage`, `compact`, `close`, second handles, and what errors and `Debug` say.

use std::pin::pin;

use strongroom_core::ErrorKind;
use strongroom_core::store::{Durability, KeyRange, Revision, Sharing, Write};

use super::support::{all_keys, batch, commit, everything, key, link, poll_once, put, row, value};
use crate::case::cases;
use crate::{Checked, Context, ensure, ensure_eq, ensure_kind};

cases! { Semantics;
    info_never_changes,
    a_backends_name_is_like_that_in_its_url,
    debug_shows_no_content,
    errors_name_backend_and_operation,
    usage_grows_with_what_is_stored,
    compact_keeps_every_row [Compact],
    compact_gives_space_back [Compact, Reopen],
    compact_beside_a_snapshot_is_busy_or_harmless [Compact],
    a_closed_store_answers_closed,
    close_ends_whoever_waits,
    close_waits_for_a_commit_that_has_begun [Reopen],
    snapshots_end_with_their_store,
    what_was_committed_is_there_after_reopening [Reopen],
    revisions_go_on_after_reopening [Reopen],
    nothing_appears_from_a_conflict_after_reopening [Reopen],
    a_second_handle_is_refused_or_shares [Reopen],
    a_second_handle_sees_and_wakes_for_commits_of_the_first [Share],
    guards_hold_between_two_handles [Share],
}

async fn info_never_changes(context: Context) -> Checked {
    let store = context.open().await?.store;
    let before = format!("{:?}", store.info());
    commit(&*store, batch([("a", put("1"))])).await?;
    ensure_eq!(format!("{:?}", store.info()), before);
    store.close().await?;
    ensure_eq!(format!("{:?}", store.info()), before);
    Ok(())
}

async fn a_backends_name_is_like_that_in_its_url(context: Context) -> Checked {
    let store = context.open().await?.store;
    let name = store.info().name;
    let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"+-.".contains(&byte);
    ensure!(name.starts_with(|first: char| first.is_ascii_lowercase()) && name.bytes().all(fits), "'{name}'");
    Ok(())
}

async fn debug_shows_no_content(context: Context) -> Checked {
    let store = context.open().await?.store;
    commit(&*store, batch([("canary-key", put("canary-value")), ("canary-link", link("canary-target"))])).await?;
    let snapshot = store.snapshot().await?;
    let rows = store.get(&[key("canary-key"), key("canary-link")]).await?;
    let page = store.scan(&everything()).await?;
    // Neither as text nor as a list of numbers.
    for shown in [format!("{store:?}"), format!("{snapshot:?}"), format!("{rows:?}"), format!("{page:?}")] {
        ensure!(!shown.contains("canary") && !shown.contains("99, 97, 110"), "{} bytes show content", shown.len());
    }
    Ok(())
}

async fn errors_name_backend_and_operation(context: Context) -> Checked {
    let store = context.open().await?.store;
    let too_many = vec![key("canary"); context.limits().get_keys_max + 1];
    let error = ensure_kind!(store.get(&too_many).await, ErrorKind::Limit(_));
    ensure_eq!((error.backend(), error.operation()), (Some(store.info().name), Some("get")));
    ensure!(!format!("{error} {error:?}").contains("canary"));
    let scan = strongroom_core::store::Scan { limit: usize::MAX, ..everything() };
    let error = ensure_kind!(store.scan(&scan).await, ErrorKind::Limit(_));
    ensure_eq!((error.backend(), error.operation()), (Some(store.info().name), Some("scan")));
    Ok(())
}

async fn usage_grows_with_what_is_stored(context: Context) -> Checked {
    let store = context.open().await?.store;
    commit(&*store, batch([("a", put("1"))])).await?;
    let before = store.usage().await?.bytes;
    for n in 0..8_u8 {
        // Not compressible by anything simple.
        let noise: Vec<u8> = (0..1_u32 << 20).map(|at| (at.wrapping_mul(2_654_435_761) >> 13) as u8 ^ n).collect();
        commit(&*store, batch([([n], put(noise))])).await?;
    }
    let after = store.usage().await?.bytes;
    ensure!(after >= before + (4 << 20), "{before} bytes before 8 MiB, {after} after");
    Ok(())
}

async fn compact_keeps_every_row(context: Context) -> Checked {
    let store = context.open().await?.store;
    let name = |n: usize| format!("{n:04}");
    commit(&*store, batch((0..1_000).map(|n| (name(n), if n % 3 == 0 { link(name(n + 1)) } else { put(name(n)) }))))
        .await?;
    commit(&*store, batch((0..1_000).step_by(2).map(|n| (name(n), Write::Delete)))).await?;
    let before = store.scan(&everything()).await?;
    let compaction = store.compact().await?;
    ensure!(compaction.bytes_after <= compaction.bytes_before.max(1 << 20), "{compaction:?}");
    ensure!(store.scan(&everything()).await? == before, "rows, links, revisions and as_of");
    let next = commit(&*store, batch([("next", put(""))])).await?;
    ensure!(next > before.as_of);
    Ok(())
}

async fn compact_gives_space_back(context: Context) -> Checked {
    let store = context.open().await?.store;
    for n in 0..16_u8 {
        commit(&*store, batch([([n], put(vec![n; 1 << 20]))])).await?;
    }
    store.drop_range(&KeyRange::ALL, &[]).await?;
    let before = store.usage().await?.bytes;
    let compaction = store.compact().await?;
    let after = store.usage().await?.bytes;
    ensure!(after < before / 4, "{before} bytes before, {after} after");
    ensure!(compaction.bytes_after < compaction.bytes_before / 4, "{compaction:?}");
    Ok(())
}

async fn compact_beside_a_snapshot_is_busy_or_harmless(context: Context) -> Checked {
    let store = context.open().await?.store;
    let revision = commit(&*store, batch((0..500).map(|n| (format!("{n:03}"), put("1"))))).await?;
    let snapshot = store.snapshot().await?;
    commit(&*store, batch((0..500).map(|n| (format!("{n:03}"), Write::Delete)))).await?;
    if let Err(error) = store.compact().await {
        ensure_eq!(error.kind(), ErrorKind::Busy);
        ensure!(error.is_retryable());
    }
    ensure_eq!(snapshot.summarize(&KeyRange::ALL).await?.rows, 500);
    ensure_eq!(snapshot.get(&[key("007")]).await?.rows, vec![value(revision, "1")]);
    drop(snapshot);
    store.compact().await?;
    ensure_eq!(store.summarize(&KeyRange::ALL).await?.rows, 0);
    Ok(())
}

async fn a_closed_store_answers_closed(context: Context) -> Checked {
    let store = context.open().await?.store;
    commit(&*store, batch([("a", put("1"))])).await?;
    store.close().await?;
    store.close().await?;
    let answers = [
        store.get(&[]).await.map(drop),
        store.get(&[key("a")]).await.map(drop),
        store.scan(&everything()).await.map(drop),
        store.summarize(&KeyRange::ALL).await.map(drop),
        store.snapshot().await.map(drop),
        store.commit(vec![batch([("a", put("2"))])]).await.map(drop),
        store.changed(Revision::ZERO).await.map(drop),
        store.drop_range(&KeyRange::ALL, &[]).await.map(drop),
        store.compact().await.map(drop),
        store.usage().await.map(drop),
    ];
    for (number, answer) in answers.into_iter().enumerate() {
        ensure!(answer.is_err(), "call {number} succeeded on a closed store");
        let error = ensure_kind!(answer, ErrorKind::Closed);
        ensure!(error.is_closed() && error.operation().is_some(), "{error}");
        ensure_eq!(error.backend(), Some(store.info().name));
    }
    Ok(())
}

async fn close_ends_whoever_waits(context: Context) -> Checked {
    let store = context.open().await?.store;
    let mut waiting = pin!(store.changed(Revision::ZERO));
    ensure!(poll_once(&mut waiting).is_pending());
    store.close().await?;
    ensure_kind!(waiting.await, ErrorKind::Closed);
    Ok(())
}

async fn close_waits_for_a_commit_that_has_begun(context: Context) -> Checked {
    let mut site = context.open().await?;
    {
        let mut begun = pin!(site.store.commit(vec![batch([("a", put("1"))])]));
        let _ = poll_once(&mut begun);
        site.store.close().await?;
    }
    site.reopen().await?;
    ensure!(row(&*site.store, "a").await?.is_some());
    Ok(())
}

async fn snapshots_end_with_their_store(context: Context) -> Checked {
    let store = context.open().await?.store;
    commit(&*store, batch([("a", put("1"))])).await?;
    let snapshot = store.snapshot().await?;
    store.close().await?;
    ensure_kind!(snapshot.get(&[key("a")]).await, ErrorKind::Closed);
    ensure_kind!(snapshot.scan(&everything()).await, ErrorKind::Closed);
    ensure_kind!(snapshot.summarize(&KeyRange::ALL).await, ErrorKind::Closed);
    drop(snapshot);
    Ok(())
}

async fn what_was_committed_is_there_after_reopening(context: Context) -> Checked {
    let mut site = context.open().await?;
    let store = &site.store;
    commit(&**store, batch((0..500).map(|n| (format!("{n:03}"), put(vec![n as u8; n]))))).await?;
    commit(&**store, batch([("", put("")), ("link", link("nowhere")), ("007", Write::Delete)])).await?;
    commit(&**store, super::support::stamped("log", "entry")).await?;
    store.drop_range(&KeyRange::prefix(b"1"), &[]).await?;
    let before = store.scan(&everything()).await?;
    for _ in 0..3 {
        site.reopen().await?;
        ensure!(site.store.scan(&everything()).await? == before, "rows, links, revisions and as_of");
    }
    Ok(())
}

async fn revisions_go_on_after_reopening(context: Context) -> Checked {
    let mut site = context.open().await?;
    let mut last = Revision::ZERO;
    for round in 0..4 {
        ensure_eq!(site.store.get(&[]).await?.as_of, last);
        let next = commit(&*site.store, batch([("a", put(round.to_string()))])).await?;
        ensure!(next > last, "{next} behind {last}");
        last = next;
        if round == 2 {
            // The newest revision outlives the only row that carries it.
            last = commit(&*site.store, batch([("a", Write::Delete)])).await?;
        }
        site.reopen().await?;
    }
    Ok(())
}

async fn nothing_appears_from_a_conflict_after_reopening(context: Context) -> Checked {
    let mut site = context.open().await?;
    commit(&*site.store, batch([("a", put("1"))])).await?;
    let failing = super::support::guarded([super::support::key_guard("a", None)], batch([("b", put("2"))]));
    ensure_eq!(super::support::conflict(&*site.store, failing).await?, Some(0));
    site.reopen().await?;
    ensure_eq!(all_keys(&*site.store).await?, vec![b"a".to_vec()]);
    Ok(())
}

async fn a_second_handle_is_refused_or_shares(context: Context) -> Checked {
    let site = context.open().await?;
    commit(&*site.store, batch([("a", put("1"))])).await?;
    match (site.store.info().sharing, site.second().await) {
        (Sharing::Shared, Ok(second)) => ensure_eq!(all_keys(&*second).await?.len(), 1),
        (Sharing::Exclusive, Err(error)) => ensure_eq!(error.kind(), ErrorKind::Busy, "{error}"),
        (sharing, Ok(_)) => return Err(crate::Failure::new(format!("{sharing:?}, but a second handle opened"))),
        (sharing, Err(error)) => return Err(crate::Failure::new(format!("{sharing:?}, but {error}"))),
    }
    // The first is unharmed.
    commit(&*site.store, batch([("b", put("2"))])).await?;
    ensure!(site.store.info().durability != Durability::Volatile, "what can be reopened is not volatile");
    Ok(())
}

async fn a_second_handle_sees_and_wakes_for_commits_of_the_first(context: Context) -> Checked {
    let site = context.open().await?;
    let second = site.second().await?;
    for n in 0..10 {
        let before = second.get(&[]).await?.as_of;
        let (changed, revision) = futures_util::future::join(
            second.changed(before),
            commit(&*site.store, batch([("a", put(n.to_string()))])),
        )
        .await;
        let revision = revision?;
        ensure_eq!(changed?, revision);
        ensure_eq!(row(&*second, "a").await?, value(revision, n.to_string()));
        ensure_eq!(second.snapshot().await?.revision(), revision);
        let other = commit(&*second, batch([("b", put(n.to_string()))])).await?;
        ensure!(other > revision);
        ensure_eq!(row(&*site.store, "b").await?, value(other, n.to_string()));
    }
    Ok(())
}

async fn guards_hold_between_two_handles(context: Context) -> Checked {
    use super::support::{conflict, guarded, key_guard, range_guard};
    let site = context.open().await?;
    let second = site.second().await?;
    let (one, other) = (&*site.store, &*second);
    for _ in 0..5 {
        let read = commit(one, batch([("a1", put("")), ("a2", put("")), ("a3", Write::Delete)])).await?;
        let guards = |rows| [key_guard("a1", Some(read)), range_guard(KeyRange::prefix(b"a"), read, rows)];
        ensure_eq!(conflict(other, guarded(guards(2), batch([("b", put(""))]))).await?, None);
        commit(other, batch([("a3", put(""))])).await?;
        ensure_eq!(conflict(one, guarded(guards(2), batch([("b", put(""))]))).await?, Some(1));
        commit(one, batch([("a1", put(""))])).await?;
        ensure_eq!(conflict(other, guarded(guards(3), batch([("b", put(""))]))).await?, Some(0));
        // Own commits and the other's, in turns, while a guard stays good.
        let quiet = commit(one, batch([("q", put(""))])).await?;
        for n in 0..6 {
            commit(if n % 2 == 0 { one } else { other }, batch([("z", put(""))])).await?;
        }
        let guard = range_guard(KeyRange::prefix(b"q"), quiet, 1);
        ensure_eq!(conflict(other, guarded([guard], batch([("b", put(""))]))).await?, None);
    }
    Ok(())
}
