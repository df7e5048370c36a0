//! What a database must answer: the notes that live, in a plain map.

use std::collections::{BTreeMap, BTreeSet};

use strongroom_core::{ErrorKind, Timestamp};

use super::records::Note;
use super::steps::{Answer, Look, Step};
use crate::{Checked, ensure, ensure_eq};

/// The notes that live, and the time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Map {
    pub(crate) notes: BTreeMap<(String, u32), Note>,
    pub(crate) now: i64,
}

impl Map {
    /// Takes the step, and says whether `answer` is what it must have been answered.
    ///
    /// Only the order of ties, and of what is not ordered, is the store's own.
    pub(crate) fn take(&mut self, step: &Step, answer: &Answer) -> Checked {
        let limit = match step {
            Step::Page { limit, .. } => *limit,
            _ => usize::MAX,
        };
        let expected = self.apply(step);
        match (step, &expected) {
            (Step::Page { look, .. } | Step::Walk { look, .. }, Answer::Notes(expected)) => {
                fits(answer, expected, limit, look.is_ordered())
            }
            _ => {
                ensure_eq!(*answer, expected, "{step:?}");
                Ok(())
            }
        }
    }

    /// Takes the step; of a page it finds all that is looked for.
    pub(crate) fn apply(&mut self, step: &Step) -> Answer {
        let answer = match step {
            Step::Put(note) | Step::Insert(note) | Step::Update(note) => Answer::Written(self.write(step, note)),
            Step::Delete(room, id) => Answer::Deleted(self.notes.remove(&key(room, *id)).is_some().into()),
            Step::DeleteBefore(room, before) => {
                let kept = |note: &Note| note.room != *room || note.time >= Timestamp::from_millis(*before);
                let count = self.notes.len();
                self.notes.retain(|_, note| kept(note));
                Answer::Deleted((count - self.notes.len()) as u64)
            }
            Step::Get(room, id) => Answer::Note(self.notes.get(&key(room, *id)).cloned()),
            Step::Count(look) => Answer::Count(self.find(look, false).len() as u64),
            Step::Page { look, reverse, .. } | Step::Walk { look, reverse, .. } => {
                Answer::Notes(self.find(look, *reverse))
            }
        };
        self.expire();
        answer
    }

    /// Moves the time on.
    pub(crate) fn tick(&mut self, millis: i64) {
        self.now += millis;
        self.expire();
    }

    fn expire(&mut self) {
        let now = Timestamp::from_millis(self.now);
        self.notes.retain(|_, note| note.expires_at.is_none_or(|at| at > now));
    }

    fn write(&mut self, step: &Step, note: &Note) -> Option<ErrorKind> {
        let key = key(&note.room, note.id);
        match (step, self.notes.contains_key(&key)) {
            (Step::Insert(_), true) => return Some(ErrorKind::AlreadyExists),
            (Step::Update(_), false) => return Some(ErrorKind::NotFound),
            _ => {}
        }
        let taken = |other: &Note| other.slug.is_some() && other.slug == note.slug;
        if self.notes.iter().any(|(at, other)| *at != key && taken(other)) {
            return Some(ErrorKind::UniqueViolation);
        }
        self.notes.insert(key, note.clone());
        None
    }

    /// What a query must find, in its order.
    fn find(&self, look: &Look, reverse: bool) -> Vec<Note> {
        let mut notes: Vec<Note> = self.notes.values().filter(|note| look.is_met_by(note)).cloned().collect();
        if look.is_ordered() {
            notes.sort_by_key(|note| note.time);
            if reverse {
                notes.reverse();
            }
        }
        notes
    }
}

impl Look {
    fn is_ordered(&self) -> bool {
        matches!(self, Look::ByTime { .. } | Look::Open { .. } | Look::Thread { .. })
    }

    fn is_met_by(&self, note: &Note) -> bool {
        match self {
            Look::All => true,
            Look::ByTime { room, from, to } => note.room == *room && (*from..*to).contains(&note.time.as_millis()),
            Look::Open { room } => note.room == *room && note.done_at.is_none(),
            Look::Thread { room, thread } => note.room == *room && note.thread.as_deref() == Some(*thread),
            Look::Tag(text) => note.tags.iter().any(|tag| tag == text),
            Look::Slug(slug) => note.slug.as_deref() == Some(*slug),
        }
    }
}

/// Whether the answer has as many notes as it must, of those that it may have, each once and at the place of its time.
fn fits(answer: &Answer, expected: &[Note], limit: usize, ordered: bool) -> Checked {
    let Answer::Notes(found) = answer else {
        return Err(crate::Failure::new(format!("{answer:?} to a question for notes")));
    };
    let right = found.len() == limit.min(expected.len())
        && found.iter().map(|note| (&note.room, note.id)).collect::<BTreeSet<_>>().len() == found.len()
        && found.iter().all(|note| expected.contains(note))
        && (!ordered || found.iter().zip(expected).all(|(found, expected)| found.time == expected.time));
    ensure!(right, "found {found:?}, expected {limit} at most of {expected:?}");
    Ok(())
}

fn key(room: &str, id: u32) -> (String, u32) {
    (room.to_owned(), id)
}
