//! Retention: random media and rules, against a plain model.

use std::collections::BTreeMap;

use bytes::Bytes;
use futures_util::TryStreamExt;
use strongroom_core::{Json, Timestamp};
use strongroom_objects::{Filter, NewMedia, Reason, Retention, RetentionRule, SweepOptions, Thumbnail};

use super::support::{DAY, Scene, id, number, sweep};
use crate::case::cases;
use crate::groups::crash::random::Random;
use crate::{Checked, Context, Failure, ensure, ensure_eq};

cases! { Media;
    retention_removes_exactly_what_its_rules_say random true,
    what_goes_for_its_own_sake_makes_room_for_the_rest,
    what_goes_for_the_rule_of_its_room_makes_room_for_the_rest,
    a_reading_is_noted_at_most_once_a_day,
}

const ROOMS: [&str; 3] = ["!a:b", "!c:d", "!e:f"];

/// A medium, as the model has it.
#[derive(Clone, Debug)]
struct Medium {
    number: u64,
    room: &'static str,
    bytes: u64,
    stored: i64,
    read: i64,
    expires: Option<i64>,
}

impl Medium {
    /// Why it goes whatever else there is.
    fn of_itself(&self, retention: &Retention, now: i64) -> Option<Reason> {
        let rules = [retention.rooms.get(&self.room.into()), Some(&retention.all)];
        rules.into_iter().flatten().find_map(|rule| {
            let is_over = |max: Option<u64>, value: i64| max.is_some_and(|max| value > max as i64);
            if is_over(rule.file_bytes_max, self.bytes as i64) {
                Some(Reason::FileSize)
            } else if is_over(rule.age_ms_max, now - self.stored) {
                Some(Reason::Age)
            } else if is_over(rule.unused_ms_max, now - self.read) {
                Some(Reason::Unused)
            } else {
                None
            }
        })
    }
}

/// Which media go, and why. What goes for its own sake counts for nothing; then each room that has a total comes to it, and then all that is
/// left comes to the total of all. What was read longest ago goes first, every time.
fn judged(media: &[Medium], retention: &Retention, now: i64) -> BTreeMap<u64, Reason> {
    let own = media.iter().filter_map(|medium| Some((medium.number, medium.of_itself(retention, now)?)));
    let mut goes: BTreeMap<u64, Reason> = own.collect();
    let mut oldest_first: Vec<&Medium> = media.iter().collect();
    oldest_first.sort_by_key(|medium| medium.read);
    let mut come_to = |max: Option<u64>, counts: &dyn Fn(&Medium) -> bool| {
        let there = oldest_first.iter().filter(|medium| counts(medium) && !goes.contains_key(&medium.number));
        let there: Vec<&Medium> = there.copied().collect();
        let mut total: u64 = there.iter().map(|medium| medium.bytes).sum();
        for medium in there {
            if max.is_some_and(|max| total > max) {
                goes.insert(medium.number, Reason::TotalSize);
                total -= medium.bytes;
            }
        }
    };
    for (room, rule) in &retention.rooms {
        come_to(rule.total_bytes_max, &|medium| *room == medium.room.into());
    }
    come_to(retention.all.total_bytes_max, &|_| true);
    goes
}

fn random_rule(random: &mut Random, total: u64) -> RetentionRule {
    let mut some = |below: u64| (random.below(3) == 0).then(|| random.next() % below.max(1));
    RetentionRule {
        total_bytes_max: some(2 * total),
        file_bytes_max: some(1_500).map(|bytes| bytes + 500),
        unused_ms_max: some(20 * DAY as u64),
        age_ms_max: some(30 * DAY as u64),
    }
}

