//! What is known of media: statements, lists, thumbnails, expiry, deletion.

use std::collections::BTreeSet;

use bytes::Bytes;
use futures_util::TryStreamExt;
use strongroom_core::{Json, Timestamp};
use strongroom_objects::{Filter, NewMedia, Reason, Thumbnail, probe};

use super::support::{DAY, PART, Scene, id, listed, number, put, sweep};
use crate::case::cases;
use crate::groups::crash::random::Random;
use crate::{Checked, Context, ensure, ensure_eq};

cases! { Media;
    a_stat_says_what_was_stored,
    a_list_has_exactly_what_its_filter_asks_for random true,
    an_expired_medium_is_hidden_and_swept,
    a_thumbnail_comes_and_goes_with_its_medium,
    a_delete_removes_records_and_bytes,
    a_medium_is_there_when_the_store_is_opened_again [Reopen],
    a_probe_leaves_nothing_behind,
}

fn json(text: &str) -> Json {
    Json::new(text).unwrap_or_else(|_| unreachable!("it is JSON"))
}

async fn a_stat_says_what_was_stored(context: Context) -> Checked {
    let scene = Scene::new(&context).await?;
    scene.after(5_000);
    let encryption = json(r#"{"v":"v2","key":{"k":"secret"}}"#);
    let info = json(r#"{"mimetype":"image/jpeg","w":3,"h":2}"#);
    let thumbnail = Thumbnail { bytes: Bytes::from(scene.content(1, 700)), info: info.clone() };
    let new = NewMedia::new("!a:b", "image/webp").id(id(0)).encryption(encryption.clone()).thumbnail(thumbnail);
    let new = new.expires_at(Timestamp::from_millis(9_000));
    let content = scene.content(0, PART + 7);
    let stored = scene.media.put(new, &content[..]).await?;
    let stat = scene.media.stat(&id(0)).await?.ok_or_else(|| crate::Failure::new("it was stored"))?;
    ensure!(stat.record == stored.record && stat.sha256 == stored.sha256);
    ensure_eq!((stat.last_access, stat.thumbnail_bytes), (Timestamp::from_millis(5_000), Some(700)));
    let record = stat.record;
    ensure!(record.media_id == id(0) && record.room_id == "!a:b".into() && record.mime_type == "image/webp");
    ensure_eq!((record.size, record.uploaded_at), (content.len() as u64, Timestamp::from_millis(5_000)));
    ensure!(record.expires_at == Some(Timestamp::from_millis(9_000)));
    ensure!(record.encryption == Some(encryption) && record.thumbnail_info == Some(info));
    Ok(())
}

async fn a_list_has_exactly_what_its_filter_asks_for(context: Context) -> Checked {
    let scene = Scene::new(&context).await?;
    let mut random = Random::new(context.seed(), 3);
    let rooms = ["!a", "!b", "!c"];
    let kinds = ["image/png", "image/pngx", "image/jpeg", "video/mp4", "text/plain"];
    let mut model = Vec::new();
    for number in 0..40 {
        let (room, kind) = (rooms[random.below(3) as usize], kinds[random.below(5) as usize]);
        let time = random.below(20) as i64;
        scene.site.clock.set(Timestamp::from_millis(time));
        scene.media.put(NewMedia::new(room, kind).id(id(number)), &b"x"[..]).await?;
        model.push((number, room, kind, time));
    }
    let patterns = ["image/png", "image/*", "video/*", "text/plain", "*", "audio/*", "image"];
    for _ in 0..context.effort().operations.div_ceil(40) {
        let room = (random.below(2) == 0).then(|| rooms[random.below(3) as usize]);
        let kind = (random.below(3) > 0).then(|| patterns[random.below(7) as usize]);
        let from = (random.below(2) == 0).then(|| random.below(22) as i64);
        let before = (random.below(2) == 0).then(|| random.below(22) as i64);
        let matches = |(number, its_room, its_kind, time): &(u64, &str, &str, i64)| {
            let is_kind = |kind: &str| match kind.strip_suffix('*') {
                Some(front) => its_kind.starts_with(front),
                None => *its_kind == kind,
            };
            let fits = room.is_none_or(|room| room == *its_room) && kind.is_none_or(is_kind);
            (fits && from.is_none_or(|from| *time >= from) && before.is_none_or(|before| *time < before))
                .then_some(*number)
        };
        let expected: BTreeSet<u64> = model.iter().filter_map(matches).collect();
        let filter = Filter {
            room_id: room.map(Into::into),
            mime_type: kind.map(str::to_owned),
            from: from.map(Timestamp::from_millis),
            before: before.map(Timestamp::from_millis),
        };
        let found: Vec<_> = scene.media.list(filter.clone()).try_collect().await?;
        let is_sorted = found.is_sorted_by_key(|record| record.uploaded_at);
        ensure!(
            is_sorted || room.is_some() || kind.is_some_and(|kind| !kind.ends_with('*')),
            "not by time: {filter:?}"
        );
        let numbers = found.iter().map(|record| number(&record.media_id)).collect::<Checked<BTreeSet<_>>>()?;
        ensure_eq!(numbers.len(), found.len(), "one is listed twice: {filter:?}");
        ensure_eq!(numbers, expected, "{filter:?}");
    }
    Ok(())
}

async fn an_expired_medium_is_hidden_and_swept(context: Context) -> Checked {
    let scene = Scene::new(&context).await?;
    let info = json("{}");
    for number in 0..4 {
        let thumbnail = Thumbnail { bytes: Bytes::from(scene.content(number, 50)), info: info.clone() };
        let new = super::support::new(&id(number)).expires_at(Timestamp::from_millis(10 * number as i64 + 10));
        let new = if number % 2 == 0 { new.thumbnail(thumbnail) } else { new };
        scene.media.put(new, &scene.content(number, PART + 1)[..]).await?;
    }
    scene.put(9, 10).await?;
    let gone = |scene: &Scene, number: u64| scene.db.now() >= Timestamp::from_millis(10 * number as i64 + 10);
    for _ in 0..5 {
        for number in 0..4 {
            let gone = gone(&scene, number);
            ensure_eq!(scene.media.stat(&id(number)).await?.is_none(), gone, "medium {number} at {:?}", scene.db.now());
            ensure_eq!(scene.media.get(&id(number)).await?.is_none(), gone);
        }
        scene.after(10);
    }
    let swept = sweep(&scene.media).await?;
    // Of one that is gone, content and thumbnail are objects that nothing names.
    let bytes = 4 * (PART as u64 + 1) + 2 * 50;
    ensure_eq!(swept.media.get(&Reason::Expired).map(|(_, bytes)| *bytes), Some(bytes));
    ensure_eq!(swept.strays, (0, 0));
    scene.ensure_is(9, 10).await?;
    scene.ensure_tidy().await?;
    // What has expired may be stored again.
    scene.put(0, 30).await?;
    scene.ensure_is(0, 30).await
}

async fn a_thumbnail_comes_and_goes_with_its_medium(context: Context) -> Checked {
    let scene = Scene::new(&context).await?;
    for (number, size) in (0..).zip([0, 1, PART, 2 * PART + 1]) {
        let bytes = Bytes::from(scene.content(100 + number, size));
        let thumbnail = Thumbnail { bytes: bytes.clone(), info: json("{}") };
        let new = super::support::new(&id(number)).thumbnail(thumbnail);
        scene.media.put(new, &scene.content(number, 2 * PART)[..]).await?;
        ensure!(scene.media.get_thumbnail(&id(number)).await? == Some(bytes), "a thumbnail of {size} bytes");
        scene.ensure_is(number, 2 * PART).await?;
    }
    scene.put(9, 10).await?;
    ensure_eq!(scene.media.get_thumbnail(&id(9)).await?, None);
    ensure_eq!(super::support::ensure_verified(&scene.media).await?, 5);
    scene.ensure_tidy().await?;
    for number in 0..4 {
        ensure!(scene.media.delete(&id(number)).await?);
        ensure_eq!(scene.media.get_thumbnail(&id(number)).await?, None);
        scene.ensure_tidy().await?;
    }
    Ok(())
}

async fn a_delete_removes_records_and_bytes(context: Context) -> Checked {
    let scene = Scene::new(&context).await?;
    for (number, size) in (0..).zip([0, 1, PART, 5 * PART + 1]) {
        scene.put(number, size).await?;
    }
    for number in 0..4 {
        ensure!(scene.media.delete(&id(number)).await?, "there was one");
        ensure!(!scene.media.delete(&id(number)).await?, "there is none any more");
        ensure!(scene.media.get(&id(number)).await?.is_none());
        scene.ensure_tidy().await?;
    }
    ensure!(listed(&scene.objects).await?.is_empty());
    let content = scene.content(7, 99);
    ensure!(!put(&scene.media, content.clone(), &id(0)).await?.was_there, "an id may be used again");
    ensure!(super::support::read(&scene.media, &id(0)).await? == Some(content));
    Ok(())
}

async fn a_medium_is_there_when_the_store_is_opened_again(context: Context) -> Checked {
    let mut scene = Scene::new(&context).await?;
    scene.put(0, 3 * PART + 1).await?;
    let Scene { ref mut site, .. } = scene;
    site.reopen().await?;
    scene.objects = context.factory().objects(&scene.site.place).await?;
    scene.db = super::support::open(scene.site.store.clone(), scene.site.clock.clone()).await?;
    scene.media = scene.over(scene.objects.clone()).await?;
    scene.ensure_is(0, 3 * PART + 1).await?;
    scene.after(DAY + 1);
    ensure_eq!(sweep(&scene.media).await?, Default::default());
    scene.ensure_tidy().await
}

async fn a_probe_leaves_nothing_behind(context: Context) -> Checked {
    let scene = Scene::new(&context).await?;
    scene.put(0, PART + 1).await?;
    let before = listed(&scene.objects).await?;
    let first = probe(&*scene.objects).await?;
    ensure_eq!(probe(&*scene.objects).await?, first, "asked again");
    ensure_eq!(listed(&scene.objects).await?, before);
    scene.ensure_is(0, PART + 1).await
}
