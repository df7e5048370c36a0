//! The keyring, sealed with the root key.
//!
//! ```text
//! version 1 ‖ nonce 24 ‖ ciphertext ‖ tag 16
//! ```

use super::{Attack, Shows, Strike, Way, shows};

/// Refused whoever opens it; and whoever had it open meets it at the next write, whose guard on the keyring no longer holds.
const fn whoever(error: &'static str) -> [Shows; 5] {
    [
        shows(Way::Open, error),
        shows(Way::OpenBySpare, error),
        shows(Way::Write, error),
        shows(Way::Rotate, error),
        shows(Way::Unlock, error),
    ]
}

const TAMPERED: &[Shows] = &whoever("HeaderTampered");
const UNSUPPORTED: &[Shows] = &whoever("UnsupportedVersion");
const MISSING: &[Shows] = &whoever("HeaderMissing");

const fn attack(name: &'static str, does: &'static str, shows: &'static [Shows], strike: Strike) -> Attack {
    Attack { name, does, shows, strike }
}

pub(super) const ALL: &[Attack] = &[
    attack("keyring_of_a_newer_version", "The next version.", UNSUPPORTED, |evil| {
        evil.change_keyring(|bytes| bytes[0] += 1)
    }),
    attack("keyring_nonce_flipped", "A bit of the nonce.", TAMPERED, |evil| evil.change_keyring(|bytes| bytes[1] ^= 1)),
    attack("keyring_flipped", "A bit of what is sealed.", TAMPERED, |evil| evil.change_keyring(|bytes| bytes[25] ^= 1)),
    attack("keyring_tag_flipped", "A bit of the tag.", TAMPERED, |evil| {
        evil.change_keyring(|bytes| {
            let at = bytes.len() - 1;
            bytes[at] ^= 1;
        })
    }),
    attack("keyring_cut", "Cut within a key.", TAMPERED, |evil| evil.change_keyring(|bytes| bytes.truncate(50))),
    attack("keyring_longer", "A byte more.", TAMPERED, |evil| evil.change_keyring(|bytes| bytes.push(0))),
    attack("keyring_of_a_megabyte", "Zeros without end behind it.", TAMPERED, |evil| {
        evil.change_keyring(|bytes| bytes.resize(1 << 20, 0))
    }),
    attack("keyring_emptied", "No bytes at all.", TAMPERED, |evil| evil.change_keyring(Vec::clear)),
    attack("keyring_of_a_store_with_the_same_passphrase", "The keyring of another store.", TAMPERED, |evil| {
        Box::pin(async move { evil.copy(evil.twin, &evil.twin.keyring, &evil.scene.keyring).await })
    }),
    attack(
        "keyring_of_the_attacker",
        "The keyring of the attacker's store, with keys that he knows.",
        TAMPERED,
        |evil| Box::pin(async move { evil.copy(evil.other, &evil.other.keyring, &evil.scene.keyring).await }),
    ),
    attack("a_record_as_the_keyring", "The sealed value of a record in its place.", UNSUPPORTED, |evil| {
        Box::pin(async move { evil.copy(evil.scene, &evil.struck().record, &evil.scene.keyring).await })
    }),
    attack("a_link_as_the_keyring", "A link to a record in its place.", TAMPERED, |evil| {
        Box::pin(async move { evil.link(&evil.scene.keyring, &evil.struck().record).await })
    }),
    attack("keyring_deleted", "No keyring, with all else left.", MISSING, |evil| {
        Box::pin(async move { evil.delete(&[&evil.scene.keyring]).await })
    }),
];
