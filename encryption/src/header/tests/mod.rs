//! What the header must hold to.

mod damage;
mod golden;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;

use super::*;
use crate::{KeyProvider, ProviderError, SlotKind, WRAPPED_BYTES_MAX};

const FLOOR: Argon2Params = Argon2Params::FLOOR;

fn passphrase(text: &str) -> Unlock {
    Unlock::passphrase(text)
}

fn raw(byte: u8) -> Unlock {
    Unlock::raw_key(SecretKey::new([byte; 32]))
}

fn refused<T>(result: Result<T, EncryptionError>) -> EncryptionError {
    result.err().expect("it is refused")
}

/// A provider that adds `secret` to every byte of the key, and the context behind it.
#[derive(Debug)]
struct Locker {
    name: String,
    secret: u8,
    /// What it answers instead, if anything.
    fails: Option<ProviderError>,
    /// Bytes that it adds.
    more: usize,
    calls: AtomicUsize,
}

impl Locker {
    fn new(name: &str, secret: u8) -> Locker {
        Locker { name: name.to_owned(), secret, fails: None, more: 0, calls: AtomicUsize::new(0) }
    }

    fn unlock(self) -> Unlock {
        Unlock::provider(Arc::new(self))
    }
}

#[async_trait]
impl KeyProvider for Locker {
    fn name(&self) -> &str {
        &self.name
    }

    async fn wrap(&self, key: &SecretKey, context: &[u8]) -> Result<Vec<u8>, ProviderError> {
        self.calls.fetch_add(1, Ordering::Relaxed);
        if let Some(error) = self.fails {
            return Err(error);
        }
        let mut wrapped: Vec<u8> = key.as_bytes().iter().map(|byte| byte.wrapping_add(self.secret)).collect();
        wrapped.push(self.secret);
        wrapped.extend_from_slice(context);
        wrapped.resize(wrapped.len() + self.more, 0);
        Ok(wrapped)
    }

    async fn unwrap(&self, wrapped: &[u8], context: &[u8]) -> Result<SecretKey, ProviderError> {
        self.calls.fetch_add(1, Ordering::Relaxed);
        if let Some(error) = self.fails {
            return Err(error);
        }
        let (key, rest) = wrapped.split_first_chunk::<32>().ok_or(ProviderError::NotMine)?;
        let (secret, bound) = rest.split_first().ok_or(ProviderError::NotMine)?;
        if *secret != self.secret || !bound.starts_with(context) {
            return Err(ProviderError::NotMine);
        }
        Ok(SecretKey::new(key.map(|byte| byte.wrapping_sub(self.secret))))
    }
}

/// Writes the header and unlocks what was written.
async fn reopen(header: &Header, root: &SecretKey, unlock: &Unlock) -> Result<SecretKey, EncryptionError> {
    let (opened, found) = LockedHeader::decode(&header.encode(root))?.unlock(unlock).await?;
    assert_eq!(&opened, header);
    Ok(found)
}

#[tokio::test]
async fn each_kind_of_slot_opens_for_its_own_key_alone() {
    let unlocks = [
        passphrase("correct horse"),
        passphrase("battery staple"),
        raw(1),
        raw(2),
        Locker::new("enclave", 1).unlock(),
        Locker::new("enclave", 2).unlock(),
        Locker::new("kms", 1).unlock(),
    ];
    for (at, unlock) in unlocks.iter().enumerate() {
        for padding in [false, true] {
            let (header, root) = Header::create(padding, "one", unlock, FLOOR).await.unwrap();
            assert_eq!(header.padding(), padding);
            for (other_at, other) in unlocks.iter().enumerate() {
                let found = reopen(&header, &root, other).await;
                if at == other_at {
                    assert_eq!(found, Ok(root.clone()), "{unlock:?}");
                } else {
                    assert_eq!(found, Err(EncryptionError::WrongKeyOrDamagedSlot), "{unlock:?} by {other:?}");
                }
            }
        }
    }
}

#[tokio::test]
async fn a_passphrase_counts_byte_by_byte() {
    let (header, root) = Header::create(true, "one", &passphrase("é"), FLOOR).await.unwrap();
    for other in ["e\u{301}", "é ", "é\n", "É", ""] {
        let error = refused(reopen(&header, &root, &passphrase(other)).await);
        assert_eq!(error, EncryptionError::WrongKeyOrDamagedSlot, "{other:?}");
    }
    assert_eq!(reopen(&header, &root, &Unlock::passphrase([0xc3, 0xa9])).await, Ok(root));
}

