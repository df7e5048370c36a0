//! `commit`: outcomes, order, and all or nothing.

use strongroom_core::ErrorKind;
use strongroom_core::store::{Batch, Content, KeyRange, LinkTo, Revision, Write};

use super::support::{
    batch, broken_guard, commit, commit_all, committed, conflict, current, everything, fill, key, key_guard, keys,
    link, log, put, read, rejected, rejection, row, soon, suffix, value, within,
};
use crate::case::cases;
use crate::{Checked, Context, ensure, ensure_eq};

cases! { Semantics;
    no_batches_have_no_outcomes,
    each_batch_has_its_outcome_in_order,
    a_put_replaces_the_whole_row,
    a_row_changes_between_value_and_link,
    deleting_what_is_not_there_is_no_error,
    a_deleted_row_is_gone_for_every_read,
    a_deleted_row_can_come_again,
    a_batch_sees_those_before_it,
    the_last_of_several_batches_in_one_call_wins,
    a_group_of_a_thousand_batches_is_applied_in_order,
    a_batch_of_thousands_of_rows_is_whole,
    all_of_a_batch_has_one_revision,
    a_conflict_changes_nothing,
    a_conflict_harms_no_neighbour,
    a_rejection_changes_nothing,
    a_rejection_harms_no_neighbour,
    a_commit_is_seen_by_every_read_that_begins_after_it,
    a_link_is_kept_as_the_key_it_points_to,
    a_link_past_the_end_of_its_key_is_rejected,
}

async fn no_batches_have_no_outcomes(context: Context) -> Checked {
    let site = context.open().await?;
    let before = commit(&*site.store, batch([("a", put("1"))])).await?;
    ensure!(site.store.commit(Vec::new()).await?.is_empty());
    ensure_eq!(current(&*site.store).await?, before);
    Ok(())
}

async fn each_batch_has_its_outcome_in_order(context: Context) -> Checked {
    let site = context.open().await?;
    let conflicting = || Batch { guards: vec![key_guard("none", Some(Revision(1)))], ..batch([("x", put(""))]) };
    let wrong = || batch([("x", suffix(2))]);
    let group = [batch([("a", put("1"))]), conflicting(), wrong(), Batch::default(), batch([("b", put("1"))])];
    for _ in 0..3 {
        let [a, second, third, fourth, b] = commit_all(&*site.store, group.clone()).await?;
        ensure_eq!(conflict(&second)?, 0);
        rejected(&third, ErrorKind::InvalidInput)?;
        ensure_eq!(committed(&fourth)?, committed(&a)?, "the revision at which a batch without writes was checked");
        ensure!(committed(&b)? > committed(&a)?);
        let rows = site.store.get(&["a", "b", "x"].map(key)).await?.rows;
        ensure_eq!(rows, [row(committed(&a)?, value("1")), row(committed(&b)?, value("1")), None]);
    }
    Ok(())
}

async fn a_put_replaces_the_whole_row(context: Context) -> Checked {
    let site = context.open().await?;
    for text in ["first", "a much longer second one", "3", "", "fifth"] {
        let written = commit(&*site.store, batch([("a", put(text))])).await?;
        ensure_eq!(read(&*site.store, "a").await?, row(written, value(text)));
    }
    Ok(())
}

async fn a_row_changes_between_value_and_link(context: Context) -> Checked {
    let site = context.open().await?;
    let linked = |target| Content::Link(key(target));
    let steps = [
        (put("b"), value("b")),
        (link("b"), linked("b")),
        (suffix(0), linked("a")),
        (put(""), value("")),
        (suffix(1), linked("")),
        (link("a"), linked("a")),
        (put("a"), value("a")),
    ];
    for (write, wanted) in steps {
        let written = commit(&*site.store, batch([("a", write)])).await?;
        ensure_eq!(read(&*site.store, "a").await?, row(written, wanted));
    }
    Ok(())
}

async fn deleting_what_is_not_there_is_no_error(context: Context) -> Checked {
    let site = context.open().await?;
    commit(&*site.store, batch([("a", Write::Delete)])).await?;
    let written = commit(&*site.store, batch([("a", put("1")), ("b", Write::Delete)])).await?;
    let later = commit(&*site.store, batch([("", Write::Delete), ("aa", Write::Delete)])).await?;
    let page = site.store.scan(&everything(&*site.store)).await?;
    ensure_eq!((page.as_of, keys(&page)), (later, vec![b"a".as_slice()]));
    ensure_eq!(read(&*site.store, "a").await?, row(written, value("1")));
    Ok(())
}

async fn a_deleted_row_is_gone_for_every_read(context: Context) -> Checked {
    let site = context.open().await?;
    fill(&*site.store, &["a", "b", "c"]).await?;
    ensure!(read(&*site.store, "b").await?.is_some());
    commit(&*site.store, batch([("b", Write::Delete)])).await?;
    ensure_eq!(read(&*site.store, "b").await?, None);
    ensure_eq!(keys(&site.store.scan(&everything(&*site.store)).await?), [b"a", b"c"]);
    ensure_eq!(site.store.summarize(&KeyRange::ALL).await?.rows, 2);
    ensure_eq!(broken_guard(&*site.store, [key_guard("b", None)]).await?, None, "a guard that it has no row");
    Ok(())
}

