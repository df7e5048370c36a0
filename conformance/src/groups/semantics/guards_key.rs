//! Guards over one key.

use strongroom_core::store::{Batch, KeyRange, Revision, Write};

use super::support::{
    batch, broken_guard, check, commit, commit_all, committed, conflict, current, fill, join, key, key_guard, link,
    put, range_guard, read, row, suffix, value,
};
use crate::case::cases;
use crate::{Checked, Context, ensure, ensure_eq};

cases! { Semantics;
    a_key_guard_holds_at_exactly_the_revision_of_the_row,
    a_key_guard_that_there_is_no_row_holds_exactly_then,
    a_key_guard_fails_once_the_row_was_written_again,
    a_key_guard_compares_revisions_and_not_values,
    a_key_guard_fails_after_delete_and_insert,
    a_key_guard_of_an_absent_row_fails_once_it_came,
    a_key_guard_of_an_absent_row_holds_again_once_it_went,
    a_key_guard_is_about_its_key_alone,
    a_key_guard_works_on_links_and_empty_values,
    a_key_guard_over_a_key_past_the_limit_says_that_it_has_no_row,
    guards_of_a_batch_see_the_batches_before_it,
    guards_of_a_batch_do_not_see_its_own_writes,
    a_conflict_names_the_first_guard_that_fails,
    guards_alone_are_checked_too,
    the_same_guard_twice_holds_twice,
    of_two_that_guard_the_same_row_one_wins,
}

async fn a_key_guard_holds_at_exactly_the_revision_of_the_row(context: Context) -> Checked {
    let site = context.open().await?;
    let other = commit(&*site.store, batch([("b", put("1"))])).await?;
    let written = commit(&*site.store, batch([("a", put("1"))])).await?;
    commit(&*site.store, batch([("c", put("1"))])).await?;
    ensure_eq!(broken_guard(&*site.store, [key_guard("a", Some(written))]).await?, None);
    let (before, after) = (Revision(written.0 - 1), written.next());
    for wrong in [Revision::ZERO, other, before, after, Revision(u64::MAX)] {
        let broken = broken_guard(&*site.store, [key_guard("a", Some(wrong))]).await?;
        ensure_eq!(broken, Some(0), "a guard of revision {wrong} on a row of {written}");
    }
    Ok(())
}

async fn a_key_guard_that_there_is_no_row_holds_exactly_then(context: Context) -> Checked {
    let site = context.open().await?;
    ensure_eq!(broken_guard(&*site.store, [key_guard("a", None)]).await?, None);
    ensure_eq!(broken_guard(&*site.store, [key_guard("a", Some(Revision::ZERO))]).await?, Some(0));
    fill(&*site.store, &["a"]).await?;
    ensure_eq!(broken_guard(&*site.store, [key_guard("a", None)]).await?, Some(0));
    for name in ["", "A", "a\0", "aa", "b"] {
        ensure_eq!(broken_guard(&*site.store, [key_guard(name, None)]).await?, None, "{name:?}");
    }
    Ok(())
}

async fn a_key_guard_fails_once_the_row_was_written_again(context: Context) -> Checked {
    let site = context.open().await?;
    let before = commit(&*site.store, batch([("a", put("1"))])).await?;
    let changed = commit(&*site.store, batch([("a", put("2"))])).await?;
    let mine = Batch { guards: vec![key_guard("a", Some(before))], ..batch([("a", put("mine"))]) };
    let [outcome] = commit_all(&*site.store, [mine]).await?;
    ensure_eq!(conflict(&outcome)?, 0);
    ensure_eq!(read(&*site.store, "a").await?, row(changed, value("2")));
    Ok(())
}

async fn a_key_guard_compares_revisions_and_not_values(context: Context) -> Checked {
    let site = context.open().await?;
    let first = commit(&*site.store, batch([("a", put("same"))])).await?;
    let second = commit(&*site.store, batch([("a", put("same"))])).await?;
    ensure_eq!(broken_guard(&*site.store, [key_guard("a", Some(first))]).await?, Some(0));
    ensure_eq!(broken_guard(&*site.store, [key_guard("a", Some(second))]).await?, None);
    Ok(())
}

