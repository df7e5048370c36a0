//! Two uploads of one medium cross each other.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use strongroom_core::ErrorKind;
use strongroom_core::matrix::MediaId;
use strongroom_objects::Media;

use super::moments::{Call, Moment, hooks};
use super::support::{DAY, PART, Scene, id, put, read, sweep};
use crate::case::cases;
use crate::{Checked, Context, Failure, ensure, ensure_eq, ensure_kind};

cases! { Media;
    of_two_uploads_of_one_id_the_first_to_commit_is_the_medium,
    two_uploads_of_one_id_that_run_free_make_one_medium random true,
    the_same_content_twice_is_stored_once,
}

/// The second upload runs, from its begin to its end, at each moment of the first.
async fn of_two_uploads_of_one_id_the_first_to_commit_is_the_medium(context: Context) -> Checked {
    let scene = Scene::new(&context).await?;
    let size = PART + 1;
    for same in [false, true] {
        for moment in 0.. {
            let medium = id(2 * moment + u64::from(same));
            let (first, second) = (scene.content(moment, size), scene.content(moment + u64::from(!same), size));
            // Put by the hook, once.
            let inner = Arc::new(Mutex::new(Some((scene.media.clone(), medium.clone(), second.clone()))));
            let taken = inner.clone();
            let passed = AtomicU64::new(0);
            let hooks = hooks(move |Moment { call, .. }| {
                let relevant = matches!(call, Call::Put | Call::Commit);
                let now = relevant && passed.fetch_add(1, Ordering::SeqCst) == moment;
                let second = if now { take(&taken) } else { None };
                async move {
                    if let Some((media, medium, content)) = second {
                        put(&media, content, &medium).await.ok();
                    }
                    true
                }
            });
            let store = hooks.on_commits_of(&scene.site.store);
            let crossed = scene.beside(store, hooks.on(&scene.objects)).await?;
            let outcome = put(&crossed, first.clone(), &medium).await;
            if take(&inner).is_some() {
                // The first has fewer moments than that: all were tried.
                ensure!(moment > 6, "there were {moment} moments");
                break;
            }
            let there = read(&scene.media, &medium).await?.ok_or_else(|| Failure::new("neither is there"))?;
            match outcome {
                Ok(stored) if same => ensure!(there == first, "was there: {}", stored.was_there),
                Ok(stored) => ensure!(!stored.was_there && there == first, "the first was told that it is stored"),
                failed => {
                    ensure_kind!(failed, ErrorKind::AlreadyExists);
                    ensure!(!same && there == second, "the first was told that another is there");
                }
            }
            scene.after(DAY + 1);
            sweep(&scene.media).await?;
            scene.ensure_tidy().await?;
            let there_still = read(&scene.media, &medium).await?;
            ensure!(there_still == Some(there), "after a sweep, crossed at moment {moment}");
        }
    }
    Ok(())
}

/// An upload that is made once.
type Second = Mutex<Option<(Media, MediaId, Vec<u8>)>>;

fn take(second: &Second) -> Option<(Media, MediaId, Vec<u8>)> {
    second.lock().unwrap_or_else(PoisonError::into_inner).take()
}

async fn two_uploads_of_one_id_that_run_free_make_one_medium(context: Context) -> Checked {
    let scene = Scene::new(&context).await?;
    for round in 0..10 {
        let contents = [0, 1].map(|which| scene.content(2 * round + which, PART + which as usize));
        let tasks = contents.clone().map(|content| {
            let media = scene.media.clone();
            tokio::spawn(async move { put(&media, content, &id(round)).await })
        });
        let mut won = Vec::new();
        for (task, content) in tasks.into_iter().zip(contents) {
            match task.await.map_err(|error| Failure::new(error.to_string()))? {
                Ok(_) => won.push(content),
                Err(error) => ensure_eq!(error.kind(), ErrorKind::AlreadyExists, "{error}"),
            }
        }
        ensure_eq!(won.len(), 1, "uploads that were told that they are stored");
        ensure!(read(&scene.media, &id(round)).await? == won.pop(), "round {round}");
    }
    sweep(&scene.media).await?;
    scene.ensure_tidy().await
}

async fn the_same_content_twice_is_stored_once(context: Context) -> Checked {
    let scene = Scene::new(&context).await?;
    for (number, size) in (0..).zip([0, 1, PART, 3 * PART + 1]) {
        let first = scene.put(number, size).await?;
        let again = scene.put(number, size).await?;
        ensure!(again.was_there && again.record == first.record && again.sha256 == first.sha256, "{size} bytes");
        let other = put(&scene.media, scene.content(99, size + 1), &id(number)).await;
        ensure_kind!(other, ErrorKind::AlreadyExists);
        scene.ensure_is(number, size).await?;
        scene.ensure_tidy().await?;
    }
    Ok(())
}
