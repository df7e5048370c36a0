//! Rows whose key ends in the batch's own revision.

use strongroom_core::ErrorKind;
use strongroom_core::store::{Batch, KeyPrefix, KeyRange, Revision, Write};

use super::support::{
    batch, commit, commit_all, committed, conflict, current, everything, key, key_guard, keys, link, log, pages, put,
    read, rejected, row, value, within,
};
use crate::case::cases;
use crate::{Checked, Context, ensure, ensure_eq};

cases! { Semantics;
    a_stamped_row_has_its_revision_at_the_end_of_its_key,
    a_stamped_row_reads_like_any_other,
    an_empty_stamped_value_is_no_absent_row,
    a_batch_may_stamp_several_prefixes,
    an_empty_prefix_may_be_stamped,
    stamped_rows_are_in_the_order_of_their_commits,
    a_stamped_row_is_never_overwritten_by_a_later_one,
    a_stamped_row_may_be_changed_and_deleted_by_its_key,
    a_batch_of_stamped_rows_alone_is_a_write,
    a_conflict_stamps_nothing,
    one_prefix_stamped_twice_is_rejected,
    a_stamped_row_with_the_key_of_another_write_is_rejected,
}

/// The key of a row that was stamped with this prefix.
fn stamp(prefix: &str, revision: Revision) -> Vec<u8> {
    [prefix.as_bytes(), &revision.0.to_be_bytes()].concat()
}

async fn a_stamped_row_has_its_revision_at_the_end_of_its_key(context: Context) -> Checked {
    let site = context.open().await?;
    let mut wanted = Vec::new();
    for text in ["1", "2", "3"] {
        wanted.push(stamp("log", commit(&*site.store, log([("log", text)])).await?));
    }
    ensure_eq!(keys(&site.store.scan(&everything(&*site.store)).await?), wanted);
    Ok(())
}

async fn a_stamped_row_reads_like_any_other(context: Context) -> Checked {
    let site = context.open().await?;
    let mut both = batch([("a", put("plain"))]);
    both.stamped = log([("log", "stamped")]).stamped;
    let written = commit(&*site.store, both).await?;
    ensure_eq!(read(&*site.store, stamp("log", written)).await?, row(written, value("stamped")));
    ensure_eq!(read(&*site.store, "a").await?, row(written, value("plain")));
    let summary = site.store.summarize(&KeyRange::prefix(b"log")).await?;
    ensure_eq!((summary.rows, summary.newest), (1, written));
    // It can be the target of a link, and what a guard is about.
    let name = stamp("log", written);
    let mut next = batch([("l", link(&name))]);
    next.guards = vec![key_guard(&name, Some(written)), key_guard(stamp("log", written.next()), None)];
    commit(&*site.store, next).await.map(drop)
}

async fn an_empty_stamped_value_is_no_absent_row(context: Context) -> Checked {
    let site = context.open().await?;
    let written = commit(&*site.store, log([("log", "")])).await?;
    ensure_eq!(read(&*site.store, stamp("log", written)).await?, row(written, value("")));
    Ok(())
}

async fn a_batch_may_stamp_several_prefixes(context: Context) -> Checked {
    let site = context.open().await?;
    let written = commit(&*site.store, log([("log", "1"), ("lo", "2"), ("logs", "3"), ("a", "4")])).await?;
    for (prefix, text) in [("log", "1"), ("lo", "2"), ("logs", "3"), ("a", "4")] {
        ensure_eq!(read(&*site.store, stamp(prefix, written)).await?, row(written, value(text)), "{prefix}");
    }
    ensure_eq!(site.store.scan(&everything(&*site.store)).await?.entries.len(), 4);
    Ok(())
}

async fn an_empty_prefix_may_be_stamped(context: Context) -> Checked {
    let site = context.open().await?;
    let written = commit(&*site.store, log([("", "1")])).await?;
    ensure_eq!(read(&*site.store, written.0.to_be_bytes()).await?, row(written, value("1")));
    Ok(())
}

