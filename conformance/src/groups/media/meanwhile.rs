//! Another deletes or sweeps at any moment at which a call asks the store something.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::TryStreamExt;
use futures_util::future::BoxFuture;
use strongroom_core::store::{Batch, Outcome, Page, Read, Rows, Scan, Snapshot, Store, StoredKey};
use strongroom_core::{ErrorKind, Json, Result};
use strongroom_objects::{Filter, Media, Retention, RetentionRule, SweepOptions, Thumbnail};

use super::support::{DAY, Scene, bytes, id, new, number, put, sweep};
use crate::case::cases;
use crate::twist::{Twist, Twisted};
use crate::{Checked, Context, ensure, ensure_eq, ensure_kind};

cases! { Media;
    a_medium_that_is_deleted_while_it_is_asked_for_is_none,
    a_medium_that_is_deleted_while_it_is_put_again_is_no_corruption,
    a_sweep_in_the_middle_of_another_takes_no_more_than_one,
}

/// Counts what the store is asked; before the question of one number, something happens.
struct Questions {
    asked: AtomicU64,
    at: u64,
    then: Mutex<Option<BoxFuture<'static, ()>>>,
}

impl Questions {
    /// Media over the scene's store that are not asked anything yet.
    async fn at(scene: &Scene, at: u64) -> Checked<(Arc<Self>, Media)> {
        let questions = Arc::new(Questions { asked: AtomicU64::new(0), at, then: Mutex::new(None) });
        let store = Arc::new(Twisted::new(scene.site.store.clone(), questions.clone()));
        let media = scene.beside(store, scene.objects.clone()).await?;
        Ok((questions, media))
    }

    /// What is to happen; from here on questions count.
    fn then(&self, then: impl Future<Output = ()> + Send + 'static) {
        *self.then.lock().unwrap_or_else(PoisonError::into_inner) = Some(Box::pin(then));
        self.asked.store(0, Ordering::SeqCst);
    }

    /// What was to happen has not: there were fewer questions.
    fn is_over(&self) -> bool {
        self.then.lock().unwrap_or_else(PoisonError::into_inner).is_some()
    }

    async fn ask(&self) {
        if self.asked.fetch_add(1, Ordering::SeqCst) == self.at {
            let then = self.then.lock().unwrap_or_else(PoisonError::into_inner).take();
            if let Some(then) = then {
                then.await;
            }
        }
    }
}

impl fmt::Debug for Questions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Questions").field("asked", &self.asked).field("at", &self.at).finish_non_exhaustive()
    }
}

#[async_trait]
impl Twist for Questions {
    async fn get(&self, inner: &dyn Read, keys: &[StoredKey]) -> Result<Rows> {
        self.ask().await;
        inner.get(keys).await
    }

    async fn scan(&self, inner: &dyn Read, scan: &Scan) -> Result<Page> {
        self.ask().await;
        inner.scan(scan).await
    }

    async fn snapshot(&self, inner: &Arc<dyn Store>) -> Result<Box<dyn Snapshot>> {
        self.ask().await;
        inner.snapshot().await
    }

    async fn commit(&self, inner: &Arc<dyn Store>, batches: Vec<Batch>) -> Result<Vec<Outcome>> {
        self.ask().await;
        inner.commit(batches).await
    }
}

/// What is asked for.
#[derive(Clone, Copy, Debug)]
enum Asked {
    Stat,
    Content,
    Thumbnail,
}

