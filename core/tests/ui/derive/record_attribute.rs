//! What `#[record(..)]` must and may say.

use strongroom_core::Record;

#[derive(Record)]
struct NoAttribute {
    id: u64,
}

#[derive(Record)]
#[record(name = "records", key(id))]
struct NoId {
    id: u64,
}

#[derive(Record)]
#[record(id = 1, key(id))]
struct NoName {
    id: u64,
}

#[derive(Record)]
#[record(id = 1, name = "records")]
struct NoKey {
    id: u64,
}

#[derive(Record)]
#[record(id = 1, name = "records", key())]
struct EmptyKey {
    id: u64,
}

#[derive(Record)]
#[record(id = 0, name = "records", key(id))]
struct IdZero {
    id: u64,
}

#[derive(Record)]
#[record(id = 65536, name = "records", key(id))]
struct IdTooLarge {
    id: u64,
}

#[derive(Record)]
#[record(id = 1, name = "", key(id))]
struct EmptyName {
    id: u64,
}

#[derive(Record)]
#[record(id = 1, name = "records", id = 2, key(id))]
struct IdTwice {
    id: u64,
}

#[derive(Record)]
#[record(id = 1, name = "records", key(id), compressed)]
struct UnknownOption {
    id: u64,
}

#[derive(Record)]
#[record(id = 1, name = "records", key(id))]
#[record(id = 2, name = "others", key(id))]
struct TwoAttributes {
    id: u64,
}

fn main() {}
