//! What somebody without the key does to an object below, and how it is refused: by a whole read, and by ranges that touch it.

use std::sync::Arc;

use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{GetOptions, GetRange, ObjectStore, ObjectStoreExt, PutPayload};
use strongroom_encryption::{EncryptedObjects, EncryptionError, Names, ObjectsOptions, SecretKey};

use crate::objects::support::{CHUNK, HEADER, Objects, SEALED_CHUNK, content, get, over, put, refused, short_chunks};

/// An object of four chunks, the last of them half full.
const LEN: usize = 3 * CHUNK + CHUNK / 2;

struct Scene {
    memory: Arc<InMemory>,
    objects: Objects,
    content: Vec<u8>,
    sealed: Vec<u8>,
}

/// The object is there, is opened, and is to be changed.
async fn scene_of(len: usize) -> Scene {
    let (memory, objects) = short_chunks();
    let content = content(len);
    put(&objects, "a/b", content.clone()).await;
    assert_eq!(get(&objects, "a/b").await.unwrap(), content);
    let sealed = get(&*memory, "a/b").await.unwrap().to_vec();
    Scene { memory, objects, content, sealed }
}

async fn scene() -> Scene {
    scene_of(LEN).await
}

/// Where a chunk stands.
fn chunk(index: usize) -> std::ops::Range<usize> {
    HEADER + index * SEALED_CHUNK..HEADER + (index + 1) * SEALED_CHUNK
}

impl Scene {
    /// Puts `sealed` in the place, reads all of it in every way, then puts the true object back and reads it.
    async fn with(&self, sealed: Vec<u8>) -> Vec<EncryptionError> {
        put(&*self.memory, "a/b", sealed).await;
        let path = Path::from("a/b");
        let plain = self.objects.head(&path).await.map_or(LEN as u64, |meta| meta.size.max(1));
        let mut errors = vec![refused(get(&self.objects, "a/b").await)];
        for range in [GetRange::Suffix(plain), GetRange::Offset(0), GetRange::Bounded(0..plain)] {
            errors.push(refused(self.range(range).await));
        }
        errors.push(refused(self.objects.get_ranges(&path, std::slice::from_ref(&(0..plain))).await));
        put(&*self.memory, "a/b", self.sealed.clone()).await;
        assert_eq!(get(&self.objects, "a/b").await.unwrap(), self.content);
        errors
    }

    async fn range(&self, range: GetRange) -> object_store::Result<bytes::Bytes> {
        let options = GetOptions::new().with_range(Some(range));
        self.objects.get_opts(&Path::from("a/b"), options).await?.bytes().await
    }

    /// Each chunk by itself: whether it is read.
    async fn chunks_read(&self, sealed: Vec<u8>) -> Vec<bool> {
        put(&*self.memory, "a/b", sealed).await;
        let mut read = Vec::new();
        for index in 0..self.content.len().div_ceil(CHUNK) {
            let range = index * CHUNK..self.content.len().min((index + 1) * CHUNK);
            match self.range(GetRange::Bounded(range.start as u64..range.end as u64)).await {
                Ok(bytes) => {
                    assert_eq!(bytes, self.content[range], "what is read is true");
                    read.push(true);
                }
                Err(error) => {
                    assert!(
                        EncryptionError::of_object(&error).is_some() || error.to_string().contains("range"),
                        "{error}"
                    );
                    read.push(false);
                }
            }
        }
        put(&*self.memory, "a/b", self.sealed.clone()).await;
        read
    }
}

#[track_caller]
fn all_auth_failed(errors: &[EncryptionError]) {
    assert!(errors.iter().all(|error| matches!(error, EncryptionError::AuthFailed { .. })), "{errors:?}");
}

#[track_caller]
fn all(errors: &[EncryptionError], expected: EncryptionError) {
    assert!(errors.iter().all(|error| *error == expected), "{errors:?}");
}

#[tokio::test]
async fn cut_at_the_edge_of_a_chunk() {
    let scene = scene().await;
    for chunks in 1..4 {
        all_auth_failed(&scene.with(scene.sealed[..chunk(chunks).start].to_vec()).await);
    }
    // The chunks before what is the last one now are true, and read as such.
    let read = scene.chunks_read(scene.sealed[..chunk(2).start].to_vec()).await;
    assert_eq!(read, [true, false, false, false]);
    all(&scene.with(scene.sealed[..HEADER].to_vec()).await, EncryptionError::Truncated);
}

