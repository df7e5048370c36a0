//! In which order it comes, and that it goes on at every place.

use std::collections::BTreeMap;

use strongroom_core::store::{Batch, Content, Entry, Fetch, KeyRange, Revision, Scan, Write};
use strongroom_core::{ChangeCursor, ErrorKind};

use super::super::support::open_again;
use super::support::{Cover, Delete, Put, Track, all, open, schema, story, told};
use crate::case::cases;
use crate::context::Site;
use crate::{Checked, Context, Failure, ensure, ensure_eq, ensure_kind};

cases! { Behaviours;
    changes_come_in_the_order_of_the_commits,
    a_feed_goes_on_at_every_place,
    a_filter_brings_its_collections_and_passes_the_others,
    changed_records_come_once_as_they_are_now,
    a_view_and_the_feed_from_it_are_all_there_is,
    a_feed_goes_on_after_a_reopening [Reopen],
    a_cursor_of_another_database_is_refused,
    a_damaged_record_can_be_passed_over,
    a_page_of_long_records_ends_early_and_goes_on,
}

/// Tasks that write at the same time, and transactions of each.
const WRITERS: u32 = 8;
const EACH: u32 = 10;

async fn changes_come_in_the_order_of_the_commits(context: Context) -> Checked {
    let (db, _site) = open(&context).await?;
    let tasks = (0..WRITERS).map(|writer| {
        let db = db.clone();
        tokio::spawn(async move {
            let mut written = Vec::new();
            for number in 0..EACH {
                let id = writer * 100 + number;
                let done = db.write_at(move |tx| async move { tx.put(&Track::new(id)).await }).await?;
                written.push((done.revision, id));
            }
            Checked::Ok(written)
        })
    });
    let mut expected: BTreeMap<Revision, u32> = BTreeMap::new();
    for task in tasks.collect::<Vec<_>>() {
        expected.extend(task.await.map_err(|error| Failure::new(error.to_string()))??);
    }
    let listed = all(&db, &ChangeCursor::START, 7).await?;
    let listed: Vec<_> = listed.iter().map(|change| (change.revision(), told(change).1)).collect();
    ensure_eq!(listed, expected.into_iter().collect::<Vec<_>>());
    Ok(())
}

async fn a_feed_goes_on_at_every_place(context: Context) -> Checked {
    let (db, _site) = open(&context).await?;
    for number in 0..6 {
        db.write(|tx| async move {
            for id in 0..=number {
                tx.put(&Track::new(10 * number + id)).await?;
            }
            tx.put(&Cover { id: number }).await
        })
        .await?;
    }
    let whole = all(&db, &ChangeCursor::START, 500).await?;
    let tale: Vec<_> = whole.iter().map(told).collect();
    ensure_eq!(whole.len(), 27);
    for limit in [1, 2, 5] {
        let pages: Vec<_> = all(&db, &ChangeCursor::START, limit).await?.iter().map(told).collect();
        ensure_eq!(pages, tale, "in pages of {limit}");
    }
    for (position, change) in whole.iter().enumerate() {
        // As one that was stored and read again.
        let cursor: ChangeCursor = change.cursor().to_string().parse()?;
        let rest: Vec<_> = all(&db, &cursor, 4).await?.iter().map(told).collect();
        ensure_eq!(rest, tale[position + 1..], "behind change {position}");
    }
    Ok(())
}

