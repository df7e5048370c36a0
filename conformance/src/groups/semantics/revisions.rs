//! Revisions: of batches, of rows, and of what a read sees.

use strongroom_core::store::{Batch, KeyRange, Outcome, Revision, Scan, Write};

use super::support::{
    batch, commit, commit_all, committed, conflict, current, everything, fill, join, key, key_guard, log, put, read,
    rejection, suffix,
};
use crate::case::cases;
use crate::{Checked, Context, Failure, ensure, ensure_eq};

cases! { Semantics;
    every_batch_that_writes_has_a_greater_revision,
    batches_of_one_call_have_a_revision_each,
    a_deletion_has_a_revision,
    a_batch_that_writes_nothing_has_the_revision_it_was_checked_at,
    a_conflict_takes_no_revision,
    a_rejection_takes_no_revision,
    a_row_has_the_revision_of_the_batch_that_wrote_it_last,
    writing_the_same_again_is_a_new_revision,
    rows_that_are_not_written_keep_their_revision,
    all_reads_agree_on_the_revision_of_a_row,
    a_read_names_the_revision_that_it_saw,
    what_reads_see_never_goes_back,
}

async fn every_batch_that_writes_has_a_greater_revision(context: Context) -> Checked {
    let site = context.open().await?;
    let mut before = current(&*site.store).await?;
    let writes = || [put("1"), put("1"), put(""), suffix(0), Write::Delete, Write::Delete];
    for write in writes() {
        let revision = commit(&*site.store, batch([("a", write)])).await?;
        ensure!(revision > before, "{revision} after {before}");
        before = revision;
    }
    let revision = commit(&*site.store, log([("log", "1")])).await?;
    ensure!(revision > before, "{revision} after {before}");
    Ok(())
}

async fn batches_of_one_call_have_a_revision_each(context: Context) -> Checked {
    let site = context.open().await?;
    let before = current(&*site.store).await?;
    let group = ["a", "b", "c", "a"].map(|name| batch([(name, put("1"))]));
    let outcomes = commit_all(&*site.store, group).await?;
    let revisions = outcomes.iter().map(committed).collect::<Checked<Vec<_>>>()?;
    ensure!(revisions[0] > before && revisions.is_sorted_by(|one, next| one < next), "{revisions:?} after {before}");
    let rows = site.store.get(&["a", "b", "c"].map(key)).await?.rows;
    let found: Vec<_> = rows.into_iter().flatten().map(|row| row.revision).collect();
    ensure_eq!(found, [revisions[3], revisions[1], revisions[2]]);
    Ok(())
}

async fn a_deletion_has_a_revision(context: Context) -> Checked {
    let site = context.open().await?;
    let written = commit(&*site.store, batch([("a", put("1")), ("b", put("1"))])).await?;
    let deleted = commit(&*site.store, batch([("a", Write::Delete)])).await?;
    ensure!(deleted > written);
    ensure_eq!(current(&*site.store).await?, deleted);
    let nothing = commit(&*site.store, batch([("a", Write::Delete)])).await?;
    ensure!(nothing > deleted);
    ensure_eq!(current(&*site.store).await?, nothing);
    Ok(())
}

async fn a_batch_that_writes_nothing_has_the_revision_it_was_checked_at(context: Context) -> Checked {
    let site = context.open().await?;
    let empty = current(&*site.store).await?;
    ensure_eq!(commit(&*site.store, Batch::default()).await?, empty);
    let written = commit(&*site.store, batch([("a", put("1"))])).await?;
    for guards in [vec![], vec![key_guard("a", Some(written))], vec![key_guard("b", None), key_guard("c", None)]] {
        ensure_eq!(commit(&*site.store, Batch { guards, ..Batch::default() }).await?, written);
    }
    let group = [Batch::default(), batch([("b", put("1"))]), Batch::default(), batch([("c", put("1"))])];
    let [first, b, third, c] = commit_all(&*site.store, group).await?;
    ensure_eq!((committed(&first)?, committed(&third)?), (written, committed(&b)?));
    ensure!(committed(&c)? > committed(&b)?);
    ensure_eq!(current(&*site.store).await?, committed(&c)?);
    Ok(())
}

/// A batch that must fail, between two that show the revision.
async fn takes_none(context: &Context, failing: Batch, failed: fn(&Outcome) -> Checked) -> Checked {
    let site = context.open().await?;
    let group = [batch([("a", put("1"))]), failing.clone(), Batch::default()];
    let [before, between, after] = commit_all(&*site.store, group).await?;
    failed(&between)?;
    ensure_eq!(committed(&after)?, committed(&before)?, "the revision of a batch that writes nothing");
    let [alone] = commit_all(&*site.store, [failing]).await?;
    failed(&alone)?;
    ensure_eq!(current(&*site.store).await?, committed(&before)?);
    Ok(())
}

async fn a_conflict_takes_no_revision(context: Context) -> Checked {
    let guards = vec![key_guard("a", None)];
    let failing = Batch { guards, ..batch([("b", put("1"))]) };
    takes_none(&context, failing, |outcome| conflict(outcome).map(drop)).await
}

