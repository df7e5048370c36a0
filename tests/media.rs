//! Media as a program has them: an encrypted store, encrypted objects, an attachment as Matrix sends it.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::sync::Arc;

use futures_util::TryStreamExt;
use strongroom::encryption::{Attachment, EncryptedObjects, EncryptionError, SecretKey, Unlock};
use strongroom::objects::object_store::memory::InMemory;
use strongroom::objects::object_store::{ObjectMeta, ObjectStore};
use strongroom::objects::{Media, NewMedia};
use strongroom::{Database, matrix, open};

/// "Hello, World", encrypted: one of the vectors that implementations of Matrix test with.
const CIPHERTEXT: [u8; 12] = [0xe7, 0x12, 0x59, 0x4e, 0xde, 0x5c, 0x42, 0x27, 0x26, 0xfb, 0xd7, 0xf8];
const FILE: &str = r#"{
    "v": "v2",
    "key": {"kty": "oct", "key_ops": ["encrypt", "decrypt"], "alg": "A256CTR", "ext": true,
            "k": "__________________________________________8"},
    "iv": "//////////8AAAAAAAAAAA",
    "hashes": {"sha256": "YzF08lARDdOCzJpzuSwsjTNlQc4pHxpdHcXiD/wpK6k"}
}"#;

struct Place {
    media: Media,
    below: Arc<InMemory>,
}

async fn place() -> Place {
    let unlock = Unlock::raw_key(SecretKey::new([1; 32]));
    let store = open("memory:").encrypted(unlock).await.unwrap();
    let below = Arc::new(InMemory::new());
    let objects = EncryptedObjects::new(below.clone(), &store.objects_key().unwrap());
    let db = Database::open(store, matrix::schema()).await.unwrap();
    let media = Media::open(db, Arc::new(objects)).await.unwrap();
    Place { media, below }
}

#[tokio::test]
async fn an_attachment_is_verified_and_stored_in_one_stream() {
    let place = place().await;
    let attachment = Attachment::from_json(FILE).unwrap();
    let new = NewMedia::new("!room:example.org", "text/plain").id("mxc://example.org/abc");

    // One bit is another: nothing is stored, and nothing of it is kept.
    let mut changed = CIPHERTEXT;
    changed[11] ^= 1;
    let refused = place.media.put(new.clone(), attachment.open(&changed[..])).await.unwrap_err();
    assert_eq!(EncryptionError::of(&refused), Some(EncryptionError::AttachmentChanged));
    assert!(place.media.stat(&"mxc://example.org/abc".into()).await.unwrap().is_none());
    let listed: Vec<ObjectMeta> = place.below.list(None).try_collect().await.unwrap();
    assert!(listed.is_empty());

    let stored = place.media.put(new, attachment.open(&CIPHERTEXT[..])).await.unwrap();
    let content = place.media.get(&stored.record.media_id).await.unwrap().unwrap();
    let bytes: Vec<u8> = content.stream().map_ok(|bytes| bytes.to_vec()).try_concat().await.unwrap();
    assert_eq!(bytes, b"Hello, World");
    // Below lies neither what was sent nor what it says.
    let listed: Vec<ObjectMeta> = place.below.list(None).try_collect().await.unwrap();
    assert!(listed.len() == 1 && listed[0].size > 100);
}

#[tokio::test]
async fn objects_that_were_exchanged_say_so() {
    let place = place().await;
    for (id, text) in [("a", "one text"), ("b", "two text")] {
        place.media.put(NewMedia::new("!r", "text/plain").id(id), text.as_bytes()).await.unwrap();
    }
    let listed: Vec<ObjectMeta> = place.below.list(None).try_collect().await.unwrap();
    let [a, b] = &listed[..] else { panic!("{listed:?}") };
    place.below.copy_opts(&a.location, &b.location, Default::default()).await.unwrap();
    let mut refused = 0;
    for id in ["a", "b"] {
        let content = place.media.get(&id.into()).await.unwrap().unwrap();
        if let Err(error) = content.stream().try_collect::<Vec<_>>().await {
            refused += 1;
            let error = EncryptionError::of(&error).unwrap();
            assert!(matches!(error, EncryptionError::AuthFailed { .. }), "{error}");
        }
    }
    assert_eq!(refused, 1, "the one whose bytes are another's");
}
