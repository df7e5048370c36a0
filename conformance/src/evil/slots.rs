//! The slots: where the root key is wrapped.
//!
//! ```text
//! kind 1 ‖ label's length 1 ‖ label ‖ what the kind needs ‖ salt 16 ‖ commitment 32 ‖ root key, wrapped: 24 + 32 + 16
//!
//! what a passphrase needs: memory in KiB u32 ‖ passes u32 ‖ lanes u32; a raw key: nothing
//! ```

use std::ops::Range;

use super::{Attack, MAIN, SPARE, Shows, Strike, Way, put, shows};

/// Where the first slot begins.
const FIRST: usize = 24;
const LABEL: usize = FIRST + 2;
const MEMORY: usize = LABEL + MAIN.len();
const PASSES: usize = MEMORY + 4;
const LANES: usize = PASSES + 4;
const SALT: usize = LANES + 4;
const COMMITMENT: usize = SALT + 16;
const ROOT: usize = COMMITMENT + 32;
/// Where the second slot begins, and where it ends.
const SECOND: usize = ROOT + 24 + 32 + 16;
const SECOND_SALT: usize = SECOND + 2 + SPARE.len();
const END: usize = SECOND_SALT + 16 + 32 + 24 + 32 + 16;

/// The slot does not open; another one does, and shows the change.
const THE_FIRST: &[Shows] = &[
    shows(Way::Open, "WrongKeyOrDamagedSlot"),
    shows(Way::OpenBySpare, "HeaderTampered"),
    shows(Way::Slots, "HeaderTampered"),
    shows(Way::Unlock, "WrongKeyOrDamagedSlot"),
];

const THE_SECOND: &[Shows] = &[
    shows(Way::Open, "HeaderTampered"),
    shows(Way::OpenBySpare, "WrongKeyOrDamagedSlot"),
    shows(Way::Slots, "HeaderTampered"),
    shows(Way::Unlock, "HeaderTampered"),
];

/// The slots that there are, but not as they were.
const TAMPERED: &[Shows] = &[
    shows(Way::Open, "HeaderTampered"),
    shows(Way::OpenBySpare, "HeaderTampered"),
    shows(Way::Slots, "HeaderTampered"),
    shows(Way::Unlock, "HeaderTampered"),
];

const OUT_OF_RANGE: &[Shows] = &[
    shows(Way::Open, "KdfOutOfRange"),
    shows(Way::OpenBySpare, "KdfOutOfRange"),
    shows(Way::Slots, "KdfOutOfRange"),
    shows(Way::Unlock, "KdfOutOfRange"),
];

const UNSUPPORTED: &[Shows] = &[
    shows(Way::Open, "UnsupportedVersion"),
    shows(Way::OpenBySpare, "UnsupportedVersion"),
    shows(Way::Slots, "UnsupportedVersion"),
];

const fn attack(name: &'static str, does: &'static str, shows: &'static [Shows], strike: Strike) -> Attack {
    Attack { name, does, shows, strike }
}

