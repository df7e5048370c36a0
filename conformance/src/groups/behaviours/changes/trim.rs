//! The log is trimmed from its oldest row on; nobody misses unawares what was removed.

use std::time::Duration;

use futures_util::future::join_all;
use strongroom_core::store::{Batch, Limits, StoredKey, Write};
use strongroom_core::{ChangeCursor, Database, ErrorKind, Trim};

use super::super::support::{at, open_again, open_watched};
use super::support::{Put, Track, all, log_rows, open, schema, told};
use crate::case::cases;
use crate::groups::typed::support::poll_at_most;
use crate::{Checked, Context, Failure, ensure, ensure_eq, ensure_kind};

cases! { Behaviours;
    what_was_trimmed_is_told,
    a_log_is_trimmed_by_age_and_number_and_consumers,
    a_long_log_is_trimmed_in_steps,
    an_interrupted_trim_leaves_no_gap,
    a_reader_beside_trims_has_no_gap,
    trims_at_once_keep_the_newest_and_count_each_row_once,
    a_trim_that_another_overtakes_removes_nothing_more,
    a_damaged_floor_is_found,
}

const NOTHING: [u32; 0] = [];

async fn ids(db: &Database, since: &ChangeCursor) -> Checked<Vec<u32>> {
    Ok(all(db, since, 500).await?.iter().map(|change| told(change).1).collect())
}

async fn what_was_trimmed_is_told(context: Context) -> Checked {
    let (db, site) = open(&context).await?;
    for id in 0..4 {
        db.put(&Track::new(id)).await?;
    }
    let changes = all(&db, &ChangeCursor::START, 500).await?;
    ensure_eq!(db.trim_changes(Trim::all().but_newest(2)).await?, 2);
    for cursor in [&ChangeCursor::START, changes[0].cursor()] {
        ensure_kind!(db.changes(cursor.clone()).page().await, ErrorKind::ChangesTrimmed);
        let error = ensure_kind!(db.changes(cursor.clone()).records::<Track>().await, ErrorKind::ChangesTrimmed);
        ensure!(error.is_changes_trimmed());
    }
    ensure_eq!(ids(&db, changes[1].cursor()).await?, [2, 3]);
    ensure_eq!(ids(&db, changes[3].cursor()).await?, NOTHING);
    ensure_eq!(log_rows(&*site.store).await?.len(), 2);
    // The place of now stays good when all is trimmed, also of one that looked before.
    let now = db.change_cursor().await?;
    ensure_eq!(db.trim_changes(Trim::all()).await?, 2);
    for cursor in [&now, changes[3].cursor(), &db.change_cursor().await?] {
        ensure_eq!(ids(&db, cursor).await?, NOTHING);
    }
    db.put(&Track::new(9)).await?;
    ensure_eq!(ids(&db, changes[3].cursor()).await?, [9]);
    ensure_kind!(db.changes(changes[2].cursor().clone()).page().await, ErrorKind::ChangesTrimmed);
    Ok(())
}

async fn a_log_is_trimmed_by_age_and_number_and_consumers(context: Context) -> Checked {
    let (db, site) = open(&context).await?;
    for id in 0..10 {
        site.clock.set(at(i64::from(id) * 1_000));
        db.put(&Track::new(id)).await?;
    }
    let changes = all(&db, &ChangeCursor::START, 500).await?;
    site.clock.set(at(10_000));
    let older = |seconds| Trim::all().older_than(Duration::from_secs(seconds));
    ensure_eq!(db.trim_changes(older(10)).await?, 0, "nothing is older");
    ensure_eq!(db.trim_changes(older(8)).await?, 2, "what is of 0 and 1 s");
    ensure_eq!(db.trim_changes(older(1).keep(changes[3].cursor().clone())).await?, 2, "to where the consumer is");
    ensure_eq!(db.trim_changes(older(1).but_newest(5)).await?, 1, "all but the newest five");
    let slow = [changes[8].cursor().clone(), changes[5].cursor().clone()];
    let [one, other] = slow;
    ensure_eq!(db.trim_changes(Trim::all().keep(one).keep(other)).await?, 1, "to the slower of two");
    ensure_eq!(ids(&db, changes[5].cursor()).await?, [6, 7, 8, 9]);
    ensure_eq!(db.trim_changes(Trim::all().keep(ChangeCursor::START)).await?, 0);
    Ok(())
}

/// More than a step takes, and more than a batch may hold.
async fn a_long_log_is_trimmed_in_steps(context: Context) -> Checked {
    let limits = Limits { batch_writes_max: 40, ..context.limits() };
    let site = context.open_with(limits).await?;
    let db = open_again(&site, schema()?).await?;
    for id in 0..130 {
        db.put(&Track::new(id)).await?;
    }
    ensure_eq!(db.trim_changes(Trim::all().but_newest(5)).await?, 125);
    ensure_eq!(log_rows(&*site.store).await?.len(), 5);
    Ok(())
}

