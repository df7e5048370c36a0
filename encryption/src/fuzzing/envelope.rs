//! Envelopes that anybody could have written.

use crate::seal::{Binding, Envelope, KeyId, Padding, RANDOMNESS_LEN, ValueKey, sealed_len};
use crate::secret::DatabaseId;
use crate::{EncryptionError, SecretKey};

/// Opens `bytes` as an envelope found under `key`, then seals `bytes` as a value for `key`, opens that, and opens it again
/// changed by `change`.
///
/// `flags`: bit 0 pads, bit 1 binds to a prefix, bit 2 pads up to a limit that is close; from bit 3 on, how close.
///
/// # Panics
///
/// If something opens that was not sealed so, or something sealed does not open.
pub fn envelope(bytes: &[u8], key: &[u8], randomness: &[u8; RANDOMNESS_LEN], flags: u8, change: &[u8]) {
    let key_of = |master| ValueKey::derive(&SecretKey::new(master), KeyId(1), DatabaseId([0x22; 16]), b"keyspace");
    // The fuzzer sees what is compared, and could give back what was sealed before: under another key, that is a stranger's.
    let (value_key, of_strangers) = (key_of([0x11; 32]), key_of([0x12; 32]));
    let open_by = |value_key: &ValueKey, bytes: &[u8]| -> Result<bytes::Bytes, EncryptionError> {
        let envelope = Envelope::parse(bytes)?;
        let shown = format!("{envelope:?}");
        assert!(shown.contains(&format!("{:?}", envelope.key_id())));
        value_key.open(key, &envelope)
    };
    let open = |bytes: &[u8]| open_by(&value_key, bytes);
    assert!(open_by(&of_strangers, bytes).is_err(), "an envelope that was never sealed was opened");

    let padded_bytes_max = if flags & 4 == 0 { 1 << 20 } else { bytes.len() + usize::from(flags >> 3) };
    let padding = Padding { on: flags & 1 != 0, padded_bytes_max };
    let binding = match key.split_last_chunk::<8>() {
        Some((prefix, _)) if flags & 2 != 0 => Binding::Prefix(prefix),
        _ => Binding::Key(key),
    };
    let sealed = value_key.seal(binding, bytes, randomness, padding);
    assert_eq!(sealed.len(), sealed_len(bytes.len(), padding));
    assert_eq!(open(&sealed).expect("what was sealed is opened"), bytes);

    let mut changed = sealed.to_vec();
    changed.iter_mut().zip(change).for_each(|(byte, change)| *byte ^= change);
    assert!(changed == sealed || open(&changed).is_err(), "a changed envelope was opened");
    assert!(open(&sealed[..sealed.len().saturating_sub(change.len().max(1))]).is_err(), "a cut envelope was opened");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_target_holds_for_random_input() {
        let mut random = fastrand::Rng::with_seed(4);
        for _ in 0..2_000 {
            let mut some = |max| -> Vec<u8> { (0..random.usize(..max)).map(|_| random.u8(..)).collect() };
            let (mut bytes, key, change) = (some(200), some(40), some(60));
            let front = [0x81, 1, random.u8(..4), 0, 0, 0, 1];
            if random.bool() && bytes.len() >= front.len() {
                bytes[..front.len()].copy_from_slice(&front);
            }
            envelope(&bytes, &key, &std::array::from_fn(|_| random.u8(..)), random.u8(..), &change);
        }
    }
}
