//! `commit`: batches in order, each whole or not at all, each at a revision of its own.

use std::pin::pin;
use std::sync::Arc;

use strongroom_core::ErrorKind;
use strongroom_core::store::{Batch, KeyPrefix, KeyRange, Outcome, Revision, Store, Write};

use super::support::{
    all_keys, batch, commit, everything, guarded, key, key_guard, link, outcome, poll_once, put, row, stamped, value,
};
use crate::case::cases;
use crate::{Checked, Context, Failure, ensure, ensure_eq};

cases! { Semantics;
    each_writing_batch_takes_a_greater_revision,
    batches_of_one_call_take_revisions_of_their_own,
    a_batch_that_writes_nothing_takes_no_revision,
    deleting_what_is_not_there_is_no_error,
    no_batches_have_no_outcomes,
    a_put_replaces_the_whole_row,
    a_batch_sees_those_before_it_in_the_call,
    the_last_batch_of_a_call_that_writes_a_key_wins,
    a_conflict_changes_nothing_for_its_neighbours,
    a_rejected_batch_changes_nothing_for_its_neighbours,
    a_batch_of_many_rows_is_applied_whole,
    a_stamped_row_ends_in_its_revision,
    stamped_rows_of_one_prefix_stand_in_commit_order,
    several_prefixes_are_stamped_with_one_revision,
    a_stamped_row_may_be_empty_and_is_a_value,
    a_stamped_key_that_is_written_too_is_rejected,
    a_prefix_stamped_twice_in_a_batch_is_rejected,
    a_batch_of_stamped_rows_alone_takes_a_revision,
    concurrent_commits_all_happen_in_one_order,
    a_read_behind_an_outcome_sees_the_batch,
    readers_never_see_half_a_batch,
    a_commit_never_polled_does_nothing,
    a_commit_polled_once_completes,
    a_dropped_read_harms_nobody,
}

async fn each_writing_batch_takes_a_greater_revision(context: Context) -> Checked {
    let store = context.open().await?.store;
    let mut last = Revision::ZERO;
    for n in 0..20 {
        let revision = commit(&*store, batch([("a", put(n.to_string()))])).await?;
        ensure!(revision > last, "{revision} behind {last}");
        ensure_eq!(store.get(&[]).await?.as_of, revision);
        last = revision;
    }
    Ok(())
}

async fn batches_of_one_call_take_revisions_of_their_own(context: Context) -> Checked {
    let store = context.open().await?.store;
    let outcomes = store.commit((0..20).map(|n| batch([(n.to_string(), put("1"))])).collect()).await?;
    ensure_eq!(outcomes.len(), 20);
    let mut last = Revision::ZERO;
    for (n, outcome) in outcomes.into_iter().enumerate() {
        let Outcome::Committed(revision) = outcome else { return Err(Failure::new(format!("{outcome:?}"))) };
        ensure!(revision > last, "batch {n}: {revision} behind {last}");
        ensure_eq!(row(&*store, n.to_string()).await?, value(revision, "1"), "batch {n}");
        last = revision;
    }
    Ok(())
}

async fn a_batch_that_writes_nothing_takes_no_revision(context: Context) -> Checked {
    let store = context.open().await?.store;
    ensure_eq!(commit(&*store, Batch::default()).await?, Revision::ZERO);
    let revision = commit(&*store, batch([("a", put("1"))])).await?;
    let checked = guarded([key_guard("a", Some(revision))], Batch::default());
    for _ in 0..3 {
        ensure_eq!(commit(&*store, checked.clone()).await?, revision);
    }
    // In a call with others it is checked at the revision that those before it left.
    let outcomes = store.commit(vec![Batch::default(), batch([("b", put("1"))]), Batch::default()]).await?;
    let revisions: Vec<_> = outcomes.iter().filter_map(Outcome::revision).collect();
    ensure!(revisions.len() == 3 && revisions[0] == revision && revisions[1] > revision, "{revisions:?}");
    ensure_eq!(revisions[2], revisions[1]);
    Ok(())
}

async fn deleting_what_is_not_there_is_no_error(context: Context) -> Checked {
    let store = context.open().await?.store;
    let first = commit(&*store, batch([("a", put("1"))])).await?;
    let second = commit(&*store, batch([("none", Write::Delete)])).await?;
    ensure!(second > first, "a batch with a delete is a writing batch");
    ensure_eq!(all_keys(&*store).await?, vec![b"a".to_vec()]);
    Ok(())
}

async fn no_batches_have_no_outcomes(context: Context) -> Checked {
    let store = context.open().await?.store;
    ensure!(store.commit(Vec::new()).await?.is_empty());
    ensure_eq!(store.get(&[]).await?.as_of, Revision::ZERO);
    Ok(())
}

