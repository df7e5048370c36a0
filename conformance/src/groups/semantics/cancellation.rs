//! Futures that are dropped.

use std::pin::pin;

use strongroom_core::store::{Batch, KeyRange, Limits, Outcome, Revision};
use strongroom_core::{ErrorKind, Limit};

use super::support::{
    batch, check, commit, current, everything, fill, key, key_guard, keys, link, log, poll_once, put, read, row, soon,
    value,
};
use crate::case::cases;
use crate::{Checked, Context, Failure, ensure, ensure_eq};

cases! { Semantics;
    a_commit_that_was_never_polled_does_nothing,
    a_commit_that_was_polled_once_happens_though_it_is_dropped,
    a_dropped_commit_happens_once,
    a_dropped_commit_of_several_batches_happens_whole,
    a_dropped_commit_keeps_to_its_guards,
    many_dropped_commits_all_happen,
    a_drop_range_that_was_never_polled_does_nothing,
    a_dropped_drop_range_can_be_called_again,
    dropped_reads_harm_nobody,
    a_dropped_opening_of_a_snapshot_does_not_count_for_ever,
    dropped_maintenance_harms_nobody,
    a_commit_that_was_begun_is_finished_by_close [Reopen],
}

async fn a_commit_that_was_never_polled_does_nothing(context: Context) -> Checked {
    let site = context.open().await?;
    let before = current(&*site.store).await?;
    for _ in 0..10 {
        drop(site.store.commit(vec![batch([("no", put(""))])]));
    }
    ensure_eq!(current(&*site.store).await?, before);
    commit(&*site.store, batch([("yes", put(""))])).await?;
    ensure_eq!(keys(&site.store.scan(&everything(&*site.store)).await?), [b"yes"]);
    Ok(())
}

async fn a_commit_that_was_polled_once_happens_though_it_is_dropped(context: Context) -> Checked {
    let site = context.open().await?;
    for round in 0..20 {
        let before = current(&*site.store).await?;
        {
            let mut polled = pin!(site.store.commit(vec![batch([("a", put([round]))])]));
            let _ = poll_once(&mut polled);
        }
        let written = soon("a commit that was dropped", site.store.changed(before)).await??;
        ensure_eq!(read(&*site.store, "a").await?, row(written, value([round])));
    }
    Ok(())
}

async fn a_dropped_commit_happens_once(context: Context) -> Checked {
    let site = context.open().await?;
    let store = &*site.store;
    let before = current(store).await?;
    {
        let logged = log([("log", "once")]);
        let mut polled = pin!(store.commit(vec![logged]));
        let _ = poll_once(&mut polled);
    }
    soon("a commit that was dropped", store.changed(before)).await??;
    // Were it to come again, it would come before or between these.
    for number in 0..20 {
        commit(store, batch([("a", put([number]))])).await?;
    }
    ensure_eq!(store.summarize(&KeyRange::prefix(b"log")).await?.rows, 1);
    Ok(())
}

async fn a_dropped_commit_of_several_batches_happens_whole(context: Context) -> Checked {
    let site = context.open().await?;
    let store = &*site.store;
    let group = |round: u8| (0..20).map(move |number| batch([(format!("{number:02}"), put([round]))])).collect();
    for round in 0..5 {
        let before = current(store).await?;
        {
            let batches: Vec<Batch> = group(round);
            let mut polled = pin!(store.commit(batches));
            let _ = poll_once(&mut polled);
        }
        let mut seen = before;
        // One flush for all of them, or some at a time: in the end all.
        while read(store, "19").await?.map(|row| row.content) != Some(value([round])) {
            seen = soon("the rest of a commit that was dropped", store.changed(seen)).await??;
        }
        let page = store.scan(&everything(store)).await?;
        ensure_eq!(page.entries.len(), 20);
        ensure!(page.entries.iter().all(|entry| entry.content == Some(value([round])) && entry.revision > before));
        ensure!(page.entries.is_sorted_by(|one, next| one.revision < next.revision), "out of order");
    }
    Ok(())
}

async fn a_dropped_commit_keeps_to_its_guards(context: Context) -> Checked {
    let site = context.open().await?;
    let store = &*site.store;
    let before = commit(store, batch([("a", put("1"))])).await?;
    {
        let guards = vec![key_guard("a", None)];
        let group = vec![Batch { guards, ..batch([("a", put("no"))]) }, batch([("b", put("yes"))])];
        let mut polled = pin!(store.commit(group));
        let _ = poll_once(&mut polled);
    }
    soon("a commit that was dropped", store.changed(before)).await??;
    let contents = store.get(&["a", "b"].map(key)).await?.rows.into_iter().flatten().map(|row| row.content);
    ensure_eq!(contents.collect::<Vec<_>>(), [value("1"), value("yes")]);
    Ok(())
}

