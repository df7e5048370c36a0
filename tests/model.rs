//! Random operations, alone and in transactions, with pages, clocks and reopening, against a plain `BTreeMap`.
#![allow(clippy::unwrap_used, reason = "a test that fails may panic")]

mod support;

use std::collections::BTreeMap;

use proptest::prelude::*;
use strongroom::{Database, ErrorKind, Result, Timestamp, Transaction};
use support::{ENGINES, Engine, Note, Place, assert_sound};

const ROOMS: [&str; 3] = ["", "a", "a\u{0}"];
const TAGS: [&str; 3] = ["", "t", "t\u{1}"];

#[derive(Clone, Debug)]
enum Step {
    Put(Note),
    Insert(Note),
    Update(Note),
    Delete(&'static str, u32),
    DeleteBefore(&'static str, i64),
    /// Walks one index in pages of this size.
    Walk {
        room: &'static str,
        reverse: bool,
        page: usize,
        from: i64,
        to: i64,
    },
}

#[derive(Clone, Debug)]
enum Command {
    Alone(Step),
    Transaction { steps: Vec<Step>, abort: bool },
    Tick(i64),
    Reopen,
}

fn note() -> impl Strategy<Value = Note> {
    let optional = |to: i64| prop::option::of((0..to).prop_map(Timestamp::from_millis));
    (
        (prop::sample::select(&ROOMS[..]), 0..6_u32, 0..4_i64),
        prop::option::of(prop::sample::select(&TAGS[..])),
        prop::collection::vec(prop::sample::select(&TAGS[..]), 0..3),
        prop::option::weighted(0.3, prop::sample::select(&TAGS[..])),
        optional(5),
        prop::option::weighted(0.2, (1_000..1_030_i64).prop_map(Timestamp::from_millis)),
        "[a-z]{0,3}",
    )
        .prop_map(|((room, id, time), thread, tags, slug, done_at, expires_at, text)| Note {
            room: room.to_owned(),
            id,
            time: Timestamp::from_millis(time),
            thread: thread.map(str::to_owned),
            tags: tags.into_iter().map(str::to_owned).collect(),
            slug: slug.map(str::to_owned),
            done_at,
            expires_at,
            text,
        })
}

fn step() -> impl Strategy<Value = Step> {
    let room = || prop::sample::select(&ROOMS[..]);
    prop_oneof![
        4 => note().prop_map(Step::Put),
        3 => note().prop_map(Step::Insert),
        2 => note().prop_map(Step::Update),
        2 => (room(), 0..6_u32).prop_map(|(room, id)| Step::Delete(room, id)),
        1 => (room(), 0..5_i64).prop_map(|(room, before)| Step::DeleteBefore(room, before)),
        3 => (room(), any::<bool>(), 1..5_usize, -1..4_i64, -1..5_i64)
            .prop_map(|(room, reverse, page, from, to)| Step::Walk { room, reverse, page, from, to }),
    ]
}

fn command() -> impl Strategy<Value = Command> {
    prop_oneof![
        6 => step().prop_map(Command::Alone),
        3 => (prop::collection::vec(step(), 1..8), prop::bool::weighted(0.2))
            .prop_map(|(steps, abort)| Command::Transaction { steps, abort }),
        1 => (0..8_i64).prop_map(Command::Tick),
        1 => Just(Command::Reopen),
    ]
}

/// What the database must hold: the notes that live.
#[derive(Clone, Debug, Default)]
struct Model {
    notes: BTreeMap<(String, u32), Note>,
    now: i64,
}

/// What a step answers, the same from model and database.
#[derive(Debug, PartialEq)]
enum Answer {
    Written(Option<ErrorKind>),
    Deleted(u64),
    Walked(Vec<Note>),
}

impl Model {
    fn expire(&mut self) {
        let now = Timestamp::from_millis(self.now);
        self.notes.retain(|_, note| note.expires_at.is_none_or(|at| at > now));
    }

    fn apply(&mut self, step: &Step) -> Answer {
        let answer = match step {
            Step::Put(note) | Step::Insert(note) | Step::Update(note) => Answer::Written(self.write(step, note)),
            Step::Delete(room, id) => Answer::Deleted(self.notes.remove(&((*room).to_owned(), *id)).is_some().into()),
            Step::DeleteBefore(room, before) => {
                let kept = |note: &Note| note.room != *room || note.time >= Timestamp::from_millis(*before);
                let count = self.notes.len();
                self.notes.retain(|_, note| kept(note));
                Answer::Deleted((count - self.notes.len()) as u64)
            }
            Step::Walk { room, reverse, from, to, .. } => {
                let range = Timestamp::from_millis(*from)..Timestamp::from_millis(*to);
                let within = |note: &&Note| note.room == *room && range.contains(&note.time);
                let mut notes: Vec<Note> = self.notes.values().filter(within).cloned().collect();
                notes.sort_by_key(|note| (note.time, note.id));
                if *reverse {
                    notes.reverse();
                }
                Answer::Walked(notes)
            }
        };
        self.expire();
        answer
    }

    fn write(&mut self, step: &Step, note: &Note) -> Option<ErrorKind> {
        let key = (note.room.clone(), note.id);
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
}

fn written(result: Result<()>) -> Result<Answer> {
    match result {
        Ok(()) => Ok(Answer::Written(None)),
        Err(error) if error.is_already_exists() || error.is_not_found() => Ok(Answer::Written(Some(error.kind()))),
        Err(error) => Err(error),
    }
}

macro_rules! apply {
    ($name:ident, $source:ty) => {
        async fn $name(on: &$source, step: &Step) -> Result<Answer> {
            match step {
                Step::Put(note) => written(on.put(note).await),
                Step::Insert(note) => written(on.insert(note).await),
                Step::Update(note) => written(on.update(note).await),
                Step::Delete(room, id) => Ok(Answer::Deleted(on.delete(&Note::key(room, id)).await?.into())),
                Step::DeleteBefore(room, before) => {
                    let query = on.query(Note::BY_TIME).equal(room).before(Timestamp::from_millis(*before));
                    Ok(Answer::Deleted(query.delete().await?))
                }
                Step::Walk { room, reverse, page, from, to } => {
                    let range = Timestamp::from_millis(*from)..Timestamp::from_millis(*to);
                    let query = on.query(Note::BY_TIME).equal(room).range(range).limit(*page);
                    let query = if *reverse { query.descending() } else { query };
                    let mut notes = Vec::new();
                    let mut next = None;
                    loop {
                        let query = query.clone();
                        let query = if let Some(next) = next { query.after(next) } else { query };
                        let page = query.page().await?;
                        notes.extend(page.records);
                        match page.next {
                            Some(cursor) => next = Some(cursor),
                            None => return Ok(Answer::Walked(notes)),
                        }
                    }
                }
            }
        }
    };
}

apply!(apply_alone, Database);
apply!(apply_within, Transaction);

async fn check(engine: Engine, commands: Vec<Command>) {
    let place = Place::new(engine);
    let mut model = Model { now: 1_000, ..Model::default() };
    let mut db = place.open().await;
    for command in commands {
        match &command {
            Command::Alone(step) => assert_eq!(apply_alone(&db, step).await.unwrap(), model.apply(step), "{command:?}"),
            Command::Transaction { steps, abort } => {
                let mut after = model.clone();
                let expected: Vec<Answer> = steps.iter().map(|step| after.apply(step)).collect();
                let result = db
                    .write(|tx| async move {
                        let mut answers = Vec::new();
                        for step in steps {
                            answers.push(apply_within(&tx, step).await?);
                        }
                        if *abort { Err(strongroom::Error::application(std::fmt::Error)) } else { Ok(answers) }
                    })
                    .await;
                if *abort {
                    assert_eq!(result.unwrap_err().kind(), ErrorKind::Application);
                } else {
                    assert_eq!(result.unwrap(), expected, "{command:?}");
                    model = after;
                }
            }
            Command::Tick(millis) => {
                model.now += millis;
                model.expire();
                place.clock.set(Timestamp::from_millis(model.now));
            }
            Command::Reopen => {
                place.close(db).await;
                db = place.open().await;
            }
        }
    }
    compare(&db, &model).await;
    place.close(db).await;
    compare(&place.open().await, &model).await;
}

/// Every record and every index, whole.
async fn compare(db: &Database, model: &Model) {
    assert_eq!(db.count::<Note>().await.unwrap(), model.notes.len() as u64);
    let all = db.query(Note::PRIMARY).limit(1_000).page().await.unwrap().records;
    assert_eq!(all, model.notes.values().cloned().collect::<Vec<_>>());
    let select = |keep: &dyn Fn(&Note) -> bool| -> Vec<(String, u32)> {
        model.notes.values().filter(|note| keep(note)).map(|note| (note.room.clone(), note.id)).collect()
    };
    let keys = |notes: Vec<Note>| -> Vec<(String, u32)> {
        let mut keys: Vec<_> = notes.into_iter().map(|note| (note.room, note.id)).collect();
        keys.sort();
        keys
    };
    for text in TAGS {
        let found = db.query(Note::TAG).equal(text).limit(1_000).page().await.unwrap().records;
        assert_eq!(keys(found), select(&|note| note.tags.iter().any(|tag| tag == text)));
        let found = db.query(Note::SLUG).equal(text).page().await.unwrap().records;
        assert_eq!(keys(found), select(&|note| note.slug.as_deref() == Some(text)));
        for room in ROOMS {
            let found = db.query(Note::THREAD).equal(room).equal(text).limit(1_000).page().await.unwrap().records;
            assert_eq!(keys(found), select(&|note| note.room == room && note.thread.as_deref() == Some(text)));
        }
    }
    for room in ROOMS {
        let found = db.query(Note::OPEN).equal(room).limit(1_000).page().await.unwrap().records;
        assert_eq!(keys(found), select(&|note| note.room == room && note.done_at.is_none()));
    }
    assert_sound(db).await;
}

#[test]
fn the_database_is_a_map_with_indexes() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    for engine in ENGINES {
        let cases = if engine == Engine::Memory { 300 } else { 40 };
        let config = ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() };
        let mut runner = proptest::test_runner::TestRunner::new(config);
        let commands = prop::collection::vec(command(), 1..60);
        let outcome = runner.run(&commands, |commands| {
            runtime.block_on(check(engine, commands));
            Ok(())
        });
        if let Err(failure) = outcome {
            panic!("{engine:?}: {failure}");
        }
    }
}
