//! What the layer accepts, so that the store below accepts what becomes of it.

use strongroom_core::store::Limits;

use crate::seal::{OVERHEAD, Padding};

/// Bytes that a short value grows by, at most: the envelope, and the padding up to its floor.
const SHORT_VALUE_GROWTH: usize = OVERHEAD + 64;

/// Values end with a byte that says where their padding begins.
const MARKER: usize = 1;

/// The limits above a store with the limits `below`, and no more than `asked`.
pub(super) fn above(below: &Limits, asked: Option<Limits>) -> Limits {
    // For the envelopes of as many values as a batch may have, but never more than half of it.
    let envelopes = below.batch_writes_max.saturating_mul(SHORT_VALUE_GROWTH).min(below.batch_bytes_max / 2);
    let limits = Limits {
        value_bytes_max: below.value_bytes_max.saturating_sub(OVERHEAD + MARKER),
        batch_bytes_max: (below.batch_bytes_max - envelopes) / 9 * 8,
        // All of them, unless half of the batch does not hold their envelopes.
        batch_writes_max: envelopes / SHORT_VALUE_GROWTH,
        // The layer adds one, on the keyring.
        batch_guards_max: below.batch_guards_max.saturating_sub(1),
        ..*below
    };
    let Some(asked) = asked else { return limits };
    Limits {
        key_bytes_max: limits.key_bytes_max.min(asked.key_bytes_max),
        value_bytes_max: limits.value_bytes_max.min(asked.value_bytes_max),
        batch_writes_max: limits.batch_writes_max.min(asked.batch_writes_max),
        batch_guards_max: limits.batch_guards_max.min(asked.batch_guards_max),
        batch_bytes_max: limits.batch_bytes_max.min(asked.batch_bytes_max),
        guard_rows_max: limits.guard_rows_max.min(asked.guard_rows_max),
        page_entries_max: limits.page_entries_max.min(asked.page_entries_max),
        get_keys_max: limits.get_keys_max.min(asked.get_keys_max),
        snapshots_max: limits.snapshots_max.min(asked.snapshots_max),
        snapshot_age_ms_max: limits.snapshot_age_ms_max.min(asked.snapshot_age_ms_max),
    }
}

/// How values are padded in a store with the limits `below`.
pub(super) fn padding(below: &Limits, on: bool) -> Padding {
    Padding { on, padded_bytes_max: below.value_bytes_max.saturating_sub(OVERHEAD) }
}

/// Bytes after which a page of the store below ends, so that it holds all that a page of `max_bytes` here does.
pub(super) fn page_bytes(max_bytes: usize, entries: usize) -> usize {
    // A value and, for a link, its target; Padmé adds less than an eighth.
    let growth = entries.saturating_mul(2 * SHORT_VALUE_GROWTH);
    max_bytes.saturating_add(max_bytes / 8).saturating_add(growth)
}
