//! Ids and names of indexes.

use strongroom_core::Record;

#[derive(Record)]
#[record(id = 1, name = "records", key(id))]
#[index(id = 0, name = "zero", on(id))]
struct IdZero {
    id: u64,
}

#[derive(Record)]
#[record(id = 1, name = "records", key(id))]
#[index(id = 255, name = "expiry_index", on(id))]
struct IdOfTheFramework {
    id: u64,
}

#[derive(Record)]
#[record(id = 1, name = "records", key(id), removed_indexes(4, 4))]
#[index(id = 1, name = "one", on(id))]
#[index(id = 1, name = "other", on(id))]
#[index(id = 2, name = "one", on(id))]
#[index(id = 4, name = "removed", on(id))]
struct Shared {
    id: u64,
}

#[derive(Record)]
#[record(id = 1, name = "records", key(id))]
#[index(id = 1, name = "expires_at", on(id))]
#[index(id = 2, name = "by-id", on(id))]
#[index(id = 3, name = "ById", on(id))]
struct Names {
    id: u64,
}

#[derive(Record)]
#[record(id = 1, name = "records", key(id))]
#[index(name = "no_id", on(id))]
struct NoId {
    id: u64,
}

#[derive(Record)]
#[record(id = 1, name = "records", key(id))]
#[index(id = 1, on(id))]
struct NoName {
    id: u64,
}

#[derive(Record)]
#[record(id = 1, name = "records", key(id))]
#[index(id = 1, name = "no_components")]
struct NoComponents {
    id: u64,
}

#[derive(Record)]
#[record(id = 1, name = "records", key(id))]
#[index(id = 1, name = "once", on(id), unique, unique)]
struct UniqueTwice {
    id: u64,
}

#[derive(Record)]
#[record(id = 1, name = "records", key(id))]
#[index(id = 1, name = "sparse", on(id), sparse)]
struct UnknownOption {
    id: u64,
}

fn main() {}
