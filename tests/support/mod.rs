//! What the tests of the typed database share: a record with every kind of index, and stores to keep it on.
#![allow(dead_code, unreachable_pub, reason = "each test file uses its part")]

pub mod failing;
pub mod racing;

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use strongroom::store::Store;
use strongroom::{Database, ManualClock, Record, Schema, Timestamp};

/// A record with every kind of index that there is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Record, Serialize, Deserialize)]
#[record(id = 1, name = "notes", key(room, id), expires = expires_at)]
#[index(id = 1, name = "by_time", on(room, time: ordered))]
#[index(id = 2, name = "thread", on(room, thread, time: ordered))]
#[index(id = 3, name = "tag", on(tags: multi))]
#[index(id = 4, name = "slug", on(slug), unique)]
#[index(id = 5, name = "open", on(room, time: ordered), while_absent = done_at)]
pub struct Note {
    pub room: String,
    pub id: u32,
    pub time: Timestamp,
    pub thread: Option<String>,
    pub tags: Vec<String>,
    pub slug: Option<String>,
    pub done_at: Option<Timestamp>,
    pub expires_at: Option<Timestamp>,
    pub text: String,
}

impl Note {
    pub fn new(room: &str, id: u32, time: i64) -> Note {
        Note {
            room: room.to_owned(),
            id,
            time: Timestamp::from_millis(time),
            thread: None,
            tags: Vec::new(),
            slug: None,
            done_at: None,
            expires_at: None,
            text: format!("note {id}"),
        }
    }
}

/// A counter, for transactions that read and write back.
#[derive(Clone, Debug, PartialEq, Eq, Record, Serialize, Deserialize)]
#[record(id = 2, name = "counters", key(name))]
#[index(id = 1, name = "group", on(group, value: ordered))]
pub struct Counter {
    pub name: String,
    pub group: String,
    pub value: i64,
}

impl Counter {
    pub fn new(name: &str, value: i64) -> Counter {
        Counter { name: name.to_owned(), group: "all".to_owned(), value }
    }
}

pub fn schema() -> Schema {
    Schema::builder("test", 1).collection::<Note>().collection::<Counter>().build().unwrap()
}

/// The engines that every test of the typed database runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    Memory,
    Redb,
}

pub const ENGINES: [Engine; 2] = [Engine::Memory, Engine::Redb];

/// A store that can be closed and opened again.
pub struct Place {
    folder: tempfile::TempDir,
    engine: Engine,
    memory: Arc<dyn Store>,
    pub clock: Arc<ManualClock>,
}

impl Place {
    pub fn new(engine: Engine) -> Place {
        let folder = tempfile::tempdir().unwrap();
        let memory = Arc::new(strongroom_memory::Memory::new());
        Place { folder, engine, memory, clock: Arc::new(ManualClock::new(Timestamp::from_millis(1_000))) }
    }

    /// The store. Of a durable engine, opened from its file.
    pub async fn store(&self) -> Arc<dyn Store> {
        match self.engine {
            Engine::Memory => self.memory.clone(),
            Engine::Redb => Arc::new(strongroom_redb::Redb::open(self.folder.path().join("test.redb")).unwrap()),
        }
    }

    pub async fn open_with(&self, schema: Schema) -> strongroom::Result<Database> {
        Database::builder(schema).clock(self.clock.clone()).open(self.store().await).await
    }

    pub async fn open(&self) -> Database {
        self.open_with(schema()).await.unwrap()
    }

    /// Closes what is open where that is needed to open it again.
    pub async fn close(&self, db: Database) {
        if self.engine == Engine::Redb {
            db.close().await.unwrap();
        }
    }
}

pub async fn assert_sound(db: &Database) {
    let verification = db.verify().await.unwrap();
    assert!(verification.problems.is_empty(), "{:?}", verification.problems);
}
