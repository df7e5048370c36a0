//! Snapshots: what they see.

use std::sync::Arc;

use proptest::collection::vec;
use strongroom_core::store::{Content, Fetch, KeyRange, Limits, Scan, Snapshot, Write};
use strongroom_core::{ErrorKind, Limit};

use super::inputs::{batch_of, rows, scans};
use super::model::Model;
use super::random::on_random;
use super::support::{
    batch, commit, current, everything, fill, join, key, keys, link, log, pages, put, read, row, value, within,
};
use crate::case::cases;
use crate::{Checked, Context, ensure, ensure_eq, ensure_kind};

cases! { Semantics;
    a_snapshot_sees_what_was_committed_before_it,
    a_snapshot_does_not_see_what_is_committed_after_it,
    a_snapshot_of_an_empty_store_stays_empty,
    a_snapshot_gives_one_revision_to_all_its_reads,
    a_snapshot_keeps_values_that_were_overwritten_and_deleted,
    a_snapshot_follows_links_in_its_own_view,
    a_snapshot_sees_no_row_that_came_into_a_gap,
    snapshots_of_different_revisions_each_see_their_own,
    two_snapshots_of_one_revision_see_the_same,
    a_snapshot_lives_on_when_another_is_dropped,
    a_snapshot_is_read_by_many_tasks,
    a_snapshot_pages_through_one_view_while_the_store_changes,
    a_snapshot_keeps_to_the_limits_of_reads,
    a_snapshot_and_the_store_read_alike,
    random_snapshots_read_like_a_btreemap random true,
}

async fn a_snapshot_sees_what_was_committed_before_it(context: Context) -> Checked {
    let site = context.open().await?;
    for round in 0..20 {
        let written = commit(&*site.store, batch([("a", put([round]))])).await?;
        let snapshot = site.store.snapshot().await?;
        ensure_eq!(snapshot.revision(), written);
        ensure_eq!(read(&*snapshot, "a").await?, row(written, value([round])));
    }
    Ok(())
}

async fn a_snapshot_does_not_see_what_is_committed_after_it(context: Context) -> Checked {
    let site = context.open().await?;
    fill(&*site.store, &["a", "b"]).await?;
    let snapshot = site.store.snapshot().await?;
    let before = snapshot.scan(&everything(&*site.store)).await?;
    let mut later = batch([("a", put("new")), ("b", Write::Delete), ("c", put("new")), ("", put("new"))]);
    later.stamped = log([("log", "new")]).stamped;
    commit(&*site.store, later).await?;
    ensure_eq!(snapshot.scan(&everything(&*site.store)).await?, before);
    ensure_eq!(snapshot.summarize(&KeyRange::ALL).await?.rows, 2);
    let found = snapshot.get(&["", "a", "b", "c"].map(key)).await?.rows;
    let contents: Vec<_> = found.into_iter().map(|row| row.map(|row| row.content)).collect();
    ensure_eq!(contents, [None, Some(value("a")), Some(value("b")), None]);
    Ok(())
}

async fn a_snapshot_of_an_empty_store_stays_empty(context: Context) -> Checked {
    let site = context.open().await?;
    let before = current(&*site.store).await?;
    let snapshot = site.store.snapshot().await?;
    ensure_eq!(snapshot.revision(), before);
    fill(&*site.store, &["a", "b"]).await?;
    ensure_eq!(read(&*snapshot, "a").await?, None);
    let page = snapshot.scan(&everything(&*site.store)).await?;
    ensure!(page.entries.is_empty() && !page.more && page.as_of == before, "{page:?}");
    ensure_eq!(snapshot.summarize(&KeyRange::ALL).await?.rows, 0);
    Ok(())
}

async fn a_snapshot_gives_one_revision_to_all_its_reads(context: Context) -> Checked {
    let site = context.open().await?;
    let written = commit(&*site.store, batch([("a", put("1"))])).await?;
    let snapshot = site.store.snapshot().await?;
    for _ in 0..3 {
        ensure_eq!(snapshot.revision(), written);
        ensure_eq!(snapshot.get(&[]).await?.as_of, written);
        ensure_eq!(snapshot.get(&[key("a")]).await?.as_of, written);
        ensure_eq!(snapshot.scan(&everything(&*site.store)).await?.as_of, written);
        ensure_eq!(snapshot.summarize(&KeyRange::ALL).await?.as_of, written);
        commit(&*site.store, batch([("a", put("2"))])).await?;
    }
    Ok(())
}

