//! The layer's own rows in the store below: hidden from what is above, among the keys that belong to layers.

use strongroom_core::store::StoredKey;

pub(crate) use strongroom_core::store::ENCRYPTION_HEADER as HEADER;

/// The keyring: the keys of values and of the blinding, sealed with the root key.
pub(crate) const KEYRING: StoredKey = StoredKey::from_static(
    b"\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFFkeyring",
);

/// How far a sweep has come that seals values anew.
pub(crate) const SWEEP: StoredKey = StoredKey::from_static(
    b"\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFFsweep",
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_are_among_the_keys_of_layers() {
        for key in [HEADER, KEYRING, SWEEP] {
            assert!(key >= strongroom_core::store::LAYER_KEYS);
        }
    }
}
