//! Import: Matrix events become records.

mod parse;
mod report;

use std::ops::Range;

pub use report::{Failure, ImportReport};

use super::rules::{Clarity, Settings, Update, Verdict, run};
use super::{RoomId, UserId};
use crate::{Database, Error, ErrorKind, Limit, Result};
use parse::parse;

/// What an import needs to be told.
#[derive(Clone, Debug, Default)]
pub struct ImportOptions {
    /// The room of events that name none, as in an export of one room.
    pub room: Option<RoomId>,
    /// The local user: whose membership `rooms` records, whose invitations are kept, whose the account data is.
    pub me: Option<UserId>,
    /// Whether the first event that fails ends the import.
    pub strict: bool,
}

/// One event as text, with its place in the source.
#[derive(Clone)]
pub struct RawEvent {
    /// Which event of the source it is, from 1.
    pub position: u64,
    /// Its JSON.
    pub json: String,
}

impl std::fmt::Debug for RawEvent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "RawEvent({}, {} bytes)", self.position, self.json.len())
    }
}

/// Turns Matrix events into the records of the schema `matrix`.
///
/// Importing is repeatable: events have ids and merge by rules that do not depend on their order, so importing the same
/// again, or the rest after an interruption, or overlapping exports, ends in the same records. (Presence without a time,
/// typing and account data have neither: of these, what comes later in the source is newer.)
///
/// # What goes where
///
/// - An event with an `event_id` is a room event. All are in `messages`; state events also in `room_state` if they are the
///   latest of their type and key, `m.room.member` in `room_members`, an invitation of the local user in `invitations`.
///   Each room has a record in `rooms`, its aliases records in `room_aliases`.
/// - `m.receipt`, `m.typing` and `m.presence` have their collections. A typing notice holds for 30 seconds from its import.
/// - An event with type and content alone is account data of the local user; without one it is skipped. The account data of a
///   room (with a `room_id`) and what goes from device to device have no collection and are skipped. What is skipped is
///   counted by type.
/// - Required fields that Matrix does not have, the proofs, are `null`.
///
/// # The same event again
///
/// An equal event changes nothing. One with the same id and other content fails, and the first stays; but a decrypted event
/// takes the place of its encrypted or undecryptable form, and keeps its relation if it names none itself. Two contents are
/// equal if they are the same JSON value; a number is the same in each of its spellings, such as `1` and `1.0`. What is bundled
/// with an event that fails is stored all the same. Element exports an edited message with the edit's text in the place of its
/// own: exports from before and after an edit disagree, and the later one's form of that message fails.
///
/// # Redaction
///
/// A redaction removes the content and the relations of its target for good, also when it comes first. Of state events, what
/// Matrix keeps stays, such as a membership. What comes along in `unsigned` is treated as what it is: the redaction, the latest
/// edit and the latest message of a thread are events of their own and are taken out of the text, so that their content does
/// not outlive them; `prev_content` is kept while the event it quotes is not redacted, and left out if `replaces_state` does
/// not say which that is. Whether a redaction was allowed is for the server to decide, and not checked here.
#[derive(Debug)]
pub struct Importer {
    db: Database,
    options: ImportOptions,
    report: ImportReport,
}

impl Importer {
    /// An import into a database with the schema [`matrix`](super::schema).
    pub fn new(db: Database, options: ImportOptions) -> Self {
        Importer { db, options, report: ImportReport::default() }
    }

    /// Imports events in one transaction, committed when this returns. 500 to 1,000 at a time work well.
    ///
    /// An event that cannot be stored is in the report, and the others are stored. If the batch passes a limit of the store
    /// (an id of several thousand bytes, or simply too much at once), it is divided until what passes it stands alone.
    ///
    /// # Errors
    ///
    /// Those of [`Database::write`]: nothing of this batch is then counted. With `strict`, `InvalidInput` with the first
    /// event that fails; those before it are stored, those behind it were not looked at.
    pub async fn import(&mut self, batch: Vec<RawEvent>) -> Result<()> {
        let now = self.db.now();
        let settings = Settings { me: self.options.me.clone(), strict: self.options.strict, now };
        let parsed = |event: &RawEvent| (event.position, parse(&event.json, &self.options, now));
        let events: Vec<(u64, Update)> = batch.iter().map(parsed).collect();
        drop(batch);
        let mut parts: Vec<Range<usize>> = std::iter::once(0..events.len()).collect();
        while let Some(part) = parts.pop() {
            let slice = &events[part.clone()];
            let updates: Vec<&Update> = slice.iter().map(|(_, update)| update).collect();
            let (updates, settings) = (&updates, &settings);
            let result = self.db.write(|tx| run(tx, updates, settings)).await;
            match result {
                Ok(verdicts) => self.note(slice, verdicts)?,
                Err(error) if is_too_much(&error) && part.len() > 1 => parts.extend(halves(part)),
                Err(error) if is_too_much(&error) => self.note(slice, vec![Verdict::Failed(error.to_string())])?,
                Err(error) => return Err(error.during("import")),
            }
        }
        Ok(())
    }

    /// Counts a piece of the source that is no event at all.
    pub fn failed(&mut self, position: u64, error: String) {
        self.report.note(position, Verdict::Failed(error));
    }

    /// What the import did so far.
    pub fn report(&self) -> &ImportReport {
        &self.report
    }

    fn note(&mut self, events: &[(u64, Update)], verdicts: Vec<Verdict>) -> Result<()> {
        for ((position, event), verdict) in events.iter().zip(verdicts) {
            let failed = if let Verdict::Failed(error) = &verdict { Some(error.clone()) } else { None };
            if failed.is_none() && is_undecryptable(event) {
                self.report.undecryptable += 1;
            }
            self.report.note(*position, verdict);
            if let (Some(error), true) = (failed, self.options.strict) {
                return Err(Error::new(ErrorKind::InvalidInput, format!("event {position}: {error}")).during("import"));
            }
        }
        Ok(())
    }
}

/// Whether a smaller batch may pass.
fn is_too_much(error: &Error) -> bool {
    error.is_limit() && error.kind() != ErrorKind::Limit(Limit::Snapshots)
}

/// The first half last: parts are taken from the end.
fn halves(part: Range<usize>) -> [Range<usize>; 2] {
    let middle = part.start + part.len() / 2;
    [middle..part.end, part.start..middle]
}

fn is_undecryptable(event: &Update) -> bool {
    matches!(event, Update::Room(events) if events.first().is_some_and(|event| event.clarity == Clarity::Undecryptable))
}
