//! What was changed does not open: bit by bit, byte by byte, slot by slot.

use super::*;

/// Where things lie in a header with one slot whose label has three bytes.
const KIND: usize = 24;
const LABEL: usize = 26;
const NEEDS: usize = 29;

/// Tries to open changed bytes. What comes out, as an error: opening them fails the test.
async fn attempt(bytes: &[u8], unlock: &Unlock) -> EncryptionError {
    match LockedHeader::decode(bytes) {
        Ok(locked) => refused(locked.unlock(unlock).await),
        Err(error) => error,
    }
}

async fn raw_header() -> (Vec<u8>, SecretKey) {
    let (header, root) = Header::create(true, "key", &raw(1), FLOOR).await.unwrap();
    (header.encode(&root), root)
}

#[tokio::test]
async fn every_flipped_bit_is_refused() {
    use EncryptionError::{HeaderTampered, UnsupportedVersion, WrongKeyOrDamagedSlot};
    let (bytes, root) = raw_header().await;
    assert_eq!(bytes.len(), NEEDS + 16 + 32 + 72 + 32);
    let end = bytes.len() - MAC_BYTES;
    for bit in 0..bytes.len() * 8 {
        let (at, mask) = (bit / 8, 1 << (bit % 8));
        let mut changed = bytes.clone();
        changed[at] ^= mask;
        let error = attempt(&changed, &raw(1)).await;
        let expected: &[EncryptionError] = match at {
            0..4 | 23 => &[HeaderTampered],
            4..6 => &[UnsupportedVersion],
            6 if mask == PADDING => &[HeaderTampered],
            6 => &[UnsupportedVersion],
            7..23 => &[WrongKeyOrDamagedSlot],
            // Another kind, or another length, shifts all that follows.
            KIND => &[UnsupportedVersion, HeaderTampered],
            25 => &[HeaderTampered],
            // Or it is no label any more.
            LABEL..NEEDS => &[WrongKeyOrDamagedSlot, HeaderTampered],
            _ if at < end => &[WrongKeyOrDamagedSlot],
            _ => &[HeaderTampered],
        };
        assert!(expected.contains(&error), "bit {bit}: {error:?}");
        // Who has the root key already sees it as well.
        if let Ok(locked) = LockedHeader::decode(&changed) {
            assert_eq!(locked.authenticate(&root), Err(HeaderTampered), "bit {bit}");
        }
    }
}

#[tokio::test]
async fn every_truncation_and_every_addition_is_refused() {
    let (bytes, _) = raw_header().await;
    for len in 0..bytes.len() {
        assert_eq!(attempt(&bytes[..len], &raw(1)).await, EncryptionError::HeaderTampered, "cut to {len}");
        assert_eq!(attempt(&bytes[len + 1..], &raw(1)).await, EncryptionError::HeaderTampered, "cut from {len}");
    }
    for at in 0..=bytes.len() {
        for byte in [0, 1, 0xff] {
            let mut longer = bytes.clone();
            longer.insert(at, byte);
            attempt(&longer, &raw(1)).await;
        }
    }
}

#[tokio::test]
async fn a_changed_passphrase_slot_is_refused() {
    let unlock = passphrase("correct horse");
    let (header, root) = Header::create(true, "one", &unlock, FLOOR).await.unwrap();
    let bytes = header.encode(&root);
    let salt = NEEDS + 12;
    // One bit a byte; what the parameters say is the next test's.
    for at in (salt..bytes.len()).step_by(3) {
        let mut changed = bytes.clone();
        changed[at] ^= 1 << (at % 8);
        let expected = match at < bytes.len() - MAC_BYTES {
            true => EncryptionError::WrongKeyOrDamagedSlot,
            false => EncryptionError::HeaderTampered,
        };
        assert_eq!(attempt(&changed, &unlock).await, expected, "byte {at}");
    }
}

