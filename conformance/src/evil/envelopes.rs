//! Each part of an envelope changed, cut, or made longer.
//!
//! ```text
//! version 1 ‖ suite 1 ‖ flags 1 ‖ key id 4 ‖ nonce 24 ‖ ciphertext ‖ tag 16
//! ```

use super::{Attack, Order, STRUCK, Shows, Strike, Way, shows};

const SUITE: usize = 1;
const FLAGS: usize = 2;
const KEY_ID: usize = 3;
const NONCE: usize = 7;
const CIPHERTEXT: usize = 31;
const TAG_BYTES: usize = 16;

/// The struck record alone does not open, wherever it is met.
const fn struck(error: &'static str) -> [Shows; 3] {
    [
        shows(Way::Letters(&[STRUCK]), error),
        shows(Way::Page(Order::Tag, 1, &[STRUCK]), error),
        shows(Way::Verify, "Corrupt"),
    ]
}

const AUTH_FAILED: &[Shows] = &struck("AuthFailed");
const NOT_AN_ENVELOPE: &[Shows] = &struck("NotAnEnvelope");
const UNSUPPORTED: &[Shows] = &struck("UnsupportedVersion");
const UNKNOWN_KEY: &[Shows] = &struck("UnknownKeyId");
const TRUNCATED: &[Shows] = &struck("Truncated");

const fn attack(name: &'static str, does: &'static str, shows: &'static [Shows], strike: Strike) -> Attack {
    Attack { name, does, shows, strike }
}

pub(super) const ALL: &[Attack] = &[
    attack("version_is_another", "Another version of an envelope.", UNSUPPORTED, |evil| {
        evil.change_record(|bytes| bytes[0] ^= 2)
    }),
    attack("version_is_a_plain_value_s", "The version of a value that was never sealed.", NOT_AN_ENVELOPE, |evil| {
        evil.change_record(|bytes| bytes[0] ^= 0x80)
    }),
    attack("suite_is_another", "Another suite.", UNSUPPORTED, |evil| evil.change_record(|bytes| bytes[SUITE] ^= 3)),
    attack("flag_is_unknown", "A flag that no program knows.", UNSUPPORTED, |evil| {
        evil.change_record(|bytes| bytes[FLAGS] ^= 0x40)
    }),
    attack("padding_is_denied", "The flag of the padding.", AUTH_FAILED, |evil| {
        evil.change_record(|bytes| bytes[FLAGS] ^= 1)
    }),
    attack("binding_is_loosened", "The flag that binds to a prefix of the key only.", AUTH_FAILED, |evil| {
        evil.change_record(|bytes| bytes[FLAGS] ^= 2)
    }),
    attack("key_id_is_unknown", "The id of a key that is not in the keyring.", UNKNOWN_KEY, |evil| {
        evil.change_record(|bytes| bytes[KEY_ID] ^= 1)
    }),
    attack("key_id_is_zero", "The id that no key has.", UNKNOWN_KEY, |evil| {
        evil.change_record(|bytes| bytes[KEY_ID..NONCE].fill(0))
    }),
    attack("nonce_flipped_at_its_start", "A bit of the nonce.", AUTH_FAILED, |evil| {
        evil.change_record(|bytes| bytes[NONCE] ^= 1)
    }),
    attack("nonce_flipped_at_its_end", "A bit of the nonce, in the part that the cipher takes.", AUTH_FAILED, |evil| {
        evil.change_record(|bytes| bytes[CIPHERTEXT - 1] ^= 0x80)
    }),
    attack("ciphertext_flipped_at_its_start", "A bit of the ciphertext.", AUTH_FAILED, |evil| {
        evil.change_record(|bytes| bytes[CIPHERTEXT] ^= 1)
    }),
    attack("ciphertext_flipped_at_its_end", "A bit of the padding, encrypted.", AUTH_FAILED, |evil| {
        evil.change_record(|bytes| {
            let at = bytes.len() - TAG_BYTES - 1;
            bytes[at] ^= 0x80;
        })
    }),
    attack("tag_flipped_at_its_start", "A bit of the tag.", AUTH_FAILED, |evil| {
        evil.change_record(|bytes| {
            let at = bytes.len() - TAG_BYTES;
            bytes[at] ^= 1;
        })
    }),
    attack("tag_flipped_at_its_end", "A bit of the tag's last byte.", AUTH_FAILED, |evil| {
        evil.change_record(|bytes| {
            let at = bytes.len() - 1;
            bytes[at] ^= 0x80;
        })
    }),
    attack("tag_zeroed", "A tag of zeros.", AUTH_FAILED, |evil| {
        evil.change_record(|bytes| {
            let at = bytes.len() - TAG_BYTES;
            bytes[at..].fill(0);
        })
    }),
    attack("emptied", "No bytes at all.", NOT_AN_ENVELOPE, |evil| evil.change_record(Vec::clear)),
    attack("cut_to_its_version", "Cut to one byte.", TRUNCATED, |evil| evil.change_record(|bytes| bytes.truncate(1))),
    attack("cut_before_its_nonce", "Cut to what is in clear.", TRUNCATED, |evil| {
        evil.change_record(|bytes| bytes.truncate(NONCE))
    }),
    attack("cut_before_its_ciphertext", "Cut to its nonce.", TRUNCATED, |evil| {
        evil.change_record(|bytes| bytes.truncate(CIPHERTEXT))
    }),
    attack("cut_within_a_tag", "Cut to one byte less than an envelope has.", TRUNCATED, |evil| {
        evil.change_record(|bytes| bytes.truncate(CIPHERTEXT + TAG_BYTES - 1))
    }),
    attack("cut_to_no_ciphertext", "Cut to the least that an envelope has.", AUTH_FAILED, |evil| {
        evil.change_record(|bytes| bytes.truncate(CIPHERTEXT + TAG_BYTES))
    }),
    attack("cut_by_a_byte", "Cut by its last byte.", AUTH_FAILED, |evil| {
        evil.change_record(|bytes| bytes.truncate(bytes.len() - 1))
    }),
    attack("cut_by_its_tag", "Cut by its tag.", AUTH_FAILED, |evil| {
        evil.change_record(|bytes| bytes.truncate(bytes.len() - TAG_BYTES))
    }),
    attack("ciphertext_taken_out", "Its front and its tag without what was between.", AUTH_FAILED, |evil| {
        evil.change_record(|bytes| drop(bytes.drain(CIPHERTEXT..bytes.len() - TAG_BYTES)))
    }),
    attack("longer_by_a_byte", "A byte behind it.", AUTH_FAILED, |evil| evil.change_record(|bytes| bytes.push(0))),
    attack("longer_within", "A byte in its ciphertext.", AUTH_FAILED, |evil| {
        evil.change_record(|bytes| bytes.insert(CIPHERTEXT, 0))
    }),
    attack("twice", "Itself behind it.", AUTH_FAILED, |evil| evil.change_record(|bytes| bytes.extend_from_within(..))),
    attack("zeros", "As many zeros.", NOT_AN_ENVELOPE, |evil| evil.change_record(|bytes| bytes.fill(0))),
    attack("noise_behind_a_true_front", "An envelope of noise under a key that there is.", AUTH_FAILED, |evil| {
        evil.change_record(|bytes| {
            let noise = (0_u8..=255).cycle().map(|byte| byte.wrapping_mul(167) ^ 0x5A);
            bytes[NONCE..].iter_mut().zip(noise).for_each(|(byte, noise)| *byte = noise);
        })
    }),
];
