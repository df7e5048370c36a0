//! Unique indexes: an entry belongs to one record, also while it moves.

use strongroom_core::{Database, ErrorKind, Result};

use super::support::{Note, ids, joined, kind, open, put_all, sound};
use crate::case::cases;
use crate::{Checked, Context, ensure, ensure_eq, ensure_kind};

cases! { Typed;
    a_unique_entry_belongs_to_one_record,
    a_unique_value_moves_from_one_record_to_another,
    a_unique_value_cannot_be_taken_before_it_is_given_up,
    two_records_swap_their_unique_values,
    one_transaction_cannot_give_a_unique_value_twice,
    a_deleted_record_gives_its_unique_value_back,
    of_many_that_want_a_unique_value_at_once_one_gets_it,
}

/// Whose slug it is.
async fn owners(db: &Database, slug: &str) -> Result<Vec<u32>> {
    Ok(ids(&db.query(Note::SLUG).equal(slug).page().await?.records))
}

async fn a_unique_entry_belongs_to_one_record(context: Context) -> Checked {
    let (db, _site) = open(&context).await?;
    db.insert(&Note::with_slug(1, "x")).await?;
    let error = ensure_kind!(db.insert(&Note::with_slug(2, "x")).await, ErrorKind::UniqueViolation);
    ensure!(error.to_string().contains("slug") && error.to_string().contains("notes"), "{error}");
    ensure_kind!(db.put(&Note::with_slug(2, "x")).await, ErrorKind::UniqueViolation);
    ensure_eq!(db.get(&Note::key("r", &2)).await?, None, "nothing of a refused write stays");
    // Its own value is no obstacle, and records without one are not in the index.
    db.put(&Note::with_slug(1, "x")).await?;
    put_all(&db, &[Note::new("r", 3, 0), Note::new("r", 4, 0)]).await?;
    ensure_eq!(owners(&db, "x").await?, [1]);
    sound(&db).await
}

/// To a record with a greater key and to one with a lesser.
async fn a_unique_value_moves_from_one_record_to_another(context: Context) -> Checked {
    let (db, _site) = open(&context).await?;
    for (from, to) in [(1, 2), (2, 1)] {
        put_all(&db, &[Note::with_slug(from, "x"), Note::with_slug(to, "y")]).await?;
        db.write(|tx| async move {
            tx.put(&Note::with_slug(from, "z")).await?;
            tx.put(&Note::with_slug(to, "x")).await
        })
        .await?;
        ensure_eq!(owners(&db, "x").await?, [to]);
        ensure_eq!(owners(&db, "z").await?, [from]);
        ensure_eq!(owners(&db, "y").await?, [0; 0]);
        sound(&db).await?;
        put_all(&db, &[Note::new("r", 1, 0), Note::new("r", 2, 0)]).await?;
    }
    Ok(())
}

async fn a_unique_value_cannot_be_taken_before_it_is_given_up(context: Context) -> Checked {
    let (db, _site) = open(&context).await?;
    for (from, to) in [(1, 2), (2, 1)] {
        put_all(&db, &[Note::with_slug(from, "x"), Note::new("r", to, 0)]).await?;
        let moved = db.write(|tx| async move {
            tx.put(&Note::with_slug(to, "x")).await?;
            tx.put(&Note::new("r", from, 0)).await
        });
        ensure_kind!(moved.await, ErrorKind::UniqueViolation);
        ensure_eq!(owners(&db, "x").await?, [from]);
        // A refused write leaves the transaction as it was: the closure may go on another way.
        let refused = db.write(|tx| async move {
            let refused = kind(tx.put(&Note::with_slug(to, "x")).await);
            tx.put(&Note::new("r", from, 0)).await?;
            tx.put(&Note::with_slug(to, "x")).await?;
            Ok(refused)
        });
        ensure_eq!(refused.await?, Some(ErrorKind::UniqueViolation));
        ensure_eq!(owners(&db, "x").await?, [to]);
        db.delete(&Note::key("r", &to)).await?;
    }
    sound(&db).await
}

async fn two_records_swap_their_unique_values(context: Context) -> Checked {
    let (db, _site) = open(&context).await?;
    put_all(&db, &[Note::with_slug(1, "x"), Note::with_slug(2, "y")]).await?;
    db.write(|tx| async move {
        tx.put(&Note::new("r", 1, 0)).await?;
        tx.put(&Note::with_slug(2, "x")).await?;
        tx.put(&Note::with_slug(1, "y")).await
    })
    .await?;
    ensure_eq!((owners(&db, "x").await?, owners(&db, "y").await?), (vec![2], vec![1]));
    sound(&db).await
}

async fn one_transaction_cannot_give_a_unique_value_twice(context: Context) -> Checked {
    let (db, _site) = open(&context).await?;
    let twice = db.write(|tx| async move {
        tx.insert(&Note::with_slug(1, "x")).await?;
        tx.insert(&Note::with_slug(2, "x")).await
    });
    ensure_kind!(twice.await, ErrorKind::UniqueViolation);
    ensure_eq!(db.count::<Note>().await?, 0);
    Ok(())
}

async fn a_deleted_record_gives_its_unique_value_back(context: Context) -> Checked {
    let (db, _site) = open(&context).await?;
    db.insert(&Note::with_slug(1, "x")).await?;
    db.delete(&Note::key("r", &1)).await?;
    db.insert(&Note::with_slug(2, "x")).await?;
    db.write(|tx| async move {
        tx.delete(&Note::key("r", &2)).await?;
        tx.insert(&Note::with_slug(3, "x")).await
    })
    .await?;
    ensure_eq!(owners(&db, "x").await?, [3]);
    sound(&db).await
}

async fn of_many_that_want_a_unique_value_at_once_one_gets_it(context: Context) -> Checked {
    let (db, _site) = open(&context).await?;
    let tasks: Vec<_> = (0..16)
        .map(|id| {
            let db = db.clone();
            tokio::spawn(async move {
                let note = Note::with_slug(id, "x");
                if id % 2 == 0 { db.insert(&note).await } else { db.put(&note).await }
            })
        })
        .collect();
    let mut won = 0;
    for task in tasks {
        match joined(task).await? {
            Ok(()) => won += 1,
            result => drop(ensure_kind!(result, ErrorKind::UniqueViolation)),
        }
    }
    ensure_eq!(won, 1);
    ensure_eq!(db.count::<Note>().await?, 1);
    sound(&db).await
}
