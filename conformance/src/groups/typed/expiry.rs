//! Records that expire are gone when their time comes, by the database's clock, whether or not they were swept.

use std::sync::Arc;

use strongroom_core::{Clock, Database, ErrorKind};

use super::meanwhile::{Meanwhile, Moment};
use super::support::{Note, at, ids, open, put_all, schema, some, sound};
use crate::case::cases;
use crate::twist::Twisted;
use crate::{Checked, Context, ensure, ensure_eq, ensure_kind};

cases! { Typed;
    an_expired_record_is_not_there,
    an_expired_record_makes_room_for_its_key_and_its_unique_value,
    a_clock_that_goes_back_brings_back_nothing_that_was_replaced,
    a_record_expires_at_its_time_and_not_before,
    the_expiry_index_holds_what_expires_and_nothing_else,
    pages_are_full_also_where_most_has_expired,
    an_expired_holder_that_goes_meanwhile_is_no_violation,
}

fn expiring(id: u32, time: i64) -> Note {
    Note { expires_at: Some(at(time)), ..Note::new("r", id, i64::from(id)) }
}

async fn an_expired_record_is_not_there(context: Context) -> Checked {
    let (db, site) = open(&context).await?;
    let note = Note { slug: Some("s".to_owned()), ..expiring(1, 2_000) };
    put_all(&db, &[note.clone(), Note::new("r", 2, 2)]).await?;
    ensure_eq!(db.count::<Note>().await?, 2);
    site.clock.set(at(2_000));
    ensure_eq!(db.get(&Note::key("r", &1)).await?, None);
    ensure_eq!(db.get_many(&[Note::key("r", &1), Note::key("r", &2)]).await?.iter().flatten().count(), 1);
    ensure_eq!(db.count::<Note>().await?, 1);
    ensure_eq!(ids(&db.query(Note::BY_TIME).equal("r").page().await?.records), [2]);
    ensure_eq!(db.query(Note::SLUG).equal("s").first().await?, None);
    ensure_kind!(db.update(&note).await, ErrorKind::NotFound);
    let in_transaction = db.write(|tx| async move {
        let found = tx.get(&Note::key("r", &1)).await?.is_some();
        Ok((found, tx.count::<Note>().await?))
    });
    ensure_eq!(in_transaction.await?, (false, 1));
    ensure_eq!(db.snapshot().await?.count::<Note>().await?, 1);
    // Its rows are there until somebody removes them.
    ensure_eq!(db.stats().await?.collections["notes"].records, 2);
    ensure!(!db.delete(&Note::key("r", &1)).await?, "there was none to delete");
    ensure_eq!(db.stats().await?.collections["notes"].records, 1);
    sound(&db).await
}

async fn an_expired_record_makes_room_for_its_key_and_its_unique_value(context: Context) -> Checked {
    let (db, site) = open(&context).await?;
    let holder = |id| Note { slug: Some(format!("s{id}")), ..expiring(id, 2_000) };
    put_all(&db, &[holder(1), holder(2), holder(3)]).await?;
    ensure_kind!(db.insert(&Note::with_slug(9, "s1")).await, ErrorKind::UniqueViolation);
    site.clock.set(at(2_000));
    db.insert(&Note::with_slug(9, "s1")).await?;
    db.insert(&Note::new("r", 2, 9)).await?;
    db.write(|tx| async move {
        tx.insert(&Note::with_slug(8, "s3")).await?;
        tx.insert(&Note::new("r", 3, 9)).await
    })
    .await?;
    ensure_eq!(ids(&db.query(Note::SLUG).equal("s1").page().await?.records), [9]);
    ensure_eq!(ids(&db.query(Note::SLUG).equal("s3").page().await?.records), [8]);
    ensure_eq!(db.count::<Note>().await?, 4);
    sound(&db).await
}

async fn a_clock_that_goes_back_brings_back_nothing_that_was_replaced(context: Context) -> Checked {
    let (db, site) = open(&context).await?;
    put_all(&db, &[Note { slug: Some("s".to_owned()), ..expiring(1, 2_000) }, expiring(2, 2_000)]).await?;
    site.clock.set(at(2_000));
    db.insert(&Note::with_slug(3, "s")).await?;
    db.delete(&Note::key("r", &2)).await?;
    site.clock.set(at(0));
    ensure_eq!(ids(&db.query(Note::BY_TIME).equal("r").page().await?.records), [3]);
    ensure_eq!(db.count::<Note>().await?, 1);
    sound(&db).await
}

