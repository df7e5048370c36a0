//! Headers that anybody could have written.

use std::pin::pin;
use std::sync::LazyLock;
use std::task::{Context, Poll, Waker};

use super::changed;
use crate::header::{Header, LockedHeader, SLOTS_MAX};
use crate::{Argon2Params, EncryptionError, SecretKey, SlotKind, Unlock};

/// A header with two raw keys, and its root key. What is asserted holds for every such header, so it may be another one in
/// each process.
static TRUE: LazyLock<(Vec<u8>, SecretKey)> = LazyLock::new(|| {
    let (mut header, root) =
        now(Header::create(true, "one", &unlock(1), Argon2Params::FLOOR)).expect("a raw key can be a slot");
    now(header.add_slot(&root, "two", &unlock(2), Argon2Params::FLOOR)).expect("and a second one");
    (header.encode(&root), root)
});

fn unlock(byte: u8) -> Unlock {
    Unlock::raw_key(SecretKey::new([byte; 32]))
}

/// Raw keys are tried at once.
fn now<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("a raw key waits for nothing"),
    }
}

/// Reads `bytes` as a header; then a true one that was changed as said.
///
/// # Panics
///
/// If something is trusted that was not written so, or if something is read that would be written in another way.
pub fn header(bytes: &[u8], at: usize, len: usize, change: &[u8]) {
    let (true_one, root) = &*TRUE;
    for bytes in [bytes, &changed(true_one, at, len, change)] {
        // The fuzzer sees what is compared, and could give back the true one.
        assert_eq!(attempt(bytes, root).is_ok(), bytes == *true_one, "not the true header alone is trusted");
    }
}

fn attempt(bytes: &[u8], root: &SecretKey) -> Result<(), EncryptionError> {
    let locked = LockedHeader::decode(bytes)?;
    // One form alone, so that there is nothing in it that the MAC does not see.
    assert!(bytes.starts_with(&locked.rewritten()) && bytes.len() == locked.rewritten().len() + 32);
    let slots = locked.slots();
    assert!((1..=SLOTS_MAX).contains(&slots.len()));
    for slot in &slots {
        assert!((1..=64).contains(&slot.label.len()) && !slot.label.chars().any(char::is_control));
        if let SlotKind::Passphrase(kdf) = slot.kind {
            assert_eq!(Argon2Params::new(kdf.memory_kib(), kdf.passes(), kdf.lanes()), Ok(kdf));
        }
    }
    let shown = format!("{locked:?}");
    assert!(!shown.is_empty());
    let authentic = locked.authenticate(root);
    for key in [1, 2] {
        match now(locked.unlock(&unlock(key))) {
            Ok((_, opened)) => {
                assert!(authentic.is_ok() && opened == *root, "a slot opens in a header that is not true")
            }
            Err(error) => assert!(authentic.is_err(), "a true header does not open: {error}"),
        }
    }
    now(locked.unlock(&unlock(3))).expect_err("a stranger's key opens a slot");
    authentic.map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_target_holds_for_random_input() {
        let mut random = fastrand::Rng::with_seed(4);
        for round in 0..4_000 {
            let mut bytes: Vec<u8> = (0..random.usize(..400)).map(|_| random.u8(..)).collect();
            if random.bool() {
                // The front of a true one.
                let front = random.usize(..60).min(bytes.len());
                bytes[..front].copy_from_slice(&TRUE.0[..front]);
            }
            let change: Vec<u8> = (0..random.usize(..4)).map(|_| random.u8(..)).collect();
            let len = if random.bool() { usize::MAX } else { random.usize(..300) };
            // And now and then the true one as it is.
            let change = if round % 10 == 0 { &[][..] } else { &change };
            header(&bytes, random.usize(..300), len, change);
        }
    }
}