pub(super) const ALL: &[Attack] = &[
    attack("slot_of_an_unknown_kind", "A kind of slot that is not known.", UNSUPPORTED, |evil| {
        evil.change_header(|bytes| bytes[FIRST] = 9)
    }),
    attack("slot_label_flipped", "A bit of the label.", THE_FIRST, |evil| {
        evil.change_header(|bytes| bytes[LABEL] ^= 2)
    }),
    attack("slot_label_that_takes_over_a_terminal", "An escape in the label.", TAMPERED, |evil| {
        evil.change_header(|bytes| bytes[LABEL] = 0x1B)
    }),
    attack("slot_salt_flipped", "A bit of the salt.", THE_FIRST, |evil| evil.change_header(|bytes| bytes[SALT] ^= 1)),
    attack("slot_commitment_flipped", "A bit of the commitment.", THE_FIRST, |evil| {
        evil.change_header(|bytes| bytes[COMMITMENT] ^= 1)
    }),
    attack("slot_root_key_s_nonce_flipped", "A bit of the nonce.", THE_FIRST, |evil| {
        evil.change_header(|bytes| bytes[ROOT] ^= 1)
    }),
    attack("slot_root_key_flipped", "A bit of the wrapped root key.", THE_FIRST, |evil| {
        evil.change_header(|bytes| bytes[ROOT + 24] ^= 1)
    }),
    attack("slot_root_key_s_tag_flipped", "A bit of its tag.", THE_FIRST, |evil| {
        evil.change_header(|bytes| bytes[SECOND - 1] ^= 1)
    }),
    attack("another_slot_s_salt_flipped", "A bit of the second slot's salt.", THE_SECOND, |evil| {
        evil.change_header(|bytes| bytes[SECOND_SALT] ^= 1)
    }),
    attack("another_slot_s_root_key_flipped", "A bit of the second slot's root key.", THE_SECOND, |evil| {
        evil.change_header(|bytes| bytes[END - 17] ^= 1)
    }),
    attack("slots_swapped", "The second slot before the first.", TAMPERED, |evil| {
        evil.change_header(|bytes| bytes[FIRST..END].rotate_left(SECOND - FIRST))
    }),
    attack(
        "slot_removed",
        "The second slot is gone, and the number says so.",
        &[
            shows(Way::Open, "HeaderTampered"),
            shows(Way::OpenBySpare, "WrongKeyOrDamagedSlot"),
            shows(Way::Slots, "HeaderTampered"),
        ],
        |evil| {
            evil.change_header(|bytes| {
                bytes[FIRST - 1] = 1;
                drop(bytes.drain(SECOND..END));
            })
        },
    ),
    attack("slot_doubled", "The second slot twice, and the number says so.", TAMPERED, |evil| {
        evil.change_header(|bytes| {
            bytes[FIRST - 1] = 3;
            let again = bytes[SECOND..END].to_vec();
            drop(bytes.splice(END..END, again));
        })
    }),
    attack("slot_doubled_under_another_label", "The first slot once more, under another label.", TAMPERED, |evil| {
        evil.change_header(|bytes| {
            bytes[FIRST - 1] = 3;
            let mut again = bytes[FIRST..SECOND].to_vec();
            again[LABEL - FIRST] ^= 2;
            drop(bytes.splice(END..END, again));
        })
    }),
    attack("kdf_memory_below_the_floor", "Memory that makes guesses cheap.", OUT_OF_RANGE, |evil| {
        evil.change_header(|bytes| number(bytes, MEMORY, 8))
    }),
    attack("kdf_memory_of_nothing", "No memory at all.", OUT_OF_RANGE, |evil| {
        evil.change_header(|bytes| number(bytes, MEMORY, 0))
    }),
    attack("kdf_passes_of_nothing", "No pass at all.", OUT_OF_RANGE, |evil| {
        evil.change_header(|bytes| number(bytes, PASSES, 0))
    }),
    attack("kdf_lanes_of_nothing", "No lane at all.", OUT_OF_RANGE, |evil| {
        evil.change_header(|bytes| number(bytes, LANES, 0))
    }),
    attack("kdf_memory_of_a_terabyte", "Memory that no machine has.", OUT_OF_RANGE, |evil| {
        evil.change_header(|bytes| number(bytes, MEMORY, 1 << 30))
    }),
    attack("kdf_memory_just_above_the_ceiling", "One KiB more than is allowed.", OUT_OF_RANGE, |evil| {
        evil.change_header(|bytes| number(bytes, MEMORY, (1 << 20) + 1))
    }),
    attack("kdf_passes_for_years", "Passes that never end.", OUT_OF_RANGE, |evil| {
        evil.change_header(|bytes| number(bytes, PASSES, u32::MAX))
    }),
    attack("kdf_lanes_without_end", "More lanes than there can be.", OUT_OF_RANGE, |evil| {
        evil.change_header(|bytes| number(bytes, LANES, 1 << 24))
    }),
    attack(
        "kdf_with_fewer_passes",
        "A pass less, which is allowed, but not what the slot was made with.",
        THE_FIRST,
        |evil| evil.change_header(|bytes| number(bytes, PASSES, 1)),
    ),
    attack("kdf_with_more_memory", "A little more memory, which is allowed as well.", THE_FIRST, |evil| {
        evil.change_header(|bytes| number(bytes, MEMORY, 8 * 1024 + 4))
    }),
    attack("kdf_with_more_lanes", "Two lanes instead of one.", THE_FIRST, |evil| {
        evil.change_header(|bytes| number(bytes, LANES, 2))
    }),
    attack(
        "kdf_taken_away",
        "The slot of a passphrase as one of a raw key.",
        &[
            shows(Way::Open, "HeaderTampered"),
            shows(Way::OpenBySpare, "HeaderTampered"),
            shows(Way::Slots, "HeaderTampered"),
        ],
        |evil| evil.change_header(|bytes| bytes[FIRST] = 2),
    ),
    attack(
        "slot_of_a_store_with_the_same_passphrase",
        "The first slot of another store, which the passphrase opens there.",
        THE_FIRST,
        |evil| {
            Box::pin(async move {
                let (mut header, twin) = (evil.scene.value(&evil.scene.header)?, evil.twin.value(&evil.twin.header)?);
                header[FIRST_SLOT].copy_from_slice(&twin[FIRST_SLOT]);
                put(&**evil.raw, evil.scene.header.clone(), header).await
            })
        },
    ),
    attack(
        "slot_of_the_attacker",
        "A slot that the attacker made and opens, in place of the first.",
        &[
            shows(Way::Open, "WrongKeyOrDamagedSlot"),
            shows(Way::OpenByOther, "WrongKeyOrDamagedSlot"),
            shows(Way::OpenBySpare, "HeaderTampered"),
        ],
        |evil| {
            Box::pin(async move {
                let (mut header, other) =
                    (evil.scene.value(&evil.scene.header)?, evil.other.value(&evil.other.header)?);
                header[FIRST_SLOT].copy_from_slice(&other[FIRST_SLOT]);
                put(&**evil.raw, evil.scene.header.clone(), header).await
            })
        },
    ),
    attack(
        "slot_of_the_attacker_added",
        "A slot that the attacker made and opens, behind the true ones.",
        &[
            shows(Way::Open, "HeaderTampered"),
            shows(Way::OpenByOther, "WrongKeyOrDamagedSlot"),
            shows(Way::OpenBySpare, "HeaderTampered"),
        ],
        |evil| {
            Box::pin(async move {
                let (mut header, other) =
                    (evil.scene.value(&evil.scene.header)?, evil.other.value(&evil.other.header)?);
                let mut slot = other[FIRST_SLOT].to_vec();
                slot[LABEL - FIRST] ^= 2;
                header[FIRST - 1] = 3;
                drop(header.splice(END..END, slot));
                put(&**evil.raw, evil.scene.header.clone(), header).await
            })
        },
    ),
];

const FIRST_SLOT: Range<usize> = FIRST..SECOND;

fn number(bytes: &mut [u8], at: usize, number: u32) {
    bytes[at..at + 4].copy_from_slice(&number.to_be_bytes());
}
