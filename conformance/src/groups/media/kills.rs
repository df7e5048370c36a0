//! Processes are killed while they store media: at any moment, and at each moment in turn.

use std::collections::BTreeSet;
use std::fs;
use std::io::Cursor;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use futures_util::TryStreamExt;
use strongroom_core::store::Durability;
use strongroom_core::{Database, ManualClock, Timestamp};
use strongroom_objects::object_store::ObjectStore;
use strongroom_objects::{Filter, Media};

use super::child::{AT, DID, GOING, GONE, MEDIA_MAX, POINT_SIZE, at_a_point, size};
use super::support::{DAY, content, ensure_tidy, ensure_verified, id, number, open, over, read, sweep};
use crate::case::cases;
use crate::groups::crash::blow::{Blow, argument, heard, pause};
use crate::groups::crash::random::Random;
use crate::{Checked, Child, Context, Failure, Place, Settings, ensure, ensure_eq};

cases! { Media;
    acknowledged_media_survive_a_kill_at_any_moment [Reopen, Processes] random true,
    a_kill_at_each_moment_of_an_upload_leaves_a_medium_or_none [Reopen, Processes] random true,
}

/// Strikes that one place goes through before a new one takes its turn.
const ROUNDS_A_PLACE: usize = 20;
/// Times that an object store is opened to have it alone.
const OPENINGS_MAX: usize = 2_000;
/// More moments than an upload of the case has.
const MOMENTS_MAX: u32 = 200;

/// A place that is closed while a child works on it, and what is known of its media.
pub(super) struct Struck<'c> {
    context: &'c Context,
    pub(super) place: Place,
    settings: Settings,
    seed: u32,
    pub(super) random: Random,
    /// Media that are stored and that nobody has begun to delete.
    there: BTreeSet<u64>,
    /// Media that are deleted.
    gone: BTreeSet<u64>,
}

/// A place that is opened again, after a strike.
pub(super) struct Opened {
    store: Arc<dyn strongroom_core::store::Store>,
    clock: Arc<ManualClock>,
    db: Database,
    objects: Arc<dyn ObjectStore>,
    media: Media,
}

impl<'c> Struck<'c> {
    pub(super) async fn new(context: &'c Context, number: usize) -> Checked<Self> {
        let (place, settings) = (context.place(), Settings::new(context.limits()));
        let mut random = Random::new(context.seed(), number as u64);
        let seed = random.next() as u32;
        let store = context.factory().open(&place, &settings).await?;
        let db = open(store.clone(), settings.clock.clone()).await?;
        over(&db, context.factory().objects(&place).await?, 1).await?;
        store.close().await?;
        Ok(Struck { context, place, settings, seed, random, there: BTreeSet::new(), gone: BTreeSet::new() })
    }

    pub(super) fn start(&self, role: &str, number: u32) -> Checked<Child> {
        Child::start(self.context, role, &self.place, argument(self.seed, number))
    }

    fn take_down(&mut self, line: &str) -> Checked {
        let word = |word| line.strip_prefix(word).map(|rest: &str| rest.parse().map_err(|_| Failure::new(line)));
        if let Some(number) = word(DID) {
            self.there.insert(number?);
            self.context.count("acknowledged", 1);
        } else if let Some(number) = word(GOING) {
            self.there.remove(&number?);
        } else if let Some(number) = word(GONE) {
            self.gone.insert(number?);
        }
        Ok(())
    }

    /// Listens until so many media are acknowledged; gives what one takes.
    pub(super) fn listen(&mut self, child: &mut Child, media: u64) -> Checked<Duration> {
        let began = Instant::now();
        for _ in 0..media {
            loop {
                let line = heard(child)?;
                self.take_down(&line)?;
                if line.starts_with(DID) {
                    break;
                }
            }
        }
        Ok(began.elapsed() / media.max(1) as u32)
    }

    pub(super) async fn strike(&mut self, blow: Blow, child: &mut Child) -> Checked {
        let (_, rest) = blow.strike(self.context, &self.place, child, &mut self.random).await?;
        rest.iter().try_for_each(|line| self.take_down(line))
    }

    /// Opens the place again.
    pub(super) async fn open(&self) -> Checked<Opened> {
        let store = self.context.factory().reopen(&self.place, &self.settings).await?;
        let clock = Arc::new(ManualClock::new(Timestamp::from_millis(0)));
        let db = open(store.clone(), clock.clone()).await?;
        let objects = self.objects().await?;
        let media = over(&db, objects.clone(), 3).await?;
        Ok(Opened { store, clock, db, objects, media })
    }

    /// Opens the object store again. Where it is files, one that was being written when the process ended is always there, and must go. That
    /// happens when nobody else has them open; but a process that another case is starting has, for a moment, what this one had.
    async fn objects(&self) -> Checked<Arc<dyn ObjectStore>> {
        let folder = self.place.objects();
        // As the part of an object is called: docs/format.md.
        let shard = folder.join(format!("{:032x}/ab", 1));
        let half = shard.join(format!("ab{:030}-0-0#1", 7));
        if folder.exists() {
            fs::create_dir_all(&shard)?;
            fs::write(&half, "ha")?;
        }
        for _ in 0..OPENINGS_MAX {
            let objects = self.context.factory().objects(&self.place).await?;
            if !half.exists() {
                return Ok(objects);
            }
            drop(objects);
            // A process that starts elsewhere holds the folder's lock for a moment, inherited, until it is another program. Nothing tells when.
            thread::sleep(Duration::from_millis(1));
        }
        Err(Failure::new("what a process was writing when it ended is still there"))
    }