async fn a_medium_that_is_deleted_while_it_is_asked_for_is_none(context: Context) -> Checked {
    let scene = Scene::new(&context).await?;
    let picture = Bytes::from(scene.content(1, 20));
    for asked in [Asked::Stat, Asked::Content, Asked::Thumbnail] {
        for at in 0.. {
            let info = Json::new("{}").unwrap_or_else(|_| unreachable!("it is JSON"));
            let with = new(&id(0)).thumbnail(Thumbnail { bytes: picture.clone(), info });
            scene.media.put(with, &scene.content(0, 50)[..]).await?;
            let (questions, media) = Questions::at(&scene, at).await?;
            let deleting = scene.media.clone();
            questions.then(async move { drop(deleting.delete(&id(0)).await) });
            match asked {
                Asked::Stat => drop(media.stat(&id(0)).await?),
                Asked::Content => {
                    // What was there a moment ago may lack its bytes, which the stream says.
                    if let Some(content) = media.get(&id(0)).await? {
                        match bytes(content).await {
                            Ok(found) => ensure!(found == scene.content(0, 50)),
                            failed => drop(ensure_kind!(failed, ErrorKind::Corrupt)),
                        }
                    }
                }
                Asked::Thumbnail => match media.get_thumbnail(&id(0)).await {
                    Ok(found) => ensure!(found.is_none_or(|found| found == picture)),
                    failed => {
                        // Here, too, bytes may be gone; never a record that another names.
                        let error = ensure_kind!(failed, ErrorKind::Corrupt);
                        ensure!(error.place() != Some("media"), "{error}");
                    }
                },
            }
            if questions.is_over() {
                ensure!(at > 1, "{asked:?} asks {at} questions");
                break;
            }
            ensure!(scene.media.stat(&id(0)).await?.is_none(), "it was deleted at question {at} of {asked:?}");
        }
    }
    scene.ensure_is(0, 50).await?;
    scene.ensure_tidy().await
}

async fn a_medium_that_is_deleted_while_it_is_put_again_is_no_corruption(context: Context) -> Checked {
    let scene = Scene::new(&context).await?;
    for same in [true, false] {
        for at in 0.. {
            scene.put(0, 50).await?;
            let (questions, media) = Questions::at(&scene, at).await?;
            let deleting = scene.media.clone();
            questions.then(async move { drop(deleting.delete(&id(0)).await) });
            let size = if same { 50 } else { 60 };
            match put(&media, scene.content(0, size), &id(0)).await {
                // Another has deleted it since, if it was there.
                Ok(stored) if !stored.was_there => scene.ensure_is(0, size).await?,
                Ok(_) => ensure!(same, "another content is not there"),
                failed => {
                    ensure_kind!(failed, ErrorKind::AlreadyExists);
                    ensure!(!same, "the same content, deleted at question {at}");
                }
            }
            let over = questions.is_over();
            scene.media.delete(&id(0)).await?;
            if over {
                ensure!(at > 3, "a put asks {at} questions");
                break;
            }
        }
    }
    scene.after(DAY + 1);
    sweep(&scene.media).await?;
    scene.ensure_tidy().await
}

/// Media that stay, of twice as many.
const STAY: u64 = 3;

async fn a_sweep_in_the_middle_of_another_takes_no_more_than_one(context: Context) -> Checked {
    let scene = Scene::new(&context).await?;
    let all = RetentionRule { total_bytes_max: Some(STAY * 10), ..RetentionRule::default() };
    let options = SweepOptions { retention: Retention { all, ..Retention::default() }, dry_run: false };
    let mut stored = 0;
    let mut left: Vec<u64> = Vec::new();
    for at in 0.. {
        while (left.len() as u64) < 2 * STAY {
            scene.after(1);
            scene.put(stored, 10).await?;
            left.push(stored);
            stored += 1;
        }
        let (questions, media) = Questions::at(&scene, at).await?;
        let (other, as_well) = (scene.media.clone(), options.clone());
        questions.then(async move { drop(other.sweep(&as_well).await) });
        media.sweep(&options).await?;
        let found: Vec<_> = scene.media.list(Filter::default()).try_collect().await?;
        let mut found = found.iter().map(|record| number(&record.media_id)).collect::<Checked<Vec<_>>>()?;
        found.sort_unstable();
        left = left.split_off(STAY as usize);
        ensure_eq!(found, left, "what two sweeps leave, the second at question {at} of the first");
        if questions.is_over() {
            ensure!(at > 4, "a sweep asks {at} questions");
            break;
        }
    }
    scene.ensure_tidy().await
}
