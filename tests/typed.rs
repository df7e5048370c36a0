//! What the typed database promises, operation by operation, on every engine.
#![allow(clippy::unwrap_used, reason = "a test that fails may panic")]

mod support;

use futures_util::{StreamExt, TryStreamExt};
use strongroom::{Cursor, Database, ErrorKind, Limit, Timestamp};
use support::{Counter, ENGINES, Note, Place, assert_sound};

fn time(millis: i64) -> Timestamp {
    Timestamp::from_millis(millis)
}

fn ids(notes: &[Note]) -> Vec<u32> {
    notes.iter().map(|note| note.id).collect()
}

async fn on_each(test: impl AsyncFn(Place)) {
    for engine in ENGINES {
        test(Place::new(engine)).await;
    }
}

#[tokio::test]
async fn insert_put_update_delete() {
    on_each(async |place| {
        let db = place.open().await;
        let mut note = Note::new("r", 1, 10);
        assert_eq!(db.update(&note).await.unwrap_err().kind(), ErrorKind::NotFound);
        db.insert(&note).await.unwrap();
        assert_eq!(db.insert(&note).await.unwrap_err().kind(), ErrorKind::AlreadyExists);
        note.text = "other".to_owned();
        db.update(&note).await.unwrap();
        assert_eq!(db.get(&Note::key("r", &1)).await.unwrap().as_ref(), Some(&note));
        note.time = time(20);
        db.put(&note).await.unwrap();
        assert_eq!(db.query(Note::BY_TIME).equal("r").range(time(10)..time(11)).count().await.unwrap(), 0);
        assert_eq!(db.query(Note::BY_TIME).equal("r").page().await.unwrap().records, [note.clone()]);
        assert!(db.delete(&Note::key("r", &1)).await.unwrap());
        assert!(!db.delete(&Note::key("r", &1)).await.unwrap());
        assert_eq!(db.get(&Note::key("r", &1)).await.unwrap(), None);
        assert_eq!(db.stats().await.unwrap().collections["notes"].entries, 0);
        assert_sound(&db).await;
    })
    .await;
}

#[tokio::test]
async fn get_many_answers_in_the_order_asked() {
    on_each(async |place| {
        let db = place.open().await;
        for id in [1, 2, 3] {
            db.put(&Note::new("r", id, 0)).await.unwrap();
        }
        let keys = [3, 9, 1, 3].map(|id| Note::key("r", &id));
        let found = db.get_many(&keys).await.unwrap();
        let found: Vec<_> = found.into_iter().map(|note| note.map(|note| note.id)).collect();
        assert_eq!(found, [Some(3), None, Some(1), Some(3)]);
        assert!(db.get_many::<Note>(&[]).await.unwrap().is_empty());
    })
    .await;
}

#[tokio::test]
async fn pages_are_exact_within_ties_in_both_directions() {
    on_each(async |place| {
        let db = place.open().await;
        for id in 0..20 {
            db.put(&Note::new("r", id, i64::from(id / 7))).await.unwrap();
            db.put(&Note::new("other", id, 5)).await.unwrap();
        }
        let mut forward = Vec::new();
        let mut cursor: Option<Cursor> = None;
        loop {
            let mut query = db.query(Note::BY_TIME).equal("r").limit(3);
            if let Some(cursor) = cursor.take() {
                // Through its text, as a client would keep it.
                query = query.after(cursor.to_string().parse().unwrap());
            }
            let page = query.page().await.unwrap();
            forward.extend(ids(&page.records));
            match page.next {
                Some(next) => cursor = Some(next),
                None => break,
            }
        }
        assert_eq!(forward, (0..20).collect::<Vec<_>>());
        let backward: Vec<Note> =
            db.query(Note::BY_TIME).equal("r").newest_first().stream().try_collect().await.unwrap();
        assert_eq!(ids(&backward), (0..20).rev().collect::<Vec<_>>());
    })
    .await;
}

