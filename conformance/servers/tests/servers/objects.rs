//! What a server stores, through the client that the backend uses.

use std::future::Future;

use futures_util::StreamExt;
use object_store::aws::{AmazonS3, AmazonS3Builder};
use object_store::path::Path;
use object_store::{ClientOptions, Error, ObjectStore, ObjectStoreExt, PutMode, PutPayload};
use strongroom_conformance_servers::Server;

use crate::Kind;

/// Bytes of a part, the least that S3 takes of any but the last.
const PART_BYTES: usize = 5 * 1024 * 1024;

/// Objects in a page of a list, at most.
const PAGE_MAX: usize = 1_000;

/// Tasks that try to create the same object.
const RIVALS: usize = 16;

pub(crate) fn puts_gets_and_removes(kind: Kind) {
    let server = (kind.shared)().unwrap();
    let (store, key) = (client(server), Path::from(server.new_prefix()).join("key"));
    run(async {
        store.put(&key, "value".into()).await.unwrap();
        assert_eq!(store.get(&key).await.unwrap().bytes().await.unwrap(), "value");
        assert_eq!(store.get_range(&key, 1..3).await.unwrap(), "al");
        store.delete(&key).await.unwrap();
        assert!(matches!(store.get(&key).await, Err(Error::NotFound { .. })));
    });
}

pub(crate) fn lists_by_pages(kind: Kind) {
    let server = (kind.shared)().unwrap();
    let (store, prefix) = (client(server), Path::from(server.new_prefix()));
    run(async {
        // One more than a page holds.
        for number in 0..=PAGE_MAX {
            store.put(&prefix.clone().join(format!("{number:04}")), PutPayload::new()).await.unwrap();
        }
        let mut listed = store.list(Some(&prefix));
        let mut found = Vec::new();
        while let Some(object) = listed.next().await {
            found.push(object.unwrap().location);
        }
        let expected: Vec<_> = (0..=PAGE_MAX).map(|number| prefix.clone().join(format!("{number:04}"))).collect();
        assert_eq!(found, expected);
    });
}

pub(crate) fn puts_in_parts(kind: Kind) {
    let server = (kind.shared)().unwrap();
    let (store, key) = (client(server), Path::from(server.new_prefix()).join("parts"));
    run(async {
        let mut upload = store.put_multipart(&key).await.unwrap();
        upload.put_part(vec![1; PART_BYTES].into()).await.unwrap();
        upload.put_part(vec![2; 3].into()).await.unwrap();
        assert!(matches!(store.head(&key).await, Err(Error::NotFound { .. })), "nothing is there before the end");
        upload.complete().await.unwrap();
        let stored = store.get(&key).await.unwrap().bytes().await.unwrap();
        assert_eq!(stored.len(), PART_BYTES + 3);
        assert!(stored[..PART_BYTES].iter().all(|byte| *byte == 1));
        assert_eq!(stored[PART_BYTES..], [2; 3]);
    });
}

/// Of those that create the same object at once, one does and the others are told.
pub(crate) fn creates_once(kind: Kind) {
    let server = (kind.shared)().unwrap();
    let key = Path::from(server.new_prefix()).join("one");
    run(async {
        let rivals: Vec<_> = (0..RIVALS)
            .map(|number| {
                let (store, key) = (client(server), key.clone());
                tokio::spawn(
                    async move { store.put_opts(&key, number.to_string().into(), PutMode::Create.into()).await },
                )
            })
            .collect();
        let mut winners = 0;
        for rival in rivals {
            match rival.await.unwrap() {
                Ok(_) => winners += 1,
                Err(Error::AlreadyExists { .. }) => {}
                Err(error) => panic!("{error}"),
            }
        }
        assert_eq!(winners, 1);
    });
}

pub(crate) fn client(server: &Server) -> AmazonS3 {
    AmazonS3Builder::new()
        .with_endpoint(server.endpoint())
        .with_bucket_name(server.bucket())
        .with_region(server.region())
        .with_access_key_id(server.access_key())
        .with_secret_access_key(server.secret_key())
        .with_client_options(ClientOptions::new().with_allow_http(true))
        .build()
        .unwrap()
}

pub(crate) fn run<T>(what: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(what)
}