async fn a_deleted_row_can_come_again(context: Context) -> Checked {
    let site = context.open().await?;
    let mut before = Revision::ZERO;
    for round in 0..5 {
        let written = commit(&*site.store, batch([("a", put([round]))])).await?;
        ensure!(written > before);
        ensure_eq!(read(&*site.store, "a").await?, row(written, value([round])));
        before = commit(&*site.store, batch([("a", Write::Delete)])).await?;
        ensure_eq!(read(&*site.store, "a").await?, None);
    }
    Ok(())
}

async fn a_batch_sees_those_before_it(context: Context) -> Checked {
    let site = context.open().await?;
    let insert = |value: &str| Batch { guards: vec![key_guard("a", None)], ..batch([("a", put(value))]) };
    let delete = batch([("a", Write::Delete)]);
    let group = [insert("1"), insert("2"), delete, insert("3"), insert("4")];
    let [first, second, third, fourth, fifth] = commit_all(&*site.store, group).await?;
    ensure!(committed(&first)? < committed(&third)? && committed(&third)? < committed(&fourth)?);
    ensure_eq!((conflict(&second)?, conflict(&fifth)?), (0, 0));
    ensure_eq!(read(&*site.store, "a").await?, row(committed(&fourth)?, value("3")));
    Ok(())
}

async fn the_last_of_several_batches_in_one_call_wins(context: Context) -> Checked {
    let site = context.open().await?;
    let group = [batch([("a", put("1")), ("b", put("1"))]), batch([("a", Write::Delete)]), batch([("b", put("2"))])];
    let [.., last] = commit_all(&*site.store, group).await?;
    let rows = site.store.get(&["a", "b"].map(key)).await?.rows;
    ensure_eq!(rows, [None, row(committed(&last)?, value("2"))]);
    Ok(())
}

async fn a_group_of_a_thousand_batches_is_applied_in_order(context: Context) -> Checked {
    let site = context.open().await?;
    let step = |number: u32| {
        let mut batch = batch([(format!("k{}", number % 10), put(number.to_be_bytes()))]);
        batch.stamped = log([("log", number.to_be_bytes())]).stamped;
        batch
    };
    let outcomes = site.store.commit((0..1_000).map(step).collect()).await?;
    let revisions = outcomes.iter().map(committed).collect::<Checked<Vec<_>>>()?;
    ensure_eq!(revisions.len(), 1_000);
    ensure!(revisions.is_sorted_by(|one, next| one < next), "revisions are out of order");
    for last in 990..1_000_u32 {
        let found = read(&*site.store, format!("k{}", last % 10)).await?;
        ensure_eq!(found, row(revisions[last as usize], value(last.to_be_bytes())));
    }
    let page = site.store.scan(&within(&*site.store, KeyRange::prefix(b"log"))).await?;
    let logged = page.entries.iter().zip(0_u32..);
    for (entry, number) in logged {
        ensure_eq!(entry.content, Some(value(number.to_be_bytes())), "the log is out of order");
    }
    Ok(())
}

async fn a_batch_of_thousands_of_rows_is_whole(context: Context) -> Checked {
    let site = context.open().await?;
    let count = site.settings.limits.batch_writes_max.min(5_000);
    let name = |number: usize| format!("{number:05}");
    let written = commit(&*site.store, batch((0..count).map(|number| (name(number), put(name(number)))))).await?;
    let summary = site.store.summarize(&KeyRange::ALL).await?;
    ensure_eq!((summary.rows, summary.newest), (count as u64, written));
    for number in [0, 1, count / 2, count - 1] {
        ensure_eq!(read(&*site.store, name(number)).await?, row(written, value(name(number))));
    }
    commit(&*site.store, batch((0..count).map(|number| (name(number), Write::Delete)))).await?;
    ensure_eq!(site.store.summarize(&KeyRange::ALL).await?.rows, 0);
    Ok(())
}

async fn all_of_a_batch_has_one_revision(context: Context) -> Checked {
    let site = context.open().await?;
    fill(&*site.store, &["old"]).await?;
    let mut batch = batch([("a", put("")), ("b", link("a")), ("c", suffix(0)), ("old", put("new"))]);
    batch.stamped = log([("s", "1"), ("t", "2")]).stamped;
    let written = commit(&*site.store, batch).await?;
    let page = site.store.scan(&everything(&*site.store)).await?;
    ensure_eq!(page.entries.len(), 6);
    ensure!(page.entries.iter().all(|entry| entry.revision == written), "{page:?}");
    Ok(())
}

