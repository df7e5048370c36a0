//! What is asked of the store below: as many requests as is said, and no byte beyond the chunks that are needed.

use std::sync::Arc;

use bytes::Bytes;
use object_store::path::Path;
use object_store::{GetOptions, GetRange, ObjectStore, ObjectStoreExt, PutMode};
use strongroom_encryption::Names;

use crate::objects::support::{CHUNK, HEADER, SEALED_CHUNK, content, get, over, put};
use crate::objects::watched::{Asked, Watched};

const LEN: usize = 4 * CHUNK + 10;

fn chunks(first: usize, end: usize) -> GetRange {
    GetRange::Bounded((HEADER + first * SEALED_CHUNK) as u64..(HEADER + end * SEALED_CHUNK) as u64)
}

fn header() -> GetRange {
    GetRange::Bounded(0..HEADER as u64)
}

fn to_chunk(end: usize) -> GetRange {
    GetRange::Bounded(0..(HEADER + end * SEALED_CHUNK) as u64)
}

/// The last chunk has 10 bytes.
fn last() -> GetRange {
    let start = HEADER + 4 * SEALED_CHUNK;
    GetRange::Bounded(start as u64..(start + 50) as u64)
}

#[tokio::test]
async fn ranges_ask_for_the_chunks_that_they_touch() {
    let watched = Arc::new(Watched::default());
    let objects = over(watched.clone(), Names::Encrypted, CHUNK as u32);
    put(&objects, "a", content(LEN)).await;
    let c = CHUNK as u64;
    let cases = [
        (None, vec![None]),
        (Some(GetRange::Offset(10)), vec![None]),
        (Some(GetRange::Bounded(0..1)), vec![Some(to_chunk(1))]),
        (Some(GetRange::Bounded(c - 1..c)), vec![Some(to_chunk(1))]),
        (Some(GetRange::Bounded(c - 1..c + 1)), vec![Some(to_chunk(2))]),
        (Some(GetRange::Bounded(c..c + 1)), vec![Some(header()), Some(chunks(1, 2))]),
        (Some(GetRange::Bounded(c + 7..3 * c)), vec![Some(header()), Some(chunks(1, 3))]),
        (Some(GetRange::Bounded(4 * c..9 * c)), vec![Some(header()), Some(last())]),
        (Some(GetRange::Offset(4 * c)), vec![Some(header()), Some(last())]),
        (Some(GetRange::Suffix(3)), vec![Some(header()), Some(last())]),
        (Some(GetRange::Suffix(0)), vec![Some(header()), Some(last())]),
    ];
    for (range, expected) in cases {
        watched.asked();
        let options = GetOptions::new().with_range(range.clone());
        objects.get_opts(&Path::from("a"), options).await.unwrap().bytes().await.unwrap();
        let expected: Vec<_> = expected.into_iter().map(Asked::Get).collect();
        assert_eq!(watched.asked(), expected, "{range:?}");
    }
}

#[tokio::test]
async fn several_ranges_are_asked_for_at_once() {
    let watched = Arc::new(Watched::default());
    let objects = over(watched.clone(), Names::Encrypted, CHUNK as u32);
    put(&objects, "a", content(LEN)).await;
    watched.asked();
    let c = CHUNK as u64;
    let ranges = [0..1, c - 1..c + 1, 4 * c..4 * c + 2];
    let got = objects.get_ranges(&Path::from("a"), &ranges).await.unwrap();
    for (range, got) in ranges.iter().zip(got) {
        assert_eq!(got, content(LEN)[range.start as usize..range.end as usize]);
    }
    let spans = [chunks(0, 1), chunks(0, 2), last()].map(|range| match range {
        GetRange::Bounded(range) => range,
        _ => unreachable!("all are bounded"),
    });
    assert_eq!(watched.asked(), [Asked::Get(Some(header())), Asked::Ranges(spans.to_vec())]);
    assert!(objects.get_ranges(&Path::from("a"), &[]).await.unwrap().is_empty());
    assert_eq!(watched.asked(), []);
}

#[tokio::test]
async fn an_object_that_is_written_between_two_requests_is_read_anew() {
    let watched = Arc::new(Watched::default());
    let objects = over(watched.clone(), Names::Clear, CHUNK as u32);
    let (before, after) = (content(LEN), content(LEN + 1));
    put(&objects, "b", after.clone()).await;
    let range = 2 * CHUNK as u64..2 * CHUNK as u64 + 5;
    let at = 2 * CHUNK..2 * CHUNK + 5;

    put(&objects, "a", before.clone()).await;
    let writer = objects_over(&watched);
    let written = after.clone();
    watched.before_second_get(move || Box::pin(async move { put(&writer, "a", written).await }));
    let read = objects.get_range(&Path::from("a"), range.clone()).await.unwrap();
    assert_eq!(read, after[at.clone()]);

    // Shorter than the range: the second request is refused below.
    put(&objects, "a", before.clone()).await;
    let writer = objects_over(&watched);
    watched.before_second_get(move || Box::pin(async move { put(&writer, "a", content(2 * CHUNK + 9)).await }));
    let end = 4 * CHUNK as u64;
    let read = objects.get_range(&Path::from("a"), end..end + 5).await;
    assert!(strongroom_encryption::EncryptionError::of_object(&read.unwrap_err()).is_none());

    // Several ranges at once: their answer has no version, so the chunks say it.
    put(&objects, "a", before.clone()).await;
    let writer = objects_over(&watched);
    let written = after.clone();
    watched.before_second_get(move || Box::pin(async move { put(&writer, "a", written).await }));
    let read = objects.get_ranges(&Path::from("a"), std::slice::from_ref(&range)).await.unwrap();
    assert_eq!(read, [Bytes::copy_from_slice(&after[at])]);
}

fn objects_over(watched: &Arc<Watched>) -> crate::objects::support::Objects {
    over(Arc::new(watched.below.clone()), Names::Clear, CHUNK as u32)
}

#[tokio::test]
async fn sizes_and_conditions_cost_no_more_than_below() {
    let watched = Arc::new(Watched::default());
    let objects = over(watched.clone(), Names::Encrypted, CHUNK as u32);
    put(&objects, "a", content(LEN)).await;
    watched.asked();
    let meta = objects.head(&Path::from("a")).await.unwrap();
    assert_eq!(watched.asked(), [Asked::Head]);
    assert_eq!(meta.size, LEN as u64);
    let options = GetOptions::new().with_if_none_match(meta.e_tag.clone()).with_range(Some(GetRange::Suffix(1)));
    let error = objects.get_opts(&Path::from("a"), options).await.unwrap_err();
    assert!(matches!(&error, object_store::Error::NotModified { path, .. } if path == "a"), "{error:?}");
    assert_eq!(watched.asked(), [Asked::Get(Some(header()))]);
    let error = objects.put_opts(&Path::from("a"), "x".into(), PutMode::Create.into()).await.unwrap_err();
    assert!(matches!(&error, object_store::Error::AlreadyExists { path, .. } if path == "a"), "{error:?}");
    assert_eq!(get(&objects, "a").await.unwrap(), content(LEN));
}