async fn a_put_replaces_the_whole_row(context: Context) -> Checked {
    let store = context.open().await?.store;
    for text in ["a long value that was there first", "short", "", "longer again than the last two"] {
        let revision = commit(&*store, batch([("a", put(text))])).await?;
        ensure_eq!(row(&*store, "a").await?, value(revision, text));
    }
    Ok(())
}

async fn a_batch_sees_those_before_it_in_the_call(context: Context) -> Checked {
    let store = context.open().await?.store;
    let insert = |text| guarded([key_guard("a", None)], batch([("a", put(text))]));
    let outcomes = store.commit(vec![insert("1"), insert("2"), batch([("a", Write::Delete)]), insert("3")]).await?;
    let shape: Vec<_> = outcomes.iter().map(|outcome| outcome.revision().is_some()).collect();
    ensure_eq!(shape, vec![true, false, true, true], "{outcomes:?}");
    ensure!(matches!(outcomes[1], Outcome::Conflict { guard: 0 }), "{outcomes:?}");
    ensure_eq!(row(&*store, "a").await?, value(outcomes[3].revision().unwrap_or_default(), "3"));
    Ok(())
}

async fn the_last_batch_of_a_call_that_writes_a_key_wins(context: Context) -> Checked {
    let store = context.open().await?.store;
    let group = vec![
        batch([("a", put("1")), ("b", put("1")), ("c", Write::Delete)]),
        batch([("a", put("2")), ("b", Write::Delete), ("c", put("2"))]),
        batch([("a", link("x"))]),
        batch([("a", put("3"))]),
    ];
    let revisions: Vec<_> = store.commit(group).await?.iter().filter_map(Outcome::revision).collect();
    ensure_eq!(revisions.len(), 4);
    let rows = store.get(&["a", "b", "c"].map(key)).await?;
    ensure_eq!(rows.rows, vec![value(revisions[3], "3"), None, value(revisions[1], "2")]);
    ensure_eq!(rows.as_of, revisions[3]);
    Ok(())
}

async fn a_conflict_changes_nothing_for_its_neighbours(context: Context) -> Checked {
    let store = context.open().await?.store;
    let failing = guarded([key_guard("none", Some(Revision(1)))], batch([("b", put("b")), ("a", put("other"))]));
    let outcomes = store.commit(vec![batch([("a", put("a"))]), failing, batch([("c", put("c"))])]).await?;
    let [Outcome::Committed(first), Outcome::Conflict { guard: 0 }, Outcome::Committed(last)] = outcomes.as_slice()
    else {
        return Err(Failure::new(format!("{outcomes:?}")));
    };
    let rows = store.get(&["a", "b", "c"].map(key)).await?.rows;
    ensure_eq!(rows, vec![value(*first, "a"), None, value(*last, "c")]);
    Ok(())
}

async fn a_rejected_batch_changes_nothing_for_its_neighbours(context: Context) -> Checked {
    let store = context.open().await?.store;
    let too_long = vec![b'k'; context.limits().key_bytes_max + 1];
    let failing = batch([(b"b".to_vec(), put("b")), (b"a".to_vec(), put("other")), (too_long, put(""))]);
    let outcomes = store.commit(vec![batch([("a", put("a"))]), failing, batch([("c", put("c"))])]).await?;
    let [Outcome::Committed(first), Outcome::Rejected(_), Outcome::Committed(last)] = outcomes.as_slice() else {
        return Err(Failure::new(format!("{outcomes:?}")));
    };
    let rows = store.get(&["a", "b", "c"].map(key)).await?.rows;
    ensure_eq!(rows, vec![value(*first, "a"), None, value(*last, "c")]);
    Ok(())
}

async fn a_batch_of_many_rows_is_applied_whole(context: Context) -> Checked {
    let store = context.open().await?.store;
    let count = context.limits().batch_writes_max.min(10_000);
    let name = |n: usize| format!("{n:06}");
    let revision = commit(&*store, batch((0..count).map(|n| (name(n), put(name(n)))))).await?;
    let summary = store.summarize(&KeyRange::ALL).await?;
    ensure_eq!((summary.rows, summary.newest), (count as u64, revision));
    let mixed = (0..count).map(|n| (name(n), if n % 2 == 0 { Write::Delete } else { put("odd") }));
    let revision = commit(&*store, batch(mixed)).await?;
    let entries = store.scan(&everything()).await?.entries;
    ensure_eq!(entries.len(), count / 2);
    ensure!(entries.iter().all(|entry| entry.revision == revision));
    Ok(())
}

fn stamped_key(prefix: &str, revision: Revision) -> Vec<u8> {
    [prefix.as_bytes(), &revision.0.to_be_bytes()].concat()
}

