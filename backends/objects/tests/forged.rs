//! Records that nobody of this crate wrote, as another program or an attacker on a plain store may leave them: they are told, or passed
//! over, and nothing that is done with them panics or runs without end.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::io::Cursor;
use std::sync::Arc;
use std::time::Duration;

use futures_util::TryStreamExt;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use strongroom_core::matrix::{self, Object, ObjectSpace, Upload};
use strongroom_core::{Database, ErrorKind, ManualClock, Timestamp};
use strongroom_memory::Memory;
use strongroom_objects::{Media, MediaOptions, NewMedia, Retention, RetentionRule, SweepOptions};

const PART: usize = 64 << 10;
const SIZE: usize = 2 * PART + 9;
/// Far longer than any of this takes.
const PATIENCE: Duration = Duration::from_secs(20);

async fn database() -> Database {
    let clock = Arc::new(ManualClock::new(Timestamp::from_millis(0)));
    Database::builder(matrix::schema()).clock(clock).open(Arc::new(Memory::new())).await.unwrap()
}

async fn place() -> (Media, Arc<InMemory>) {
    let objects = Arc::new(InMemory::new());
    let options = MediaOptions { part_bytes: PART, transfers_max: 1, ..MediaOptions::default() };
    (options.open(database().await, objects.clone()).await.unwrap(), objects)
}

fn new(id: &str) -> NewMedia {
    NewMedia::new("!room:example.org", "image/png").id(id)
}

fn content(bytes: usize) -> Vec<u8> {
    (0..bytes).map(|at| (at * 31 + at / 251) as u8).collect()
}

async fn listed(objects: &InMemory) -> usize {
    objects.list(None).try_collect::<Vec<_>>().await.unwrap().len()
}

/// What comes of a task, which must end.
async fn ended<T: Send + 'static>(what: &str, task: impl Future<Output = T> + Send + 'static) -> T {
    let ended = tokio::time::timeout(PATIENCE, tokio::spawn(task)).await;
    ended.unwrap_or_else(|_| panic!("{what}: it does not end")).unwrap_or_else(|error| panic!("{what}: {error}"))
}

/// Stores a medium, then changes the record of its object.
async fn put_forged(media: &Media, id: &str, forge: impl Fn(&mut Object)) {
    let record = media.put(new(id), &content(SIZE)[..]).await.unwrap().record;
    let mut object = media.database().get(&Object::key(&record.data)).await.unwrap().unwrap();
    forge(&mut object);
    media.database().update(&object).await.unwrap();
}

type Forge<R> = fn(&mut R);

