//! Many at once: claims, cancellations, anomalies, and what a conflict says.
#![allow(clippy::unwrap_used, reason = "a test that fails may panic")]

mod support;

use std::collections::BTreeSet;
use std::sync::Arc;

use futures_util::future::{join_all, poll_immediate};
use serde::{Deserialize, Serialize};
use strongroom::schema::Schema;
use strongroom::{Database, ErrorKind, Record, Timestamp};
use support::{Counter, ENGINES, Engine, Note, Place, assert_sound};

/// A key that may be handed out once.
#[derive(Clone, Debug, Record, Serialize, Deserialize)]
#[record(id = 1, name = "one_time_keys", key(id))]
#[index(id = 1, name = "unclaimed", on(algorithm, created_at: ordered), while_absent = used_at)]
struct OneTimeKey {
    id: u32,
    algorithm: String,
    created_at: Timestamp,
    used_at: Option<Timestamp>,
}

async fn claim(db: Database) -> strongroom::Result<Option<u32>> {
    db.write(|tx| async move {
        let oldest = tx.query(OneTimeKey::UNCLAIMED).equal("ed25519").from(Timestamp::MIN).first().await?;
        let Some(mut key) = oldest else { return Ok(None) };
        key.used_at = Some(Timestamp::from_millis(1));
        tx.update(&key).await?;
        Ok(Some(key.id))
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sixty_four_claimants_of_forty_keys_get_forty() {
    for engine in ENGINES {
        let place = Place::new(engine);
        let db = place.open_with(Schema::builder("keys", 1).collection::<OneTimeKey>().build().unwrap()).await.unwrap();
        for id in 0..40 {
            let created_at = Timestamp::from_millis(i64::from(id));
            db.insert(&OneTimeKey { id, algorithm: "ed25519".to_owned(), created_at, used_at: None }).await.unwrap();
        }
        let claims = join_all((0..64).map(|_| tokio::spawn(claim(db.clone())))).await;
        let claimed: Vec<u32> = claims.into_iter().filter_map(|claim| claim.unwrap().unwrap()).collect();
        let distinct: BTreeSet<u32> = claimed.iter().copied().collect();
        assert_eq!((claimed.len(), distinct.len()), (40, 40));
        assert_sound(&db).await;
    }
}

/// Half of the writers are dropped after a number of polls; whatever became of theirs, the others all succeed.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn cancelled_writers_harm_no_other() {
    for engine in ENGINES {
        let place = Place::new(engine);
        let db = place.open().await;
        let writers = (0..400_u32).map(|id| {
            let db = db.clone();
            tokio::spawn(async move {
                let note = Note { slug: Some(format!("slug {id}")), ..Note::new("r", id, i64::from(id % 7)) };
                if id % 2 == 0 {
                    db.insert(&note).await.unwrap();
                    return;
                }
                let mut insert = Box::pin(db.insert(&note));
                for _ in 0..id % 5 {
                    if poll_immediate(&mut insert).await.is_some() {
                        return;
                    }
                    tokio::task::yield_now().await;
                }
            })
        });
        for writer in join_all(writers).await {
            writer.unwrap();
        }
        for id in (0..400).step_by(2) {
            assert!(
                db.get(&Note::key("r", &id)).await.unwrap().is_some(),
                "writer {id} was told that it had succeeded"
            );
        }
        db.put(&Counter::new("after", 1)).await.unwrap();
        assert_sound(&db).await;
    }
}

/// Dropping any public future at each of its awaits leaves the database usable.
#[tokio::test]
async fn a_transaction_can_be_dropped_at_any_await() {
    for engine in ENGINES {
        let place = Place::new(engine);
        let db = place.open().await;
        for id in 0..50 {
            db.put(&Note::new("r", id, 1)).await.unwrap();
        }
        for polls in 0..200 {
            let mut write = Box::pin(db.write(|tx| async move {
                tokio::task::yield_now().await;
                tx.query(Note::BY_TIME).equal("r").limit(5).delete().await?;
                tokio::task::yield_now().await;
                tx.put(&Note::new("r", 1_000, 5)).await?;
                tokio::task::yield_now().await;
                tx.count::<Note>().await
            }));
            let mut done = false;
            for _ in 0..polls {
                if poll_immediate(&mut write).await.is_some() {
                    done = true;
                    break;
                }
                tokio::task::yield_now().await;
            }
            drop(write);
            if done {
                break;
            }
        }
        // The next writer is not held up, and what there is fits together.
        db.put(&Counter::new("after", 1)).await.unwrap();
        assert_sound(&db).await;
        // As many as the engine holds.
        let snapshots_max = if engine == Engine::Sqlite { 128 } else { 1_000 };
        let snapshots = join_all((0..snapshots_max).map(|_| db.snapshot())).await;
        assert!(
            snapshots.into_iter().all(|snapshot| snapshot.is_ok()),
            "dropped transactions gave their snapshots back"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_update_is_lost() {
    for engine in ENGINES {
        let place = Place::new(engine);
        let db = place.open().await;
        db.put(&Counter::new("c", 0)).await.unwrap();
        let writers = (0..100).map(|_| {
            let db = db.clone();
            tokio::spawn(async move {
                db.write(|tx| async move {
                    let mut counter = tx.get(&Counter::key("c")).await?.expect("it is there");
                    tokio::task::yield_now().await;
                    counter.value += 1;
                    tx.put(&counter).await
                })
                .await
            })
        });
        for writer in join_all(writers).await {
            writer.unwrap().unwrap();
        }
        assert_eq!(db.get(&Counter::key("c")).await.unwrap().unwrap().value, 100);
    }
}

/// Two transactions, held together after their reads so that both decide on the same state: one of them must run again.
async fn race<F, Fut>(db: &Database, body: F) -> [u32; 2]
where
    F: Fn(strongroom::Transaction, u32, Arc<tokio::sync::Barrier>, bool) -> Fut + Send + Sync + Clone + 'static,
    Fut: Future<Output = strongroom::Result<()>> + Send + 'static,
{
    let barrier = Arc::new(tokio::sync::Barrier::new(2));
    let runs = [0, 1].map(|who| {
        let (db, body, barrier) = (db.clone(), body.clone(), barrier.clone());
        tokio::spawn(async move {
            let attempts = std::sync::atomic::AtomicU32::new(0);
            db.write(|tx| {
                let first = attempts.fetch_add(1, std::sync::atomic::Ordering::SeqCst) == 0;
                body(tx, who, barrier.clone(), first)
            })
            .await
            .unwrap();
            attempts.into_inner()
        })
    });
    let [a, b] = runs;
    [a.await.unwrap(), b.await.unwrap()]
}

#[tokio::test]
async fn write_skew_is_refused() {
    for engine in ENGINES {
        let place = Place::new(engine);
        let db = place.open().await;
        for name in ["0", "1"] {
            db.put(&Counter::new(name, 1)).await.unwrap();
        }
        // Each may go to zero only while the other has not.
        let attempts = race(&db, |tx, who, barrier, first| async move {
            let both = tx.get_many(&[Counter::key("0"), Counter::key("1")]).await?;
            let sum: i64 = both.into_iter().flatten().map(|counter| counter.value).sum();
            if first {
                barrier.wait().await;
            }
            if sum == 2 { tx.put(&Counter::new(&who.to_string(), 0)).await } else { Ok(()) }
        })
        .await;
        assert_eq!(attempts.iter().sum::<u32>(), 3, "one of the two ran again");
        let left: i64 = db.query(Counter::PRIMARY).page().await.unwrap().records.iter().map(|c| c.value).sum();
        assert_eq!(left, 1);
    }
}

#[tokio::test]
async fn phantoms_are_refused() {
    for engine in ENGINES {
        let place = Place::new(engine);
        let db = place.open().await;
        // Each writes only if nobody has.
        for by_count in [false, true] {
            let group = if by_count { "count" } else { "page" };
            let attempts = race(&db, move |tx, who, barrier, first| async move {
                let query = tx.query(Counter::GROUP).equal(group);
                let empty = if by_count { query.count().await? == 0 } else { query.page().await?.records.is_empty() };
                if first {
                    barrier.wait().await;
                }
                let counter = Counter { group: group.to_owned(), ..Counter::new(&format!("{group} {who}"), 1) };
                if empty { tx.insert(&counter).await } else { Ok(()) }
            })
            .await;
            assert_eq!(attempts.iter().sum::<u32>(), 3, "one of the two ran again");
            assert_eq!(db.query(Counter::GROUP).equal(group).count().await.unwrap(), 1);
        }
    }
}

/// A link that is not touched does not hide that its record changed.
#[tokio::test]
async fn a_followed_target_is_guarded() {
    for engine in ENGINES {
        let place = Place::new(engine);
        let db = place.open().await;
        db.put(&Note::new("r", 1, 1)).await.unwrap();
        db.put(&Note::new("r", 2, 1)).await.unwrap();
        let attempts = race(&db, |tx, who, barrier, first| async move {
            let notes = tx.query(Note::BY_TIME).equal("r").page().await?.records;
            if first {
                barrier.wait().await;
            }
            let untouched = notes.iter().all(|note| note.text != "taken");
            let mut mine = notes.into_iter().find(|note| note.id == who + 1).expect("it is there");
            "taken".clone_into(&mut mine.text);
            if untouched { tx.put(&mine).await } else { Ok(()) }
        })
        .await;
        assert_eq!(attempts.iter().sum::<u32>(), 3);
    }
}

#[tokio::test]
async fn a_transaction_that_cannot_win_says_what_it_lost_to() {
    for engine in ENGINES {
        let place = Place::new(engine);
        let db = place.open().await;
        db.put(&Counter::new("c", 0)).await.unwrap();
        let runs = std::sync::atomic::AtomicU32::new(0);
        let error = db
            .write(|tx| {
                runs.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
                let db = db.clone();
                async move {
                    let counter = tx.get(&Counter::key("c")).await?.expect("it is there");
                    // Somebody is faster, each time.
                    db.put(&Counter::new("c", counter.value + 1)).await?;
                    tx.put(&counter).await
                }
            })
            .await
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Conflict);
        assert!(error.is_conflict() && error.is_retryable());
        assert!(error.to_string().contains("counters"), "{error}");
        assert_eq!(runs.into_inner(), 64);
    }
}
