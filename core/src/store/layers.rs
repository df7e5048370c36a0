//! The keys that belong to layers: where one that changes what rows hold keeps rows of its own.

use super::StoredKey;

/// Where the keys of layers begin, to the end of all keys: 24 bytes of 0xFF.
///
/// A layer that keeps rows there hides them from whoever is above it, by ending every range before them. Nothing else writes
/// there: the typed database cannot, and a layer refuses it.
pub const LAYER_KEYS: StoredKey = StoredKey::from_static(&[0xFF; 24]);

/// The row by which an encrypted store is known as one: the layer's header. Whoever sees it sees the store without its layer.
pub const ENCRYPTION_HEADER: StoredKey = StoredKey::from_static(
    b"\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFFheader",
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_is_among_the_keys_of_layers() {
        assert!(ENCRYPTION_HEADER.as_bytes().starts_with(LAYER_KEYS.as_bytes()));
        assert!(ENCRYPTION_HEADER.as_bytes().ends_with(b"header"));
    }
}