async fn a_stamped_row_ends_in_its_revision(context: Context) -> Checked {
    let store = context.open().await?.store;
    let revision = commit(&*store, stamped("log", "one")).await?;
    ensure_eq!(all_keys(&*store).await?, vec![stamped_key("log", revision)]);
    ensure_eq!(row(&*store, stamped_key("log", revision)).await?, value(revision, "one"));
    Ok(())
}

async fn stamped_rows_of_one_prefix_stand_in_commit_order(context: Context) -> Checked {
    let store = context.open().await?.store;
    let mut expected = Vec::new();
    // Past 255, where another order of the revision's bytes would show.
    for _ in 0..30 {
        let outcomes = store.commit((0..10).map(|_| stamped("log", "entry")).collect()).await?;
        expected.extend(outcomes.iter().filter_map(Outcome::revision).map(|revision| stamped_key("log", revision)));
    }
    ensure_eq!(expected.len(), 300);
    ensure_eq!(all_keys(&*store).await? == expected, true, "the log is in commit order");
    Ok(())
}

async fn several_prefixes_are_stamped_with_one_revision(context: Context) -> Checked {
    let store = context.open().await?.store;
    let mut both = batch([("row", put("1"))]);
    both.stamped = vec![(KeyPrefix(key("log")), "long".into()), (KeyPrefix(key("lo")), "short".into())];
    let revision = commit(&*store, both).await?;
    ensure_eq!(row(&*store, stamped_key("log", revision)).await?, value(revision, "long"));
    ensure_eq!(row(&*store, stamped_key("lo", revision)).await?, value(revision, "short"));
    ensure_eq!(row(&*store, "row").await?, value(revision, "1"));
    ensure_eq!(all_keys(&*store).await?.len(), 3);
    Ok(())
}

async fn a_stamped_row_may_be_empty_and_is_a_value(context: Context) -> Checked {
    let store = context.open().await?.store;
    let revision = commit(&*store, stamped("", "")).await?;
    ensure_eq!(row(&*store, revision.0.to_be_bytes()).await?, value(revision, ""));
    Ok(())
}

async fn a_stamped_key_that_is_written_too_is_rejected(context: Context) -> Checked {
    let store = context.open().await?.store;
    let last = commit(&*store, batch([("a", put("1"))])).await?;
    // Whichever of the next revisions it gets, the key is taken.
    let taken = (1..=50).map(|n| (stamped_key("log", Revision(last.0 + n)), put("mine")));
    let rejected = outcome(&*store, Batch { stamped: stamped("log", "theirs").stamped, ..batch(taken) }).await?;
    ensure!(matches!(&rejected, Outcome::Rejected(error) if error.kind() == ErrorKind::InvalidInput), "{rejected:?}");
    ensure_eq!(all_keys(&*store).await?, vec![b"a".to_vec()]);
    Ok(())
}

async fn a_prefix_stamped_twice_in_a_batch_is_rejected(context: Context) -> Checked {
    let store = context.open().await?.store;
    let twice = Batch {
        stamped: [stamped("log", "1").stamped, stamped("log", "2").stamped].concat(),
        ..batch([("a", put("1"))])
    };
    let rejected = outcome(&*store, twice).await?;
    ensure!(matches!(&rejected, Outcome::Rejected(error) if error.kind() == ErrorKind::InvalidInput), "{rejected:?}");
    ensure!(all_keys(&*store).await?.is_empty());
    Ok(())
}

async fn a_batch_of_stamped_rows_alone_takes_a_revision(context: Context) -> Checked {
    let store = context.open().await?.store;
    let first = commit(&*store, stamped("log", "1")).await?;
    let second = commit(&*store, stamped("log", "2")).await?;
    ensure!(second > first && first > Revision::ZERO);
    ensure_eq!(store.get(&[]).await?.as_of, second);
    Ok(())
}

async fn concurrent_commits_all_happen_in_one_order(context: Context) -> Checked {
    let store = context.open().await?.store;
    let tasks: Vec<_> = (0..64)
        .map(|task| {
            let store = store.clone();
            tokio::spawn(async move { commit(&*store, batch([(format!("{task:02}"), put("1"))])).await })
        })
        .collect();
    let mut revisions = Vec::new();
    for (task, running) in tasks.into_iter().enumerate() {
        let revision = running.await.map_err(|error| Failure::new(error.to_string()))??;
        ensure_eq!(row(&*store, format!("{task:02}")).await?, value(revision, "1"));
        revisions.push(revision);
    }
    revisions.sort_unstable();
    revisions.dedup();
    ensure_eq!(revisions.len(), 64, "revisions that differ");
    ensure_eq!(store.get(&[]).await?.as_of, revisions[63]);
    Ok(())
}