async fn a_snapshot_keeps_values_that_were_overwritten_and_deleted(context: Context) -> Checked {
    let site = context.open().await?;
    let names: Vec<String> = (0..300).map(|number| format!("{number:03}")).collect();
    fill(&*site.store, &names).await?;
    let snapshot = site.store.snapshot().await?;
    for _ in 0..10 {
        commit(&*site.store, batch(names.iter().map(|name| (name, put("overwritten"))))).await?;
        commit(&*site.store, batch(names.iter().map(|name| (name, Write::Delete)))).await?;
    }
    let found = snapshot.scan(&everything(&*site.store)).await?.entries;
    ensure_eq!(found.len(), names.len());
    for (entry, name) in found.iter().zip(&names) {
        ensure_eq!(entry.content, Some(value(name)));
    }
    Ok(())
}

async fn a_snapshot_follows_links_in_its_own_view(context: Context) -> Checked {
    let site = context.open().await?;
    let rows = [("l1", link("t1")), ("l2", link("t2")), ("l3", link("t3")), ("t1", put("1")), ("t2", put("2"))];
    let written = commit(&*site.store, batch(rows)).await?;
    let snapshot = site.store.snapshot().await?;
    commit(&*site.store, batch([("t1", put("new")), ("t2", Write::Delete), ("t3", put("new"))])).await?;
    let scan = Scan { fetch: Fetch::Targets, ..within(&*site.store, KeyRange::prefix(b"l")) };
    let targets: Vec<_> = snapshot.scan(&scan).await?.entries.into_iter().map(|entry| entry.target).collect();
    ensure_eq!(targets, [row(written, value("1")), row(written, value("2")), None]);
    ensure_eq!(read(&*snapshot, "l3").await?, row(written, Content::Link(key("t3"))));
    Ok(())
}

async fn a_snapshot_sees_no_row_that_came_into_a_gap(context: Context) -> Checked {
    let site = context.open().await?;
    fill(&*site.store, &["a", "c", "e"]).await?;
    let snapshot = site.store.snapshot().await?;
    fill(&*site.store, &["", "b", "d", "f"]).await?;
    for reverse in [false, true] {
        // Page by page, so that each page looks for what comes next.
        let scan = Scan { limit: 1, reverse, ..everything(&*site.store) };
        let paged = pages(&*snapshot, &scan).await?;
        let mut found: Vec<_> = paged.iter().flat_map(keys).collect();
        if reverse {
            found.reverse();
        }
        ensure_eq!(found, [b"a", b"c", b"e"]);
    }
    Ok(())
}

async fn snapshots_of_different_revisions_each_see_their_own(context: Context) -> Checked {
    let site = context.open().await?;
    let count = site.settings.limits.snapshots_max.min(100);
    let mut held = Vec::new();
    for number in 0..count {
        let name = format!("{:02}", number % 7);
        let written = commit(&*site.store, batch([(name, put(number.to_be_bytes()))])).await?;
        let snapshot = site.store.snapshot().await?;
        let seen = snapshot.scan(&everything(&*site.store)).await?;
        ensure_eq!((snapshot.revision(), seen.as_of), (written, written));
        held.push((snapshot, seen));
    }
    for (snapshot, seen) in &held {
        ensure_eq!(&snapshot.scan(&everything(&*site.store)).await?, seen);
    }
    Ok(())
}

async fn two_snapshots_of_one_revision_see_the_same(context: Context) -> Checked {
    let site = context.open().await?;
    fill(&*site.store, &["a", "b"]).await?;
    let (one, other) = (site.store.snapshot().await?, site.store.snapshot().await?);
    commit(&*site.store, batch([("a", Write::Delete)])).await?;
    ensure_eq!(one.revision(), other.revision());
    let seen = one.scan(&everything(&*site.store)).await?;
    ensure_eq!(seen, other.scan(&everything(&*site.store)).await?);
    ensure_eq!(seen.entries.len(), 2);
    Ok(())
}

async fn a_snapshot_lives_on_when_another_is_dropped(context: Context) -> Checked {
    let site = context.open().await?;
    fill(&*site.store, &["a"]).await?;
    let (one, other) = (site.store.snapshot().await?, site.store.snapshot().await?);
    commit(&*site.store, batch([("a", put("new"))])).await?;
    let third = site.store.snapshot().await?;
    drop(one);
    commit(&*site.store, batch([("a", Write::Delete)])).await?;
    ensure_eq!(read(&*other, "a").await?.map(|row| row.content), Some(value("a")));
    drop(other);
    commit(&*site.store, batch([("b", put(""))])).await?;
    ensure_eq!(read(&*third, "a").await?.map(|row| row.content), Some(value("new")));
    Ok(())
}

