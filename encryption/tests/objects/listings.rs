//! Listings: what is seen from above, what from below, and what is passed over.

use std::sync::Arc;

use futures_util::{StreamExt, TryStreamExt};
use object_store::local::LocalFileSystem;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{Error, ObjectStore, ObjectStoreExt};
use strongroom_encryption::{EncryptedObjects, Names, SecretKey};

use crate::objects::support::{content, key, over, put};

async fn listed(store: &dyn ObjectStore, prefix: Option<&str>) -> Vec<(String, u64)> {
    let prefix = prefix.map(Path::from);
    let all = store.list(prefix.as_ref()).map_ok(|meta| (meta.location.to_string(), meta.size));
    let mut all: Vec<_> = all.try_collect().await.unwrap();
    all.sort();
    all
}

#[tokio::test]
async fn no_name_and_no_content_shows_below() {
    let memory = Arc::new(InMemory::new());
    let objects = over(memory.clone(), Names::Encrypted, 4_096);
    for path in ["rooms/canary/picture.jpg", "rooms/canary/film.mp4", "canary"] {
        put(&objects, path, b"canary content ".repeat(1_000)).await;
    }
    for (path, _) in listed(&*memory, None).await {
        assert!(!path.contains("canary") && !path.contains("rooms"), "{path}");
        let below = memory.get(&Path::parse(&path).unwrap()).await.unwrap().bytes().await.unwrap();
        assert!(!below.windows(6).any(|window| window == b"canary"), "{path}");
    }
    // Folders stay folders.
    assert_eq!(memory.list_with_delimiter(None).await.unwrap().common_prefixes.len(), 1);
}

#[tokio::test]
async fn sizes_and_folders_are_those_of_the_content() {
    let objects = EncryptedObjects::new(InMemory::new(), &key());
    for (path, len) in [("a/1", 0), ("a/2", 65_536), ("a/b/3", 65_537), ("ab", 5)] {
        put(&objects, path, content(len)).await;
    }
    let all = [("a/1", 0), ("a/2", 65_536), ("a/b/3", 65_537), ("ab", 5)].map(|(path, size)| (path.to_owned(), size));
    assert_eq!(listed(&objects, None).await, all);
    assert_eq!(listed(&objects, Some("a")).await, all[..3]);
    assert_eq!(listed(&objects, Some("b")).await, []);
    let folder = objects.list_with_delimiter(Some(&Path::from("a"))).await.unwrap();
    assert_eq!(folder.common_prefixes, [Path::from("a/b")]);
    let sizes: Vec<_> = folder.objects.iter().map(|meta| (meta.location.to_string(), meta.size)).collect();
    assert_eq!(sizes, all[..2]);
}

#[tokio::test]
async fn what_is_not_of_the_store_is_passed_over_and_what_was_cut_stops_nothing() {
    let memory = Arc::new(InMemory::new());
    let objects = EncryptedObjects::new(memory.clone(), &key());
    put(&objects, "a/good", content(10)).await;
    put(&objects, "a/cut", content(10)).await;
    put(&*memory, "plain/file.txt", content(10)).await;
    put(&EncryptedObjects::new(memory.clone(), &SecretKey::new([8; 32])), "a/strangers", content(10)).await;
    for (path, size) in listed(&*memory, None).await {
        let path = Path::parse(path).unwrap();
        if size == 122 && objects_name(&objects, &path, "a/cut").await {
            put(&*memory, path.as_ref(), content(100)).await;
        }
    }
    assert_eq!(listed(&objects, None).await, [("a/cut".to_owned(), 0), ("a/good".to_owned(), 10)]);
    assert_eq!(objects.list_with_delimiter(None).await.unwrap().common_prefixes, [Path::from("a")]);
}

/// Whether the object `path` below is `name` above: without it, `name` is gone.
async fn objects_name(objects: &EncryptedObjects<Arc<InMemory>>, path: &Path, name: &str) -> bool {
    let bytes = objects.inner().get(path).await.unwrap().bytes().await.unwrap();
    objects.inner().delete(path).await.unwrap();
    let gone = matches!(objects.head(&Path::from(name)).await, Err(Error::NotFound { .. }));
    put(&**objects.inner(), path.as_ref(), bytes).await;
    gone
}

#[tokio::test]
async fn deletion_answers_with_the_names_above() {
    let folder = tempfile::tempdir().unwrap();
    let files = LocalFileSystem::new_with_prefix(folder.path()).unwrap();
    let stores: [Arc<dyn ObjectStore>; 2] = [Arc::new(InMemory::new()), Arc::new(files)];
    for (below, names) in stores.iter().flat_map(|below| [(below, Names::Encrypted), (below, Names::Clear)]) {
        let objects = over(below.clone(), names, 4_096);
        put(&objects, "x/a", content(1)).await;
        put(&objects, "b", content(1)).await;
        let asked = ["a", "x/a", "missing/b", "b"].map(Path::from);
        let answers: Vec<_> =
            objects.delete_stream(futures_util::stream::iter(asked.clone().map(Ok)).boxed()).collect().await;
        for (asked, answer) in asked.iter().zip(&answers) {
            match answer {
                Ok(path) => assert_eq!(path, asked),
                Err(Error::NotFound { path, .. }) => assert_eq!(path, asked.as_ref()),
                Err(error) => panic!("{error}"),
            }
        }
        assert_eq!(answers.len(), asked.len());
        assert_eq!(listed(&objects, None).await, []);
    }
}
