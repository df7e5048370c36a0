//! What can be a record and what a component.

use strongroom_core::{Component, Record};

#[derive(Record)]
#[record(id = 1, name = "records", key(id))]
enum Enum {
    Variant { id: u64 },
}

#[derive(Record)]
#[record(id = 1, name = "records", key(id))]
struct Tuple(u64);

#[derive(Record)]
#[record(id = 1, name = "records", key(id))]
struct Generic<T> {
    id: T,
}

#[derive(Component)]
struct Named {
    id: u64,
}

#[derive(Component)]
struct Pair(u64, u64);

#[derive(Component)]
enum Choice {
    One,
}

#[derive(Component)]
struct Wrapper<T>(T);

fn main() {}
