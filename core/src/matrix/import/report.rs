//! What an import did.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::matrix::rules::Verdict;

/// Different event types that are counted by name; those beyond are counted together.
const TYPES_MAX: usize = 1_000;
/// Characters of a type's name that are kept.
const TYPE_CHARS_MAX: usize = 255;
/// Where the types beyond are counted.
const OTHER_TYPES: &str = "(other types)";

/// What an import did. Each event that was read is counted once:
/// `read = stored + unchanged + the sum of skipped + the number of failed`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ImportReport {
    /// Events read.
    pub read: u64,
    /// Events that brought something new: the event itself, its redaction, its decryption, or one bundled with it.
    pub stored: u64,
    /// Events of which everything was there already.
    pub unchanged: u64,
    /// Events that no collection holds, by type. A thousand types are named, the others counted together.
    pub skipped: BTreeMap<String, u64>,
    /// Events that could not be stored.
    pub failed: Vec<Failure>,
    /// How many of the stored and unchanged events are messages that the exporting client could not decrypt.
    pub undecryptable: u64,
}

/// An event that could not be stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Failure {
    /// Which event of the source, from 1.
    pub position: u64,
    /// Why; names fields, never content.
    pub error: String,
}

impl ImportReport {
    pub(super) fn note(&mut self, position: u64, verdict: Verdict) {
        self.read += 1;
        match verdict {
            Verdict::Stored => self.stored += 1,
            Verdict::Unchanged => self.unchanged += 1,
            Verdict::Skipped(event_type) => self.skip(&event_type),
            Verdict::Failed(error) => self.failed.push(Failure { position, error }),
        }
    }

    fn skip(&mut self, event_type: &str) {
        let mut name: String = event_type.chars().take(TYPE_CHARS_MAX).collect();
        if self.skipped.len() >= TYPES_MAX && !self.skipped.contains_key(&name) {
            OTHER_TYPES.clone_into(&mut name);
        }
        *self.skipped.entry(name).or_default() += 1;
    }
}