async fn a_key_guard_fails_after_delete_and_insert(context: Context) -> Checked {
    let site = context.open().await?;
    let first = commit(&*site.store, batch([("a", put("same"))])).await?;
    commit(&*site.store, batch([("a", Write::Delete)])).await?;
    ensure_eq!(broken_guard(&*site.store, [key_guard("a", Some(first))]).await?, Some(0), "deleted");
    let second = commit(&*site.store, batch([("a", put("same"))])).await?;
    ensure_eq!(broken_guard(&*site.store, [key_guard("a", Some(first))]).await?, Some(0), "inserted again");
    ensure_eq!(broken_guard(&*site.store, [key_guard("a", Some(second))]).await?, None);
    Ok(())
}

async fn a_key_guard_of_an_absent_row_fails_once_it_came(context: Context) -> Checked {
    let site = context.open().await?;
    let insert = |text: &str| Batch { guards: vec![key_guard("a", None)], ..batch([("a", put(text))]) };
    let written = commit(&*site.store, insert("first")).await?;
    let [second] = commit_all(&*site.store, [insert("second")]).await?;
    ensure_eq!(conflict(&second)?, 0);
    ensure_eq!(read(&*site.store, "a").await?, row(written, value("first")));
    Ok(())
}

async fn a_key_guard_of_an_absent_row_holds_again_once_it_went(context: Context) -> Checked {
    let site = context.open().await?;
    fill(&*site.store, &["a", "b"]).await?;
    commit(&*site.store, batch([("a", Write::Delete)])).await?;
    site.store.drop_range(&KeyRange::prefix(b"b"), &[]).await?;
    ensure_eq!(broken_guard(&*site.store, [key_guard("a", None), key_guard("b", None)]).await?, None);
    Ok(())
}

async fn a_key_guard_is_about_its_key_alone(context: Context) -> Checked {
    let site = context.open().await?;
    let written = commit(&*site.store, batch([("a", put("1")), ("b", put("1"))])).await?;
    commit(&*site.store, batch([("", put("")), ("a\0", put("")), ("aa", put("")), ("b", put("2"))])).await?;
    ensure_eq!(broken_guard(&*site.store, [key_guard("a", Some(written))]).await?, None);
    ensure_eq!(
        broken_guard(&*site.store, [key_guard("a", Some(written)), key_guard("b", Some(written))]).await?,
        Some(1)
    );
    Ok(())
}

async fn a_key_guard_works_on_links_and_empty_values(context: Context) -> Checked {
    let site = context.open().await?;
    let rows = [("link", link("target")), ("suffix", suffix(0)), ("empty", put("")), ("", put("empty key"))];
    let written = commit(&*site.store, batch(rows)).await?;
    for name in ["link", "suffix", "empty", ""] {
        ensure_eq!(broken_guard(&*site.store, [key_guard(name, Some(written))]).await?, None, "{name}");
        ensure_eq!(broken_guard(&*site.store, [key_guard(name, None)]).await?, Some(0), "{name}");
    }
    // What a link points to is another row.
    commit(&*site.store, batch([("target", put("1"))])).await?;
    ensure_eq!(broken_guard(&*site.store, [key_guard("link", Some(written))]).await?, None);
    Ok(())
}

async fn a_key_guard_over_a_key_past_the_limit_says_that_it_has_no_row(context: Context) -> Checked {
    let site = context.open().await?;
    let longest = site.settings.limits.key_bytes_max;
    let written = commit(&*site.store, batch([(vec![b'a'; longest], put("1"))])).await?;
    let longer = vec![b'a'; longest + 1];
    ensure_eq!(broken_guard(&*site.store, [key_guard(&longer, None)]).await?, None);
    ensure_eq!(broken_guard(&*site.store, [key_guard(&longer, Some(written))]).await?, Some(0));
    Ok(())
}

async fn guards_of_a_batch_see_the_batches_before_it(context: Context) -> Checked {
    let site = context.open().await?;
    let old = commit(&*site.store, batch([("a", put("old"))])).await?;
    let group = [
        check([key_guard("a", Some(old)), key_guard("b", None)]),
        batch([("a", put("new")), ("b", put("new"))]),
        check([key_guard("a", Some(old))]),
        check([key_guard("b", None)]),
        batch([("b", Write::Delete)]),
        check([key_guard("b", None)]),
    ];
    let [first, _, a_is_old, b_is_absent, _, b_is_gone] = commit_all(&*site.store, group).await?;
    ensure_eq!(committed(&first)?, old);
    ensure_eq!((conflict(&a_is_old)?, conflict(&b_is_absent)?), (0, 0));
    committed(&b_is_gone).map(drop)
}