async fn a_filter_brings_its_collections_and_passes_the_others(context: Context) -> Checked {
    let (db, _site) = open(&context).await?;
    for id in 0..5 {
        db.write(|tx| async move {
            tx.put(&Track::new(id)).await?;
            tx.put(&Cover { id }).await?;
            tx.put(&Track::new(100 + id)).await
        })
        .await?;
    }
    let covers = |since| db.changes(since).of::<Cover>();
    let page = covers(ChangeCursor::START).page().await?;
    let keys: Vec<_> = page.changes.iter().filter_map(|change| change.key::<Cover>()).collect();
    ensure_eq!(keys, (0..5).map(|id| Cover::key(&id)).collect::<Vec<_>>());
    // One at a time, and from the place of each.
    let (mut since, mut one_by_one) = (ChangeCursor::START, Vec::new());
    loop {
        let page = covers(since).limit(1).page().await?;
        for change in &page.changes {
            let rest = covers(change.cursor().clone()).page().await?.changes.len();
            ensure_eq!(rest, 4 - one_by_one.len(), "behind one");
            one_by_one.extend(change.key::<Cover>());
        }
        since = page.next;
        if !page.more {
            break;
        }
    }
    ensure_eq!(one_by_one, keys);
    let both = db.changes(ChangeCursor::START).of::<Cover>().of::<Track>().page().await?;
    ensure_eq!(both.changes.len(), 15);
    // What was passed is not looked at again, though it brought nothing.
    let end = db.change_cursor().await?;
    db.put(&Track::new(50)).await?;
    let page = covers(end.clone()).page().await?;
    ensure_eq!((page.changes.len(), page.more), (0, false));
    ensure!(page.next != end, "the place moved on");
    ensure_eq!(all(&db, &page.next, 500).await?.len(), 0);
    Ok(())
}

async fn changed_records_come_once_as_they_are_now(context: Context) -> Checked {
    let (db, _site) = open(&context).await?;
    for text in ["one", "two", "three"] {
        db.put(&Track { text: text.to_owned(), ..Track::new(1) }).await?;
        db.put(&Track { text: text.to_owned(), ..Track::new(2) }).await?;
    }
    db.put(&Cover { id: 1 }).await?;
    db.delete(&Track::key("r", &2)).await?;
    db.put(&Track { text: "three".to_owned(), ..Track::new(1) }).await?;
    let page = db.changes(ChangeCursor::START).records::<Track>().await?;
    // Each stands where it was changed last.
    let expected =
        [(Track::key("r", &2), None), (Track::key("r", &1), Some(Track { text: "three".to_owned(), ..Track::new(1) }))];
    ensure_eq!(page.records, expected);
    ensure_eq!((page.begun, page.more), (false, false));
    let page = db.changes(page.next).records::<Track>().await?;
    ensure_eq!(page.records.len(), 0);
    // A page that ends between two writes of one record brings it again in the next.
    let page = db.changes(ChangeCursor::START).limit(1).records::<Track>().await?;
    ensure_eq!((page.records, page.more), (expected[1..].to_vec(), true));
    Ok(())
}

/// Who reads all in a view, and follows the feed from there, has what the database has: while others write.
async fn a_view_and_the_feed_from_it_are_all_there_is(context: Context) -> Checked {
    let (db, _site) = open(&context).await?;
    let writer = {
        let db = db.clone();
        tokio::spawn(async move {
            for number in 0..60_u32 {
                let id = number * 7 % 20;
                if number % 3 == 2 {
                    db.delete(&Track::key("r", &id)).await?;
                } else {
                    db.put(&Track { text: format!("at {number}"), ..Track::new(id) }).await?;
                }
            }
            Checked::Ok(())
        })
    };
    while db.count::<Track>().await? < 5 && !writer.is_finished() {
        tokio::task::yield_now().await;
    }
    let view = db.snapshot().await?;
    let mut since = view.change_cursor().await?;
    let seen = view.query(Track::PRIMARY).equal("r").page().await?.records;
    drop(view);
    let mut own: BTreeMap<_, _> = seen.into_iter().map(|track| (Track::key("r", &track.id), track)).collect();
    writer.await.map_err(|error| Failure::new(error.to_string()))??;
    loop {
        let page = db.changes(since).limit(5).records::<Track>().await?;
        for (key, now) in page.records {
            match now {
                Some(track) => own.insert(key, track),
                None => own.remove(&key),
            };
        }
        since = page.next;
        if !page.more {
            break;
        }
    }
    let mut own: Vec<Track> = own.into_values().collect();
    let mut there = db.query(Track::PRIMARY).equal("r").page().await?.records;
    own.sort();
    there.sort();
    ensure_eq!(own, there);
    Ok(())
}