async fn a_rejection_takes_no_revision(context: Context) -> Checked {
    takes_none(&context, batch([("a", put("2")), ("b", suffix(2))]), |outcome| rejection(outcome).map(drop)).await
}

async fn a_row_has_the_revision_of_the_batch_that_wrote_it_last(context: Context) -> Checked {
    let site = context.open().await?;
    for write in [put("1"), put("2"), suffix(0), put(""), suffix(1)] {
        let written = commit(&*site.store, batch([("a", write)])).await?;
        ensure_eq!(read(&*site.store, "a").await?.map(|row| row.revision), Some(written));
        commit(&*site.store, batch([("b", put("other"))])).await?;
        ensure_eq!(read(&*site.store, "a").await?.map(|row| row.revision), Some(written), "after another's write");
    }
    Ok(())
}

async fn writing_the_same_again_is_a_new_revision(context: Context) -> Checked {
    let site = context.open().await?;
    for write in [put("same"), suffix(0), put("")] {
        let first = commit(&*site.store, batch([("a", write.clone())])).await?;
        let second = commit(&*site.store, batch([("a", write)])).await?;
        ensure!(second > first);
        ensure_eq!(read(&*site.store, "a").await?.map(|row| row.revision), Some(second));
    }
    Ok(())
}

async fn rows_that_are_not_written_keep_their_revision(context: Context) -> Checked {
    let site = context.open().await?;
    let written = commit(&*site.store, batch(["a", "aa", "b"].map(|name| (name, put(name))))).await?;
    commit(&*site.store, batch([("a\0", put("")), ("aa", Write::Delete), ("ab", put(""))])).await?;
    site.store.drop_range(&KeyRange::prefix(b"ab"), &[]).await?;
    let rows = site.store.get(&["a", "b"].map(key)).await?.rows;
    let revisions: Vec<_> = rows.into_iter().flatten().map(|row| row.revision).collect();
    ensure_eq!(revisions, [written, written]);
    Ok(())
}

async fn all_reads_agree_on_the_revision_of_a_row(context: Context) -> Checked {
    let site = context.open().await?;
    fill(&*site.store, &["a"]).await?;
    let written = commit(&*site.store, batch([("a", put("2"))])).await?;
    let snapshot = site.store.snapshot().await?;
    ensure_eq!(read(&*site.store, "a").await?.map(|row| row.revision), Some(written));
    ensure_eq!(read(&*snapshot, "a").await?.map(|row| row.revision), Some(written));
    for reverse in [false, true] {
        let page = site.store.scan(&Scan { reverse, ..everything(&*site.store) }).await?;
        ensure_eq!(page.entries.iter().map(|entry| entry.revision).collect::<Vec<_>>(), [written]);
    }
    ensure_eq!(site.store.summarize(&KeyRange::ALL).await?.newest, written);
    Ok(())
}

async fn a_read_names_the_revision_that_it_saw(context: Context) -> Checked {
    let site = context.open().await?;
    for write in [put("1"), put("2"), Write::Delete, put("3")] {
        let written = commit(&*site.store, batch([("a", write)])).await?;
        ensure_eq!(site.store.get(&[key("a"), key("b")]).await?.as_of, written, "get");
        ensure_eq!(site.store.scan(&everything(&*site.store)).await?.as_of, written, "scan");
        ensure_eq!(
            site.store.scan(&Scan { limit: 0, ..everything(&*site.store) }).await?.as_of,
            written,
            "scan of none"
        );
        ensure_eq!(site.store.summarize(&KeyRange::ALL).await?.as_of, written, "summarize");
        ensure_eq!(site.store.summarize(&KeyRange::prefix(b"z")).await?.as_of, written, "summarize of none");
        ensure_eq!(site.store.snapshot().await?.revision(), written, "snapshot");
    }
    Ok(())
}

async fn what_reads_see_never_goes_back(context: Context) -> Checked {
    let site = context.open().await?;
    let store = site.store.clone();
    let writer = tokio::spawn(async move {
        for number in 0..100_u8 {
            commit(&*store, batch([("a", put([number]))])).await?;
        }
        Ok(())
    });
    let mut seen = Revision::ZERO;
    let mut see = |as_of: Revision| {
        let before = std::mem::replace(&mut seen, as_of);
        if as_of < before { Err(Failure::new(format!("revision {as_of} was read after {before}"))) } else { Ok(()) }
    };
    let mut rounds = 0;
    while !writer.is_finished() || rounds == 0 {
        rounds += 1;
        let found = site.store.get(&[key("a")]).await?;
        see(found.as_of)?;
        ensure!(found.rows.iter().flatten().all(|row| row.revision <= found.as_of), "a row newer than its view");
        see(site.store.scan(&everything(&*site.store)).await?.as_of)?;
        see(site.store.summarize(&KeyRange::ALL).await?.as_of)?;
        see(site.store.snapshot().await?.revision())?;
    }
    join(writer).await
}
