//! Media over memory. What every store and object store must show is in the conformance suite's group `media`.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::sync::Arc;

use bytes::Bytes;
use futures_util::TryStreamExt;
use object_store::memory::InMemory;
use object_store::{ObjectMeta, ObjectStore};
use strongroom_core::matrix::{self, MediaId, RoomId};
use strongroom_core::{Database, ErrorKind, ManualClock, Schema, Timestamp};
use strongroom_memory::Memory;
use strongroom_objects::{
    Content, Filter, Media, MediaOptions, NewMedia, Reason, Retention, RetentionRule, SweepOptions,
};

const PART: usize = 64 << 10;
const ROOM: &str = "!room:example.org";
const DAY: i64 = 24 * 60 * 60 * 1_000;

struct Place {
    media: Media,
    objects: Arc<InMemory>,
    clock: Arc<ManualClock>,
}

async fn place() -> Place {
    let clock = Arc::new(ManualClock::new(Timestamp::from_millis(0)));
    let builder = Database::builder(matrix::schema()).clock(clock.clone());
    let db = builder.open(Arc::new(Memory::new())).await.unwrap();
    let objects = Arc::new(InMemory::new());
    let options = MediaOptions { part_bytes: PART, transfers_max: 3, ..MediaOptions::default() };
    let media = options.open(db, objects.clone()).await.unwrap();
    Place { media, objects, clock }
}

impl Place {
    async fn listed(&self) -> Vec<ObjectMeta> {
        self.objects.list(None).try_collect().await.unwrap()
    }

    async fn put(&self, id: &str, room: &str, bytes: usize) -> matrix::Media {
        let new = NewMedia::new(room, "image/png").id(id);
        self.media.put(new, &content(bytes)[..]).await.unwrap().record
    }

    fn after(&self, millis: i64) {
        self.clock.set(self.media.database().now().saturating_add(millis));
    }

    async fn ids(&self) -> Vec<String> {
        let media: Vec<_> = self.media.list(Filter::default()).try_collect().await.unwrap();
        media.iter().map(|record| record.media_id.to_string()).collect()
    }
}

fn content(bytes: usize) -> Vec<u8> {
    (0..bytes).map(|at| (at * 31 + at / 251) as u8).collect()
}

async fn all(content: Content) -> Vec<u8> {
    content.stream().map_ok(|bytes| bytes.to_vec()).try_concat().await.unwrap()
}

#[tokio::test]
async fn what_is_put_is_got_whole_and_in_ranges() {
    let place = place().await;
    for size in [0, 1, PART - 1, PART, PART + 1, 10 * PART + 7] {
        let id = MediaId::from(size.to_string());
        let stored = place.media.put(NewMedia::new(ROOM, "a/b").id(id.clone()), &content(size)[..]).await.unwrap();
        assert_eq!((stored.record.size, stored.was_there), (size as u64, false));
        let got = place.media.get(&id).await.unwrap().unwrap();
        assert_eq!((got.sha256, got.record.clone()), (stored.sha256, stored.record));
        assert!(all(got).await == content(size), "{size}");
        for range in
            [0..0, 0..size, size / 3..size / 2, size.saturating_sub(2)..size, PART.min(size)..(PART + 1).min(size)]
        {
            let got = place.media.get_range(&id, range.start as u64..range.end as u64).await.unwrap().unwrap();
            assert!(all(got).await == content(size)[range.clone()], "{range:?} of {size}");
        }
        assert!(place.media.delete(&id).await.unwrap());
        assert!(!place.media.delete(&id).await.unwrap());
        assert!(place.media.get(&id).await.unwrap().is_none());
        assert!(place.listed().await.is_empty());
    }
}

#[tokio::test]
async fn an_id_is_stored_once() {
    let place = place().await;
    let first = place.put("m", ROOM, 100).await;
    let again = place.media.put(NewMedia::new(ROOM, "image/png").id("m"), &content(100)[..]).await.unwrap();
    assert!(again.was_there && again.record == first);
    let other = place.media.put(NewMedia::new(ROOM, "image/png").id("m"), &content(101)[..]).await.unwrap_err();
    assert_eq!(other.kind(), ErrorKind::AlreadyExists);
    assert_eq!(place.listed().await.len(), 1);
}

