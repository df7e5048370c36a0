//! Distinctive plaintexts and keys, which appear nowhere: not below the layer, not in what is shown.

use std::fmt::Debug;
use std::sync::Arc;

use strongroom_core::Error;
use strongroom_core::store::{Batch, Content, KeyPrefix, Store, StoredKey, Write};
use strongroom_encryption::{EncryptedOptions, EncryptionError, FileKeyProvider, KeyFile, SecretKey, Unlock, slots_of};

use crate::store::databases::{database, note};
use crate::store::support::{FLOOR, commit, content, damage, key, memory, own, put, refused, rows};

/// In texts and in components that are blinded.
const TEXT: &str = "canary-b7e10f";
const PASSPHRASE: &str = "passphrase-canary-4c9d";
/// A raw key that would be known again.
const KEY: [u8; 32] = *b"canary-key-of-32-bytes-a0b1c2d3e";

/// The secrets as they are, in hex, and as a list of numbers.
fn secrets() -> Vec<Vec<u8>> {
    let mut secrets = Vec::new();
    for secret in [TEXT.as_bytes(), PASSPHRASE.as_bytes(), &KEY] {
        let hex: String = secret.iter().map(|byte| format!("{byte:02x}")).collect();
        let numbers = format!("{secret:?}");
        let numbers = numbers.trim_matches(['[', ']']).as_bytes().to_vec();
        secrets.extend([secret.to_vec(), hex.to_uppercase().into_bytes(), hex.into_bytes(), numbers]);
    }
    secrets
}

fn holds_none(what: &str, bytes: &[u8]) {
    for secret in secrets() {
        // Half of one is too much as well.
        let part = &secret[..secret.len().min(12)];
        assert!(!bytes.windows(part.len()).any(|window| window == part), "{what} gives a secret away");
    }
}

async fn scan(what: &str, raw: &dyn Store) {
    for (key, _, content) in rows(raw).await {
        holds_none(what, key.as_bytes());
        match content {
            Content::Value(bytes) => holds_none(what, &bytes),
            Content::Link(target) => holds_none(what, target.as_bytes()),
            Content::Damaged(error) => panic!("{error}"),
        }
    }
}

fn shown(what: &dyn Debug) {
    holds_none("what is shown", format!("{what:?} {what:#?}").as_bytes());
}

#[tokio::test]
async fn none_is_in_the_rows_below() {
    let raw = memory();
    let mut options = EncryptedOptions::default();
    options.kdf = FLOOR;
    options.padding = false;
    let (main, spare) = (Unlock::passphrase(PASSPHRASE), Unlock::raw_key(SecretKey::new(KEY)));
    let layer = Arc::new(options.create(raw.clone(), &main).await.unwrap());
    layer.add_slot("spare", &spare, FLOOR).await.unwrap();
    let db = database(layer.clone()).await;
    for id in 0..20 {
        db.insert(&note(id, TEXT)).await.unwrap();
    }
    let stamped = vec![(KeyPrefix(key(1)), TEXT.into())];
    commit(&*layer, Batch { stamped, ..Batch::default() }).await;
    scan("a store", &*raw).await;
    layer.rotate().await.unwrap();
    scan("a store in rotation", &*raw).await;
    layer.reseal(|_| {}).await.unwrap();
    layer.replace_slot("main", &spare, FLOOR).await.unwrap();
    layer.add_slot("main again", &main, FLOOR).await.unwrap();
    scan("a store after a rotation", &*raw).await;
    // The control: above the layer they are there.
    let above = rows(&*layer).await;
    let found = above.iter().filter(|(_, _, content)| {
        matches!(content, Content::Value(value) if value.windows(TEXT.len()).any(|part| part == TEXT.as_bytes()))
    });
    assert_eq!(found.count(), 21);
    shown(&(&db, &layer, &above));
}

#[tokio::test]
async fn none_is_in_what_is_shown() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("key");
    let key = KeyFile::generate(&path).unwrap();
    let provider = FileKeyProvider::load(&path).unwrap();
    let hex: String = key.as_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    for shown in [format!("{provider:?}"), format!("{key:?}"), format!("{:?}", Unlock::provider(Arc::new(provider)))] {
        assert!(!shown.contains(&hex) && !shown.contains(&format!("{:?}", key.as_bytes())));
    }
    let (main, spare) = (Unlock::passphrase(PASSPHRASE), Unlock::raw_key(SecretKey::new(KEY)));
    shown(&(&main, &spare, SecretKey::new(KEY), KeyFile));
    let raw = memory();
    let mut options = EncryptedOptions::default();
    options.kdf = FLOOR;
    let layer = options.create(raw.clone(), &main).await.unwrap();
    put(&layer, 1, TEXT).await;
    shown(&(&options, &layer, layer.info(), layer.inner(), layer.slots().await.unwrap()));
    shown(&slots_of(&*raw).await.unwrap());
    let snapshot = layer.snapshot().await.unwrap();
    shown(&(&snapshot, snapshot.get(&[crate::store::support::key(1)]).await.unwrap()));
    layer.rotate().await.unwrap();
    let mut told = Vec::new();
    let resealed = layer.reseal(|progress| told.push(progress)).await.unwrap();
    shown(&(told, resealed));
    layer.lock();
    shown(&layer);
}

#[tokio::test]
async fn none_is_in_an_error() {
    let raw = memory();
    let mut options = EncryptedOptions::default();
    options.kdf = FLOOR;
    let (main, spare) = (Unlock::passphrase(PASSPHRASE), Unlock::raw_key(SecretKey::new(KEY)));
    let layer = options.create(raw.clone(), &main).await.unwrap();
    let say = |error: EncryptionError| {
        shown(&error);
        holds_none("an error", error.to_string().as_bytes());
        let error = Error::from(error);
        shown(&error);
        holds_none("an error", error.to_string().as_bytes());
    };
    say(refused(options.open(raw.clone(), &spare).await));
    say(refused(options.create(raw.clone(), &spare).await));
    say(refused(layer.add_slot(PASSPHRASE.repeat(9).as_str(), &main, FLOOR).await));
    say(refused(layer.remove_slot(PASSPHRASE).await));
    // Rows whose key and value hold it, changed in every byte.
    let place = StoredKey::from([&[0, 1, 0][..], TEXT.as_bytes()].concat());
    let write = Write::Put(TEXT.into());
    commit(&layer, Batch { writes: [(place.clone(), write)].into(), ..Batch::default() }).await;
    let Some(Content::Value(sealed)) = content(&*raw, place.clone()).await else { panic!("a value") };
    for at in 0..sealed.len() {
        let mut changed = sealed.to_vec();
        changed[at] ^= 0x81;
        let write = Write::Put(changed.into());
        commit(&*raw, Batch { writes: [(place.clone(), write)].into(), ..Batch::default() }).await;
        say(damage(&layer, place.clone()).await);
    }
    let plain = Write::Put(TEXT.into());
    commit(&*raw, Batch { writes: [(own("keyring"), plain)].into(), ..Batch::default() }).await;
    say(refused(layer.rotate().await));
    say(refused(options.open(raw.clone(), &main).await));
}
