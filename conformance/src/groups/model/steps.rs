//! The typed steps of which histories are made, and how a database or a transaction takes them.

use proptest::prelude::*;
use strongroom_core::{Database, ErrorKind, Query, Result, Sortable, Sorted, Source, Timestamp, Transaction};

use super::records::Note;

pub(crate) const ROOMS: [&str; 3] = ["", "a", "a\u{0}"];
pub(crate) const TAGS: [&str; 3] = ["", "t", "t\u{1}"];
/// Notes in one room, at most.
const IDS: u32 = 6;

/// One operation.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    Put(Note),
    Insert(Note),
    Update(Note),
    Delete(&'static str, u32),
    DeleteBefore(&'static str, i64),
    Get(&'static str, u32),
    /// The first page of what is looked for.
    Page {
        look: Look,
        reverse: bool,
        limit: usize,
    },
    /// All of it, in pages of this size.
    Walk {
        look: Look,
        reverse: bool,
        page: usize,
    },
    Count(Look),
}

/// What a query looks for: each index, and the records themselves.
#[derive(Clone, Debug)]
pub(crate) enum Look {
    All,
    ByTime { room: &'static str, from: i64, to: i64 },
    Open { room: &'static str },
    Thread { room: &'static str, thread: &'static str },
    Tag(&'static str),
    Slug(&'static str),
}

/// What a step answers.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Answer {
    Written(Option<ErrorKind>),
    Deleted(u64),
    Note(Option<Note>),
    Notes(Vec<Note>),
    Count(u64),
}

impl Answer {
    /// Whether the step changed something.
    pub(crate) fn is_change(&self) -> bool {
        matches!(self, Answer::Written(None) | Answer::Deleted(1..))
    }
}

impl Step {
    /// The same step with a text that no other step writes, so that a read tells whose write it saw.
    pub(crate) fn marked(mut self, mark: &str) -> Step {
        if let Step::Put(note) | Step::Insert(note) | Step::Update(note) = &mut self {
            mark.clone_into(&mut note.text);
        }
        self
    }
}

/// Whether two notes may have the same time. Then their order is the store's own.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ties {
    Some,
    None,
}

fn room() -> impl Strategy<Value = &'static str> {
    prop::sample::select(&ROOMS[..])
}

fn tag() -> impl Strategy<Value = &'static str> {
    prop::sample::select(&TAGS[..])
}

fn note(ties: Ties) -> impl Strategy<Value = Note> {
    let optional = |to: i64| prop::option::of((0..to).prop_map(Timestamp::from_millis));
    (
        (0..ROOMS.len(), 0..IDS, 0..4_i64),
        prop::option::of(tag()),
        prop::collection::vec(tag(), 0..3),
        prop::option::weighted(0.3, tag()),
        optional(5),
        prop::option::weighted(0.2, (1_000..1_030_i64).prop_map(Timestamp::from_millis)),
        "[a-z]{0,3}",
    )
        .prop_map(move |((room, id, time), thread, tags, slug, done_at, expires_at, text)| {
            // Without ties, each key has times of its own.
            let own = i64::from(id) * ROOMS.len() as i64 + room as i64;
            let time = if ties == Ties::Some { time } else { time * 100 + own };
            Note {
                room: ROOMS[room].to_owned(),
                id,
                time: Timestamp::from_millis(time),
                thread: thread.map(str::to_owned),
                tags: tags.into_iter().map(str::to_owned).collect(),
                slug: slug.map(str::to_owned),
                done_at,
                expires_at,
                text,
            }
        })
}

fn time(ties: Ties) -> impl Strategy<Value = i64> {
    if ties == Ties::Some { -1..5_i64 } else { -1..400 }
}

/// What is found in an order that every store has.
fn ordered(ties: Ties) -> impl Strategy<Value = Look> {
    prop_oneof![
        3 => (room(), time(ties), time(ties)).prop_map(|(room, from, to)| Look::ByTime { room, from, to }),
        1 => room().prop_map(|room| Look::Open { room }),
        1 => (room(), tag()).prop_map(|(room, thread)| Look::Thread { room, thread }),
    ]
}

fn look(ties: Ties) -> impl Strategy<Value = Look> {
    prop_oneof![
        5 => ordered(ties),
        1 => Just(Look::All),
        1 => tag().prop_map(Look::Tag),
        1 => tag().prop_map(Look::Slug),
    ]
}

/// Random steps. Without ties, a page that is cut off is of an order that every store has.
pub(crate) fn step(ties: Ties) -> impl Strategy<Value = Step> {
    let cut = if ties == Ties::Some { look(ties).boxed() } else { ordered(ties).boxed() };
    prop_oneof![
        4 => note(ties).prop_map(Step::Put),
        3 => note(ties).prop_map(Step::Insert),
        2 => note(ties).prop_map(Step::Update),
        2 => (room(), 0..IDS).prop_map(|(room, id)| Step::Delete(room, id)),
        1 => (room(), time(ties)).prop_map(|(room, before)| Step::DeleteBefore(room, before)),
        2 => (room(), 0..IDS).prop_map(|(room, id)| Step::Get(room, id)),
        3 => (cut, any::<bool>(), 1..5_usize).prop_map(|(look, reverse, limit)| Step::Page { look, reverse, limit }),
        1 => (look(ties), any::<bool>(), 1..5_usize).prop_map(|(look, reverse, page)| Step::Walk { look, reverse, page }),
        1 => look(ties).prop_map(Step::Count),
    ]
}

fn written(result: Result<()>) -> Result<Answer> {
    match result {
        Ok(()) => Ok(Answer::Written(None)),
        Err(error) if error.is_already_exists() || error.is_not_found() => Ok(Answer::Written(Some(error.kind()))),
        Err(error) => Err(error),
    }
}

/// What is asked of a query.
#[derive(Clone, Copy)]
enum Ask {
    Page(usize),
    Walk(usize),
    Count,
}

async fn answer<S: Source, C>(query: Query<S, Note, C>, ask: Ask) -> Result<Answer> {
    let page = match ask {
        Ask::Count => return Ok(Answer::Count(query.count().await?)),
        Ask::Page(limit) => return Ok(Answer::Notes(query.limit(limit).page().await?.records)),
        Ask::Walk(page) => page,
    };
    let query = query.limit(page);
    let mut notes = Vec::new();
    let mut found = query.clone().page().await?;
    loop {
        notes.append(&mut found.records);
        let Some(next) = found.next else { return Ok(Answer::Notes(notes)) };
        found = query.clone().after(next).page().await?;
    }
}

/// Databases and transactions have the same methods, each its own.
macro_rules! on {
    ($take:ident, $look:ident, $source:ty) => {
        /// Takes one step. Only what no step can answer is an error.
        pub(crate) async fn $take(on: &$source, step: &Step) -> Result<Answer> {
            match step {
                Step::Put(note) => written(on.put(note).await),
                Step::Insert(note) => written(on.insert(note).await),
                Step::Update(note) => written(on.update(note).await),
                Step::Delete(room, id) => Ok(Answer::Deleted(on.delete(&Note::key(room, id)).await?.into())),
                Step::DeleteBefore(room, before) => {
                    let query = on.query(Note::BY_TIME).equal(room).before(Timestamp::from_millis(*before));
                    Ok(Answer::Deleted(query.delete().await?))
                }
                Step::Get(room, id) => Ok(Answer::Note(on.get(&Note::key(room, id)).await?)),
                Step::Page { look, reverse, limit } => $look(on, look, *reverse, Ask::Page(*limit)).await,
                Step::Walk { look, reverse, page } => $look(on, look, *reverse, Ask::Walk(*page)).await,
                Step::Count(look) => $look(on, look, false, Ask::Count).await,
            }
        }

        async fn $look(on: &$source, look: &Look, reverse: bool, ask: Ask) -> Result<Answer> {
            match look {
                Look::All => answer(on.query(Note::PRIMARY), ask).await,
                Look::Tag(tag) => answer(on.query(Note::TAG).equal(tag), ask).await,
                Look::Slug(slug) => answer(on.query(Note::SLUG).equal(slug), ask).await,
                Look::Open { room } => answer(directed(on.query(Note::OPEN).equal(room), reverse), ask).await,
                Look::Thread { room, thread } => {
                    answer(directed(on.query(Note::THREAD).equal(room).equal(thread), reverse), ask).await
                }
                Look::ByTime { room, from, to } => {
                    let range = Timestamp::from_millis(*from)..Timestamp::from_millis(*to);
                    answer(directed(on.query(Note::BY_TIME).equal(room).range(range), reverse), ask).await
                }
            }
        }
    };
}

on!(take_alone, look_alone, Database);
on!(take_within, look_within, Transaction);

fn directed<S: Source, C: Sortable>(query: Query<S, Note, C>, reverse: bool) -> Query<S, Note, Sorted<C::Component>> {
    if reverse { query.descending() } else { query.ascending() }
}