async fn many_dropped_commits_all_happen(context: Context) -> Checked {
    let site = context.open().await?;
    let store = &*site.store;
    for number in 0..100 {
        let mut polled = pin!(store.commit(vec![batch([(format!("{number:02}"), put(""))])]));
        let _ = poll_once(&mut polled);
    }
    let mut seen = Revision::ZERO;
    while store.summarize(&KeyRange::ALL).await?.rows < 100 {
        seen = soon("the rest of the commits that were dropped", store.changed(seen)).await??;
    }
    let page = store.scan(&everything(store)).await?;
    let mut revisions: Vec<_> = page.entries.iter().map(|entry| entry.revision).collect();
    revisions.sort_unstable();
    revisions.dedup();
    ensure_eq!(revisions.len(), 100, "revisions of 100 commits");
    Ok(())
}

async fn a_drop_range_that_was_never_polled_does_nothing(context: Context) -> Checked {
    let site = context.open().await?;
    fill(&*site.store, &["a", "b"]).await?;
    let before = site.store.scan(&everything(&*site.store)).await?;
    drop(site.store.drop_range(&KeyRange::ALL, &[]));
    commit(&*site.store, check([key_guard("none", None)])).await?;
    ensure_eq!(site.store.scan(&everything(&*site.store)).await?, before);
    Ok(())
}

async fn a_dropped_drop_range_can_be_called_again(context: Context) -> Checked {
    let site = context.open().await?;
    let store = &*site.store;
    let names: Vec<_> = (0..1_000).map(|number| format!("b{number:03}")).collect();
    for _ in 0..3 {
        fill(store, &names).await?;
        fill(store, &["a", "c"]).await?;
        {
            let range = KeyRange::prefix(b"b");
            let mut polled = pin!(store.drop_range(&range, &[]));
            let _ = poll_once(&mut polled);
        }
        ensure!(matches!(store.drop_range(&KeyRange::prefix(b"b"), &[]).await?, Outcome::Committed(_)));
        ensure_eq!(keys(&store.scan(&everything(store)).await?), [b"a", b"c"]);
    }
    Ok(())
}

async fn dropped_reads_harm_nobody(context: Context) -> Checked {
    let site = context.open().await?;
    let store = &*site.store;
    let names: Vec<_> = (0..1_000).map(|number| format!("{number:03}")).collect();
    fill(store, &names).await?;
    commit(store, batch([("l", link("500"))])).await?;
    let before = store.scan(&everything(store)).await?;
    let (asked, whole): (Vec<_>, _) = (names.iter().map(key).collect(), everything(store));
    let snapshot = store.snapshot().await?;
    for _ in 0..50 {
        let _ = poll_once(&mut pin!(store.get(&asked)));
        let _ = poll_once(&mut pin!(store.scan(&whole)));
        let _ = poll_once(&mut pin!(store.summarize(&KeyRange::ALL)));
        let _ = poll_once(&mut pin!(store.changed(before.as_of)));
        let _ = poll_once(&mut pin!(snapshot.get(&asked)));
        let _ = poll_once(&mut pin!(snapshot.scan(&whole)));
        let _ = poll_once(&mut pin!(snapshot.summarize(&KeyRange::ALL)));
    }
    ensure_eq!(store.scan(&whole).await?, before);
    ensure_eq!(snapshot.scan(&whole).await?, before);
    let written = commit(store, batch([("a", put("1"))])).await?;
    ensure_eq!(read(store, "a").await?, row(written, value("1")));
    ensure_eq!(snapshot.scan(&whole).await?, before);
    Ok(())
}

async fn a_dropped_opening_of_a_snapshot_does_not_count_for_ever(context: Context) -> Checked {
    let site = context.open_with(Limits { snapshots_max: 5, ..context.limits() }).await?;
    for _ in 0..50 {
        let _ = poll_once(&mut pin!(site.store.snapshot()));
    }
    let mut held = Vec::new();
    for round in 0..200 {
        match site.store.snapshot().await {
            Ok(snapshot) => held.push(snapshot),
            // One that was dropped may be on its way still.
            Err(error) if error.kind() == ErrorKind::Limit(Limit::Snapshots) => {
                commit(&*site.store, batch([("a", put([round]))])).await?;
            }
            Err(error) => return Err(error.into()),
        }
        if held.len() == 5 {
            return Ok(());
        }
    }
    Err(Failure::new(format!("only {} of 5 snapshots can be held", held.len())))
}

async fn dropped_maintenance_harms_nobody(context: Context) -> Checked {
    let site = context.open().await?;
    let store = &*site.store;
    fill(store, &["a", "b"]).await?;
    let before = store.scan(&everything(store)).await?;
    for _ in 0..5 {
        let _ = poll_once(&mut pin!(store.compact()));
        let _ = poll_once(&mut pin!(store.usage()));
        ensure_eq!(store.scan(&everything(store)).await?, before);
    }
    let written = commit(store, batch([("c", put("1"))])).await?;
    ensure_eq!(read(store, "c").await?, row(written, value("1")));
    Ok(())
}

async fn a_commit_that_was_begun_is_finished_by_close(context: Context) -> Checked {
    let mut site = context.open().await?;
    for round in 0..5 {
        {
            let mut polled = pin!(site.store.commit(vec![batch([("a", put([round]))])]));
            let _ = poll_once(&mut polled);
        }
        site.reopen().await?;
        ensure_eq!(read(&*site.store, "a").await?.map(|row| row.content), Some(value([round])));
    }
    Ok(())
}