#[tokio::test]
async fn an_interrupted_upload_goes_on_and_its_predecessor_can_do_nothing_more() {
    let place = place().await;
    let bytes = content(10 * PART + 1);
    let new = NewMedia::new(ROOM, "image/png").id("m");
    let mut first = place.media.upload(new.clone()).await.unwrap();
    first.write(Bytes::from(bytes[..8 * PART].to_vec())).await.unwrap();

    let mut second = place.media.resume(new.clone()).await.unwrap();
    let at = second.resumed_at() as usize;
    assert!((PART..=8 * PART).contains(&at) && at.is_multiple_of(PART), "{at}");
    second.write(Bytes::from(bytes[at..].to_vec())).await.unwrap();
    assert_eq!(first.finish().await.unwrap_err().kind(), ErrorKind::Conflict);
    second.finish().await.unwrap();
    assert!(all(place.media.get(&"m".into()).await.unwrap().unwrap()).await == bytes);

    // What the first wrote beyond that is nobody's.
    let swept = place.media.sweep(&SweepOptions::default()).await.unwrap();
    assert!(swept.strays.0 > 0);
    assert_eq!(place.listed().await.len(), 11);
    assert!(all(place.media.get(&"m".into()).await.unwrap().unwrap()).await == bytes);
}

#[tokio::test]
async fn a_sweep_leaves_what_is_on_its_way_until_it_rests_too_long() {
    let place = place().await;
    let mut upload = place.media.upload(NewMedia::new(ROOM, "image/png").id("m")).await.unwrap();
    upload.write(content(5 * PART).into()).await.unwrap();
    assert_eq!(place.media.sweep(&SweepOptions::default()).await.unwrap(), Default::default());
    place.after(DAY + 1);
    let dry = place.media.sweep(&SweepOptions { dry_run: true, ..Default::default() }).await.unwrap();
    assert!(dry.uploads == 1 && dry.strays.0 > 0, "{dry:?}");
    assert_eq!(place.media.sweep(&SweepOptions::default()).await.unwrap(), dry);
    assert_eq!(upload.finish().await.unwrap_err().kind(), ErrorKind::NotFound);
    place.media.sweep(&SweepOptions::default()).await.unwrap();
    assert!(place.listed().await.is_empty() && place.ids().await.is_empty());
}

#[tokio::test]
async fn retention_takes_what_was_read_longest_ago_first() {
    let place = place().await;
    for (id, room, bytes) in [("a", "!1", 400), ("b", "!1", 300), ("c", "!2", 200), ("d", "!2", 100)] {
        place.put(id, room, bytes).await;
        place.after(2 * DAY);
    }
    // Read again, so it is the last to go.
    place.media.get(&"a".into()).await.unwrap();
    let rule = RetentionRule { total_bytes_max: Some(550), ..Default::default() };
    let room = (RoomId::from("!2"), RetentionRule { total_bytes_max: Some(250), ..Default::default() });
    let retention = Retention { all: rule, rooms: [room].into() };
    let options = |dry_run| SweepOptions { retention: retention.clone(), dry_run };
    let dry = place.media.sweep(&options(true)).await.unwrap();
    assert_eq!(place.ids().await, ["a", "b", "c", "d"]);
    let swept = place.media.sweep(&options(false)).await.unwrap();
    assert_eq!(swept, dry);
    assert_eq!(swept.media, [(Reason::TotalSize, (2, 500))].into());
    assert_eq!(place.ids().await, ["a", "d"]);
    assert_eq!(place.listed().await.iter().map(|meta| meta.size).sum::<u64>(), 500);

    let unused = RetentionRule { unused_ms_max: Some(DAY as u64), file_bytes_max: Some(399), ..Default::default() };
    let options = SweepOptions { retention: Retention { all: unused, ..Default::default() }, dry_run: false };
    let swept = place.media.sweep(&options).await.unwrap();
    assert_eq!(swept.media, [(Reason::FileSize, (1, 400)), (Reason::Unused, (1, 100))].into());
}

#[tokio::test]
async fn an_expired_medium_is_swept_with_its_record() {
    let place = place().await;
    let new = NewMedia::new(ROOM, "image/png").id("m").expires_at(Timestamp::from_millis(10));
    place.media.put(new, &content(10)[..]).await.unwrap();
    place.after(10);
    assert!(place.media.stat(&"m".into()).await.unwrap().is_none());
    let swept = place.media.sweep(&SweepOptions::default()).await.unwrap();
    assert_eq!(swept.media, [(Reason::Expired, (1, 10))].into());
    assert!(place.listed().await.is_empty());
    let stats = place.media.database().stats().await.unwrap();
    assert!(stats.collections.iter().all(|(name, count)| *name == "object_spaces" || count.records == 0), "{stats:?}");
}

#[tokio::test]
async fn a_schema_without_the_collections_of_media_is_refused() {
    let none = || Schema::builder("none", 1).collection::<matrix::Message>();
    let three = || none().collection::<matrix::Media>().collection::<matrix::Object>().collection::<matrix::Upload>();
    for (schema, missing) in [
        (none().build(), "media"),
        (none().collection::<matrix::Media>().build(), "objects"),
        (three().build(), "object_spaces"),
    ] {
        let db = Database::open(Memory::new(), schema.unwrap()).await.unwrap();
        let error = Media::open(db, Arc::new(InMemory::new())).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "{error}");
        let message = error.to_string();
        assert!(message.contains(missing), "{message}");
    }
}