    /// How many acknowledged media are not there, or not what was stored.
    pub(super) async fn lost(&self, opened: &Opened) -> usize {
        let mut lost = 0;
        for number in &self.there {
            let expected = content(self.seed.into(), *number, size(self.seed, *number));
            let found = read(&opened.media, &id(*number)).await;
            lost += usize::from(!found.is_ok_and(|found| found == Some(expected)));
        }
        lost
    }

    /// Checks what is left: all that was acknowledged, of the rest each medium whole or not at all, and after a sweep no other bytes.
    async fn check(&mut self, blow: Blow) -> Checked {
        let opened = self.open().await?;
        ensure_verified(&opened.media).await?;
        if blow == Blow::Kill || opened.store.info().durability == Durability::Power {
            let lost = self.lost(&opened).await;
            self.context.count("lost", lost as u64);
            ensure!(lost == 0, "{lost} acknowledged media are lost, of {}", self.there.len());
            for number in &self.gone {
                ensure!(opened.media.stat(&id(*number)).await?.is_none(), "medium {number} was deleted");
            }
        }
        let listed: Vec<_> = opened.media.list(Filter::default()).try_collect().await?;
        // What was under way may be there.
        self.there.clear();
        for record in listed {
            let number = number(&record.media_id)?;
            ensure_eq!(record.size, size(self.seed, number) as u64, "the size of medium {number}");
            self.there.insert(number);
        }
        ensure_eq!(self.lost(&opened).await, 0, "media that are there and not what was stored");
        self.gone.clear();
        opened.ensure_swept(&self.place).await?;
        Ok(opened.store.close().await?)
    }
}

impl Opened {
    /// When the uploads have expired, a sweep leaves nothing without a name.
    async fn ensure_swept(&self, place: &Place) -> Checked {
        self.clock.set(Timestamp::from_millis(DAY + 1));
        sweep(&self.media).await?;
        ensure_tidy(&self.db, &self.objects, place).await?;
        ensure_verified(&self.media).await.map(drop)
    }

    pub(super) async fn close(self) -> Checked {
        Ok(self.store.close().await?)
    }
}

/// Strikes children at any moment, again and again.
pub(super) async fn struck_at_work(context: &Context, blow: Blow) -> Checked {
    let count = blow.rounds(context);
    for first in (0..count).step_by(ROUNDS_A_PLACE) {
        let mut struck = Struck::new(context, first).await?;
        for round in first..count.min(first + ROUNDS_A_PLACE) {
            let mut child = struck.start("media", round as u32 * MEDIA_MAX)?;
            let media = 1 + struck.random.below(6);
            let usual = struck.listen(&mut child, media)?;
            pause(2 * usual, &mut struck.random);
            struck.strike(blow, &mut child).await?;
            struck.check(blow).await.map_err(|failure| Failure::new(format!("in round {round}: {failure}")))?;
        }
    }
    Ok(())
}

async fn acknowledged_media_survive_a_kill_at_any_moment(context: Context) -> Checked {
    struck_at_work(&context, Blow::Kill).await
}

/// Before, after and so between each part of a content and a thumbnail, each note of how far it came, and the commit of the record.
async fn a_kill_at_each_moment_of_an_upload_leaves_a_medium_or_none(context: Context) -> Checked {
    let mut kills = 0;
    for round in 0.. {
        let struck = Struck::new(&context, round).await?;
        for point in 0..MOMENTS_MAX {
            // Another round has other parts under way at the same time.
            let number = [1, 3, 2][round % 3] << 16 | point;
            let mut child = struck.start("media to a point", number)?;
            let line = heard(&mut child)?;
            if !line.starts_with(AT) {
                ensure!(line.starts_with(DID) && point > 12, "an upload has only {point} moments: {line}");
                child.wait()?;
                break;
            }
            let mut random = Random::new(context.seed(), point.into());
            Blow::Kill.strike(&context, &struck.place, &mut child, &mut random).await?;
            kills += 1;
            let checked = checked_at(&struck, number.into()).await;
            checked.map_err(|failure| Failure::new(format!("killed {line}, in round {round}: {failure}")))?;
        }
        if kills >= context.effort().kills {
            return Ok(());
        }
    }
    Ok(())
}

/// The medium is whole, or not there; it can be gone on with; what is not gone on with is swept.
async fn checked_at(struck: &Struck<'_>, number: u64) -> Checked {
    let opened = struck.open().await?;
    ensure_verified(&opened.media).await?;
    let (new, content) = at_a_point(struck.seed, number);
    if number.is_multiple_of(2) {
        opened.media.put_resumable(new, Cursor::new(&content), |_| ()).await?;
    }
    if let Some(found) = read(&opened.media, &id(number)).await? {
        ensure!(found == content && found.len() == POINT_SIZE, "medium {number} is not what was stored");
    } else {
        ensure!(!number.is_multiple_of(2), "medium {number} was gone on with");
    }
    opened.ensure_swept(&struck.place).await?;
    opened.close().await
}
