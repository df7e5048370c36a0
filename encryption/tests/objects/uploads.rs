//! Multipart uploads: in which parts they go down, in which order, and what becomes of one that is not finished.

use std::sync::Arc;

use futures_util::future::join_all;
use object_store::local::LocalFileSystem;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{MultipartUpload, ObjectStore, ObjectStoreExt, PutPayload};
use strongroom_encryption::Names;

use crate::objects::support::{content, get, over};
use crate::objects::watched::Watched;

const MIB: usize = 1 << 20;

async fn upload(watched: &Arc<Watched>, parts: &[usize]) -> Vec<usize> {
    let objects = over(watched.clone(), Names::Encrypted, 64 << 10);
    let path = Path::from("a");
    let mut upload = objects.put_multipart(&path).await.unwrap();
    let mut all = Vec::new();
    for len in parts {
        let part = content(*len);
        all.extend_from_slice(&part);
        upload.put_part(part.into()).await.unwrap();
    }
    upload.complete().await.unwrap();
    assert!(get(&objects, "a").await.unwrap() == all);
    watched.parts()
}

#[tokio::test]
async fn parts_below_are_equal_and_long_enough_but_for_the_last() {
    let watched = Arc::new(Watched::default());
    // Parts of S3's least length, of more, and of all lengths.
    let lengths = [vec![5 * MIB; 3], vec![6 * MIB + 1; 3], vec![1, 7 * MIB, 100, 3 * MIB], vec![2; 5], vec![]];
    for parts in lengths {
        let below = upload(&watched, &parts).await;
        let (last, others) = below.split_last().unwrap();
        assert!(others.iter().all(|len| *len == others[0] && *len >= 5 * MIB && last <= len), "{parts:?} {below:?}");
        let equal = parts.windows(2).all(|pair| pair[0] == pair[1]);
        assert!(!equal || below.len() <= parts.len().max(1), "no more parts than above: {parts:?} {below:?}");
    }
}

#[tokio::test]
async fn the_order_is_that_of_the_calls_however_the_futures_run() {
    let folder = tempfile::tempdir().unwrap();
    let files = LocalFileSystem::new_with_prefix(folder.path()).unwrap();
    let stores: [Arc<dyn ObjectStore>; 2] = [Arc::new(InMemory::new()), Arc::new(files)];
    for below in stores {
        let objects = over(below, Names::Encrypted, 4_096);
        let mut upload = objects.put_multipart(&Path::from("a")).await.unwrap();
        let parts: Vec<_> = [3 * MIB, 1, 5 * MIB + 7, 4_096, 2 * MIB, 0, 9 * MIB].map(content).into();
        let mut futures: Vec<_> = parts.iter().map(|part| upload.put_part(part.clone().into())).collect();
        futures.reverse();
        for written in join_all(futures).await {
            written.unwrap();
        }
        upload.complete().await.unwrap();
        assert!(get(&objects, "a").await.unwrap() == parts.concat());
    }
}

#[tokio::test]
async fn tasks_of_their_own_write_one_object() {
    let objects = over(Arc::new(InMemory::new()), Names::Encrypted, 4_096);
    let mut upload = objects.put_multipart(&Path::from("a")).await.unwrap();
    let parts: Vec<_> = (0..20).map(|at| content(MIB + at)).collect();
    let tasks: Vec<_> = parts.iter().map(|part| tokio::spawn(upload.put_part(part.clone().into()))).collect();
    for task in tasks {
        task.await.unwrap().unwrap();
    }
    upload.complete().await.unwrap();
    assert!(get(&objects, "a").await.unwrap() == parts.concat());
}

#[tokio::test]
async fn a_part_whose_future_was_dropped_is_missed() {
    let objects = over(Arc::new(InMemory::new()), Names::Encrypted, 4_096);
    let mut upload = objects.put_multipart(&Path::from("a")).await.unwrap();
    drop(upload.put_part(content(100).into()));
    upload.complete().await.unwrap_err();
    upload.abort().await.unwrap();
    assert!(get(&objects, "a").await.is_err());
    // Taken up by a later one, it is there.
    let mut upload = objects.put_multipart(&Path::from("a")).await.unwrap();
    drop(upload.put_part(content(100).into()));
    upload.put_part(content(50).into()).await.unwrap();
    upload.complete().await.unwrap();
    assert_eq!(get(&objects, "a").await.unwrap(), [content(100), content(50)].concat());
}

#[tokio::test]
async fn a_part_that_failed_spoils_the_upload() {
    let watched = Arc::new(Watched::default());
    let objects = over(watched.clone(), Names::Encrypted, 4_096);
    let mut upload = objects.put_multipart(&Path::from("a")).await.unwrap();
    upload.put_part(content(100).into()).await.unwrap();
    watched.fail_parts();
    let error = upload.put_part(content(11 * MIB).into()).await.unwrap_err();
    assert!(error.to_string().contains("no part is taken"), "{error}");
    upload.complete().await.unwrap_err();
    upload.abort().await.unwrap();
    upload.put_part(PutPayload::from_static(b"more")).await.unwrap_err();
    assert!(get(&objects, "a").await.is_err());
}
