//! What a sweep removes, and what it spares whatever the moment.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use strongroom_objects::object_store::path::Path;
use strongroom_objects::object_store::{ObjectStoreExt, PutPayload};
use strongroom_objects::{SweepOptions, Swept};

use super::child::SWEPT;
use super::moments::{Call, Moment, hooks};
use super::support::{DAY, PART, Scene, ensure_verified, id, listed, named, new, over, put, read, sweep};
use crate::case::cases;
use crate::groups::crash::blow::{end, heard};
use crate::{Checked, Child, Context, ensure, ensure_eq};

cases! { Media;
    a_sweep_at_any_moment_of_an_upload_spares_it,
    an_upload_at_any_moment_of_a_sweep_is_spared,
    sweeps_of_another_process_spare_what_is_on_its_way [Reopen, Processes, Share],
    an_upload_that_rests_too_long_is_swept,
    bytes_that_no_record_names_are_swept,
    foreign_names_are_left_alone,
    a_dry_run_says_what_a_sweep_does_and_does_nothing,
    databases_that_share_an_object_store_spare_each_other,
    the_bytes_of_a_medium_whose_expired_record_was_swept_go_with_the_next_sweep,
}

async fn a_sweep_at_any_moment_of_an_upload_spares_it(context: Context) -> Checked {
    let scene = Scene::new(&context).await?;
    let size = 4 * PART + 1;
    for (number, transfers) in (0..).zip([1, 2, 5]) {
        // By the same handle, and by another database, as another process has one.
        let other = scene.beside(scene.site.store.clone(), scene.objects.clone()).await?;
        let (sweepers, found) = ([scene.media.clone(), other], Arc::new(Mutex::new(Vec::new())));
        let seen = found.clone();
        let hooks = hooks(move |moment: Moment| {
            let (sweepers, seen) = (sweepers.clone(), seen.clone());
            async move {
                if matches!(moment.call, Call::Put | Call::Commit) {
                    for sweeper in &sweepers {
                        let swept = sweep(sweeper).await;
                        seen.lock().unwrap_or_else(PoisonError::into_inner).push((moment, swept));
                    }
                }
                true
            }
        });
        let swept_at = scene.beside(hooks.on_commits_of(&scene.site.store), scene.objects.clone()).await?;
        let media = over(swept_at.database(), hooks.on(&scene.objects), transfers).await?;
        put(&media, scene.content(number, size), &id(number)).await?;
        let found = std::mem::take(&mut *found.lock().unwrap_or_else(PoisonError::into_inner));
        // Five parts and two commits, at the least.
        ensure!(found.len() >= 2 * 2 * 7, "{} sweeps", found.len());
        for (moment, swept) in found {
            ensure_eq!(swept?, Swept::default(), "what was swept at {moment:?}");
        }
        scene.ensure_is(number, size).await?;
    }
    scene.ensure_tidy().await
}

async fn an_upload_at_any_moment_of_a_sweep_is_spared(context: Context) -> Checked {
    let scene = Scene::new(&context).await?;
    // There is something to do at each sweep: strays.
    for round in 0..4 {
        let mut upload = over(&scene.db, scene.objects.clone(), 1).await?.upload(new(&id(0))).await?;
        upload.write(scene.content(0, 3 * PART).into()).await?;
        drop(upload);
        scene.after(DAY + 1);
        let (writer, stored) = (scene.media.clone(), Arc::new(Mutex::new(Vec::new())));
        let (told, seed) = (stored.clone(), context.seed());
        let hooks = hooks(move |Moment { call, when, number }| {
            let (writer, told) = (writer.clone(), told.clone());
            let medium = 1 + 1_000 * round + 100 * call as u64 + 10 * when as u64 + number;
            async move {
                let content = super::support::content(seed, medium, PART + 1);
                let put = put(&writer, content, &id(medium)).await;
                told.lock().unwrap_or_else(PoisonError::into_inner).push((medium, put.map(drop)));
                true
            }
        });
        let store = hooks.on_commits_of(&scene.site.store);
        let sweeper = scene.beside(store, hooks.on(&scene.objects)).await?;
        sweep(&sweeper).await?;
        let stored = std::mem::take(&mut *stored.lock().unwrap_or_else(PoisonError::into_inner));
        ensure!(stored.len() >= 2 * (1 + 3 + 1), "{} uploads in a sweep", stored.len());
        for (medium, put) in stored {
            put?;
            scene.ensure_is(medium, PART + 1).await?;
        }
        scene.ensure_tidy().await?;
    }
    Ok(())
}