async fn a_read_behind_an_outcome_sees_the_batch(context: Context) -> Checked {
    let store = context.open().await?.store;
    let tasks: Vec<_> = (0..8)
        .map(|task| {
            let store = store.clone();
            tokio::spawn(async move {
                for round in 0..10 {
                    let revision = commit(&*store, batch([(format!("{task}"), put(round.to_string()))])).await?;
                    let rows = store.get(&[key(task.to_string())]).await?;
                    ensure!(rows.as_of >= revision, "read at {} behind {revision}", rows.as_of);
                    ensure_eq!(rows.rows, vec![value(revision, round.to_string())]);
                    let snapshot = store.snapshot().await?;
                    ensure!(snapshot.revision() >= revision, "a snapshot at {} behind {revision}", snapshot.revision());
                    let page = store.scan(&everything()).await?;
                    ensure!(page.as_of >= revision);
                    ensure!(store.summarize(&KeyRange::ALL).await?.as_of >= revision);
                }
                Checked::Ok(())
            })
        })
        .collect();
    for task in tasks {
        task.await.map_err(|error| Failure::new(error.to_string()))??;
    }
    Ok(())
}

async fn readers_never_see_half_a_batch(context: Context) -> Checked {
    let store = context.open().await?.store;
    let names: Vec<_> = (0..50).map(|n| key(format!("{n:02}"))).collect();
    let write = |text: String| batch(names.iter().map(|name| (name.as_bytes(), put(&text))));
    commit(&*store, write("0".into())).await?;
    let reader = {
        let (store, names) = (store.clone(), names.clone());
        tokio::spawn(async move {
            let mut seen = 0;
            loop {
                let page = store.scan(&everything()).await?;
                let first = page.entries.first().map(|entry| (entry.revision, entry.content.clone()));
                let same = page.entries.iter().all(|entry| Some((entry.revision, entry.content.clone())) == first);
                ensure!(same && page.entries.len() == 50, "a page of two batches");
                let rows = store.get(&names).await?.rows;
                ensure!(rows.iter().all(|row| row == &rows[0]), "an answer of two batches");
                seen += 1;
                if matches!(&first, Some((_, Some(strongroom_core::store::Content::Value(text)))) if text == "30") {
                    return Checked::Ok(seen);
                }
            }
        })
    };
    for round in 1..=30 {
        commit(&*store, write(round.to_string())).await?;
    }
    reader.await.map_err(|error| Failure::new(error.to_string()))??;
    Ok(())
}

async fn a_commit_never_polled_does_nothing(context: Context) -> Checked {
    let store = context.open().await?.store;
    drop(store.commit(vec![batch([("no", put(""))])]));
    let revision = commit(&*store, batch([("yes", put(""))])).await?;
    ensure_eq!(row(&*store, "yes").await?, value(revision, ""));
    ensure_eq!(row(&*store, "no").await?, None);
    Ok(())
}

async fn a_commit_polled_once_completes(context: Context) -> Checked {
    let store: Arc<dyn Store> = context.open().await?.store;
    for round in 0..10 {
        let before = store.get(&[]).await?.as_of;
        {
            let mut polled = pin!(store.commit(vec![batch([(round.to_string(), put(""))]), batch([("all", put(""))])]));
            let _ = poll_once(&mut polled);
        }
        // It completes in its own time; whatever is committed next stands behind it.
        let mut after = store.changed(before).await?;
        while row(&*store, "all").await?.is_none_or(|row| row.revision <= before) {
            after = store.changed(after).await?;
        }
        ensure_eq!(row(&*store, round.to_string()).await?.is_some(), true, "round {round}");
    }
    Ok(())
}

async fn a_dropped_read_harms_nobody(context: Context) -> Checked {
    let store = context.open().await?.store;
    commit(&*store, batch((0..1_000).map(|n| (format!("{n:04}"), put(vec![0; 100]))))).await?;
    let (names, all) = ([key("0001"), key("0002")], everything());
    for _ in 0..300 {
        let _ = poll_once(&mut pin!(store.scan(&all)));
        let _ = poll_once(&mut pin!(store.get(&names)));
        let _ = poll_once(&mut pin!(store.summarize(&KeyRange::ALL)));
        let _ = poll_once(&mut pin!(store.snapshot()));
        let _ = poll_once(&mut pin!(store.changed(Revision(u64::MAX - 1))));
    }
    ensure_eq!(store.scan(&all).await?.entries.len(), 1_000);
    let snapshot = store.snapshot().await?;
    ensure_eq!(snapshot.summarize(&KeyRange::ALL).await?.rows, 1_000);
    commit(&*store, batch([("0000", put("1"))])).await?;
    Ok(())
}