async fn stamped_rows_are_in_the_order_of_their_commits(context: Context) -> Checked {
    let site = context.open().await?;
    // So many that the order of the numbers is not that of their last bytes.
    let group = (0..600_u32).map(|number| log([("log", number.to_be_bytes())]));
    for outcome in site.store.commit(group.collect()).await? {
        committed(&outcome)?;
    }
    let scan = within(&*site.store, KeyRange::prefix(b"log"));
    let pages = pages(&*site.store, &scan).await?;
    let values: Vec<_> = pages.into_iter().flat_map(|page| page.entries).map(|entry| entry.content).collect();
    ensure!(values == (0..600_u32).map(|number| Some(value(number.to_be_bytes()))).collect::<Vec<_>>());
    Ok(())
}

async fn a_stamped_row_is_never_overwritten_by_a_later_one(context: Context) -> Checked {
    let site = context.open().await?;
    let first = commit(&*site.store, log([("log", "1")])).await?;
    let second = commit(&*site.store, log([("log", "2")])).await?;
    ensure_eq!(read(&*site.store, stamp("log", first)).await?, row(first, value("1")));
    ensure_eq!(read(&*site.store, stamp("log", second)).await?, row(second, value("2")));
    Ok(())
}

async fn a_stamped_row_may_be_changed_and_deleted_by_its_key(context: Context) -> Checked {
    let site = context.open().await?;
    let name = stamp("log", commit(&*site.store, log([("log", "1")])).await?);
    let changed = commit(&*site.store, batch([(&name, put("2"))])).await?;
    ensure_eq!(read(&*site.store, &name).await?, row(changed, value("2")));
    commit(&*site.store, batch([(&name, Write::Delete)])).await?;
    ensure_eq!(read(&*site.store, &name).await?, None);
    Ok(())
}

async fn a_batch_of_stamped_rows_alone_is_a_write(context: Context) -> Checked {
    let site = context.open().await?;
    let before = current(&*site.store).await?;
    let written = commit(&*site.store, log([("log", "1")])).await?;
    ensure!(written > before);
    ensure_eq!(current(&*site.store).await?, written);
    Ok(())
}

async fn a_conflict_stamps_nothing(context: Context) -> Checked {
    let site = context.open().await?;
    let failing = Batch { guards: vec![key_guard("none", Some(Revision(1)))], ..log([("log", "1")]) };
    let [outcome] = commit_all(&*site.store, [failing]).await?;
    ensure_eq!(conflict(&outcome)?, 0);
    ensure!(site.store.scan(&everything(&*site.store)).await?.entries.is_empty());
    Ok(())
}

async fn one_prefix_stamped_twice_is_rejected(context: Context) -> Checked {
    let site = context.open().await?;
    let twice = log([("log", "1"), ("other", "2"), ("log", "3")]);
    let group = [batch([("before", put(""))]), twice, batch([("after", put(""))])];
    let [before, between, after] = commit_all(&*site.store, group).await?;
    rejected(&between, ErrorKind::InvalidInput)?;
    ensure!(committed(&before)? < committed(&after)?);
    ensure_eq!(keys(&site.store.scan(&everything(&*site.store)).await?), [b"after".as_slice(), b"before"]);
    Ok(())
}

async fn a_stamped_row_with_the_key_of_another_write_is_rejected(context: Context) -> Checked {
    let site = context.open().await?;
    for write in [put("mine"), link("log"), Write::Delete] {
        let before = current(&*site.store).await?;
        // Which revision comes next is the store's affair: these are all that are near.
        let taken: Vec<_> = (1..=200).map(|step| stamp("log", Revision(before.0 + step))).collect();
        let mut both = batch(taken.iter().map(|name| (name, write.clone())));
        both.stamped = vec![(KeyPrefix(key("log")), "theirs".into())];
        let group = [both, batch([("neighbour", put("1"))])];
        let [outcome, neighbour] = commit_all(&*site.store, group).await?;
        ensure!(committed(&neighbour)? > before);
        match outcome.revision() {
            None => rejected(&outcome, ErrorKind::InvalidInput)?,
            Some(far) => ensure!(!taken.contains(&stamp("log", far)), "a key was written twice"),
        }
        let found = site.store.summarize(&KeyRange::prefix(b"log")).await?.rows;
        ensure_eq!(found > 0, outcome.revision().is_some(), "rows of a batch that was rejected");
        commit(&*site.store, batch(taken.iter().map(|name| (name, Write::Delete)))).await?;
    }
    Ok(())
}