#[tokio::test]
async fn cut_anywhere() {
    let scene = scene().await;
    let lengths = (1..HEADER + 45).chain((HEADER + 45..scene.sealed.len()).step_by(487));
    for len in lengths.chain([scene.sealed.len() - 1]) {
        for error in scene.with(scene.sealed[..len].to_vec()).await {
            let expected = matches!(error, EncryptionError::Truncated | EncryptionError::AuthFailed { .. });
            assert!(expected, "{len} {error:?}");
        }
    }
    put(&*scene.memory, "a/b", Vec::new()).await;
    assert_eq!(refused(get(&scene.objects, "a/b").await), EncryptionError::Truncated);
    assert_eq!(refused(scene.range(GetRange::Bounded(0..1)).await), EncryptionError::Truncated);
    assert_eq!(refused(scene.range(GetRange::Suffix(1)).await), EncryptionError::Truncated);
    assert_eq!(refused(scene.objects.head(&Path::from("a/b")).await), EncryptionError::Truncated);
}

#[tokio::test]
async fn one_that_ends_in_a_full_chunk_is_cut_and_lengthened() {
    let scene = scene_of(2 * CHUNK).await;
    all_auth_failed(&scene.with(scene.sealed[..chunk(1).start].to_vec()).await);
    let with_last_again = [&scene.sealed[..], &scene.sealed[chunk(1)]].concat();
    all_auth_failed(&scene.with(with_last_again).await);
}

#[tokio::test]
async fn chunks_are_exchanged_dropped_and_repeated() {
    let scene = scene().await;
    let sealed = &scene.sealed;
    let exchanged = [&sealed[..HEADER], &sealed[chunk(1)], &sealed[chunk(0)], &sealed[chunk(2).start..]].concat();
    let dropped = [&sealed[..chunk(1).start], &sealed[chunk(1).end..]].concat();
    let repeated = [&sealed[..chunk(1).end], &sealed[chunk(1)], &sealed[chunk(2).start..]].concat();
    let first_dropped = [&sealed[..HEADER], &sealed[chunk(0).end..]].concat();
    for changed in [exchanged.clone(), dropped.clone(), repeated, first_dropped] {
        all_auth_failed(&scene.with(changed).await);
    }
    assert_eq!(scene.chunks_read(exchanged).await, [false, false, true, true]);
    assert_eq!(scene.chunks_read(dropped).await, [true, false, false, false]);
}

#[tokio::test]
async fn chunks_and_headers_of_another_object_or_version_are_put_in() {
    let scene = scene().await;
    put(&scene.objects, "a/c", scene.content.clone()).await;
    let beside = get(&*scene.memory, "a/c").await.unwrap().to_vec();
    // The same content under the same name, written again.
    put(&scene.objects, "a/b", scene.content.clone()).await;
    let version = get(&*scene.memory, "a/b").await.unwrap().to_vec();
    for other in [&beside, &version] {
        assert_eq!(other.len(), scene.sealed.len());
        let mut one_chunk = scene.sealed.clone();
        one_chunk[chunk(1)].copy_from_slice(&other[chunk(1)]);
        all_auth_failed(&scene.with(one_chunk.clone()).await);
        assert_eq!(scene.chunks_read(one_chunk).await, [true, false, true, true]);
        let mut header = scene.sealed.clone();
        header[..HEADER].copy_from_slice(&other[..HEADER]);
        all_auth_failed(&scene.with(header.clone()).await);
        assert_eq!(scene.chunks_read(header).await, [false; 4]);
    }
    // All of it under another name.
    all_auth_failed(&scene.with(beside).await);
    // An older version as a whole is not told from a true one: that is documented.
    put(&*scene.memory, "a/b", version).await;
    assert_eq!(get(&scene.objects, "a/b").await.unwrap(), scene.content);
}

#[tokio::test]
async fn every_byte_of_the_header_counts() {
    let scene = scene().await;
    for at in 0..HEADER {
        for bit in 0..8 {
            let mut changed = scene.sealed.clone();
            changed[at] ^= 1 << bit;
            let expected = match at {
                0..4 => EncryptionError::NotAnEnvelope,
                4 | 5 | 7 => EncryptionError::UnsupportedVersion,
                6 => EncryptionError::OtherChunkSize,
                _ => EncryptionError::WrongKeyOrDamagedHeader,
            };
            all(&scene.with(changed.clone()).await, expected);
        }
    }
    let mut changed = scene.sealed.clone();
    changed[50] ^= 1;
    assert_eq!(scene.chunks_read(changed).await, [false; 4]);
}