#[tokio::test]
async fn slots_are_added_replaced_and_removed_under_one_root_key() {
    let (mut header, root) = Header::create(true, "phone", &passphrase("first"), FLOOR).await.unwrap();
    header.add_slot(&root, "backup", &raw(1), FLOOR).await.unwrap();
    header.add_slot(&root, "enclave", &Locker::new("enclave", 1).unlock(), FLOOR).await.unwrap();
    header.add_slot(&root, "desktop", &passphrase("second"), Argon2Params::MOBILE).await.unwrap();
    let kinds = [
        ("phone", SlotKind::Passphrase(FLOOR)),
        ("backup", SlotKind::RawKey),
        ("enclave", SlotKind::Provider("enclave".to_owned())),
        ("desktop", SlotKind::Passphrase(Argon2Params::MOBILE)),
    ];
    let expected = kinds.map(|(label, kind)| SlotInfo { label: label.to_owned(), kind });
    assert_eq!(header.slots(), expected);
    assert_eq!(LockedHeader::decode(&header.encode(&root)).unwrap().slots(), expected);
    let all = [passphrase("first"), raw(1), Locker::new("enclave", 1).unlock(), passphrase("second")];
    for unlock in &all {
        assert_eq!(reopen(&header, &root, unlock).await, Ok(root.clone()), "{unlock:?}");
    }

    let before = header.clone();
    header.replace_slot(&root, "phone", &passphrase("third"), FLOOR).await.unwrap();
    assert_eq!(header.slots(), expected);
    assert!(header.slots[0] != before.slots[0] && header.slots[1..] == before.slots[1..]);
    assert_eq!(reopen(&header, &root, &all[0]).await, Err(EncryptionError::WrongKeyOrDamagedSlot));
    for unlock in [passphrase("third")].iter().chain(&all[1..]) {
        assert_eq!(reopen(&header, &root, unlock).await, Ok(root.clone()), "{unlock:?}");
    }

    header.remove_slot("backup").unwrap();
    assert_eq!(reopen(&header, &root, &raw(1)).await, Err(EncryptionError::WrongKeyOrDamagedSlot));
    assert_eq!(reopen(&header, &root, &all[3]).await, Ok(root.clone()));
    assert_eq!(header.remove_slot("backup"), Err(EncryptionError::SlotNotFound));
    let replaced = header.replace_slot(&root, "backup", &raw(1), FLOOR).await;
    assert_eq!(replaced, Err(EncryptionError::SlotNotFound));
}

#[tokio::test]
async fn slots_are_limited_and_the_last_one_stays() {
    let (mut header, root) = Header::create(true, "0", &raw(0), FLOOR).await.unwrap();
    for slot in 1..8 {
        header.add_slot(&root, &slot.to_string(), &raw(slot), FLOOR).await.unwrap();
    }
    let before = header.clone();
    let ninth = refused(header.add_slot(&root, "8", &raw(8), FLOOR).await);
    assert!(matches!(ninth, EncryptionError::SlotRefused(why) if why.contains("8 slots")), "{ninth:?}");
    assert!(header == before);
    for slot in 0..8 {
        assert_eq!(reopen(&header, &root, &raw(slot)).await, Ok(root.clone()));
    }
    for slot in 0..7 {
        header.remove_slot(&slot.to_string()).unwrap();
    }
    let last = refused(header.remove_slot("7"));
    assert!(matches!(last, EncryptionError::SlotRefused(why) if why.contains("last")), "{last:?}");
    assert_eq!(reopen(&header, &root, &raw(7)).await, Ok(root));
}

#[tokio::test]
async fn labels_passphrases_and_providers_have_rules() {
    let long = "é".repeat(32);
    let (mut header, root) = Header::create(true, &long, &raw(0), FLOOR).await.unwrap();
    assert_eq!(reopen(&header, &root, &raw(0)).await, Ok(root.clone()));
    let labels = [String::new(), long.clone() + "e", "a\nb".to_owned(), "\u{1b}[2J".to_owned(), long];
    for label in labels {
        let error = refused(header.add_slot(&root, &label, &raw(1), FLOOR).await);
        assert!(matches!(error, EncryptionError::SlotRefused(_)), "{label:?}: {error:?}");
    }
    for text in [String::new(), "x".repeat(1_025)] {
        let error = refused(header.add_slot(&root, "new", &passphrase(&text), FLOOR).await);
        assert!(matches!(error, EncryptionError::SlotRefused(_)), "{error:?}");
        // One that no slot can have is not even tried.
        let error = refused(reopen(&header, &root, &passphrase(&text)).await);
        assert_eq!(error, EncryptionError::WrongKeyOrDamagedSlot);
    }
    for name in ["", "\u{7}", &"n".repeat(65)] {
        let error = refused(header.add_slot(&root, "new", &Locker::new(name, 1).unlock(), FLOOR).await);
        assert!(matches!(error, EncryptionError::SlotRefused(_)), "{error:?}");
    }
    assert_eq!(header.slots().len(), 1);
    header.add_slot(&root, "new", &passphrase(&"x".repeat(1_024)), FLOOR).await.unwrap();
}