const OBJECTS: [(&str, Forge<Object>); 9] = [
    ("parts of no bytes", |object| object.parts.part_bytes = 0),
    ("parts of one byte", |object| object.parts.part_bytes = 1),
    ("parts that are too small by one", |object| object.parts.part_bytes = (64 << 10) - 1),
    ("parts that are too large by one", |object| object.parts.part_bytes = (64 << 20) + 1),
    ("parts larger than anything", |object| object.parts.part_bytes = u64::MAX),
    ("no attempts", |object| object.parts.attempts.clear()),
    ("a first attempt that did not begin at the first part", |object| object.parts.attempts = vec![1]),
    ("attempts that descend", |object| object.parts.attempts = vec![0, 2, 1]),
    ("tiny parts of a size larger than anything", |object| {
        (object.size, object.parts.part_bytes) = (u64::MAX, 0);
    }),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_object_cut_as_nobody_cuts_is_corrupt_and_can_be_deleted() {
    for (what, forge) in OBJECTS {
        let (media, objects) = place().await;
        media.put(new("good"), &content(9)[..]).await.unwrap();
        put_forged(&media, "forged", forge).await;
        let reading = media.clone();
        let read = ended(what, async move {
            let content = reading.get(&"forged".into()).await?;
            content.unwrap().stream().map_ok(|bytes| bytes.to_vec()).try_concat().await
        });
        assert_eq!(read.await.expect_err(what).kind(), ErrorKind::Corrupt, "{what}");
        let verifying = media.clone();
        let verified = ended(what, async move { verifying.verify(|_| ()).await }).await.unwrap();
        assert_eq!((verified.good, verified.problems.len()), (1, 1), "{what}");
        assert_eq!(verified.problems[0].error.kind(), ErrorKind::Corrupt, "{what}");
        let deleting = media.clone();
        assert!(ended(what, async move { deleting.delete(&"forged".into()).await }).await.unwrap(), "{what}");
        let sweeping = media.clone();
        ended(what, async move { sweeping.sweep(&SweepOptions::default()).await }).await.unwrap();
        assert_eq!(listed(&objects).await, 1, "{what}: bytes are left");
        assert!(media.get(&"good".into()).await.unwrap().is_some(), "{what}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sizes_larger_than_anything_are_added_up_and_deleted() {
    let (media, objects) = place().await;
    for id in ["a", "b", "c"] {
        put_forged(&media, id, |object| object.size = u64::MAX).await;
    }
    let deleting = media.clone();
    assert!(ended("a delete", async move { deleting.delete(&"c".into()).await }).await.unwrap());
    assert_eq!(listed(&objects).await, 6, "a delete removes all parts that are there");
    let all = RetentionRule { total_bytes_max: Some(10), ..RetentionRule::default() };
    let mut swept = Vec::new();
    for dry_run in [true, false] {
        let retention = Retention { all: all.clone(), rooms: [("!room:example.org".into(), all.clone())].into() };
        let (sweeping, options) = (media.clone(), SweepOptions { retention, dry_run });
        swept.push(ended("a sweep", async move { sweeping.sweep(&options).await }).await.unwrap());
        assert_eq!(swept[0].freed_bytes(), u64::MAX);
    }
    assert_eq!(swept[0], swept[1]);
    for id in ["a", "b"] {
        let deleting = media.clone();
        ended("a delete", async move { deleting.delete(&id.into()).await }).await.unwrap();
    }
    assert_eq!(listed(&objects).await, 0);
}

const UPLOADS: [(&str, Forge<Upload>); 9] = [
    ("parts of no bytes", |upload| upload.parts.part_bytes = 0),
    ("parts of one byte", |upload| upload.parts.part_bytes = 1),
    ("parts that are too small by half", |upload| upload.parts.part_bytes = 32 << 10),
    ("parts larger than anything", |upload| upload.parts.part_bytes = u64::MAX),
    ("no attempts", |upload| upload.parts.attempts.clear()),
    ("attempts that descend", |upload| upload.parts.attempts = vec![0, 2, 1]),
    ("half a part that is stored", |upload| upload.stored -= PART as u64 / 2),
    ("more stored than anything", |upload| upload.stored = u64::MAX - (PART as u64 - 1)),
    ("a state of no hash", |upload| upload.hash_state = vec![7; 3]),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upload_that_nobody_noted_so_begins_anew() {
    for (what, forge) in UPLOADS {
        let (media, _) = place().await;
        for id in ["resumed", "put"] {
            let mut upload = media.upload(new(id)).await.unwrap();
            upload.write(content(SIZE).into()).await.unwrap();
        }
        let uploads: Vec<Upload> = media.database().query(Upload::PRIMARY).stream().try_collect().await.unwrap();
        assert_eq!(uploads.len(), 2);
        for mut upload in uploads {
            assert_eq!(upload.stored, 2 * PART as u64);
            forge(&mut upload);
            media.database().update(&upload).await.unwrap();
        }
        let resuming = media.clone();
        let resumed = ended(what, async move {
            let mut upload = resuming.resume(new("resumed")).await?;
            assert_eq!(upload.resumed_at(), 0);
            upload.write(content(SIZE).into()).await?;
            upload.finish().await
        });
        resumed.await.expect(what);
        let putting = media.clone();
        let put = async move { putting.put_resumable(new("put"), Cursor::new(content(SIZE)), |_| ()).await };
        ended(what, put).await.expect(what);
        for id in ["resumed", "put"] {
            let found = media.get(&id.into()).await.unwrap().unwrap();
            let found = found.stream().map_ok(|bytes| bytes.to_vec()).try_concat().await.expect(what);
            assert!(found == content(SIZE), "{what}: {id}");
        }
    }
}

/// It would list, and sweep, what is another's.
#[tokio::test]
async fn a_folder_that_nobody_made_is_refused() {
    let good = "0123456789abcdef0123456789abcdef";
    let long = format!("{good}0");
    let (nested, other) = (format!("{}/{}", &good[..15], &good[16..]), good.replace('a', "g"));
    let objects = Arc::new(InMemory::new());
    let others = Path::from(format!("{good}/01/{good}-0-0"));
    objects.put(&others, "another's".into()).await.unwrap();
    for folder in ["", "/", ".", "..", "media", &good[1..], &long, &nested, &other] {
        let db = database().await;
        db.insert(&ObjectSpace { name: "media".to_owned(), folder: folder.to_owned() }).await.unwrap();
        let opened = Media::open(db, objects.clone()).await;
        assert_eq!(opened.expect_err(folder).kind(), ErrorKind::Corrupt, "{folder:?}");
    }
    assert_eq!(listed(&objects).await, 1);
}
