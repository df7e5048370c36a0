//! Keys that somebody else keeps, and that somebody who fails.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use strongroom_encryption::{
    EncryptionError, FileKeyProvider, KeyFile, KeyProvider, ProviderError, SecretKey, Unlock, WRAPPED_BYTES_MAX,
};

use crate::store::support::{FLOOR, memory, open, options, put, raw_key, refused, rows, value};

/// Gives back what it was given, unless it is out of order. No key, but all that is wanted here.
#[derive(Debug, Default)]
struct Clerk {
    out_of_order: AtomicBool,
    wraps_to: Option<usize>,
}

impl Clerk {
    fn unlock(self: &Arc<Self>) -> Unlock {
        Unlock::provider(self.clone())
    }
}

#[async_trait]
impl KeyProvider for Clerk {
    fn name(&self) -> &str {
        "clerk"
    }

    async fn wrap(&self, key: &SecretKey, _: &[u8]) -> Result<Vec<u8>, ProviderError> {
        match self.wraps_to {
            _ if self.out_of_order.load(Ordering::Relaxed) => Err(ProviderError::Failed),
            Some(len) => Ok(vec![7; len]),
            None => Ok(key.as_bytes().map(|byte| byte ^ 0xFF).to_vec()),
        }
    }

    async fn unwrap(&self, wrapped: &[u8], _: &[u8]) -> Result<SecretKey, ProviderError> {
        if self.out_of_order.load(Ordering::Relaxed) {
            return Err(ProviderError::Failed);
        }
        let key = <[u8; 32]>::try_from(wrapped).map_err(|_| ProviderError::NotMine)?;
        Ok(SecretKey::new(key.map(|byte| byte ^ 0xFF)))
    }
}

#[tokio::test]
async fn a_provider_that_fails_opens_nothing_and_harms_nothing() {
    let (raw, clerk) = (memory(), Arc::new(Clerk::default()));
    let layer = options().create(raw.clone(), &clerk.unlock()).await.unwrap();
    layer.add_slot("spare", &raw_key(7), FLOOR).await.unwrap();
    put(&layer, 1, "value").await;
    let before = rows(&*raw).await;
    clerk.out_of_order.store(true, Ordering::Relaxed);
    assert_eq!(refused(options().open(raw.clone(), &clerk.unlock()).await), EncryptionError::ProviderFailed);
    let refusal = options().open_or_create(raw.clone(), &clerk.unlock()).await;
    assert_eq!(refused(refusal), EncryptionError::ProviderFailed);
    assert_eq!(refused(layer.add_slot("new", &clerk.unlock(), FLOOR).await), EncryptionError::ProviderFailed);
    assert_eq!(refused(layer.replace_slot("spare", &clerk.unlock(), FLOOR).await), EncryptionError::ProviderFailed);
    assert_eq!(rows(&*raw).await, before);
    // Another slot does not need it.
    assert_eq!(value(&open(&raw).await.unwrap(), 1).await, Some("value".into()));
    clerk.out_of_order.store(false, Ordering::Relaxed);
    assert_eq!(value(&options().open(raw, &clerk.unlock()).await.unwrap(), 1).await, Some("value".into()));
}

#[tokio::test]
async fn a_store_is_not_made_with_a_provider_that_fails() {
    let out_of_order = Clerk { out_of_order: true.into(), wraps_to: None };
    let says_nothing = Clerk { wraps_to: Some(0), ..Clerk::default() };
    let says_too_much = Clerk { wraps_to: Some(WRAPPED_BYTES_MAX + 1), ..Clerk::default() };
    for clerk in [out_of_order, says_nothing, says_too_much].map(Arc::new) {
        let raw = memory();
        assert_eq!(refused(options().create(raw.clone(), &clerk.unlock()).await), EncryptionError::ProviderFailed);
        assert!(rows(&*raw).await.is_empty());
    }
}

/// Whatever it gives, the slot says whether that is the key.
#[tokio::test]
async fn a_provider_that_gives_another_key_opens_nothing() {
    let (raw, liar) = (memory(), Arc::new(Clerk { wraps_to: Some(32), ..Clerk::default() }));
    options().create(raw.clone(), &liar.unlock()).await.unwrap();
    let refusal = options().open(raw, &liar.unlock()).await;
    assert_eq!(refused(refusal), EncryptionError::WrongKeyOrDamagedSlot);
}

#[tokio::test]
async fn a_file_of_another_key_opens_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let provider = |name: &str| {
        KeyFile::generate(folder.path().join(name)).unwrap();
        Unlock::provider(Arc::new(FileKeyProvider::load(folder.path().join(name)).unwrap()))
    };
    let (raw, one, other) = (memory(), provider("one"), provider("other"));
    options().create(raw.clone(), &one).await.unwrap();
    options().open(raw.clone(), &one).await.unwrap();
    assert_eq!(refused(options().open(raw.clone(), &other).await), EncryptionError::WrongKeyOrDamagedSlot);
    // The same file as a raw key is another key.
    let as_raw_key = Unlock::raw_key(KeyFile::load(folder.path().join("one")).unwrap());
    assert_eq!(refused(options().open(raw, &as_raw_key).await), EncryptionError::WrongKeyOrDamagedSlot);
}