async fn guards_of_a_batch_do_not_see_its_own_writes(context: Context) -> Checked {
    let site = context.open().await?;
    let guards = vec![key_guard("a", None), range_guard(KeyRange::ALL, current(&*site.store).await?, 0)];
    let written = commit(&*site.store, Batch { guards, ..batch([("a", put("1")), ("b", put("1"))]) }).await?;
    let guards = vec![key_guard("a", Some(written)), range_guard(KeyRange::ALL, written, 2)];
    let changed = commit(&*site.store, Batch { guards, ..batch([("a", put("2")), ("b", Write::Delete)]) }).await?;
    let rows = site.store.get(&["a", "b"].map(key)).await?.rows;
    ensure_eq!(rows, [row(changed, value("2")), None]);
    Ok(())
}

async fn a_conflict_names_the_first_guard_that_fails(context: Context) -> Checked {
    let site = context.open().await?;
    let store = &*site.store;
    let first = commit(store, batch([("a", put("1")), ("b", put("1"))])).await?;
    let second = commit(store, batch([("b", put("2"))])).await?;
    let range = |as_of, rows| range_guard(KeyRange::prefix(b"b"), as_of, rows);
    let (a, b, none) = (key_guard("a", Some(first)), key_guard("b", Some(second)), key_guard("c", None));
    let (not_a, not_b) = (key_guard("a", None), key_guard("b", Some(first)));
    let tried = [
        (vec![a.clone(), b.clone(), none.clone(), range(second, 1)], None),
        (vec![not_a.clone()], Some(0)),
        (vec![a.clone(), not_b.clone(), not_a.clone()], Some(1)),
        (vec![a.clone(), b.clone(), none.clone(), not_b], Some(3)),
        (vec![a.clone(), range(first, 1), not_a.clone()], Some(1)),
        (vec![range(second, 1), a.clone(), not_a.clone(), range(first, 1)], Some(2)),
    ];
    for (guards, wanted) in tried {
        ensure_eq!(broken_guard(store, guards).await?, wanted);
    }
    // Also far behind.
    let many = std::iter::repeat_n(a, 500).chain([not_a.clone(), none, not_a]);
    ensure_eq!(broken_guard(store, many).await?, Some(500));
    Ok(())
}

async fn guards_alone_are_checked_too(context: Context) -> Checked {
    let site = context.open().await?;
    let written = commit(&*site.store, batch([("a", put("1"))])).await?;
    let holds = || check([key_guard("a", Some(written)), range_guard(KeyRange::ALL, written, 1)]);
    let fails = check([key_guard("a", Some(written)), key_guard("a", None)]);
    let [first, second, third] = commit_all(&*site.store, [holds(), fails, holds()]).await?;
    ensure_eq!((committed(&first)?, committed(&third)?), (written, written));
    ensure_eq!(conflict(&second)?, 1);
    Ok(())
}

async fn the_same_guard_twice_holds_twice(context: Context) -> Checked {
    let site = context.open().await?;
    let written = commit(&*site.store, batch([("a", put("1"))])).await?;
    let a = || key_guard("a", Some(written));
    ensure_eq!(broken_guard(&*site.store, [a(), a(), a()]).await?, None);
    // Two that contradict each other: the second fails.
    ensure_eq!(broken_guard(&*site.store, [a(), key_guard("a", None)]).await?, Some(1));
    ensure_eq!(broken_guard(&*site.store, [key_guard("a", None), a()]).await?, Some(0));
    Ok(())
}

async fn of_two_that_guard_the_same_row_one_wins(context: Context) -> Checked {
    let site = context.open().await?;
    let mut last = commit(&*site.store, batch([("a", put("0"))])).await?;
    for round in 0..10 {
        let change = |who: &str| Batch { guards: vec![key_guard("a", Some(last))], ..batch([("a", put(who))]) };
        let tasks = ["one", "two", "three"].map(|who| {
            let (store, batch) = (site.store.clone(), change(who));
            tokio::spawn(async move { commit_all(&*store, [batch]).await })
        });
        let mut winners = Vec::new();
        for (task, who) in tasks.into_iter().zip(["one", "two", "three"]) {
            let [outcome] = join(task).await?;
            match outcome.revision() {
                Some(revision) => winners.push((revision, who)),
                None => ensure_eq!(conflict(&outcome)?, 0),
            }
        }
        ensure_eq!(winners.len(), 1, "winners of round {round}");
        let (revision, who) = winners[0];
        ensure!(revision > last);
        ensure_eq!(read(&*site.store, "a").await?, row(revision, value(who)));
        last = revision;
    }
    Ok(())
}
