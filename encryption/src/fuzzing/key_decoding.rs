//! Keys as they are read: a key file's text, and the keyring.

use super::changed;
use crate::keyring::{self, Keyring};
use crate::provider::{hex, parse};
use crate::secret::DatabaseId;
use crate::{EncryptionError, SecretKey};

const DATABASE: DatabaseId = DatabaseId([0x22; 16]);

/// Reads `bytes` as the text of a key file, as the row of a keyring, and as the content of one that was sealed by who has the
/// key; then a true keyring that was changed as said.
///
/// # Panics
///
/// If something is trusted that was not written so, or if something is read that would be written in another way.
pub fn key_decoding(bytes: &[u8], random: &[u8; 24], at: usize, len: usize, change: &[u8]) {
    text(bytes);
    // The fuzzer sees what is compared, and could give back what was sealed before: under another key, that is a stranger's.
    let (root, strangers) = (SecretKey::new([0x11; 32]), SecretKey::new([0x12; 32]));
    let open = |row: &[u8]| Keyring::open(row, &root, DATABASE);
    Keyring::open(bytes, &strangers, DATABASE).expect_err("a keyring that was never sealed is opened");

    let row = keyring::row(bytes, &root, DATABASE, random);
    match open(&row) {
        // One form alone.
        Ok(ring) => {
            assert_eq!(ring.seal_with(&root, DATABASE, random), row);
            let ids: Vec<u32> = ring.ids().collect();
            assert!(ids.is_sorted() && !ids.is_empty() && ids[0] > 0 && ids.last() == Some(&ring.current().0));
            assert!(!format!("{ring:?}").is_empty());
        }
        Err(error) => assert_eq!(error, EncryptionError::HeaderTampered),
    }
    let changed = changed(&row, at, len, change);
    assert!(changed == row || open(&changed).is_err(), "a changed keyring is opened");
}

fn text(bytes: &[u8]) {
    let Some(key) = parse(bytes) else { return };
    let written = hex(&key);
    let read = bytes.trim_ascii_end();
    assert!(read.len() == 64 && bytes.len() <= 66, "a key file holds its digits and a line's end");
    assert!(read.eq_ignore_ascii_case(written.trim_ascii_end()), "a key is read as another one");
    assert_eq!(parse(&*written), Some(key));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_target_holds_for_random_input() {
        let mut random = fastrand::Rng::with_seed(4);
        let (mut keys, mut rings) = (0, 0);
        for _ in 0..4_000 {
            let bytes: Vec<u8> = match random.u8(..3) {
                0 => (0..random.usize(..200)).map(|_| random.u8(..)).collect(),
                // Digits, mostly.
                1 => {
                    let len = random.usize(62..67);
                    (0..len)
                        .map(|_| if random.u8(..200) == 0 { b'\n' } else { *random.choice(b"0aA9fF").unwrap() })
                        .collect()
                }
                // A keyring, mostly.
                _ => {
                    let count = random.u8(..4);
                    let keys = (0..count).flat_map(|id| [&u32::from(id + 1).to_be_bytes()[..], &[7; 32]].concat());
                    [count].into_iter().chain(keys).chain([9; 32]).collect()
                }
            };
            keys += usize::from(parse(&bytes).is_some());
            let row = keyring::row(&bytes, &SecretKey::new([0x11; 32]), DATABASE, &[3; 24]);
            rings += usize::from(Keyring::open(&row, &SecretKey::new([0x11; 32]), DATABASE).is_ok());
            let change: Vec<u8> = (0..random.usize(..4)).map(|_| random.u8(..)).collect();
            let len = if random.bool() { usize::MAX } else { random.usize(..300) };
            key_decoding(&bytes, &std::array::from_fn(|_| random.u8(..)), random.usize(..300), len, &change);
        }
        assert!(keys > 100 && rings > 100, "{keys} keys and {rings} keyrings");
    }
}