async fn an_interrupted_trim_leaves_no_gap(context: Context) -> Checked {
    let limits = Limits { batch_writes_max: 10, ..context.limits() };
    let site = context.open_with(limits).await?;
    let db = open_again(&site, schema()?).await?;
    for id in 0..24 {
        db.put(&Track::new(id)).await?;
    }
    let changes = all(&db, &ChangeCursor::START, 500).await?;
    let mut polls = 1;
    loop {
        let done = poll_at_most(polls, db.trim_changes(Trim::all().but_newest(2))).await.transpose()?;
        for (position, change) in changes.iter().enumerate().step_by(3) {
            match db.changes(change.cursor().clone()).page().await {
                Ok(page) => ensure_eq!(page.changes.len(), 23 - position, "behind {position} after {polls} polls"),
                Err(error) => ensure_eq!(error.kind(), ErrorKind::ChangesTrimmed),
            }
        }
        if done.is_some() {
            break;
        }
        polls += 1 + polls / 3;
    }
    ensure_eq!(log_rows(&*site.store).await?.len(), 2);
    Ok(())
}

async fn a_reader_beside_trims_has_no_gap(context: Context) -> Checked {
    let (db, _site) = open(&context).await?;
    let writer = {
        let db = db.clone();
        tokio::spawn(async move {
            for id in 0..60 {
                db.put(&Track::new(id)).await?;
                if id % 4 == 3 {
                    db.trim_changes(Trim::all().but_newest(3)).await?;
                }
            }
            Checked::Ok(())
        })
    };
    let (mut since, mut last) = (ChangeCursor::START, None);
    while last != Some(59) {
        match db.changes(since.clone()).limit(2).page().await {
            Ok(page) => {
                for change in &page.changes {
                    let (kind, id) = told(change);
                    ensure_eq!((kind, Some(id)), (Put, Some(last.map_or(id, |last: u32| last + 1))));
                    last = Some(id);
                }
                since = page.next;
            }
            Err(error) if error.is_changes_trimmed() => {
                // It begins anew with a view of all.
                let view = db.snapshot().await?;
                since = view.change_cursor().await?;
                let there = view.count::<Track>().await?;
                last = u32::try_from(there).ok().and_then(|there| there.checked_sub(1));
            }
            Err(error) => return Err(error.into()),
        }
    }
    writer.await.map_err(|error| Failure::new(error.to_string()))??;
    Ok(())
}

async fn trims_at_once_keep_the_newest_and_count_each_row_once(context: Context) -> Checked {
    let limits = Limits { batch_writes_max: 20, ..context.limits() };
    let site = context.open_with(limits).await?;
    let db = open_again(&site, schema()?).await?;
    let other = open_again(&site, schema()?).await?;
    for id in 0..100 {
        db.put(&Track::new(id)).await?;
    }
    let trims = [&db, &other, &db, &other].map(|db| {
        let db = db.clone();
        tokio::spawn(async move { db.trim_changes(Trim::all().but_newest(30)).await })
    });
    let mut removed = 0;
    for trim in join_all(trims).await {
        removed += trim.map_err(|error| Failure::new(error.to_string()))??;
    }
    ensure_eq!((removed, log_rows(&*site.store).await?.len()), (70, 30), "removed, and left");
    Ok(())
}

/// The other one trims when this one has counted the rows, and once more when it is about to remove some.
async fn a_trim_that_another_overtakes_removes_nothing_more(context: Context) -> Checked {
    let (other, site) = open(&context).await?;
    let (db, watch) = open_watched(&site, schema()?).await?;
    for id in 0..30 {
        other.put(&Track::new(id)).await?;
    }
    let overtake = |newest, removed| {
        let other = other.clone();
        async move {
            ensure_eq!(other.trim_changes(Trim::all().but_newest(newest)).await?, removed);
            Checked::Ok(())
        }
    };
    watch.after_summary(overtake(20, 10));
    ensure_eq!(db.trim_changes(Trim::all().but_newest(20)).await?, 0, "all had gone when it was counted");
    watch.before_commit(overtake(15, 5));
    ensure_eq!(db.trim_changes(Trim::all().but_newest(10)).await?, 5, "what the other one had left");
    ensure_eq!(log_rows(&*site.store).await?.len(), 10);
    Ok(())
}

async fn a_damaged_floor_is_found(context: Context) -> Checked {
    let (db, site) = open(&context).await?;
    db.put(&Track::new(1)).await?;
    db.change_cursor().await?;
    ensure_eq!(db.verify().await?.problems.len(), 0);
    let writes = [(StoredKey::from(vec![0, 0, 4]), Write::Put(b"\x01garbage".as_slice().into()))].into();
    site.store.commit(vec![Batch { writes, ..Batch::default() }]).await?;
    ensure_kind!(db.change_cursor().await, ErrorKind::Corrupt);
    let problems = db.verify().await?.problems;
    ensure_eq!(problems.iter().map(|problem| problem.collection.as_str()).collect::<Vec<_>>(), ["the change log"]);
    Ok(())
}
