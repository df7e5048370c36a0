//! Uploads that were interrupted and go on.

use std::io::Cursor;
use std::sync::Arc;

use bytes::Bytes;
use strongroom_core::ErrorKind;
use strongroom_objects::Media;
use tokio::sync::Notify;

use super::moments::{Call, Hooks, Moment, When, hooks};
use super::support::{DAY, PART, Scene, id, new, over, sweep, uploads};
use crate::case::cases;
use crate::{Checked, Context, ensure, ensure_eq, ensure_kind};

cases! { Media;
    an_upload_interrupted_at_any_part_goes_on_with_the_rest,
    a_source_that_is_another_begins_anew,
    whoever_takes_over_an_upload_fences_its_predecessor,
    an_upload_that_rested_too_long_begins_anew,
    an_upload_that_was_given_up_leaves_nothing,
    an_upload_that_failed_takes_no_more,
}

/// How an upload is interrupted.
#[derive(Clone, Copy, Debug, PartialEq)]
enum How {
    /// The object store fails.
    Failure,
    /// Nobody waits for it any more.
    Drop,
}

const PARTS: usize = 7;
const SIZE: usize = (PARTS - 1) * PART + 9;

/// Uploads until the put of this number, before or after its bytes are stored, and no further.
async fn interrupt(scene: &Scene, number: u64, at: u64, when: When, how: How, transfers: usize) -> Checked {
    let reached = Arc::new(Notify::new());
    let notify = reached.clone();
    let hooks = hooks(move |moment: Moment| {
        let is_it = moment == Moment { call: Call::Put, when, number: at };
        let notify = notify.clone();
        async move {
            if is_it && how == How::Drop {
                notify.notify_one();
                std::future::pending::<()>().await;
            }
            !is_it
        }
    });
    let media = over(&scene.db, hooks.on(&scene.objects), transfers).await?;
    let content = scene.content(number, SIZE);
    tokio::select! {
        biased;
        put = resumed(&media, number, &content) => { ensure_kind!(put, ErrorKind::Io); }
        () = reached.notified() => {}
    }
    ensure!(scene.media.stat(&id(number)).await?.is_none(), "an upload that was interrupted");
    Ok(())
}

/// Puts a medium resumably; gives at which byte it went on, and whether it was there.
async fn resumed(media: &Media, number: u64, content: &[u8]) -> strongroom_core::Result<(u64, bool)> {
    let mut first = None;
    let mut last = 0;
    let progress = |done| {
        first.get_or_insert(done);
        last = done;
    };
    let stored = media.put_resumable(new(&id(number)), Cursor::new(content), progress).await?;
    assert_eq!(last, content.len() as u64, "the progress ends with the last byte");
    Ok((first.unwrap_or_default(), stored.was_there))
}

async fn an_upload_interrupted_at_any_part_goes_on_with_the_rest(context: Context) -> Checked {
    let scene = Scene::new(&context).await?;
    let mut number = 0;
    let ways = [
        (1, How::Failure, When::Before),
        (1, How::Drop, When::After),
        (3, How::Failure, When::After),
        (3, How::Drop, When::Before),
    ];
    for (transfers, how, when) in ways {
        for at in 0..PARTS {
            number += 1;
            interrupt(&scene, number, at as u64, when, how, transfers).await?;
            let counted = Hooks::counting();
            let media = over(&scene.db, counted.on(&scene.objects), transfers).await?;
            let (from, _) = resumed(&media, number, &scene.content(number, SIZE)).await?;
            let noted = from as usize / PART;
            let what = format!("{how:?} {when:?} put {at}, {transfers} at a time, went on from part {noted}");
            ensure!(from as usize == noted * PART && noted <= PARTS, "{what}");
            // What was under way, or there and not noted yet, is put again; never more.
            ensure!(noted + 2 * transfers > at, "{what}");
            ensure_eq!(counted.count(Call::Put) as usize, PARTS - noted, "puts: {what}");
            scene.ensure_is(number, SIZE).await?;
        }
    }
    scene.settled().await;
    scene.after(DAY + 1);
    sweep(&scene.media).await?;
    scene.ensure_tidy().await
}

async fn a_source_that_is_another_begins_anew(context: Context) -> Checked {
    let scene = Scene::new(&context).await?;
    // Another first byte, one in the middle of what is stored, the last one of that; fewer bytes than that; none.
    let changed = [Some(0), Some(2 * PART + 5), Some(4 * PART - 1), None, None];
    for (number, changed) in (0..).zip(changed) {
        interrupt(&scene, number, 4, When::Before, How::Failure, 1).await?;
        let mut other = scene.content(number, SIZE);
        match changed {
            Some(at) => other[at] ^= 1,
            None => other.truncate(if number == 3 { 3 * PART } else { 0 }),
        }
        let (from, was_there) = resumed(&scene.media, number, &other).await?;
        ensure_eq!((from, was_there), (0, false), "of another content, the {number}th");
        ensure!(super::support::read(&scene.media, &id(number)).await? == Some(other), "the {number}th");
    }
    // One that differs only behind what is stored goes on, and is what was given then.
    interrupt(&scene, 9, 4, When::Before, How::Failure, 1).await?;
    let mut other = scene.content(9, SIZE);
    other[4 * PART] ^= 1;
    ensure_eq!(resumed(&scene.media, 9, &other).await?, (4 * PART as u64, false));
    ensure!(super::support::read(&scene.media, &id(9)).await? == Some(other));
    scene.after(DAY + 1);
    sweep(&scene.media).await?;
    scene.ensure_tidy().await
}