#[tokio::test]
async fn every_byte_of_a_chunk_counts() {
    let scene = scene().await;
    for at in (HEADER..scene.sealed.len()).step_by(37).chain([HEADER, scene.sealed.len() - 1]) {
        let mut changed = scene.sealed.clone();
        changed[at] ^= 0x40;
        put(&*scene.memory, "a/b", changed.clone()).await;
        let error = refused(get(&scene.objects, "a/b").await);
        assert!(matches!(error, EncryptionError::AuthFailed { .. }), "{at} {error:?}");
        let mut expected = [true; 4];
        expected[(at - HEADER) / SEALED_CHUNK] = false;
        assert_eq!(scene.chunks_read(changed).await, expected, "{at}");
    }
}

#[tokio::test]
async fn an_error_names_the_chunk_to_who_has_the_key_alone() {
    let scene = scene().await;
    let mut rows = std::collections::BTreeSet::new();
    for index in 0..4 {
        let mut changed = scene.sealed.clone();
        changed[chunk(index).start] ^= 1;
        put(&*scene.memory, "a/b", changed).await;
        let EncryptionError::AuthFailed { row } = refused(get(&scene.objects, "a/b").await) else { panic!("no row") };
        assert_eq!(row.len(), 16);
        rows.insert(row);
    }
    assert_eq!(rows.len(), 4);
}

#[tokio::test]
async fn bytes_are_appended() {
    let scene = scene().await;
    for more in [1, 39, 40, 41, CHUNK / 2, SEALED_CHUNK, 3 * SEALED_CHUNK] {
        for error in scene.with([&scene.sealed[..], &vec![0; more]].concat()).await {
            let expected = matches!(error, EncryptionError::Truncated | EncryptionError::AuthFailed { .. });
            assert!(expected, "{more} {error:?}");
        }
    }
}

#[tokio::test]
async fn moved_to_another_path() {
    let (memory, objects) = short_chunks();
    put(&objects, "a/b", content(10)).await;
    memory.copy(&Path::from("a/b"), &Path::from("a/c")).await.unwrap();
    assert!(matches!(refused(get(&objects, "a/c").await), EncryptionError::AuthFailed { .. }));
    assert_eq!(get(&objects, "a/b").await.unwrap(), content(10));
}

#[tokio::test]
async fn foreign_bytes() {
    let scene = scene().await;
    for foreign in [&b"arbitrary data"[..], &[0; 5_000], b"S", b"SRhd\x01\x01"] {
        let expected = if foreign == b"S" { EncryptionError::Truncated } else { EncryptionError::NotAnEnvelope };
        all(&scene.with(foreign.to_vec()).await, expected);
    }
}

#[tokio::test]
async fn another_key_or_another_size_of_chunks() {
    let (memory, objects) = short_chunks();
    let path = Path::from("a");
    put(&objects, "a", content(10_000)).await;
    let mut options = ObjectsOptions::default();
    options.names = Names::Clear;
    options.chunk_bytes = CHUNK as u32;
    let strangers = options.over(memory.clone(), &SecretKey::new([8; 32])).unwrap();
    assert_eq!(refused(get(&strangers, "a").await), EncryptionError::WrongKeyOrDamagedHeader);
    assert_eq!(refused(strangers.get_range(&path, 5_000..6_000).await), EncryptionError::WrongKeyOrDamagedHeader);
    let other_size = over(memory.clone(), Names::Clear, 8_192);
    assert_eq!(refused(get(&other_size, "a").await), EncryptionError::OtherChunkSize);
    assert_eq!(refused(other_size.get_range(&path, 9_000..9_500).await), EncryptionError::OtherChunkSize);
    assert_eq!(get(&objects, "a").await.unwrap(), content(10_000));
    // Where names are encrypted, who has another key does not even see them.
    let encrypted = EncryptedObjects::new(InMemory::new(), &SecretKey::new([9; 32]));
    encrypted.put(&path, PutPayload::from_static(b"x")).await.unwrap();
    let other = EncryptedObjects::new(encrypted.inner().clone(), &SecretKey::new([8; 32]));
    assert!(matches!(get(&other, "a").await, Err(object_store::Error::NotFound { .. })));
}
