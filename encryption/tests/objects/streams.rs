//! Bodies that come in odd pieces, fail half-way or never end, and work that makes pauses.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{Error, GetResult, GetResultPayload, ObjectStore, ObjectStoreExt};
use strongroom_encryption::{EncryptionError, Names};

use crate::objects::support::{CHUNK, HEADER, SEALED_CHUNK, content, get, over, put, refused};
use crate::objects::watched::Watched;

const LEN: usize = 6 * CHUNK + 100;

/// A store below whose answers `change` makes anew.
async fn with_body(
    change: fn(Bytes) -> Vec<Result<Bytes, &'static str>>,
) -> (Arc<Watched>, crate::objects::support::Objects) {
    let watched = Arc::new(Watched::default());
    let objects = over(watched.clone(), Names::Clear, CHUNK as u32);
    put(&objects, "a", content(LEN)).await;
    watched.change_bodies(move |result| {
        let GetResult { payload: GetResultPayload::Stream(mut body), meta, range, attributes, extensions } = result
        else {
            panic!("memory gives streams")
        };
        let body = stream::once(async move { body.next().await.unwrap().unwrap() }).flat_map(move |bytes| {
            let failed = |source: &'static str| Error::Generic { store: "Watched", source: source.into() };
            stream::iter(change(bytes).into_iter().map(move |piece| piece.map_err(failed)))
        });
        GetResult { payload: GetResultPayload::Stream(body.boxed()), meta, range, attributes, extensions }
    });
    (watched, objects)
}

/// Pieces of 1, 2, 3 … bytes, with empty ones between.
fn odd_pieces(mut bytes: Bytes) -> Vec<Result<Bytes, &'static str>> {
    let mut pieces = Vec::new();
    let mut len = 1;
    while !bytes.is_empty() {
        pieces.push(Ok(bytes.split_to(len.min(bytes.len()))));
        pieces.push(Ok(Bytes::new()));
        len += 1;
    }
    pieces
}

#[tokio::test]
async fn pieces_of_every_length() {
    let (_, objects) = with_body(odd_pieces).await;
    assert_eq!(get(&objects, "a").await.unwrap(), content(LEN));
    let range = CHUNK as u64 + 3..LEN as u64 - 3;
    let read = objects.get_range(&Path::from("a"), range.clone()).await.unwrap();
    assert_eq!(read, content(LEN)[range.start as usize..range.end as usize]);
}

/// What was given before the error, which ends the stream.
async fn read_until_error(objects: &dyn ObjectStore) -> (Vec<u8>, Error) {
    let mut stream = objects.get(&Path::from("a")).await.unwrap().into_stream();
    let mut read = Vec::new();
    loop {
        match stream.next().await.expect("it does not end well") {
            Ok(bytes) => read.extend_from_slice(&bytes),
            Err(error) => {
                assert!(stream.next().await.is_none(), "nothing comes after an error");
                return (read, error);
            }
        }
    }
}

#[tokio::test]
async fn a_body_that_fails_half_way_gives_whole_chunks_and_an_error() {
    let (_, objects) = with_body(|bytes| {
        let half = bytes.slice(..HEADER + 2 * SEALED_CHUNK + 1_000);
        odd_pieces(half).into_iter().chain([Err("the connection broke")]).collect()
    })
    .await;
    let (read, error) = read_until_error(&objects).await;
    assert_eq!(read, content(LEN)[..2 * CHUNK]);
    assert!(error.to_string().contains("the connection broke"), "{error}");
}

#[tokio::test]
async fn a_body_that_ends_early_is_no_end() {
    for len in [HEADER + SEALED_CHUNK, HEADER + SEALED_CHUNK + 7] {
        let (_, objects) = match len % 2 {
            0 => with_body(|bytes| odd_pieces(bytes.slice(..HEADER + SEALED_CHUNK))).await,
            _ => with_body(|bytes| odd_pieces(bytes.slice(..HEADER + SEALED_CHUNK + 7))).await,
        };
        let (read, error) = read_until_error(&objects).await;
        assert_eq!(read, content(LEN)[..CHUNK]);
        assert_eq!(EncryptionError::of_object(&error), Some(EncryptionError::Truncated));
    }
    let (_, objects) = with_body(|bytes| vec![Ok(bytes.slice(..HEADER - 1))]).await;
    assert_eq!(refused(objects.get(&Path::from("a")).await), EncryptionError::Truncated);
}

#[tokio::test]
async fn a_chunk_that_does_not_open_ends_it_after_the_ones_before() {
    let (_, objects) = with_body(|bytes| {
        let mut changed = bytes.to_vec();
        changed[HEADER + 3 * SEALED_CHUNK + 100] ^= 1;
        odd_pieces(changed.into())
    })
    .await;
    let (read, error) = read_until_error(&objects).await;
    assert_eq!(read, content(LEN)[..3 * CHUNK]);
    assert!(matches!(EncryptionError::of_object(&error), Some(EncryptionError::AuthFailed { .. })));
}

#[tokio::test]
async fn no_more_is_read_ahead_than_a_chunk() {
    static TAKEN: AtomicUsize = AtomicUsize::new(0);
    let watched = Arc::new(Watched::default());
    let objects = over(watched.clone(), Names::Clear, CHUNK as u32);
    put(&objects, "a", content(LEN)).await;
    watched.change_bodies(|mut result| {
        let GetResultPayload::Stream(body) = &mut result.payload else { panic!("memory gives streams") };
        let whole = std::mem::replace(body, stream::empty().boxed());
        let pieces = whole.flat_map(|bytes| {
            stream::iter(odd_pieces(bytes.unwrap())).map(|piece| Ok(piece.unwrap())).inspect(
                |piece: &object_store::Result<Bytes>| {
                    TAKEN.fetch_add(piece.as_ref().map_or(0, Bytes::len), Ordering::Relaxed);
                },
            )
        });
        *body = pieces.boxed();
        result
    });
    let mut stream = objects.get(&Path::from("a")).await.unwrap().into_stream();
    let mut read = 0;
    while let Some(bytes) = stream.next().await {
        read += bytes.unwrap().len();
        let (chunks, taken) = (read.div_ceil(CHUNK), TAKEN.load(Ordering::Relaxed));
        // The longest piece has some 230 bytes.
        assert!(taken <= HEADER + chunks * SEALED_CHUNK + 300, "{read} {taken}");
    }
    assert_eq!(read, LEN);
}

#[tokio::test]
async fn long_work_lets_others_run() {
    let objects = over(Arc::new(InMemory::new()), Names::Encrypted, 64 << 10);
    let ran = Arc::new(AtomicUsize::new(0));
    let others = ran.clone();
    let other = tokio::spawn(async move {
        loop {
            others.fetch_add(1, Ordering::Relaxed);
            tokio::task::yield_now().await;
        }
    });
    put(&objects, "a", content(8 << 20)).await;
    assert!(ran.load(Ordering::Relaxed) >= 4, "while it was sealed");
    let before = ran.load(Ordering::Relaxed);
    get(&objects, "a").await.unwrap();
    assert!(ran.load(Ordering::Relaxed) >= before + 4, "while it was opened");
    other.abort();
}