async fn whoever_takes_over_an_upload_fences_its_predecessor(context: Context) -> Checked {
    let scene = Scene::new(&context).await?;
    let content = Bytes::from(scene.content(0, SIZE));
    for number in 0..5 {
        let mut first = scene.media.upload(new(&id(number))).await?;
        first.write(content.slice(..6 * PART)).await?;
        let mut second = scene.media.resume(new(&id(number))).await?;
        let at = second.resumed_at() as usize;
        ensure!(at > 0 && at.is_multiple_of(PART), "went on at {at}");
        match number {
            0 => {
                // The predecessor writes on: it fails at the latest when it notes how far it came.
                let more = content.slice(..PART);
                let mut written = Ok(());
                for _ in 0..8 {
                    written = first.write(more.clone()).await;
                    if written.is_err() {
                        break;
                    }
                }
                ensure_kind!(written, ErrorKind::Conflict);
                second.write(content.slice(at..)).await?;
                second.finish().await?;
            }
            1 => {
                first.write(content.slice(6 * PART..)).await.ok();
                ensure_kind!(first.finish().await, ErrorKind::Conflict);
                second.write(content.slice(at..)).await?;
                second.finish().await?;
            }
            2 => {
                second.write(content.slice(at..)).await?;
                second.finish().await?;
                ensure_kind!(first.finish().await, ErrorKind::NotFound | ErrorKind::AlreadyExists);
            }
            3 => {
                // It gives up what is another's by now, and then what is a medium's.
                first.abandon().await?;
                second.write(content.slice(at..)).await?;
                second.finish().await?;
            }
            _ => {
                second.write(content.slice(at..)).await?;
                second.finish().await?;
                first.abandon().await?;
            }
        }
        let found = super::support::read(&scene.media, &id(number)).await?;
        ensure!(found.is_some_and(|found| found == content), "medium {number}");
    }
    scene.settled().await;
    let swept = sweep(&scene.media).await?;
    ensure!(swept.strays.0 > 0 && swept.uploads == 0, "what the predecessors put is nobody's: {swept:?}");
    scene.ensure_tidy().await
}

async fn an_upload_that_rested_too_long_begins_anew(context: Context) -> Checked {
    let scene = Scene::new(&context).await?;
    interrupt(&scene, 0, 4, When::Before, How::Failure, 1).await?;
    scene.after(DAY - 1);
    let resumed_at = scene.media.resume(new(&id(0))).await?.resumed_at();
    ensure_eq!(resumed_at, 4 * PART as u64, "just in time");
    scene.after(DAY - 1);
    ensure_eq!(sweep(&scene.media).await?, Default::default(), "whoever goes on has a day again");
    scene.after(1);
    ensure_eq!(resumed(&scene.media, 0, &scene.content(0, SIZE)).await?, (0, false));
    let swept = sweep(&scene.media).await?;
    ensure_eq!((swept.uploads, swept.strays), (1, (4, 4 * PART as u64)));
    scene.ensure_is(0, SIZE).await?;
    scene.ensure_tidy().await
}

async fn an_upload_that_was_given_up_leaves_nothing(context: Context) -> Checked {
    let scene = Scene::new(&context).await?;
    let media = over(&scene.db, scene.objects.clone(), 1).await?;
    for parts in 0..4 {
        let mut upload = media.upload(new(&id(0))).await?;
        upload.write(scene.content(0, parts * PART + 1).into()).await?;
        upload.abandon().await?;
        scene.ensure_tidy().await?;
        ensure_eq!(media.resume(new(&id(0))).await?.resumed_at(), 0);
        for upload in uploads(&scene.db).await? {
            scene.db.delete(&strongroom_core::matrix::Upload::key(&upload.object_id)).await?;
        }
    }
    Ok(())
}

/// After an error it may lack bytes: whoever does not heed it must not get a medium.
async fn an_upload_that_failed_takes_no_more(context: Context) -> Checked {
    let scene = Scene::new(&context).await?;
    for at in 0..PARTS as u64 {
        let failing =
            super::moments::fails(move |moment| moment == Moment { call: Call::Put, when: When::Before, number: at });
        let media = scene.over(failing.on(&scene.objects)).await?;
        let content = Bytes::from(scene.content(at, SIZE));
        let mut upload = media.upload(new(&id(at))).await?;
        let mut failed = false;
        for part in 0..PARTS {
            let piece = content.slice(part * PART..((part + 1) * PART).min(SIZE));
            failed |= upload.write(piece).await.is_err();
        }
        let finished = upload.finish().await;
        ensure!(finished.is_err(), "put {at} failed, which was told at a write: {failed}");
        ensure!(scene.media.stat(&id(at)).await?.is_none());
    }
    Ok(())
}
