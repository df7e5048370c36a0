//! Objects that belong to a database: one passphrase opens both.

use std::sync::Arc;

use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use strongroom_core::ErrorKind;
use strongroom_core::store::Store;
use strongroom_encryption::{
    Argon2Params, Encrypted, EncryptedObjects, EncryptedOptions, EncryptionError, ObjectsOptions, SecretKey, Unlock,
};
use strongroom_memory::Memory;

use crate::objects::support::{get, put, refused};

fn unlock() -> Unlock {
    Unlock::raw_key(SecretKey::new([7; 32]))
}

async fn database(rows: &Arc<dyn Store>) -> Encrypted<Arc<dyn Store>> {
    let mut options = EncryptedOptions::default();
    options.kdf = Argon2Params::FLOOR;
    options.open_or_create(rows.clone(), &unlock()).await.unwrap()
}

#[tokio::test]
async fn the_key_lives_as_long_as_the_database() {
    let (rows, files): (Arc<dyn Store>, _) = (Arc::new(Memory::new()), Arc::new(InMemory::new()));
    let store = database(&rows).await;
    let key = store.objects_key().unwrap();
    put(&EncryptedObjects::new(files.clone(), &key), "picture", &b"a picture"[..]).await;

    store.rotate().await.unwrap();
    store.reseal(|_| {}).await.unwrap();
    store.add_slot("another", &Unlock::raw_key(SecretKey::new([8; 32])), Argon2Params::FLOOR).await.unwrap();
    drop(store);
    let store = database(&rows).await;
    assert!(store.objects_key().unwrap() == key);
    let objects = EncryptedObjects::new(files.clone(), &store.objects_key().unwrap());
    assert_eq!(get(&objects, "picture").await.unwrap(), "a picture");

    store.lock();
    assert_eq!(EncryptionError::of(&store.objects_key().unwrap_err()), Some(EncryptionError::Locked));
    store.unlock(&unlock()).await.unwrap();
    store.erase().await.unwrap();
    assert_eq!(store.objects_key().unwrap_err().kind(), ErrorKind::Closed);
}

#[tokio::test]
async fn another_database_has_another_key() {
    let (a, b): (Arc<dyn Store>, Arc<dyn Store>) = (Arc::new(Memory::new()), Arc::new(Memory::new()));
    let (a, b) = (database(&a).await.objects_key().unwrap(), database(&b).await.objects_key().unwrap());
    assert!(a != b);
}

#[tokio::test]
async fn sizes_of_chunks_are_checked_and_nothing_is_shown() {
    let mut options = ObjectsOptions::default();
    for bytes in [0, 1_000, 4_095, 1 << 25] {
        options.chunk_bytes = bytes;
        let error = options.over(InMemory::new(), &SecretKey::new([1; 32])).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "{bytes}");
    }
    let objects = EncryptedObjects::new(InMemory::new(), &SecretKey::new([0xAB; 32]));
    assert_eq!(objects.to_string(), "EncryptedObjects(InMemory)");
    assert!(format!("{objects:?}").ends_with("chunk_bytes: 65536, names: Encrypted, .. }"), "{objects:?}");
}

#[tokio::test]
async fn names_that_are_too_long_or_of_the_layer_are_refused() {
    let objects = EncryptedObjects::new(InMemory::new(), &SecretKey::new([1; 32]));
    let long = Path::from("n".repeat(171));
    let is_name = |error| matches!(error, EncryptionError::NameRefused(_));
    assert!(is_name(refused(objects.put(&long, "x".into()).await)));
    assert!(is_name(refused(objects.get(&long).await)));
    assert!(is_name(refused(objects.copy(&Path::from("a"), &long).await)));
    assert!(is_name(refused(objects.put_multipart(&long).await)));
    assert!(is_name(refused(objects.delete(&long).await)));
    assert!(is_name(refused(objects.list_with_delimiter(Some(&long)).await)));
    let mut options = ObjectsOptions::default();
    options.names = strongroom_encryption::Names::Clear;
    let clear = options.over(InMemory::new(), &SecretKey::new([1; 32])).unwrap();
    assert!(is_name(refused(clear.put(&Path::from(".strongroom-stage/a"), "x".into()).await)));
    clear.put(&long, "x".into()).await.unwrap();
}
