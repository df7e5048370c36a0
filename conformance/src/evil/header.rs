//! The header's own fields, and the row as a whole.
//!
//! ```text
//! "SRhd" ‖ version 1 ‖ suite 1 ‖ flags 1 ‖ database id 16 ‖ slots 1 ‖ each slot ‖ MAC 32
//! ```

use super::{Attack, Shows, Strike, Way, shows};

const VERSION: usize = 4;
const SUITE: usize = 5;
const FLAGS: usize = 6;
const DATABASE: usize = 7;
const SLOTS: usize = 23;
const MAC_BYTES: usize = 32;

/// Refused whoever opens it, and whoever had it open.
const fn whoever(error: &'static str) -> [Shows; 4] {
    [shows(Way::Open, error), shows(Way::OpenBySpare, error), shows(Way::Slots, error), shows(Way::Unlock, error)]
}

const TAMPERED: &[Shows] = &whoever("HeaderTampered");
const UNSUPPORTED: &[Shows] = &whoever("UnsupportedVersion");

/// No slot opens; who has the root key already sees why.
const NO_SLOT: &[Shows] = &[
    shows(Way::Open, "WrongKeyOrDamagedSlot"),
    shows(Way::OpenBySpare, "WrongKeyOrDamagedSlot"),
    shows(Way::Slots, "HeaderTampered"),
];

const fn attack(name: &'static str, does: &'static str, shows: &'static [Shows], strike: Strike) -> Attack {
    Attack { name, does, shows, strike }
}