async fn a_record_expires_at_its_time_and_not_before(context: Context) -> Checked {
    let (db, site) = open(&context).await?;
    put_all(&db, &[expiring(1, 10), expiring(2, 11), expiring(3, 12)]).await?;
    for (now, left) in [(9, vec![1, 2, 3]), (10, vec![2, 3]), (11, vec![3]), (12, vec![])] {
        site.clock.set(at(now));
        ensure_eq!(db.now(), site.clock.now());
        ensure_eq!(ids(&db.query(Note::BY_TIME).equal("r").page().await?.records), left, "at {now}");
        ensure_eq!(db.count::<Note>().await?, left.len() as u64, "at {now}");
    }
    // A time that has passed already, and one that is put off.
    db.put(&expiring(4, 5)).await?;
    ensure_eq!(db.get(&Note::key("r", &4)).await?, None);
    db.put(&expiring(3, 100)).await?;
    ensure!(db.get(&Note::key("r", &3)).await?.is_some());
    Ok(())
}

async fn the_expiry_index_holds_what_expires_and_nothing_else(context: Context) -> Checked {
    let (db, _site) = open(&context).await?;
    put_all(&db, &[expiring(1, 30), Note::new("r", 2, 2), expiring(3, 10), expiring(4, 20)]).await?;
    ensure_eq!(ids(&db.query(Note::EXPIRY).page().await?.records), [3, 4, 1]);
    ensure_eq!(ids(&db.query(Note::EXPIRY).range(at(10)..at(30)).page().await?.records), [3, 4]);
    db.put(&expiring(3, 40)).await?;
    db.put(&Note::new("r", 1, 1)).await?;
    ensure_eq!(ids(&db.query(Note::EXPIRY).page().await?.records), [4, 3]);
    sound(&db).await
}

async fn pages_are_full_also_where_most_has_expired(context: Context) -> Checked {
    let (db, site) = open(&context).await?;
    let note = |id: u32| if id % 100 == 99 { Note::new("r", id, i64::from(id)) } else { expiring(id, 1) };
    put_all(&db, &(0..800).map(note).collect::<Vec<_>>()).await?;
    site.clock.set(at(1));
    let alive: Vec<u32> = (0..8).map(|hundred| hundred * 100 + 99).collect();
    let query = || db.query(Note::BY_TIME).equal("r");
    ensure_eq!(ids(&query().page().await?.records), alive);
    ensure_eq!(query().first().await?.map(|note| note.id), Some(99));
    ensure_eq!(query().newest_first().first().await?.map(|note| note.id), Some(799));
    let page = query().limit(3).page().await?;
    ensure_eq!(ids(&page.records), alive[..3]);
    let rest = query().after(some(page.next)?).page().await?;
    ensure_eq!((ids(&rest.records), rest.next), (alive[3..].to_vec(), None));
    ensure_eq!(query().count().await?, 8);
    Ok(())
}

/// The holder of a unique entry has expired, and is removed between the reads of a lone put.
async fn an_expired_holder_that_goes_meanwhile_is_no_violation(context: Context) -> Checked {
    let (other, site) = open(&context).await?;
    let meanwhile = Arc::new(Meanwhile::new(Moment::AfterGet));
    let store = Arc::new(Twisted::new(site.store.clone(), meanwhile.clone()));
    let db = Database::builder(schema()?).clock(site.clock.clone()).open(store).await?;
    db.put(&Note { slug: Some("s".to_owned()), ..expiring(1, 2_000) }).await?;
    site.clock.set(at(3_000));
    meanwhile.then(async move {
        other.delete(&Note::key("r", &1)).await?;
        Ok(())
    });
    db.put(&Note::with_slug(2, "s")).await?;
    meanwhile.happened()?;
    ensure_eq!(ids(&db.query(Note::SLUG).equal("s").page().await?.records), [2]);
    sound(&db).await
}
