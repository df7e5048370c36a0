//! The records of the histories.

use serde::{Deserialize, Serialize};
use std::sync::Arc;
use strongroom_core::store::Store;
use strongroom_core::{Clock, Database, Record, Schema, Timestamp};

use crate::Checked;

/// A record with every kind of index that there is.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Record, Serialize, Deserialize)]
#[record(id = 1, name = "notes", key(room, id), expires = expires_at)]
#[index(id = 1, name = "by_time", on(room, time: ordered))]
#[index(id = 2, name = "thread", on(room, thread, time: ordered))]
#[index(id = 3, name = "tag", on(tags: multi))]
#[index(id = 4, name = "slug", on(slug), unique)]
#[index(id = 5, name = "open", on(room, time: ordered), while_absent = done_at)]
pub(crate) struct Note {
    pub(crate) room: String,
    pub(crate) id: u32,
    pub(crate) time: Timestamp,
    pub(crate) thread: Option<String>,
    pub(crate) tags: Vec<String>,
    pub(crate) slug: Option<String>,
    pub(crate) done_at: Option<Timestamp>,
    pub(crate) expires_at: Option<Timestamp>,
    pub(crate) text: String,
}

/// A record that never expires, so that its index is counted without being read.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Record, Serialize, Deserialize)]
#[record(id = 2, name = "counters", key(name))]
#[index(id = 1, name = "group", on(group, value: ordered))]
#[index(id = 2, name = "badge", on(badge), unique)]
pub(crate) struct Counter {
    pub(crate) name: String,
    pub(crate) group: String,
    pub(crate) value: i64,
    pub(crate) badge: Option<String>,
}

impl Counter {
    pub(crate) fn new(name: &str, value: i64) -> Counter {
        Counter { name: name.to_owned(), group: "all".to_owned(), value, badge: None }
    }

    pub(crate) fn within(self, group: &str) -> Counter {
        Counter { group: group.to_owned(), ..self }
    }
}

/// A database of these records over a store.
pub(crate) async fn database(store: &Arc<dyn Store>, clock: Arc<dyn Clock>) -> Checked<Database> {
    let schema = Schema::builder("histories", 1).collection::<Note>().collection::<Counter>().build()?;
    Ok(Database::builder(schema).clock(clock).open(store.clone()).await?)
}

/// Says what is wrong with rows and entries, if anything is.
pub(crate) async fn ensure_sound(db: &Database) -> Checked {
    let problems = db.verify().await?.problems;
    crate::ensure!(problems.is_empty(), "verify found {problems:?}");
    Ok(())
}