async fn a_conflict_changes_nothing(context: Context) -> Checked {
    let site = context.open().await?;
    fill(&*site.store, &["a", "b", "c"]).await?;
    let before = site.store.scan(&everything(&*site.store)).await?;
    let mut batch = batch([("a", put("new")), ("b", Write::Delete), ("c", link("a")), ("d", put("new"))]);
    batch.stamped = log([("s", "1")]).stamped;
    // The last of them does not hold.
    batch.guards = vec![key_guard("d", None), key_guard("e", None), key_guard("a", None)];
    let [outcome] = commit_all(&*site.store, [batch]).await?;
    ensure_eq!(conflict(&outcome)?, 2);
    ensure_eq!(site.store.scan(&everything(&*site.store)).await?, before);
    Ok(())
}

async fn a_conflict_harms_no_neighbour(context: Context) -> Checked {
    let site = context.open().await?;
    let mut conflicting = batch([("before", put("x")), ("between", put("x")), ("after", put("x"))]);
    conflicting.guards = vec![key_guard("before", None)];
    let group = [batch([("before", put("1"))]), conflicting, batch([("after", put("2"))])];
    let [before, between, after] = commit_all(&*site.store, group).await?;
    ensure_eq!(conflict(&between)?, 0);
    let rows = site.store.get(&["before", "between", "after"].map(key)).await?.rows;
    ensure_eq!(rows, [row(committed(&before)?, value("1")), None, row(committed(&after)?, value("2"))]);
    Ok(())
}

async fn a_rejection_changes_nothing(context: Context) -> Checked {
    let site = context.open().await?;
    fill(&*site.store, &["a", "b"]).await?;
    let before = site.store.scan(&everything(&*site.store)).await?;
    // The last of the writes is what is wrong.
    let mut batch = batch([("a", put("new")), ("b", Write::Delete), ("c", put("new")), ("z", suffix(2))]);
    batch.stamped = log([("s", "1")]).stamped;
    let [outcome] = commit_all(&*site.store, [batch]).await?;
    rejection(&outcome)?;
    ensure_eq!(site.store.scan(&everything(&*site.store)).await?, before);
    Ok(())
}

async fn a_rejection_harms_no_neighbour(context: Context) -> Checked {
    let site = context.open().await?;
    let wrong = batch([("before", put("x")), ("between", put("x")), ("z", suffix(2))]);
    let group = [batch([("before", put("1"))]), wrong, batch([("after", put("2"))])];
    let [before, between, after] = commit_all(&*site.store, group).await?;
    rejection(&between)?;
    let rows = site.store.get(&["before", "between", "after"].map(key)).await?.rows;
    ensure_eq!(rows, [row(committed(&before)?, value("1")), None, row(committed(&after)?, value("2"))]);
    Ok(())
}

async fn a_commit_is_seen_by_every_read_that_begins_after_it(context: Context) -> Checked {
    let site = context.open().await?;
    for round in 0..30_u8 {
        let written = commit(&*site.store, batch([("a", put([round])), (&*format!("b{round:02}"), put(""))])).await?;
        let found = site.store.get(&[key("a")]).await?;
        ensure!(found.as_of >= written, "get saw revision {} after {written}", found.as_of);
        ensure_eq!(found.rows, [row(written, value([round]))]);
        let page = site.store.scan(&everything(&*site.store)).await?;
        ensure!(page.as_of >= written, "scan saw revision {} after {written}", page.as_of);
        ensure_eq!(page.entries.len(), usize::from(round) + 2);
        let summary = site.store.summarize(&KeyRange::ALL).await?;
        ensure_eq!((summary.rows, summary.newest), (u64::from(round) + 2, written));
        ensure!(site.store.snapshot().await?.revision() >= written, "a snapshot of an older revision");
        let newest = soon("changed", site.store.changed(Revision::ZERO)).await??;
        ensure!(newest >= written, "changed gave {newest} after {written}");
    }
    Ok(())
}

async fn a_link_is_kept_as_the_key_it_points_to(context: Context) -> Checked {
    let site = context.open().await?;
    let names = ["abc", "abd", "abe", "abf", ""];
    let links = [suffix(0), suffix(2), suffix(3), link("\0\u{7F}"), link("")];
    let written = commit(&*site.store, batch(names.into_iter().zip(links))).await?;
    let rows = site.store.get(&names.map(key)).await?.rows;
    ensure_eq!(rows, ["abc", "d", "", "\0\u{7F}", ""].map(|target| row(written, Content::Link(key(target)))));
    Ok(())
}

async fn a_link_past_the_end_of_its_key_is_rejected(context: Context) -> Checked {
    let site = context.open().await?;
    for (name, at) in [("", 1), ("abc", 4), ("abc", u16::MAX)] {
        let wrong = batch([(name, Write::Link(LinkTo::Suffix(at)))]);
        let [outcome] = commit_all(&*site.store, [wrong]).await?;
        rejected(&outcome, ErrorKind::InvalidInput)?;
        ensure_eq!(read(&*site.store, name).await?, None);
    }
    Ok(())
}
