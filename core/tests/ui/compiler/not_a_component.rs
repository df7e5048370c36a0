//! A field whose type is no component: the error points at the field's type.

use serde::{Deserialize, Serialize};
use strongroom_core::{Component, Record, Timestamp};

#[derive(Serialize, Deserialize)]
struct Plain(String);

#[derive(Record, Serialize, Deserialize)]
#[record(crate = strongroom_core, id = 1, name = "records", key(id))]
#[index(id = 1, name = "score", on(score: ordered))]
struct Scored {
    id: Plain,
    score: Option<char>,
}

#[derive(Component)]
#[component(crate = strongroom_core)]
struct Letter(char);

#[derive(Record, Serialize, Deserialize)]
#[record(crate = strongroom_core, id = 2, name = "expiring", key(id), expires = until)]
struct Expiring {
    id: u64,
    until: u64,
    at: Timestamp,
}

fn main() {}