pub(super) const ALL: &[Attack] = &[
    attack("header_magic_flipped", "What every header begins with.", TAMPERED, |evil| {
        evil.change_header(|bytes| bytes[0] ^= 1)
    }),
    attack("header_of_a_newer_version", "The next version.", UNSUPPORTED, |evil| {
        evil.change_header(|bytes| bytes[VERSION] += 1)
    }),
    attack("header_of_an_older_version", "The version before the first.", UNSUPPORTED, |evil| {
        evil.change_header(|bytes| bytes[VERSION] -= 1)
    }),
    attack("header_of_another_suite", "A suite that is not known.", UNSUPPORTED, |evil| {
        evil.change_header(|bytes| bytes[SUITE] = 0)
    }),
    attack("header_with_an_unknown_flag", "A flag that is not known.", UNSUPPORTED, |evil| {
        evil.change_header(|bytes| bytes[FLAGS] ^= 0x80)
    }),
    attack(
        "header_without_padding",
        "The flag that values are padded, so that their lengths would show.",
        TAMPERED,
        |evil| evil.change_header(|bytes| bytes[FLAGS] ^= 1),
    ),
    attack("database_id_flipped_at_its_start", "A bit of the database's id.", NO_SLOT, |evil| {
        evil.change_header(|bytes| bytes[DATABASE] ^= 1)
    }),
    attack("database_id_flipped_at_its_end", "Another bit of the database's id.", NO_SLOT, |evil| {
        evil.change_header(|bytes| bytes[SLOTS - 1] ^= 0x80)
    }),
    attack("header_without_slots", "A number of slots that is 0.", TAMPERED, |evil| {
        evil.change_header(|bytes| bytes[SLOTS] = 0)
    }),
    attack("header_with_fewer_slots", "One slot less than there are.", TAMPERED, |evil| {
        evil.change_header(|bytes| bytes[SLOTS] -= 1)
    }),
    attack("header_with_too_many_slots", "More slots than there may be.", TAMPERED, |evil| {
        evil.change_header(|bytes| bytes[SLOTS] = u8::MAX)
    }),
    attack("header_mac_flipped", "A bit of the MAC.", TAMPERED, |evil| {
        evil.change_header(|bytes| {
            let at = bytes.len() - MAC_BYTES;
            bytes[at] ^= 1;
        })
    }),
    attack("header_mac_zeroed", "A MAC of zeros.", TAMPERED, |evil| {
        evil.change_header(|bytes| {
            let at = bytes.len() - MAC_BYTES;
            bytes[at..].fill(0);
        })
    }),
    attack("header_cut_by_its_mac", "No MAC.", TAMPERED, |evil| {
        evil.change_header(|bytes| bytes.truncate(bytes.len() - MAC_BYTES))
    }),
    attack("header_cut_by_a_byte", "A byte less.", TAMPERED, |evil| {
        evil.change_header(|bytes| bytes.truncate(bytes.len() - 1))
    }),
    attack("header_longer_by_a_byte", "A byte more.", TAMPERED, |evil| evil.change_header(|bytes| bytes.push(0))),
    attack("header_of_a_megabyte", "Zeros without end behind it.", TAMPERED, |evil| {
        evil.change_header(|bytes| bytes.resize(1 << 20, 0))
    }),
    attack("header_emptied", "No bytes at all.", TAMPERED, |evil| evil.change_header(Vec::clear)),
    attack("header_of_noise", "Noise in its place.", TAMPERED, |evil| {
        evil.change_header(|bytes| bytes.iter_mut().for_each(|byte| *byte = byte.wrapping_mul(167) ^ 0x5A))
    }),
    attack("a_link_as_the_header", "A link to a record in its place.", TAMPERED, |evil| {
        Box::pin(async move { evil.link(&evil.scene.header, &evil.struck().record).await })
    }),
    attack("a_record_as_the_header", "The sealed value of a record in its place.", TAMPERED, |evil| {
        Box::pin(async move { evil.copy(evil.scene, &evil.struck().record, &evil.scene.header).await })
    }),
    attack("header_deleted", "No header, with all else left.", &whoever("HeaderMissing"), |evil| {
        Box::pin(async move { evil.delete(&[&evil.scene.header]).await })
    }),
    attack(
        "header_and_keyring_deleted",
        "No header and no keyring, with all records left.",
        &[
            shows(Way::Open, "HeaderMissing"),
            shows(Way::OpenBySpare, "HeaderMissing"),
            shows(Way::Slots, "HeaderMissing"),
            shows(Way::Unlock, "HeaderMissing"),
            shows(Way::Write, "HeaderMissing"),
            shows(Way::Rotate, "HeaderMissing"),
        ],
        |evil| Box::pin(async move { evil.delete(&[&evil.scene.header, &evil.scene.keyring]).await }),
    ),
    attack(
        "header_keyring_and_catalog_deleted",
        "Nothing but records and entries.",
        &[shows(Way::Open, "HeaderMissing"), shows(Way::OpenBySpare, "HeaderMissing")],
        |evil| {
            Box::pin(async move { evil.delete(&[&evil.scene.header, &evil.scene.keyring, &evil.scene.catalog]).await })
        },
    ),
    attack(
        "header_of_a_store_with_the_same_passphrase",
        "The header of another store that the passphrase opens as well.",
        &[
            shows(Way::Open, "HeaderTampered"),
            shows(Way::OpenBySpare, "HeaderTampered"),
            shows(Way::Slots, "HeaderTampered"),
            shows(Way::Unlock, "HeaderTampered"),
        ],
        |evil| Box::pin(async move { evil.copy(evil.twin, &evil.twin.header, &evil.scene.header).await }),
    ),
    attack(
        "header_of_the_attacker_s_store",
        "The header of a store that only the attacker opens.",
        &[
            shows(Way::Open, "WrongKeyOrDamagedSlot"),
            shows(Way::OpenByOther, "HeaderTampered"),
            shows(Way::Slots, "HeaderTampered"),
            shows(Way::Unlock, "WrongKeyOrDamagedSlot"),
        ],
        |evil| Box::pin(async move { evil.copy(evil.other, &evil.other.header, &evil.scene.header).await }),
    ),
    attack(
        "header_and_keyring_of_a_store_with_the_same_passphrase",
        "Header and keyring of another store that the passphrase opens as well: nothing else here is of that store.",
        &[
            shows(Way::Database, "AuthFailed"),
            shows(Way::Slots, "HeaderTampered"),
            shows(Way::Write, "HeaderTampered"),
            shows(Way::Rotate, "HeaderTampered"),
            shows(Way::Unlock, "HeaderTampered"),
        ],
        |evil| {
            Box::pin(async move {
                evil.copy(evil.twin, &evil.twin.header, &evil.scene.header).await?;
                evil.copy(evil.twin, &evil.twin.keyring, &evil.scene.keyring).await
            })
        },
    ),
];