#[tokio::test]
async fn a_cursor_outlives_its_record_and_belongs_to_its_query() {
    on_each(async |place| {
        let db = place.open().await;
        for id in 0..6 {
            db.put(&Note::new("r", id, 7)).await.unwrap();
        }
        let page = db.query(Note::BY_TIME).equal("r").limit(2).page().await.unwrap();
        let next = page.next.unwrap();
        db.delete(&Note::key("r", &1)).await.unwrap();
        let rest = db.query(Note::BY_TIME).equal("r").after(next.clone()).page().await.unwrap();
        assert_eq!(ids(&rest.records), [2, 3, 4, 5]);
        assert_eq!(rest.next, None);
        let wrong = db.query(Note::BY_TIME).equal("s").after(next.clone()).page().await;
        assert_eq!(wrong.unwrap_err().kind(), ErrorKind::InvalidInput);
        let wrong = db.query(Note::OPEN).equal("r").after(next).page().await;
        assert_eq!(wrong.unwrap_err().kind(), ErrorKind::InvalidInput);
        for text in ["", "AA", "!!", "AQ=="] {
            assert_eq!(text.parse::<Cursor>().unwrap_err().kind(), ErrorKind::InvalidInput, "{text}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_cursor_combines_with_a_range() {
    on_each(async |place| {
        let db = place.open().await;
        for id in 0..10 {
            db.put(&Note::new("r", id, i64::from(id))).await.unwrap();
        }
        let next = db.query(Note::BY_TIME).equal("r").limit(3).page().await.unwrap().next.unwrap();
        let at = |range: std::ops::Range<i64>, reverse: bool| {
            let query = db.query(Note::BY_TIME).equal("r").range(time(range.start)..time(range.end));
            let query = if reverse { query.descending() } else { query };
            let query = query.after(next.clone());
            async move { ids(&query.page().await.unwrap().records) }
        };
        assert_eq!(at(0..5, false).await, [3, 4]);
        assert_eq!(at(5..8, false).await, [5, 6, 7]);
        assert_eq!(at(0..2, false).await, [0_u32; 0]);
        assert_eq!(at(0..9, true).await, [1, 0]);
        assert_eq!(at(5..9, true).await, [0_u32; 0]);
        assert_eq!(at(0..2, true).await, [1, 0]);
    })
    .await;
}

#[tokio::test]
async fn ranges_have_exact_bounds() {
    on_each(async |place| {
        let db = place.open().await;
        for (id, at) in [i64::MIN, -1, 0, 1, i64::MAX].into_iter().enumerate() {
            db.put(&Note::new("r", id as u32, at)).await.unwrap();
        }
        let query = || db.query(Note::BY_TIME).equal("r");
        assert_eq!(ids(&query().range(time(-1)..time(1)).page().await.unwrap().records), [1, 2]);
        assert_eq!(ids(&query().range(time(-1)..=time(1)).page().await.unwrap().records), [1, 2, 3]);
        assert_eq!(ids(&query().before(time(0)).page().await.unwrap().records), [0, 1]);
        assert_eq!(ids(&query().from(time(1)).page().await.unwrap().records), [3, 4]);
        assert_eq!(ids(&query().from(time(0)).before(time(1)).page().await.unwrap().records), [2]);
        let excluded = (std::ops::Bound::Excluded(time(-1)), std::ops::Bound::Unbounded);
        assert_eq!(ids(&query().range(excluded).page().await.unwrap().records), [2, 3, 4]);
        assert!(query().range(time(1)..time(-1)).page().await.unwrap().records.is_empty());
        assert_eq!(query().range(time(1)..time(-1)).count().await.unwrap(), 0);
        assert!(query().limit(0).page().await.unwrap().records.is_empty());
        assert_eq!(query().first().await.unwrap().unwrap().id, 0);
        assert_eq!(query().newest_first().first().await.unwrap().unwrap().id, 4);
        assert_eq!(query().newest_first().oldest_first().first().await.unwrap().unwrap().id, 0);
    })
    .await;
}

#[tokio::test]
async fn optional_multi_and_conditional_indexes() {
    on_each(async |place| {
        let db = place.open().await;
        let mut note = Note::new("r", 1, 1);
        note.tags = vec!["b".to_owned(), "a".to_owned(), "b".to_owned()];
        note.thread = Some(String::new());
        db.put(&note).await.unwrap();
        db.put(&Note::new("r", 2, 2)).await.unwrap();
        assert_eq!(db.query(Note::THREAD).equal("r").count().await.unwrap(), 1);
        assert_eq!(ids(&db.query(Note::THREAD).equal("r").equal("").page().await.unwrap().records), [1]);
        assert_eq!(ids(&db.query(Note::TAG).equal("b").page().await.unwrap().records), [1]);
        assert_eq!(db.query(Note::TAG).count().await.unwrap(), 2);
        assert_eq!(db.query(Note::OPEN).equal("r").count().await.unwrap(), 2);
        note.done_at = Some(time(5));
        note.tags = vec!["c".to_owned()];
        note.thread = None;
        db.put(&note).await.unwrap();
        assert_eq!(ids(&db.query(Note::OPEN).equal("r").page().await.unwrap().records), [2]);
        assert_eq!(db.query(Note::TAG).equal("b").count().await.unwrap(), 0);
        assert_eq!(db.query(Note::THREAD).equal("r").count().await.unwrap(), 0);
        assert_sound(&db).await;
    })
    .await;
}

#[tokio::test]
async fn a_unique_value_has_one_record() {
    on_each(async |place| {
        let db = place.open().await;
        let slugged = |id, slug: &str| Note { slug: Some(slug.to_owned()), ..Note::new("r", id, 0) };
        db.insert(&slugged(1, "x")).await.unwrap();
        let error = db.insert(&slugged(2, "x")).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::UniqueViolation);
        assert!(error.to_string().contains("slug") && error.to_string().contains("notes"), "{error}");
        assert_eq!(db.put(&slugged(2, "x")).await.unwrap_err().kind(), ErrorKind::UniqueViolation);
        assert_eq!(db.get(&Note::key("r", &2)).await.unwrap(), None, "nothing of a refused write stays");
        db.put(&slugged(1, "x")).await.unwrap();
        // The value moves from one record to another in one transaction.
        let (first, second) = (slugged(1, "y"), slugged(2, "x"));
        db.write(|tx| {
            let (first, second) = (&first, &second);
            async move {
                tx.put(first).await?;
                tx.put(second).await
            }
        })
        .await
        .unwrap();
        assert_eq!(ids(&db.query(Note::SLUG).equal("x").page().await.unwrap().records), [2]);
        assert_eq!(ids(&db.query(Note::SLUG).equal("y").page().await.unwrap().records), [1]);
        assert_sound(&db).await;
    })
    .await;
}

#[tokio::test]
async fn expired_records_are_not_there() {
    on_each(async |place| {
        let db = place.open().await;
        let expiring = Note { expires_at: Some(time(2_000)), slug: Some("s".to_owned()), ..Note::new("r", 1, 1) };
        db.insert(&expiring).await.unwrap();
        db.insert(&Note::new("r", 2, 2)).await.unwrap();
        assert_eq!(db.count::<Note>().await.unwrap(), 2);
        place.clock.set(time(2_000));
        assert_eq!(db.get(&Note::key("r", &1)).await.unwrap(), None);
        assert_eq!(db.count::<Note>().await.unwrap(), 1);
        assert_eq!(ids(&db.query(Note::BY_TIME).equal("r").page().await.unwrap().records), [2]);
        assert_eq!(db.update(&expiring).await.unwrap_err().kind(), ErrorKind::NotFound);
        // Its unique value is free, its key as well, also before a sweep.
        let heir = Note { slug: Some("s".to_owned()), ..Note::new("r", 3, 3) };
        db.insert(&heir).await.unwrap();
        db.insert(&Note::new("r", 1, 9)).await.unwrap();
        assert!(db.delete(&Note::key("r", &1)).await.unwrap());
        place.clock.set(time(0));
        assert_eq!(db.count::<Note>().await.unwrap(), 2, "a clock that went back brings nothing back");
        assert_sound(&db).await;
    })
    .await;
}

#[tokio::test]
async fn a_snapshot_and_a_stream_see_one_moment() {
    on_each(async |place| {
        let db = place.open().await;
        for id in 0..600 {
            db.put(&Note::new("r", id, i64::from(id))).await.unwrap();
        }
        let snapshot = db.snapshot().await.unwrap();
        let mut stream = Box::pin(db.query(Note::BY_TIME).equal("r").stream());
        let first = stream.next().await.unwrap().unwrap();
        // The records move to where the scan has yet to come.
        for id in 0..300 {
            db.put(&Note::new("r", id, 10_000)).await.unwrap();
        }
        db.delete(&Note::key("r", &599)).await.unwrap();
        let rest: Vec<Note> = stream.try_collect().await.unwrap();
        let seen: Vec<u32> = std::iter::once(first.id).chain(ids(&rest)).collect();
        assert_eq!(seen, (0..600).collect::<Vec<_>>());
        assert_eq!(snapshot.count::<Note>().await.unwrap(), 600);
        assert_eq!(snapshot.get(&Note::key("r", &0)).await.unwrap().unwrap().time, time(0));
        assert_eq!(db.count::<Note>().await.unwrap(), 599);
    })
    .await;
}

#[tokio::test]
async fn a_transaction_sees_its_own_writes_in_scans_and_indexes() {
    on_each(async |place| {
        let db = place.open().await;
        for id in 0..10 {
            db.put(&Note::new("r", id * 2, i64::from(id * 2))).await.unwrap();
        }
        db.write(|tx| async move {
            tx.insert(&Note::new("r", 5, 5)).await?;
            tx.delete(&Note::key("r", &8)).await?;
            tx.put(&Note::new("r", 0, 100)).await?;
            let page = tx.query(Note::BY_TIME).equal("r").limit(4).page().await?;
            assert_eq!(ids(&page.records), [2, 4, 5, 6]);
            let rest = tx.query(Note::BY_TIME).equal("r").after(page.next.unwrap()).page().await?;
            assert_eq!(ids(&rest.records), [10, 12, 14, 16, 18, 0]);
            let back = tx.query(Note::BY_TIME).equal("r").newest_first().limit(2).page().await?;
            assert_eq!(ids(&back.records), [0, 18]);
            assert_eq!(tx.count::<Note>().await?, 10);
            assert_eq!(tx.insert(&Note::new("r", 5, 5)).await.unwrap_err().kind(), ErrorKind::AlreadyExists);
            assert_eq!(tx.query(Note::BY_TIME).equal("r").range(time(5)..time(9)).delete().await?, 2);
            assert_eq!(tx.count::<Note>().await?, 8);
            assert_eq!(tx.count::<Counter>().await?, 0);
            tx.put(&Counter::new("c", 1)).await?;
            assert_eq!(tx.count::<Counter>().await?, 1);
            Ok(())
        })
        .await
        .unwrap();
        assert_eq!(db.count::<Note>().await.unwrap(), 8);
        assert_sound(&db).await;
    })
    .await;
}

#[tokio::test]
async fn a_failed_transaction_leaves_nothing_and_its_handle_is_sealed() {
    on_each(async |place| {
        let db = place.open().await;
        let leaked = std::sync::Mutex::new(None);
        let error = db
            .write(|tx| {
                *leaked.lock().unwrap() = Some(tx.clone());
                async move {
                    tx.put(&Counter::new("c", 1)).await?;
                    Err::<(), _>(strongroom::Error::application(std::fmt::Error))
                }
            })
            .await
            .unwrap_err();
        assert!(error.get_ref::<std::fmt::Error>().is_some());
        assert_eq!(db.count::<Counter>().await.unwrap(), 0);
        let leaked = leaked.into_inner().unwrap().unwrap();
        assert_eq!(leaked.put(&Counter::new("c", 1)).await.unwrap_err().kind(), ErrorKind::TransactionEnded);
        assert_eq!(leaked.count::<Counter>().await.unwrap_err().kind(), ErrorKind::TransactionEnded);
    })
    .await;
}

#[tokio::test]
async fn deletion_by_query_is_exact() {
    on_each(async |place| {
        let db = place.open().await;
        for id in 0..1_000 {
            db.put(&Note::new(if id % 2 == 0 { "a" } else { "b" }, id, i64::from(id))).await.unwrap();
        }
        let deleted = db.query(Note::BY_TIME).equal("a").before(time(900)).delete().await.unwrap();
        assert_eq!(deleted, 450);
        assert_eq!(db.query(Note::BY_TIME).equal("a").count().await.unwrap(), 50);
        assert_eq!(db.query(Note::BY_TIME).equal("b").count().await.unwrap(), 500);
        assert_eq!(db.query(Note::PRIMARY).equal("b").limit(7).delete().await.unwrap(), 7);
        assert_eq!(db.count::<Note>().await.unwrap(), 543);
        assert_sound(&db).await;
    })
    .await;
}

#[tokio::test]
async fn limits_are_errors_that_name_them() {
    on_each(async |place| {
        let db = place.open().await;
        let long = Note::new(&"x".repeat(3_000), 1, 1);
        assert_eq!(db.put(&long).await.unwrap_err().kind(), ErrorKind::Limit(Limit::KeyBytes));
        let big = Note { text: "x".repeat((16 << 20) + 1), ..Note::new("r", 1, 1) };
        assert_eq!(db.put(&big).await.unwrap_err().kind(), ErrorKind::Limit(Limit::ValueBytes));
        assert_eq!(db.get(&Note::key(&"x".repeat(3_000), &1)).await.unwrap(), None);
        assert_eq!(db.count::<Note>().await.unwrap(), 0);
    })
    .await;
}

#[tokio::test]
async fn after_close_every_call_says_so() {
    on_each(async |place| {
        let db = place.open().await;
        db.put(&Counter::new("c", 1)).await.unwrap();
        let other = db.clone();
        db.close().await.unwrap();
        db.close().await.unwrap();
        assert_eq!(other.get(&Counter::key("c")).await.unwrap_err().kind(), ErrorKind::Closed);
        assert_eq!(other.put(&Counter::new("c", 1)).await.unwrap_err().kind(), ErrorKind::Closed);
        assert_eq!(other.count::<Counter>().await.unwrap_err().kind(), ErrorKind::Closed);
        assert_eq!(other.snapshot().await.unwrap_err().kind(), ErrorKind::Closed);
        assert_eq!(other.compact().await.unwrap_err().kind(), ErrorKind::Closed);
    })
    .await;
}

/// Each public future can be spawned; captures by reference (of what lives long enough) and by value both work.
#[tokio::test]
async fn every_future_can_be_spawned() {
    on_each(async |place| {
        let db = place.open().await;
        async fn spawn<T: Send + 'static>(future: impl Future<Output = T> + Send + 'static) -> T {
            tokio::spawn(future).await.unwrap()
        }
        let with = |db: &Database| db.clone();
        let d = with(&db);
        spawn(async move { d.insert(&Counter::new("a", 1)).await }).await.unwrap();
        let d = with(&db);
        spawn(async move { d.put(&Counter::new("a", 2)).await }).await.unwrap();
        let d = with(&db);
        spawn(async move { d.update(&Counter::new("a", 3)).await }).await.unwrap();
        let d = with(&db);
        assert!(spawn(async move { d.get(&Counter::key("a")).await }).await.unwrap().is_some());
        let d = with(&db);
        spawn(async move { d.get_many(&[Counter::key("a")]).await }).await.unwrap();
        let d = with(&db);
        spawn(async move { d.count::<Counter>().await }).await.unwrap();
        let d = with(&db);
        spawn(async move { d.query(Counter::GROUP).equal("all").descending().page().await }).await.unwrap();
        let d = with(&db);
        spawn(async move { d.query(Counter::GROUP).equal("all").first().await }).await.unwrap();
        let d = with(&db);
        spawn(async move { d.query(Counter::GROUP).equal("all").count().await }).await.unwrap();
        let d = with(&db);
        spawn(async move { d.query(Counter::GROUP).equal("all").stream().count().await }).await;
        let d = with(&db);
        let by_value = Counter::new("b", 1);
        spawn(async move {
            d.write(|tx| {
                let counter = by_value.clone();
                async move {
                    tx.put(&counter).await?;
                    tx.query(Counter::GROUP).equal("all").page().await?;
                    tx.query(Counter::GROUP).equal("none").delete().await?;
                    tx.count::<Counter>().await
                }
            })
            .await
        })
        .await
        .unwrap();
        let d = with(&db);
        let by_reference = Counter::new("c", 1);
        spawn(async move {
            let counter = &by_reference;
            d.write(|tx| async move { tx.put(counter).await }).await
        })
        .await
        .unwrap();
        let d = with(&db);
        spawn(async move {
            let snapshot = d.snapshot().await?;
            snapshot.get(&Counter::key("a")).await?;
            snapshot.query(Counter::GROUP).equal("all").page().await
        })
        .await
        .unwrap();
        let d = with(&db);
        spawn(async move { d.query(Counter::GROUP).equal("all").delete().await }).await.unwrap();
        let d = with(&db);
        spawn(async move { d.delete(&Counter::key("a")).await }).await.unwrap();
        let d = with(&db);
        spawn(async move {
            d.verify().await.unwrap();
            d.stats().await.unwrap();
            d.changed(Default::default()).await.unwrap()
        })
        .await;
        let d = with(&db);
        spawn(async move { d.compact().await }).await.unwrap();
        let d = with(&db);
        spawn(async move { d.close().await }).await.unwrap();
        let fresh = Place::new(support::Engine::Memory);
        spawn(async move { fresh.open().await }).await;
    })
    .await;
}