async fn retention_removes_exactly_what_its_rules_say(context: Context) -> Checked {
    for round in 0..context.effort().operations.div_ceil(1_000) as u64 {
        let scene = Scene::new(&context).await?;
        let mut random = Random::new(context.seed(), 100 + round);
        let mut media: Vec<Medium> = Vec::new();
        for number in 0..25 {
            // No two things happen at the same time, so that there is one order.
            scene.after(1 + random.below(2 * DAY as u64) as i64);
            let now = scene.db.now().as_millis();
            let (size, room) = (random.below(1_200), ROOMS[random.below(3) as usize]);
            let thumbnail = (random.below(3) == 0).then(|| random.below(400));
            let expires = (random.below(6) == 0).then(|| now + random.below(20 * DAY as u64) as i64 + 1);
            let mut new = NewMedia::new(room, "image/png").id(id(number));
            if let Some(bytes) = thumbnail {
                let info = Json::new("{}").unwrap_or_else(|_| unreachable!("it is JSON"));
                new = new.thumbnail(Thumbnail { bytes: Bytes::from(scene.content(number, bytes as usize)), info });
            }
            if let Some(expires) = expires {
                new = new.expires_at(Timestamp::from_millis(expires));
            }
            scene.media.put(new, &scene.content(number, size as usize)[..]).await?;
            let bytes = size + thumbnail.unwrap_or_default();
            media.push(Medium { number, room, bytes, stored: now, read: now, expires });
            if random.below(2) == 0 {
                scene.after(1 + random.below(DAY as u64) as i64);
                let now = scene.db.now().as_millis();
                let which = random.below(media.len() as u64) as usize;
                let medium = &mut media[which];
                let found = scene.media.get(&id(medium.number)).await?.is_some();
                ensure_eq!(found, medium.expires.is_none_or(|expires| now < expires));
                if found && now - medium.read >= DAY {
                    medium.read = now;
                }
            }
        }
        let now = scene.db.now().as_millis();
        let expired = |medium: &Medium| medium.expires.is_some_and(|expires| expires <= now);
        let total = media.iter().map(|medium| medium.bytes).sum();
        let all = random_rule(&mut random, total);
        let rooms = ROOMS.iter().filter(|_| random.below(2) == 0).copied().collect::<Vec<_>>();
        let rooms = rooms.into_iter().map(|room| (room.into(), random_rule(&mut random, total / 2))).collect();
        let retention = Retention { all, rooms };
        let seen: Vec<Medium> = media.iter().filter(|medium| !expired(medium)).cloned().collect();
        let goes = judged(&seen, &retention, now);

        let options = |dry_run| SweepOptions { retention: retention.clone(), dry_run };
        let dry = scene.media.sweep(&options(true)).await?;
        let swept = scene.media.sweep(&options(false)).await?;
        ensure_eq!(dry, swept, "a dry run, round {round}");
        let left: Vec<_> = scene.media.list(Filter::default()).try_collect().await?;
        let mut left = left.iter().map(|record| number(&record.media_id)).collect::<Checked<Vec<_>>>()?;
        left.sort_unstable();
        let stay: Vec<u64> = seen.iter().map(|one| one.number).filter(|one| !goes.contains_key(one)).collect();
        ensure_eq!(left, stay, "what stays with {retention:?} of {seen:?}, round {round}");
        let mut reasons: BTreeMap<Reason, (u64, u64)> = BTreeMap::new();
        for medium in &seen {
            if let Some(reason) = goes.get(&medium.number) {
                let (count, bytes) = reasons.entry(*reason).or_default();
                *count += 1;
                *bytes += medium.bytes;
            }
        }
        let mut said = swept.media.clone();
        let bytes = said.remove(&Reason::Expired).map_or(0, |(_, bytes)| bytes);
        ensure_eq!(said, reasons, "why they went, round {round}");
        ensure_eq!(bytes, media.iter().filter(|medium| expired(medium)).map(|one| one.bytes).sum::<u64>());
        scene.ensure_tidy().await?;
        ensure_eq!(scene.media.sweep(&options(false)).await?, Default::default(), "again");
    }
    Ok(())
}

/// A medium that goes anyway, for its size, does not cost another its place.
async fn what_goes_for_its_own_sake_makes_room_for_the_rest(context: Context) -> Checked {
    let scene = Scene::new(&context).await?;
    for (number, size) in (0..).zip([100, 200, 5_000]) {
        scene.after(1);
        scene.put(number, size).await?;
    }
    let all = RetentionRule { total_bytes_max: Some(300), file_bytes_max: Some(1_000), ..RetentionRule::default() };
    let retention = Retention { all, ..Retention::default() };
    let swept = scene.media.sweep(&SweepOptions { retention, dry_run: false }).await?;
    ensure_eq!(swept.media, [(Reason::FileSize, (1, 5_000))].into());
    scene.ensure_is(0, 100).await?;
    scene.ensure_is(1, 200).await
}

/// A medium that goes for its room's total does not cost one of another room its place.
async fn what_goes_for_the_rule_of_its_room_makes_room_for_the_rest(context: Context) -> Checked {
    let scene = Scene::new(&context).await?;
    for (number, room, size) in [(0, "!quiet", 50), (1, "!noisy", 60)] {
        scene.after(1);
        scene.media.put(NewMedia::new(room, "image/png").id(id(number)), &scene.content(number, size)[..]).await?;
    }
    let total = |bytes| RetentionRule { total_bytes_max: Some(bytes), ..RetentionRule::default() };
    let retention = Retention { all: total(100), rooms: [("!noisy".into(), total(10))].into() };
    let swept = scene.media.sweep(&SweepOptions { retention, dry_run: false }).await?;
    ensure_eq!(swept.media, [(Reason::TotalSize, (1, 60))].into());
    scene.ensure_is(0, 50).await
}

async fn a_reading_is_noted_at_most_once_a_day(context: Context) -> Checked {
    let scene = Scene::new(&context).await?;
    scene.put(0, 10).await?;
    let mut noted = 0;
    for (passes, notes) in [(0, false), (DAY - 1, false), (1, true), (DAY - 1, false), (1, true), (7 * DAY, true)] {
        scene.after(passes);
        // What only looks is no reading.
        scene.media.stat(&id(0)).await?;
        let revision = scene.site.store.get(&[]).await?.as_of;
        drop(scene.media.get_range(&id(0), 3..4).await?);
        let now = scene.db.now().as_millis();
        if notes {
            noted = now;
        }
        let stat = scene.media.stat(&id(0)).await?.ok_or_else(|| Failure::new("it was stored"))?;
        ensure_eq!(stat.last_access, Timestamp::from_millis(noted), "at {now}");
        let written = scene.site.store.get(&[]).await?.as_of != revision;
        ensure!(written == notes, "a reading at {now} wrote: {written}");
    }
    sweep(&scene.media).await?;
    scene.ensure_is(0, 10).await
}
