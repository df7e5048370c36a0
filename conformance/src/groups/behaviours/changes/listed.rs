//! What is listed: every way to write a record that is followed, and nothing else.

use std::time::Duration;

use strongroom_core::store::Limits;
use strongroom_core::{ChangeCursor, Error, ErrorKind, Limit};

use super::super::support::{at, open_again};
use super::support::{Cover, Delete, Draft, Put, Track, all, log_rows, open, schema, story, told};
use crate::case::cases;
use crate::{Checked, Context, Failure, ensure, ensure_eq, ensure_kind};

cases! { Behaviours;
    every_way_to_write_a_record_is_listed,
    what_a_transaction_wrote_last_of_a_record_is_listed_once,
    what_is_not_followed_costs_no_row,
    what_did_not_happen_is_not_listed,
    what_expired_is_listed_when_it_is_removed,
    a_copy_is_listed_in_its_target,
    a_transaction_that_lists_too_much_is_refused_and_steps_are_not,
    a_damaged_row_of_the_log_is_found,
}

async fn every_way_to_write_a_record_is_listed(context: Context) -> Checked {
    let (db, site) = open(&context).await?;
    site.clock.set(at(7));
    db.insert(&Track::new(1)).await?;
    db.put(&Track::new(1)).await?;
    db.update(&Track { text: "other".to_owned(), ..Track::new(1) }).await?;
    ensure!(db.delete(&Track::key("r", &1)).await?);
    ensure!(!db.delete(&Track::key("r", &1)).await?);
    let committed = db.write_at(|tx| async move {
        tx.insert(&Track::new(2)).await?;
        tx.put(&Track::new(3)).await?;
        tx.put(&Cover { id: 4 }).await
    });
    let revision = committed.await?.revision;
    ensure_eq!(db.query(Track::PRIMARY).equal("r").delete().await?, 2);
    let expected =
        [(Put, 1), (Put, 1), (Put, 1), (Delete, 1), (Put, 2), (Put, 3), (Put, 5_000), (Delete, 2), (Delete, 3)];
    ensure_eq!(story(&db).await?, expected);
    let changes = all(&db, &ChangeCursor::START, 500).await?;
    let transaction: Vec<_> = changes.iter().filter(|change| change.revision() == revision).collect();
    ensure_eq!(transaction.len(), 3, "changes of the transaction");
    ensure_eq!(transaction[2].key::<Cover>(), Some(Cover::key(&4)));
    ensure_eq!(transaction[2].key::<Track>(), None);
    ensure_eq!(transaction[2].collection(), "covers");
    ensure!(changes.iter().all(|change| change.at() == at(7)), "each has the time of its write");
    Ok(())
}

async fn what_a_transaction_wrote_last_of_a_record_is_listed_once(context: Context) -> Checked {
    let (db, site) = open(&context).await?;
    db.put(&Track::new(2)).await?;
    db.write(|tx| async move {
        tx.put(&Track::new(1)).await?;
        tx.put(&Track { text: "again".to_owned(), ..Track::new(1) }).await?;
        tx.delete(&Track::key("r", &2)).await?;
        tx.put(&Track::new(3)).await?;
        tx.delete(&Track::key("r", &3)).await?;
        tx.delete(&Track::key("r", &4)).await
    })
    .await?;
    ensure_eq!(story(&db).await?, [(Put, 2), (Put, 1), (Delete, 2), (Delete, 3)]);
    ensure_eq!(log_rows(&*site.store).await?.len(), 2, "one row a transaction");
    ensure_eq!(db.stats().await?.changes, 2);
    Ok(())
}

async fn what_is_not_followed_costs_no_row(context: Context) -> Checked {
    let (db, site) = open(&context).await?;
    db.put(&Draft { id: 1 }).await?;
    db.write(|tx| async move {
        tx.put(&Draft { id: 2 }).await?;
        tx.delete(&Draft::key(&1)).await
    })
    .await?;
    ensure_eq!(log_rows(&*site.store).await?.len(), 0);
    db.write(|tx| async move {
        tx.put(&Draft { id: 3 }).await?;
        tx.put(&Track::new(1)).await
    })
    .await?;
    ensure_eq!(log_rows(&*site.store).await?.len(), 1);
    ensure_eq!(story(&db).await?, [(Put, 1)]);
    ensure_kind!(db.changes(ChangeCursor::START).of::<Draft>().page().await, ErrorKind::InvalidInput);
    ensure_kind!(db.changes(ChangeCursor::START).records::<Draft>().await, ErrorKind::InvalidInput);
    Ok(())
}

