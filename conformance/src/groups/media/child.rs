//! What child processes do with media: they say what they were told is stored.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use bytes::Bytes;
use strongroom_core::Json;
use strongroom_objects::object_store::ObjectStore;
use strongroom_objects::object_store::local::LocalFileSystem;
use strongroom_objects::{Media, NewMedia, Thumbnail};

use super::moments::{Call, Moment, hooks};
use super::support::{PART, content, id, new, open, over, put, sweep};
use crate::child::Work;
use crate::groups::crash::blow::told;
use crate::groups::crash::random::Random;
use crate::{Checked, Failure};

/// Before the number of a medium that is stored.
pub(super) const DID: &str = "did ";
/// Before the number of a medium that is about to be deleted.
pub(super) const GOING: &str = "going ";
/// Before the number of a medium that is deleted.
pub(super) const GONE: &str = "gone ";
/// Before the moment at which a child stands still.
pub(super) const AT: &str = "at ";
pub(super) const SWEPT: &str = "swept";
/// Media of one child, at most.
pub(super) const MEDIA_MAX: u32 = 1_000;
/// Media that a child does not delete.
const KEPT: usize = 4;
/// A medium that is struck at chosen points: three parts.
pub(super) const POINT_SIZE: usize = 2 * PART + 9;

/// The size of the medium of this number.
pub(super) fn size(seed: u32, number: u64) -> usize {
    Random::new(seed.into(), 0x73697A65 ^ number).below(4 * PART as u64) as usize
}

/// Stores media, deletes some and sweeps, until the process ends.
pub(super) async fn work_on(work: Work) -> Checked {
    let objects = work.factory.objects(&work.place).await?;
    act(work, objects).await
}

/// As [`work_on`], with files that nobody syncs.
pub(super) async fn work_unsynced(work: Work) -> Checked {
    let files = LocalFileSystem::new_with_prefix(work.place.objects());
    let files = files.map_err(|error| Failure::new(error.to_string()))?;
    act(work, Arc::new(files)).await
}

async fn act(work: Work, objects: Arc<dyn ObjectStore>) -> Checked {
    let (seed, start) = told(&work);
    let mut random = Random::new(seed.into(), start.into());
    let db = open(work.reopen().await?, work.settings.clock.clone()).await?;
    let media = over(&db, objects, 1 + start as usize % 3).await?;
    let mut kept = VecDeque::new();
    for number in (u64::from(start)..).take(MEDIA_MAX as usize) {
        put(&media, content(seed.into(), number, size(seed, number)), &id(number)).await?;
        work.say(format_args!("{DID}{number}"))?;
        kept.push_back(number);
        if kept.len() > KEPT
            && random.below(2) == 0
            && let Some(oldest) = kept.pop_front()
        {
            work.say(format_args!("{GOING}{oldest}"))?;
            media.delete(&id(oldest)).await?;
            work.say(format_args!("{GONE}{oldest}"))?;
        }
        if random.below(6) == 0 {
            sweep(&media).await?;
        }
    }
    Ok(())
}

/// The medium that is struck at chosen points, with a thumbnail.
pub(super) fn at_a_point(seed: u32, number: u64) -> (NewMedia, Vec<u8>) {
    let info = Json::new("{}").unwrap_or_else(|_| unreachable!("it is JSON"));
    let thumbnail = Thumbnail { bytes: Bytes::from(content(seed.into(), !number, 700)), info };
    (new(&id(number)).thumbnail(thumbnail), content(seed.into(), number, POINT_SIZE))
}

/// Stores one medium. Where the argument says it stands still, before or after a put or a commit, until it is struck.
pub(super) async fn upload_to_a_point(work: Work) -> Checked {
    let (seed, number) = told(&work);
    let (transfers, point) = ((number >> 16) as usize, u64::from(number & 0xFFFF));
    let work = Arc::new(work);
    let (armed, passed, said) = (Arc::new(AtomicBool::new(false)), AtomicU64::new(0), work.clone());
    let is_armed = armed.clone();
    let hooks = hooks(move |Moment { call, when, number }| {
        let counts = matches!(call, Call::Put | Call::Commit) && is_armed.load(Ordering::SeqCst);
        let here = counts && passed.fetch_add(1, Ordering::SeqCst) == point;
        let said = said.clone();
        async move {
            if here {
                said.say(format_args!("{AT}{call:?} {when:?} {number}")).ok();
                std::future::pending::<()>().await;
            }
            true
        }
    });
    let objects = hooks.on(&work.factory.objects(&work.place).await?);
    let db = open(hooks.on_commits_of(&work.reopen().await?), work.settings.clock.clone()).await?;
    let media: Media = over(&db, objects, transfers).await?;
    armed.store(true, Ordering::SeqCst);
    let (new, content) = at_a_point(seed, number.into());
    media.put(new, &content[..]).await?;
    work.say(format_args!("{DID}{number}"))?;
    Ok(())
}

/// Sweeps again and again.
pub(super) async fn sweep_on(work: Work) -> Checked {
    let objects = work.factory.objects(&work.place).await?;
    let db = open(work.reopen().await?, work.settings.clock.clone()).await?;
    let media = over(&db, objects, 1).await?;
    loop {
        let swept = sweep(&media).await?;
        work.say(format_args!("{SWEPT} {} {}", swept.uploads, swept.strays.0))?;
    }
}