#[tokio::test]
async fn what_a_provider_does_wrong_is_not_shown() {
    let (mut header, root) = Header::create(true, "key", &raw(0), FLOOR).await.unwrap();
    let context = 58;
    let biggest = WRAPPED_BYTES_MAX - 32 - 1 - context;
    let with = |fails, more| Locker { fails, more, ..Locker::new("kms", 1) }.unlock();
    for bad in [
        with(Some(ProviderError::Failed), 0),
        with(Some(ProviderError::NotMine), 0),
        with(None, biggest + 1),
        with(None, 1 << 17),
    ] {
        assert_eq!(header.add_slot(&root, "kms", &bad, FLOOR).await, Err(EncryptionError::ProviderFailed));
    }
    header.add_slot(&root, "kms", &with(None, biggest), FLOOR).await.unwrap();
    assert_eq!(reopen(&header, &root, &with(None, 0)).await, Ok(root.clone()));
    let failed = reopen(&header, &root, &with(Some(ProviderError::Failed), 0)).await;
    assert_eq!(failed, Err(EncryptionError::ProviderFailed));
    let not_mine = reopen(&header, &root, &with(Some(ProviderError::NotMine), 0)).await;
    assert_eq!(not_mine, Err(EncryptionError::WrongKeyOrDamagedSlot));
}

#[tokio::test]
async fn a_provider_is_asked_once_a_slot_of_its_name() {
    let (mut header, root) = Header::create(true, "other", &Locker::new("other", 1).unlock(), FLOOR).await.unwrap();
    for secret in [1, 2, 3] {
        let label = secret.to_string();
        header.add_slot(&root, &label, &Locker::new("kms", secret).unlock(), FLOOR).await.unwrap();
    }
    let provider = Arc::new(Locker::new("kms", 3));
    assert_eq!(reopen(&header, &root, &Unlock::provider(provider.clone())).await, Ok(root));
    assert_eq!(provider.calls.load(Ordering::Relaxed), 3);
}

#[tokio::test]
async fn the_largest_header_is_read() {
    let unlock = || Locker { more: WRAPPED_BYTES_MAX - 32 - 1 - 58, ..Locker::new(&"n".repeat(64), 1) }.unlock();
    let label = |slot: usize| format!("{slot:064}");
    let (mut header, root) = Header::create(true, &label(0), &unlock(), FLOOR).await.unwrap();
    for slot in 1..SLOTS_MAX {
        header.add_slot(&root, &label(slot), &unlock(), FLOOR).await.unwrap();
    }
    let mut bytes = header.encode(&root);
    assert_eq!(bytes.len(), BYTES_MAX);
    assert_eq!(reopen(&header, &root, &unlock()).await, Ok(root));
    bytes.push(0);
    assert_eq!(refused(LockedHeader::decode(&bytes)), EncryptionError::HeaderTampered);
}

#[tokio::test]
async fn a_root_key_that_is_known_checks_a_header_without_a_slot() {
    let (header, root) = Header::create(true, "one", &raw(0), FLOOR).await.unwrap();
    let locked = LockedHeader::decode(&header.encode(&root)).unwrap();
    assert_eq!(locked.authenticate(&root), Ok(header));
    assert_eq!(locked.authenticate(&SecretKey::new([0; 32])), Err(EncryptionError::HeaderTampered));
}

#[tokio::test]
async fn two_headers_with_the_same_keys_have_nothing_in_common() {
    let (one, one_root) = Header::create(true, "one", &raw(0), FLOOR).await.unwrap();
    let (two, two_root) = Header::create(true, "one", &raw(0), FLOOR).await.unwrap();
    assert!(one_root != two_root && one.database() != two.database());
    let (one, two) = (one.encode(&one_root), two.encode(&two_root));
    assert_eq!(one[..7], two[..7]);
    let common = one[29..].windows(8).filter(|part| two.windows(8).any(|other| other == *part)).count();
    assert_eq!(common, 0);
}

#[tokio::test]
async fn no_secret_is_shown_or_stored() {
    const CANARY: &str = "canary-passphrase-of-the-test";
    let key = SecretKey::new(*b"canary key, 32 bytes, of a test!");
    let (mut header, root) = Header::create(true, "one", &passphrase(CANARY), FLOOR).await.unwrap();
    header.add_slot(&root, "two", &Unlock::raw_key(key.clone()), FLOOR).await.unwrap();
    header.add_slot(&root, "three", &Locker::new("kms", 77).unlock(), FLOOR).await.unwrap();
    let bytes = header.encode(&root);
    let locked = LockedHeader::decode(&bytes).unwrap();
    for secret in [CANARY.as_bytes(), key.as_bytes(), root.as_bytes()] {
        assert!(!bytes.windows(8).any(|part| secret.windows(8).any(|other| part == other)));
    }
    let unlocks = [passphrase(CANARY), Unlock::raw_key(key.clone()), Locker::new("kms", 77).unlock()];
    let wrong = refused(locked.unlock(&passphrase("canary-passphrase")).await);
    let mut shown = format!("{header:#?} {header:?} {locked:?} {unlocks:?} {root:?} {wrong} {wrong:?}");
    shown += &format!("{:?}", strongroom_core::Error::from(wrong));
    let list = |bytes: &[u8]| format!("{bytes:?}").trim_matches(['[', ']']).to_owned();
    let secrets =
        ["canary".to_owned(), "secret: 77".to_owned(), list(&root.as_bytes()[..4]), list(&key.as_bytes()[..4])];
    for secret in secrets {
        assert!(!shown.contains(&secret), "{secret} in {shown}");
    }
    assert_eq!(format!("{unlocks:?}"), "[Passphrase(..), RawKey(..), Provider(\"kms\")]");
}