async fn a_snapshot_is_read_by_many_tasks(context: Context) -> Checked {
    let site = context.open().await?;
    let names: Vec<String> = (0..500).map(|number| format!("{number:03}")).collect();
    fill(&*site.store, &names).await?;
    let snapshot: Arc<dyn Snapshot> = site.store.snapshot().await?.into();
    let whole = everything(&*site.store);
    let tasks: Vec<_> = (0..16)
        .map(|_| {
            let (snapshot, whole) = (snapshot.clone(), whole.clone());
            tokio::spawn(async move {
                for _ in 0..5 {
                    let page = snapshot.scan(&whole).await?;
                    ensure!(page.entries.len() == 500 && page.as_of == snapshot.revision());
                    ensure_eq!(read(&*snapshot, "250").await?.map(|row| row.content), Some(value("250")));
                }
                Ok(())
            })
        })
        .collect();
    for round in 0..20 {
        commit(&*site.store, batch(names.iter().skip(round).step_by(20).map(|name| (name, Write::Delete)))).await?;
    }
    for task in tasks {
        join(task).await?;
    }
    ensure_eq!(site.store.summarize(&KeyRange::ALL).await?.rows, 0);
    Ok(())
}

async fn a_snapshot_pages_through_one_view_while_the_store_changes(context: Context) -> Checked {
    let site = context.open().await?;
    let names: Vec<String> = (0..60).map(|number| format!("{number:02}")).collect();
    fill(&*site.store, &names).await?;
    let snapshot = site.store.snapshot().await?;
    let mut scan = Scan { limit: 7, ..everything(&*site.store) };
    let mut found = Vec::new();
    loop {
        let page = snapshot.scan(&scan).await?;
        ensure_eq!(page.as_of, snapshot.revision());
        let Some(last) = page.entries.last() else { break };
        let next = scan.range.beyond(&last.key, false);
        // Rows go behind and before the reader, and others come.
        let name = last.key.as_bytes().to_vec();
        commit(&*site.store, batch([(&[&name[..], b"-"].concat(), put("")), (&name, Write::Delete)])).await?;
        commit(&*site.store, batch([(&names[59 - found.len() / 2], Write::Delete)])).await?;
        found.extend(page.entries.into_iter().map(|entry| entry.key));
        ensure!(found.len() <= names.len(), "rows that came later");
        scan.range = next;
    }
    ensure_eq!(found, names.iter().map(key).collect::<Vec<_>>());
    Ok(())
}

async fn a_snapshot_keeps_to_the_limits_of_reads(context: Context) -> Checked {
    let site = context.open_with(Limits { page_entries_max: 5, get_keys_max: 5, ..context.limits() }).await?;
    fill(&*site.store, &["a", "b", "c", "d", "e", "f"]).await?;
    let snapshot = site.store.snapshot().await?;
    ensure_eq!(snapshot.get(&["a", "b", "c", "d", "e"].map(key)).await?.rows.iter().flatten().count(), 5);
    ensure_kind!(snapshot.get(&["a", "b", "c", "d", "e", "f"].map(key)).await, ErrorKind::Limit(Limit::GetKeys));
    let scan = |limit| Scan { limit, ..everything(&*site.store) };
    ensure_eq!(snapshot.scan(&scan(5)).await?.entries.len(), 5);
    ensure_kind!(snapshot.scan(&scan(6)).await, ErrorKind::Limit(Limit::PageEntries));
    let longer = vec![b'a'; site.settings.limits.key_bytes_max + 1];
    ensure_eq!(read(&*snapshot, longer).await?, None);
    Ok(())
}

async fn a_snapshot_and_the_store_read_alike(context: Context) -> Checked {
    let site = context.open().await?;
    let rows = [("a", put("1")), ("b", link("a")), ("c", link("none")), ("d", put("")), ("", put("empty"))];
    commit(&*site.store, batch(rows)).await?;
    let snapshot = site.store.snapshot().await?;
    for range in [KeyRange::ALL, KeyRange::prefix(b"b"), KeyRange::prefix(b"none")] {
        for fetch in [Fetch::Keys, Fetch::Values, Fetch::Targets] {
            for (reverse, limit) in [(false, 0), (false, 2), (true, 2), (true, 5)] {
                let scan = Scan { range: range.clone(), fetch, reverse, limit, ..everything(&*site.store) };
                ensure_eq!(snapshot.scan(&scan).await?, site.store.scan(&scan).await?);
            }
        }
        ensure_eq!(snapshot.summarize(&range).await?, site.store.summarize(&range).await?);
    }
    let asked = ["d", "a", "none", "b", "", "a"].map(key);
    ensure_eq!(snapshot.get(&asked).await?, site.store.get(&asked).await?);
    Ok(())
}

async fn random_snapshots_read_like_a_btreemap(context: Context) -> Checked {
    let inputs = (vec(rows(), 2..8), vec(scans(), 10));
    on_random(&context, context.effort().operations / 200, &inputs, async |site, (parts, scans)| {
        let mut model = Model::default();
        let mut held: Vec<(Box<dyn Snapshot>, Model)> = Vec::new();
        for part in parts {
            let batch = batch_of(&part);
            model.commit(&*site.store, batch).await?;
            held.push((site.store.snapshot().await?, model.clone()));
        }
        for (snapshot, model) in &held {
            for asked in &scans {
                model.check(&**snapshot, &asked.scan()).await?;
            }
        }
        Ok(())
    })
}
