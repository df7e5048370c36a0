//! Object stores that fail: every call in turn, or all of them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::TryStreamExt;
use strongroom_core::{Error, ErrorKind, Json};
use strongroom_objects::object_store::path::Path;
use strongroom_objects::object_store::{self, GetOptions, GetResult, ObjectStore, PutOptions, PutPayload, PutResult};
use strongroom_objects::{Media, Thumbnail, probe};

use super::moments::{Call, Hooks, Moment, When, fails};
use super::support::{DAY, PART, Scene, ensure_verified, id, listed, new, over, put, read, sweep};
use crate::case::cases;
use crate::objects::{ObjectTwist, TwistedObjects};
use crate::{Checked, Context, Failure, ensure, ensure_eq, ensure_kind};

cases! { Media;
    a_put_that_fails_at_any_part_stores_nothing_and_works_again,
    a_get_that_fails_at_any_part_is_told_and_works_again,
    a_delete_that_fails_at_any_part_is_told_and_swept,
    a_sweep_that_fails_anywhere_is_told_and_gone_on_with,
    an_object_store_that_is_down_is_told_everywhere,
    an_error_of_a_layer_stays_what_it_is,
}

const PARTS: usize = 3;
const SIZE: usize = (PARTS - 1) * PART + 9;
/// A thumbnail has two parts.
const THUMBNAIL: usize = PART + 1;

async fn put_both(scene: &Scene, media: &Media, number: u64) -> strongroom_core::Result<()> {
    let info = Json::new("{}").unwrap_or_else(|_| unreachable!("it is JSON"));
    let thumbnail = Thumbnail { bytes: Bytes::from(scene.content(1_000 + number, THUMBNAIL)), info };
    media.put(new(&id(number)).thumbnail(thumbnail), &scene.content(number, SIZE)[..]).await.map(drop)
}

/// The one call of this kind and number fails.
fn one(call: Call, when: When, number: u64) -> Arc<Hooks> {
    fails(move |moment| moment == Moment { call, when, number })
}

async fn a_put_that_fails_at_any_part_stores_nothing_and_works_again(context: Context) -> Checked {
    let scene = Scene::new(&context).await?;
    let mut number = 0;
    for (transfers, when) in [(1, When::Before), (3, When::Before), (3, When::After)] {
        for at in 0..PARTS as u64 + 2 {
            number += 1;
            let failing = one(Call::Put, when, at);
            let media = over(&scene.db, failing.on(&scene.objects), transfers).await?;
            ensure_kind!(put_both(&scene, &media, number).await, ErrorKind::Io);
            ensure!(scene.media.stat(&id(number)).await?.is_none(), "put {at} failed");
            ensure!(scene.media.get_thumbnail(&id(number)).await?.is_none(), "put {at} failed");
            put_both(&scene, &media, number).await?;
            scene.ensure_is(number, SIZE).await?;
        }
    }
    ensure_eq!(ensure_verified(&scene.media).await?, number);
    scene.settled().await;
    scene.after(DAY + 1);
    sweep(&scene.media).await?;
    scene.ensure_tidy().await?;
    ensure_eq!(ensure_verified(&scene.media).await?, number);
    Ok(())
}

async fn a_get_that_fails_at_any_part_is_told_and_works_again(context: Context) -> Checked {
    let scene = Scene::new(&context).await?;
    put_both(&scene, &scene.media, 0).await?;
    let content = scene.content(0, SIZE);
    for when in [When::Before, When::After] {
        for at in 0..PARTS {
            let media = over(&scene.db, one(Call::Get, when, at as u64).on(&scene.objects), 1).await?;
            let mut stream = media.get(&id(0)).await?.ok_or_else(|| Failure::new("it was stored"))?.stream();
            let mut found = Vec::new();
            let failed = loop {
                match stream.try_next().await {
                    Ok(Some(bytes)) => found.extend_from_slice(&bytes),
                    other => break other,
                }
            };
            ensure_kind!(failed, ErrorKind::Io);
            ensure!(found == content[..at * PART], "{} bytes before get {at}, which failed", found.len());
            ensure!(stream.try_next().await.is_ok_and(|more| more.is_none()), "the stream ends with its error");
            ensure!(read(&media, &id(0)).await? == Some(content.clone()), "again");
        }
        let media = scene.over(one(Call::Get, when, 1).on(&scene.objects)).await?;
        ensure_kind!(media.get_thumbnail(&id(0)).await, ErrorKind::Io);
        ensure!(media.get_thumbnail(&id(0)).await? == Some(scene.content(1_000, THUMBNAIL).into()));
    }
    Ok(())
}

