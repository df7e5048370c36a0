//! What is in the stores of each format: every kind of component, index and value.

use serde::{Deserialize, Serialize};
use strongroom::schema::Migration;
use strongroom::{Json, Record, Schema, Timestamp};

#[derive(Clone, Debug, PartialEq, Eq, Record, Serialize, Deserialize)]
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
    pub(crate) content: Json,
}

#[derive(Clone, Debug, PartialEq, Eq, Record, Serialize, Deserialize)]
#[record(id = 2, name = "counters", key(name, sub))]
#[index(id = 1, name = "value", on(value: ordered, flag))]
pub(crate) struct Counter {
    pub(crate) name: String,
    pub(crate) sub: Option<i32>,
    pub(crate) value: i64,
    pub(crate) flag: bool,
}

pub(crate) fn schema() -> Schema {
    Schema::builder("fixture", 1).collection::<Note>().collection::<Counter>().build().unwrap()
}

/// A counter as the second version of the schema has it: a field that is in an index has another name, one is added, and an index over it.
#[derive(Clone, Debug, PartialEq, Eq, Record, Serialize, Deserialize)]
#[record(id = 2, name = "counters", key(name, sub))]
#[index(id = 1, name = "number", on(number: ordered, flag))]
#[index(id = 2, name = "parity", on(parity, number: ordered))]
pub(crate) struct CounterV2 {
    pub(crate) name: String,
    pub(crate) sub: Option<i32>,
    pub(crate) number: i64,
    pub(crate) flag: bool,
    pub(crate) parity: String,
}

pub(crate) fn to_v2(Counter { name, sub, value: number, flag }: Counter) -> strongroom::Result<CounterV2> {
    Ok(CounterV2 { name, sub, number, flag, parity: format!("{}", number.rem_euclid(2)) })
}

pub(crate) fn schema_v2() -> Schema {
    let schema = Schema::builder("fixture", 2).collection::<Note>().collection::<CounterV2>();
    schema.migration(Migration::to(2).rewrite(to_v2)).build().unwrap()
}

/// A time so late that nothing expires before it.
const LATE: i64 = 32_503_680_000_000;

pub(crate) fn notes() -> Vec<Note> {
    let note = |id: u32| Note {
        room: format!("!room{}\u{0}\u{1}é:example.org", id % 3),
        id,
        time: Timestamp::from_millis(i64::from(id) * 1_000 - 5_000),
        thread: id.is_multiple_of(2).then(|| format!("$thread{}", id % 4)),
        tags: (0..id % 4).map(|tag| format!("tag {tag}")).collect(),
        slug: (!id.is_multiple_of(5)).then(|| format!("slug-{id}")),
        done_at: id.is_multiple_of(3).then(|| Timestamp::from_millis(i64::from(id))),
        expires_at: id.is_multiple_of(7).then(|| Timestamp::from_millis(LATE + i64::from(id))),
        content: format!(r#"{{ "body":"note {id}",  "n": [1, 2.50, null] }}"#).parse().unwrap(),
    };
    (0..40).map(note).collect()
}

pub(crate) fn counters() -> Vec<Counter> {
    let counter = |n: i32| Counter {
        name: format!("counter {}", n % 5),
        sub: (n >= 5).then_some(n - 7),
        value: i64::from(n) * i64::from(i32::MAX) - 9,
        flag: n % 2 == 1,
    };
    (0..10).map(counter).collect()
}