#[tokio::test]
async fn a_derivation_out_of_range_is_refused_before_it_is_tried() {
    let unlock = passphrase("correct horse");
    let (mut header, root) = Header::create(true, "one", &unlock, FLOOR).await.unwrap();
    header.add_slot(&root, "two", &raw(1), FLOOR).await.unwrap();
    let bytes = header.encode(&root);
    let with = |memory_kib: u32, passes: u32, lanes: u32| {
        let mut changed = bytes.clone();
        for (at, value) in (NEEDS..).step_by(4).zip([memory_kib, passes, lanes]) {
            changed[at..at + 4].copy_from_slice(&value.to_be_bytes());
        }
        changed
    };
    assert_eq!(with(8 * 1024, 1, 1), bytes);
    // 1 TiB among them, which would not fit, and next to nothing, which would be easy to guess.
    let refused_ones = [
        (1 << 30, 1, 1),
        (u32::MAX, u32::MAX, u32::MAX),
        (8 * 1024, u32::MAX, 1),
        (8 * 1024, 1, 1 << 24),
        (0, 0, 0),
        (8, 1, 1),
        (8 * 1024 - 1, 1, 1),
        (8 * 1024, 0, 1),
        (1024 * 1024 + 1, 1, 1),
    ];
    for (memory_kib, passes, lanes) in refused_ones {
        let changed = with(memory_kib, passes, lanes);
        assert_eq!(refused(LockedHeader::decode(&changed)), EncryptionError::KdfOutOfRange);
    }
    // In range, but not what the slot was made with.
    for (memory_kib, passes, lanes) in [(8 * 1024, 2, 1), (8 * 1024, 1, 2), (8 * 1024 + 4, 1, 1)] {
        let changed = with(memory_kib, passes, lanes);
        assert_eq!(attempt(&changed, &unlock).await, EncryptionError::WrongKeyOrDamagedSlot);
        // A slot that still opens shows the change in the other.
        assert_eq!(attempt(&changed, &raw(1)).await, EncryptionError::HeaderTampered);
    }
}

#[tokio::test]
async fn after_a_slot_has_opened_every_change_elsewhere_is_seen() {
    let (mut header, root) = Header::create(true, "one", &raw(1), FLOOR).await.unwrap();
    header.add_slot(&root, "two", &Locker::new("kms", 1).unlock(), FLOOR).await.unwrap();
    let bytes = header.encode(&root);
    let second = NEEDS + 16 + 32 + 72;
    let mut tampered = 0;
    for bit in second * 8..bytes.len() * 8 {
        let mut changed = bytes.clone();
        changed[bit / 8] ^= 1 << (bit % 8);
        match attempt(&changed, &raw(1)).await {
            EncryptionError::HeaderTampered => tampered += 1,
            // The slot's kind: one that is not known, or a passphrase with odd parameters.
            EncryptionError::UnsupportedVersion | EncryptionError::KdfOutOfRange if bit / 8 == second => {}
            error => panic!("bit {bit}: {error:?}"),
        }
    }
    assert!(tampered > 2_000, "{tampered}");
}

#[tokio::test]
async fn slots_cannot_be_swapped_dropped_doubled_or_brought_in() {
    let (mut header, root) = Header::create(true, "one", &raw(1), FLOOR).await.unwrap();
    header.add_slot(&root, "two", &raw(2), FLOOR).await.unwrap();
    // A slot that its maker can open, for a root key of his own.
    let (other, other_root) = Header::create(true, "six", &raw(6), FLOOR).await.unwrap();
    let mac = header.encode(&root).split_off(header.body().len());
    let with = |slots: &[&Slot]| {
        let slots = slots.iter().copied().cloned().collect();
        let mut bytes = Header { slots, ..header.clone() }.body();
        bytes.extend_from_slice(&mac);
        bytes
    };
    let (one, two, six) = (&header.slots[0], &header.slots[1], &other.slots[0]);
    assert_eq!(with(&[one, two]), header.encode(&root));
    for slots in [&[two, one][..], &[one], &[one, two, six], &[six, one, two], &[one, one], &[one, six]] {
        assert_eq!(attempt(&with(slots), &raw(1)).await, EncryptionError::HeaderTampered);
    }
    assert_eq!(attempt(&with(&[]), &raw(1)).await, EncryptionError::HeaderTampered);
    // Bound to its own store, so it does not even open here.
    assert_eq!(attempt(&with(&[one, six]), &raw(6)).await, EncryptionError::WrongKeyOrDamagedSlot);
    assert_eq!(reopen(&other, &other_root, &raw(6)).await, Ok(other_root.clone()));
    // A MAC of another root key, over a header that a true slot opens.
    assert_eq!(attempt(&header.encode(&other_root), &raw(1)).await, EncryptionError::HeaderTampered);
}

#[tokio::test]
async fn what_is_newer_or_something_else_is_told_apart() {
    let (bytes, _) = raw_header().await;
    let with = |at: usize, byte: u8| {
        let mut changed = bytes.clone();
        changed[at] = byte;
        refused(LockedHeader::decode(&changed))
    };
    assert_eq!(with(0, b'X'), EncryptionError::HeaderTampered);
    assert_eq!(with(4, 2), EncryptionError::UnsupportedVersion);
    assert_eq!(with(5, 2), EncryptionError::UnsupportedVersion);
    assert_eq!(with(6, 2), EncryptionError::UnsupportedVersion);
    assert_eq!(with(KIND, 4), EncryptionError::UnsupportedVersion);
    assert_eq!(with(LABEL, 0x1b), EncryptionError::HeaderTampered);
    assert_eq!(with(LABEL, 0xff), EncryptionError::HeaderTampered);
    assert_eq!(refused(LockedHeader::decode(b"plain text")), EncryptionError::HeaderTampered);
}