async fn a_delete_that_fails_at_any_part_is_told_and_swept(context: Context) -> Checked {
    let scene = Scene::new(&context).await?;
    for when in [When::Before, When::After] {
        for at in 0..PARTS as u64 + 2 {
            put_both(&scene, &scene.media, at).await?;
            let media = scene.over(one(Call::Delete, when, at).on(&scene.objects)).await?;
            ensure_kind!(media.delete(&id(at)).await, ErrorKind::Io);
            ensure!(media.get(&id(at)).await?.is_none(), "its record is gone before its bytes are");
            let swept = sweep(&media).await?;
            ensure!(swept.media.is_empty() && (when == When::After || swept.strays.0 > 0), "{swept:?}");
            scene.ensure_tidy().await?;
        }
    }
    Ok(())
}

async fn a_sweep_that_fails_anywhere_is_told_and_gone_on_with(context: Context) -> Checked {
    let scene = Scene::new(&context).await?;
    for (call, calls) in [(Call::List, 1), (Call::Delete, 2 * PARTS as u64)] {
        for at in 0..calls {
            let expiring = new(&id(0)).expires_at(scene.db.now().saturating_add(1));
            scene.media.put(expiring, &scene.content(0, SIZE)[..]).await?;
            let mut upload = over(&scene.db, scene.objects.clone(), 1).await?.upload(new(&id(1))).await?;
            upload.write(scene.content(1, PARTS * PART).into()).await?;
            drop(upload);
            scene.after(DAY + 1);
            let media = scene.over(one(call, When::Before, at).on(&scene.objects)).await?;
            ensure_kind!(sweep(&media).await, ErrorKind::Io);
            sweep(&media).await?;
            scene.ensure_tidy().await?;
            ensure!(listed(&scene.objects).await?.is_empty(), "after {call:?} {at} failed");
        }
    }
    Ok(())
}

async fn an_object_store_that_is_down_is_told_everywhere(context: Context) -> Checked {
    let scene = Scene::new(&context).await?;
    for number in 0..3 {
        put_both(&scene, &scene.media, number).await?;
    }
    let down = Arc::new(AtomicBool::new(true));
    let is_down = down.clone();
    let objects = fails(move |moment| moment.call != Call::Commit && is_down.load(Ordering::SeqCst)).on(&scene.objects);
    let media = scene.over(objects.clone()).await?;
    ensure_kind!(put_both(&scene, &media, 9).await, ErrorKind::Io);
    ensure_kind!(read(&media, &id(0)).await, ErrorKind::Io);
    ensure_kind!(media.get_thumbnail(&id(0)).await, ErrorKind::Io);
    ensure_kind!(media.delete(&id(0)).await, ErrorKind::Io);
    ensure_kind!(sweep(&media).await, ErrorKind::Io);
    ensure_kind!(probe(&*objects).await, ErrorKind::Io);
    let verified = media.verify(|_| ()).await?;
    let kinds: Vec<_> = verified.problems.iter().map(|problem| problem.error.kind()).collect();
    ensure_eq!(kinds, [ErrorKind::Io; 2], "what a verification finds");
    // The records are there all the same.
    ensure!(media.stat(&id(1)).await?.is_some() && media.stat(&id(9)).await?.is_none());
    down.store(false, Ordering::SeqCst);
    put_both(&scene, &media, 9).await?;
    for number in [1, 2, 9] {
        scene.ensure_is(number, SIZE).await?;
    }
    ensure_eq!(ensure_verified(&media).await?, 3);
    scene.settled().await;
    scene.after(DAY + 1);
    sweep(&media).await?;
    scene.ensure_tidy().await
}

/// Fails every put and get with an error of Strongroom's own in it.
#[derive(Debug)]
struct Layer;

fn of_layer() -> object_store::Error {
    let source = Box::new(Error::new(ErrorKind::Encrypted, "of a layer"));
    object_store::Error::Generic { store: "layer", source }
}

#[async_trait]
impl ObjectTwist for Layer {
    async fn put(
        &self,
        _: &Arc<dyn ObjectStore>,
        _: &Path,
        _: PutPayload,
        _: PutOptions,
    ) -> object_store::Result<PutResult> {
        Err(of_layer())
    }

    async fn get(&self, _: &Arc<dyn ObjectStore>, _: &Path, _: GetOptions) -> object_store::Result<GetResult> {
        Err(of_layer())
    }
}

async fn an_error_of_a_layer_stays_what_it_is(context: Context) -> Checked {
    let scene = Scene::new(&context).await?;
    scene.put(0, SIZE).await?;
    let layer = TwistedObjects::new(scene.objects.clone(), Arc::new(Layer));
    let media = scene.over(Arc::new(layer)).await?;
    ensure_kind!(put(&media, scene.content(1, SIZE), &id(1)).await, ErrorKind::Encrypted);
    ensure_kind!(read(&media, &id(0)).await, ErrorKind::Encrypted);
    let verified = media.verify(|_| ()).await?;
    ensure!(verified.problems.len() == 1 && verified.problems[0].error.kind() == ErrorKind::Encrypted);
    Ok(())
}
