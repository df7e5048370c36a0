//! The life of slots: who is let in, and who no longer.

use strongroom_core::store::{Batch, Content, ENCRYPTION_HEADER, Write};
use strongroom_encryption::{Argon2Params, EncryptionError, SlotKind, Unlock, slots_of};

use crate::store::support::{FLOOR, commit, content, create, memory, open, options, put, raw_key, refused, value};

fn passphrase(text: &str) -> Unlock {
    Unlock::passphrase(text)
}

#[tokio::test]
async fn each_slot_opens_the_same_store() {
    let raw = memory();
    let layer = create(&raw).await;
    put(&layer, 1, "value").await;
    layer.add_slot("phone", &passphrase("first"), FLOOR).await.unwrap();
    layer.add_slot("server", &raw_key(9), FLOOR).await.unwrap();
    for unlock in [raw_key(7), passphrase("first"), raw_key(9)] {
        let layer = options().open(raw.clone(), &unlock).await.unwrap();
        assert_eq!(value(&layer, 1).await, Some("value".into()));
    }
    let slots = layer.slots().await.unwrap();
    let shown: Vec<_> = slots.iter().map(|slot| (slot.label.as_str(), slot.kind.clone())).collect();
    let kinds = [SlotKind::RawKey, SlotKind::Passphrase(FLOOR), SlotKind::RawKey];
    assert_eq!(shown, ["main", "phone", "server"].into_iter().zip(kinds).collect::<Vec<_>>());
    // Without a key it is the same, but nobody vouches for it.
    assert_eq!(slots_of(&*raw).await.unwrap(), slots);
}

#[tokio::test]
async fn a_passphrase_that_was_changed_opens_nothing() {
    let raw = memory();
    let layer = create(&raw).await;
    layer.add_slot("phone", &passphrase("first"), FLOOR).await.unwrap();
    let harder = Argon2Params::new(8 * 1024, 2, 1).unwrap();
    layer.replace_slot("phone", &passphrase("second"), harder).await.unwrap();
    let wrong = EncryptionError::WrongKeyOrDamagedSlot;
    assert_eq!(refused(options().open(raw.clone(), &passphrase("first")).await), wrong);
    options().open(raw.clone(), &passphrase("second")).await.unwrap();
    assert_eq!(layer.slots().await.unwrap()[1].kind, SlotKind::Passphrase(harder));
    assert_eq!(refused(layer.replace_slot("none", &raw_key(1), FLOOR).await), EncryptionError::SlotNotFound);
}

#[tokio::test]
async fn a_slot_that_was_removed_opens_nothing_and_the_last_one_stays() {
    let raw = memory();
    let layer = create(&raw).await;
    layer.add_slot("other", &raw_key(9), FLOOR).await.unwrap();
    layer.remove_slot("main").await.unwrap();
    assert_eq!(refused(open(&raw).await), EncryptionError::WrongKeyOrDamagedSlot);
    let other = options().open(raw.clone(), &raw_key(9)).await.unwrap();
    assert!(matches!(refused(other.remove_slot("other").await), EncryptionError::SlotRefused(_)));
    assert_eq!(refused(other.remove_slot("main").await), EncryptionError::SlotNotFound);
    // Who has the keys already keeps them, as documented.
    put(&layer, 1, "value").await;
    assert_eq!(value(&other, 1).await, Some("value".into()));
}

#[tokio::test]
async fn labels_and_numbers_have_limits_and_a_refusal_changes_nothing() {
    let raw = memory();
    let layer = create(&raw).await;
    let long = "x".repeat(64);
    layer.add_slot(&long, &raw_key(1), FLOOR).await.unwrap();
    let before = content(&*raw, ENCRYPTION_HEADER).await;
    for label in ["", &"x".repeat(65), "a\nb", "\u{1b}[31m", "main"] {
        let refusal = refused(layer.add_slot(label, &raw_key(1), FLOOR).await);
        assert!(matches!(refusal, EncryptionError::SlotRefused(_)), "{label:?}");
    }
    for text in [String::new(), "x".repeat(1_025)] {
        let refusal = refused(layer.add_slot("phone", &passphrase(&text), FLOOR).await);
        assert!(matches!(refusal, EncryptionError::SlotRefused(_)));
    }
    assert_eq!(content(&*raw, ENCRYPTION_HEADER).await, before);
    for number in 2..8 {
        layer.add_slot(&format!("slot {number}"), &raw_key(number), FLOOR).await.unwrap();
    }
    assert!(matches!(refused(layer.add_slot("ninth", &raw_key(9), FLOOR).await), EncryptionError::SlotRefused(_)));
    for number in 1..8 {
        options().open(raw.clone(), &raw_key(number)).await.unwrap();
    }
}

/// Who has the root key sees every change, also one in a slot that he did not come by.
#[tokio::test]
async fn a_header_that_was_changed_is_not_written_upon() {
    let raw = memory();
    let layer = create(&raw).await;
    let header = content(&*raw, ENCRYPTION_HEADER).await;
    let Some(Content::Value(bytes)) = header else { panic!("a header is a value") };
    let mut bytes = bytes.to_vec();
    *bytes.last_mut().unwrap() ^= 1;
    commit(&*raw, Batch { writes: [(ENCRYPTION_HEADER, Write::Put(bytes.into()))].into(), ..Batch::default() }).await;
    let before = content(&*raw, ENCRYPTION_HEADER).await;
    assert_eq!(refused(layer.slots().await), EncryptionError::HeaderTampered);
    assert_eq!(refused(layer.add_slot("new", &raw_key(1), FLOOR).await), EncryptionError::HeaderTampered);
    assert_eq!(refused(layer.replace_slot("main", &raw_key(1), FLOOR).await), EncryptionError::HeaderTampered);
    assert_eq!(refused(layer.remove_slot("main").await), EncryptionError::HeaderTampered);
    assert_eq!(content(&*raw, ENCRYPTION_HEADER).await, before);
}