async fn sweeps_of_another_process_spare_what_is_on_its_way(context: Context) -> Checked {
    let scene = Scene::new(&context).await?;
    let mut child = Child::start(&context, "media sweeper", &scene.site.place, 0)?;
    let (mut sweeps, mut media) = (0, 0);
    while sweeps < 30 || media < 30 {
        let size = PART * (media as usize % 5) + 1;
        scene.put(media, size).await?;
        scene.ensure_is(media, size).await?;
        media += 1;
        let line = heard(&mut child)?;
        ensure_eq!(line, format!("{SWEPT} 0 0"), "what the other process swept");
        sweeps += 1;
    }
    let (_, rest) = end(&mut child)?;
    context.count("sweeps beside uploads", sweeps + rest.len() as u64);
    ensure_eq!(ensure_verified(&scene.media).await?, media);
    scene.ensure_tidy().await
}

async fn an_upload_that_rests_too_long_is_swept(context: Context) -> Checked {
    let scene = Scene::new(&context).await?;
    let media = over(&scene.db, scene.objects.clone(), 1).await?;
    let mut upload = media.upload(new(&id(0))).await?;
    upload.write(scene.content(0, 2 * PART).into()).await?;
    scene.after(DAY - 1);
    ensure_eq!(sweep(&scene.media).await?, Swept::default(), "not yet");
    // Each step puts it off.
    upload.write(scene.content(1, PART).into()).await?;
    scene.after(DAY - 1);
    ensure_eq!(sweep(&scene.media).await?, Swept::default(), "it went on");
    scene.after(1);
    let swept = sweep(&scene.media).await?;
    ensure_eq!((swept.uploads, swept.strays), (1, (3, 3 * PART as u64)));
    scene.ensure_tidy().await?;
    let failed = upload.finish().await;
    crate::ensure_kind!(failed, strongroom_core::ErrorKind::NotFound);
    ensure!(scene.media.stat(&id(0)).await?.is_none());
    sweep(&scene.media).await?;
    scene.ensure_tidy().await
}

async fn bytes_that_no_record_names_are_swept(context: Context) -> Checked {
    let scene = Scene::new(&context).await?;
    scene.put(0, 2 * PART).await?;
    let names = named(&scene.db).await?;
    let one = names.first().ok_or_else(|| crate::Failure::new("there are two parts"))?;
    // Of an object that is there: another attempt, a part beyond its end; then of one that never was.
    let (object, _) = one.rsplit_once("-0-").ok_or_else(|| crate::Failure::new("a part of the first attempt"))?;
    let folder = one.split('/').next().unwrap_or_default();
    let strays = [format!("{object}-1-0"), format!("{object}-0-2"), format!("{folder}/ab/ab{:030}-0-0", 7)];
    for stray in &strays {
        let put = scene.objects.put(&Path::from(stray.as_str()), PutPayload::from_static(b"stray")).await;
        put.map_err(|error| crate::Failure::new(error.to_string()))?;
    }
    ensure_eq!(listed(&scene.objects).await?.len(), 5);
    let swept = sweep(&scene.media).await?;
    ensure_eq!(swept.strays, (3, 15));
    ensure_eq!(sweep(&scene.media).await?, Swept::default(), "again");
    scene.ensure_is(0, 2 * PART).await?;
    scene.ensure_tidy().await
}

async fn foreign_names_are_left_alone(context: Context) -> Checked {
    let scene = Scene::new(&context).await?;
    scene.put(0, PART).await?;
    let names = named(&scene.db).await?;
    let one = names.first().ok_or_else(|| crate::Failure::new("there is one part"))?;
    let folder = one.split('/').next().unwrap_or_default();
    let foreign = [
        "elsewhere".to_owned(),
        format!("{folder}2/ab/ab{:030}-0-0", 7),
        format!("{folder}/notes"),
        format!("{folder}/ab/notes-0-0"),
        format!("{folder}/ab/ab{:030}-0", 7),
        format!("{one}-0"),
        format!("{folder}/ab/ab{:030}-0-x", 7),
    ];
    for name in &foreign {
        let put = scene.objects.put(&Path::from(name.as_str()), PutPayload::from_static(b"foreign")).await;
        put.map_err(|error| crate::Failure::new(error.to_string()))?;
    }
    scene.after(100 * DAY);
    ensure_eq!(sweep(&scene.media).await?, Swept::default());
    let listed = listed(&scene.objects).await?;
    ensure!(foreign.iter().all(|name| listed.contains_key(name)), "{listed:?}");
    ensure!(scene.media.delete(&id(0)).await?);
    ensure_eq!(super::support::listed(&scene.objects).await?.len(), foreign.len());
    Ok(())
}