async fn what_did_not_happen_is_not_listed(context: Context) -> Checked {
    let (db, _site) = open(&context).await?;
    db.put(&Track { slug: Some("s".to_owned()), ..Track::new(1) }).await?;
    ensure_kind!(db.insert(&Track::new(1)).await, ErrorKind::AlreadyExists);
    ensure_kind!(db.update(&Track::new(2)).await, ErrorKind::NotFound);
    ensure_kind!(db.put(&Track { slug: Some("s".to_owned()), ..Track::new(3) }).await, ErrorKind::UniqueViolation);
    let given_up = db.write(|tx| async move {
        tx.put(&Track::new(4)).await?;
        Err::<(), _>(Error::application(Failure::new("given up")))
    });
    ensure_kind!(given_up.await, ErrorKind::Application);
    // A closure that runs again lists what it did at last.
    let runs = std::sync::atomic::AtomicU32::new(0);
    let (runs, other) = (&runs, &db);
    db.write(|tx| async move {
        tx.get(&Track::key("r", &1)).await?;
        let run = runs.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        if run == 0 {
            other.put(&Track { text: "meanwhile".to_owned(), ..Track::new(1) }).await?;
        }
        tx.put(&Track::new(10 + run)).await
    })
    .await?;
    ensure_eq!(story(&db).await?, [(Put, 1), (Put, 1), (Put, 11)]);
    Ok(())
}

async fn what_expired_is_listed_when_it_is_removed(context: Context) -> Checked {
    let (db, site) = open(&context).await?;
    let expiring = |id: u32| Track { expires_at: Some(at(1_000)), slug: Some(format!("s{id}")), ..Track::new(id) };
    for id in [1, 2, 3, 4] {
        db.put(&expiring(id)).await?;
    }
    let since = db.change_cursor().await?;
    site.clock.set(at(1_000));
    ensure_eq!(all(&db, &since, 500).await?.len(), 0, "that time passes is no write");
    // One gives way to another with its unique entry, one is replaced, one deleted; the last is swept.
    db.insert(&Track { slug: Some("s1".to_owned()), ..Track::new(9) }).await?;
    db.insert(&Track::new(2)).await?;
    db.delete(&Track::key("r", &3)).await?;
    let swept = db.changes(since.clone()).records::<Track>().await?;
    ensure_eq!(swept.records.iter().filter(|(_, now)| now.is_some()).count(), 2, "what is there now");
    let listed: Vec<_> = all(&db, &since, 500).await?.iter().map(told).collect();
    ensure_eq!(listed, [(Delete, 1), (Put, 9), (Put, 2), (Delete, 3)]);
    Ok(())
}

async fn a_copy_is_listed_in_its_target(context: Context) -> Checked {
    let ((from, _from), (to, _to)) = (open(&context).await?, open(&context).await?);
    for id in 1..=3 {
        from.put(&Track::new(id)).await?;
    }
    from.put(&Draft { id: 1 }).await?;
    to.put(&Track::new(2)).await?;
    let since = to.change_cursor().await?;
    ensure_eq!(from.copy_into(&to, |_| {}).await?, 3);
    let mut listed: Vec<_> = all(&to, &since, 500).await?.iter().map(told).collect();
    listed.sort_by_key(|(_, id)| *id);
    ensure_eq!(listed, [(Put, 1), (Put, 3)]);
    Ok(())
}

async fn a_transaction_that_lists_too_much_is_refused_and_steps_are_not(context: Context) -> Checked {
    let limits = Limits { value_bytes_max: 4_096, ..context.limits() };
    let site = context.open_with(limits).await?;
    let db = open_again(&site, schema()?).await?;
    let long = |id: u32| Track { room: "x".repeat(200), ..Track::new(id) };
    let many = db.write(|tx| async move {
        for id in 0..40 {
            tx.put(&long(id)).await?;
        }
        Ok(())
    });
    let error = ensure_kind!(many.await, ErrorKind::Limit(Limit::ValueBytes));
    ensure!(error.place().is_some_and(|place| place.contains("change log")), "it says what is too long: {error}");
    for id in 0..40 {
        db.put(&long(id)).await?;
    }
    ensure_eq!(db.query(Track::PRIMARY).equal(&"x".repeat(200)).delete().await?, 40, "in smaller steps");
    ensure_eq!(all(&db, &ChangeCursor::START, 7).await?.len(), 80);
    Ok(())
}

async fn a_damaged_row_of_the_log_is_found(context: Context) -> Checked {
    use strongroom_core::store::{Batch, Write};
    let (db, site) = open(&context).await?;
    for id in 1..=3 {
        db.put(&Track::new(id)).await?;
    }
    ensure_eq!(db.verify().await?.problems.len(), 0);
    let after_first = all(&db, &ChangeCursor::START, 500).await?[0].cursor().clone();
    let key = log_rows(&*site.store).await?[1].key.clone();
    let write = Batch { writes: [(key, Write::Put(vec![1, 0xC1].into()))].into(), ..Batch::default() };
    site.store.commit(vec![write]).await?;
    let problems = db.verify().await?.problems;
    ensure_eq!(problems.iter().map(|problem| problem.collection.as_str()).collect::<Vec<_>>(), ["the change log"]);
    ensure_kind!(db.changes(after_first).page().await, ErrorKind::Corrupt);
    // Who starts anew goes on behind it, and it can be trimmed.
    db.put(&Track::new(4)).await?;
    ensure_eq!(db.changes(db.change_cursor().await?).page().await?.changes.len(), 0);
    ensure_eq!(db.trim_changes(strongroom_core::Trim::all()).await?, 4);
    ensure_eq!(db.verify().await?.problems.len(), 0);
    ensure_eq!(db.trim_changes(strongroom_core::Trim::all().older_than(Duration::ZERO)).await?, 0);
    Ok(())
}
