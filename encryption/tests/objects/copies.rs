//! Copies and renames, short and long, that may overwrite and that may not.

use std::sync::Arc;

use futures_util::TryStreamExt;
use object_store::local::LocalFileSystem;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{Attribute, Attributes, Error, ObjectStore, ObjectStoreExt};
use strongroom_encryption::{EncryptionError, Names};

use crate::objects::support::{content, get, over, put, refused};

/// Beyond what is copied in one request, and not a multiple of anything.
const LONG: usize = (17 << 20) + 3;

async fn files_below(below: &dyn ObjectStore) -> Vec<String> {
    below.list(None).map_ok(|meta| meta.location.to_string()).try_collect().await.unwrap()
}

async fn long_copies_on(below: Arc<dyn ObjectStore>, names: Names) {
    let objects = over(below.clone(), names, 64 << 10);
    let (a, b, c) = (Path::from("a"), Path::from("f/b"), Path::from("c"));
    put(&objects, "a", content(LONG)).await;
    objects.copy(&a, &b).await.unwrap();
    assert!(get(&objects, "f/b").await.unwrap() == content(LONG));
    // Overwriting, or not.
    put(&objects, "c", &b"short"[..]).await;
    for refused in [objects.copy_if_not_exists(&a, &c).await, objects.rename_if_not_exists(&a, &c).await] {
        assert!(matches!(&refused, Err(Error::AlreadyExists { path, .. }) if path == "c"), "{refused:?}");
    }
    assert_eq!(get(&objects, "c").await.unwrap(), "short");
    objects.delete(&c).await.unwrap();
    objects.copy_if_not_exists(&a, &c).await.unwrap();
    assert!(get(&objects, "c").await.unwrap() == content(LONG));
    objects.rename(&a, &c).await.unwrap();
    objects.delete(&b).await.unwrap();
    objects.rename_if_not_exists(&c, &b).await.unwrap();
    assert!(get(&objects, "f/b").await.unwrap() == content(LONG));
    // Nothing is left where copies were made.
    assert_eq!(files_below(&objects).await, ["f/b"]);
    assert_eq!(files_below(&below).await.len(), 1);
    let folder = objects.list_with_delimiter(None).await.unwrap();
    assert_eq!((folder.common_prefixes, folder.objects), (vec![Path::from("f")], vec![]));
}

#[tokio::test]
async fn long_ones_over_memory() {
    long_copies_on(Arc::new(InMemory::new()), Names::Encrypted).await;
    long_copies_on(Arc::new(InMemory::new()), Names::Clear).await;
}

#[tokio::test]
async fn long_ones_over_files() {
    let folder = tempfile::tempdir().unwrap();
    let files = LocalFileSystem::new_with_prefix(folder.path()).unwrap().with_automatic_cleanup(true);
    long_copies_on(Arc::new(files), Names::Clear).await;
}

#[tokio::test]
async fn of_two_that_may_not_overwrite_one_wins() {
    let objects = Arc::new(over(Arc::new(InMemory::new()), Names::Encrypted, 64 << 10));
    let to = Path::from("to");
    for len in [100, LONG] {
        let (a, b) = (Path::from("a"), Path::from("b"));
        put(&objects, "a", content(len)).await;
        put(&objects, "b", content(len + 1)).await;
        let both = tokio::join!(objects.copy_if_not_exists(&a, &to), objects.copy_if_not_exists(&b, &to));
        let (won, lost) = if both.0.is_ok() { (len, both.1) } else { (len + 1, both.0) };
        assert!(matches!(lost, Err(Error::AlreadyExists { .. })), "{lost:?}");
        assert!(get(&objects, "to").await.unwrap() == content(won));
        objects.delete(&to).await.unwrap();
    }
}

#[tokio::test]
async fn onto_itself_nothing_is_lost() {
    let objects = over(Arc::new(InMemory::new()), Names::Encrypted, 64 << 10);
    let a = Path::from("a");
    assert!(matches!(objects.rename(&a, &a).await, Err(Error::NotFound { .. })));
    put(&objects, "a", &b"content"[..]).await;
    objects.rename(&a, &a).await.unwrap();
    objects.copy(&a, &a).await.unwrap();
    assert!(matches!(objects.rename_if_not_exists(&a, &a).await, Err(Error::AlreadyExists { .. })));
    assert_eq!(get(&objects, "a").await.unwrap(), "content");
}

#[tokio::test]
async fn attributes_go_along_and_damage_does_not() {
    let memory = Arc::new(InMemory::new());
    let objects = over(memory.clone(), Names::Clear, 4_096);
    let (a, b) = (Path::from("a"), Path::from("b"));
    let attributes = Attributes::from_iter([(Attribute::ContentType, "text/plain")]);
    for len in [100, LONG] {
        objects.put_opts(&a, content(len).into(), attributes.clone().into()).await.unwrap();
        objects.copy(&a, &b).await.unwrap();
        assert_eq!(objects.get(&b).await.unwrap().attributes, attributes);
        objects.delete(&b).await.unwrap();
        let mut sealed = get(&*memory, "a").await.unwrap().to_vec();
        *sealed.last_mut().unwrap() ^= 1;
        put(&*memory, "a", sealed).await;
        for copied in
            [objects.copy(&a, &b).await, objects.copy_if_not_exists(&a, &b).await, objects.rename(&a, &b).await]
        {
            assert!(matches!(refused(copied), EncryptionError::AuthFailed { .. }));
        }
        assert_eq!(files_below(&*memory).await, ["a"]);
    }
}