/// What there is: names with their bytes, and records by collection.
async fn counted(scene: &Scene) -> Checked<(BTreeMap<String, u64>, Vec<u64>)> {
    let records = scene.db.stats().await?.collections.into_values().map(|count| count.records).collect();
    Ok((listed(&scene.objects).await?, records))
}

async fn a_dry_run_says_what_a_sweep_does_and_does_nothing(context: Context) -> Checked {
    let scene = Scene::new(&context).await?;
    let media = over(&scene.db, scene.objects.clone(), 1).await?;
    for number in 0..5 {
        let new = new(&id(number)).expires_at(scene.db.now().saturating_add(DAY * number as i64));
        media.put(new, &scene.content(number, PART + 1)[..]).await?;
        let mut upload = media.upload(super::support::new(&id(100 + number))).await?;
        upload.write(Bytes::from(scene.content(number, number as usize * PART))).await?;
        drop(upload);
        scene.after(DAY / 2);
    }
    for _ in 0..4 {
        let before = counted(&scene).await?;
        let dry = scene.media.sweep(&SweepOptions { dry_run: true, ..SweepOptions::default() }).await?;
        ensure_eq!(counted(&scene).await?, before, "after a dry run");
        let swept = sweep(&scene.media).await?;
        ensure_eq!(swept, dry);
        let freed = before.0.values().sum::<u64>() - listed(&scene.objects).await?.values().sum::<u64>();
        ensure_eq!(swept.freed_bytes(), freed, "bytes that are free now");
        scene.after(DAY);
    }
    // The last one may have begun to expire only now.
    scene.after(3 * DAY);
    sweep(&scene.media).await?;
    scene.ensure_tidy().await?;
    ensure!(listed(&scene.objects).await?.is_empty());
    Ok(())
}

async fn databases_that_share_an_object_store_spare_each_other(context: Context) -> Checked {
    let scenes = [Scene::new(&context).await?, Scene::new(&context).await?];
    let shared = &scenes[0].objects;
    let media = [scenes[0].over(shared.clone()).await?, scenes[1].over(shared.clone()).await?];
    for number in 0..3 {
        for (scene, media) in scenes.iter().zip(&media) {
            put(media, scene.content(number, PART + 1), &id(number)).await?;
        }
    }
    // One of them has strays, too.
    let mut upload = over(&scenes[0].db, shared.clone(), 1).await?.upload(new(&id(9))).await?;
    upload.write(scenes[0].content(9, 2 * PART).into()).await?;
    drop(upload);
    ensure_eq!(listed(shared).await?.len(), 2 * 6 + 2);
    scenes.iter().for_each(|scene| scene.after(DAY + 1));
    ensure_eq!(sweep(&media[1]).await?, Swept::default(), "strays of the other");
    ensure_eq!(sweep(&media[0]).await?.strays.0, 2);
    for (scene, media) in scenes.iter().zip(&media) {
        for number in 0..3 {
            ensure!(read(media, &id(number)).await? == Some(scene.content(number, PART + 1)));
        }
    }
    let all = &named(&scenes[0].db).await? | &named(&scenes[1].db).await?;
    ensure_eq!(listed(shared).await?.into_keys().collect::<BTreeSet<_>>(), all);
    ensure!(media[0].delete(&id(0)).await?);
    ensure!(media[1].stat(&id(0)).await?.is_some(), "the other's medium of the same id");
    Ok(())
}

/// The sweep of expired records knows nothing of bytes.
async fn the_bytes_of_a_medium_whose_expired_record_was_swept_go_with_the_next_sweep(context: Context) -> Checked {
    let scene = Scene::new(&context).await?;
    let expiring = new(&id(0)).expires_at(scene.db.now().saturating_add(DAY));
    scene.media.put(expiring, &scene.content(0, PART + 1)[..]).await?;
    put(&scene.media, scene.content(1, PART + 1), &id(1)).await?;
    scene.after(DAY + 1);
    ensure_eq!(scene.db.sweep_expired().await?.records(), 1);
    let swept = sweep(&scene.media).await?;
    ensure_eq!(swept.media.values().map(|(media, _)| media).sum::<u64>(), 1);
    scene.ensure_is(1, PART + 1).await?;
    ensure_eq!(sweep(&scene.media).await?, Swept::default());
    scene.ensure_tidy().await
}