async fn a_feed_goes_on_after_a_reopening(context: Context) -> Checked {
    let (db, mut site) = open(&context).await?;
    db.put(&Track::new(1)).await?;
    let since = db.change_cursor().await?;
    db.put(&Track::new(2)).await?;
    db.delete(&Track::key("r", &1)).await?;
    site.reopen().await?;
    let db = open_again(&site, schema()?).await?;
    db.put(&Track::new(3)).await?;
    let listed: Vec<_> = all(&db, &since, 500).await?.iter().map(told).collect();
    ensure_eq!(listed, [(Put, 2), (Delete, 1), (Put, 3)]);
    ensure_eq!(story(&db).await?.len(), 4);
    Ok(())
}

async fn a_cursor_of_another_database_is_refused(context: Context) -> Checked {
    let ((db, _site), (other, _other)) = (open(&context).await?, open(&context).await?);
    for id in 0..3 {
        db.put(&Track::new(id)).await?;
        other.put(&Track::new(id)).await?;
    }
    let cursor = db.change_cursor().await?;
    other.change_cursor().await?;
    let error = ensure_kind!(other.changes(cursor.clone()).page().await, ErrorKind::InvalidInput);
    ensure!(error.to_string().contains("another database"), "it says why: {error}");
    ensure_kind!(other.trim_changes(strongroom_core::Trim::all().keep(cursor)).await, ErrorKind::InvalidInput);
    Ok(())
}

/// The value of a track, as it is stored.
async fn write_raw(site: &Site, id: u32, value: &'static [u8]) -> Checked {
    let limit = 100;
    let scan = Scan {
        range: KeyRange::prefix(&[0, 1, 0]),
        reverse: false,
        limit,
        max_bytes: usize::MAX,
        fetch: Fetch::Values,
    };
    let rows = site.store.scan(&scan).await?.entries;
    let text = format!("track {id}");
    let is_it = |entry: &&Entry| match &entry.content {
        Some(Content::Value(value)) => value.windows(text.len()).any(|window| window == text.as_bytes()),
        _ => false,
    };
    let row = rows.iter().find(is_it).ok_or_else(|| Failure::new("no such row"))?;
    let writes = [(row.key.clone(), Write::Put(value.into()))].into();
    site.store.commit(vec![Batch { writes, ..Batch::default() }]).await?;
    Ok(())
}

async fn a_damaged_record_can_be_passed_over(context: Context) -> Checked {
    let (db, site) = open(&context).await?;
    for id in 0..5 {
        db.put(&Track::new(id)).await?;
    }
    write_raw(&site, 2, b"\x01garbage").await?;
    ensure_kind!(db.changes(ChangeCursor::START).records::<Track>().await, ErrorKind::Corrupt);
    let page = db.changes(ChangeCursor::START).skip_damaged().records::<Track>().await?;
    let key = |id: u32| Track::key("r", &id);
    ensure_eq!(page.records, [0, 1, 3, 4].map(|id| (key(id), Some(Track::new(id)))));
    ensure_eq!(page.damaged.iter().map(|(key, _)| key.clone()).collect::<Vec<_>>(), [key(2)]);
    ensure!(page.damaged[0].1.error.is_corrupt(), "{:?}", page.damaged);
    ensure!(!page.more);
    ensure_eq!(db.changes(page.next).skip_damaged().records::<Track>().await?.damaged.len(), 0, "it comes once");
    Ok(())
}

async fn a_page_of_long_records_ends_early_and_goes_on(context: Context) -> Checked {
    let (db, _site) = open(&context).await?;
    let long = |id: u32| Track { text: "x".repeat(160 << 10), ..Track::new(id) };
    for some in 0..12 {
        db.write(|tx| async move {
            for id in 8 * some..8 * some + 8 {
                tx.put(&long(id)).await?;
            }
            Ok(())
        })
        .await?;
    }
    db.put(&long(0)).await?;
    let (mut since, mut sizes, mut ids) = (ChangeCursor::START, Vec::new(), Vec::new());
    loop {
        let page = db.changes(since).records::<Track>().await?;
        sizes.push(page.records.len());
        ids.extend(page.records.iter().filter_map(|(_, now)| now.as_ref().map(|track| track.id)));
        since = page.next;
        if !page.more {
            break;
        }
    }
    ensure_eq!(sizes, [32, 32, 32], "about 5 MiB each");
    ensure_eq!(ids, (1..96).chain([0]).collect::<Vec<_>>());
    ensure_eq!(all(&db, &since, 500).await?.len(), 0);
    Ok(())
}
