//! Errors about fields name the field and point at it.

use strongroom_core::{Record, Timestamp};

#[derive(Record)]
#[record(id = 1, name = "records", key(id, room), expires = until)]
#[index(id = 1, name = "sender", on(sendr))]
#[index(id = 2, name = "open", on(id), while_absent = closed)]
struct Unknown {
    id: u64,
    sender: String,
}

#[derive(Record)]
#[record(id = 1, name = "records", key(id, id))]
#[index(id = 1, name = "sender", on(sender, sender: ordered))]
struct Repeated {
    id: u64,
    sender: String,
}

#[derive(Record)]
#[record(id = 1, name = "records", key(names: multi))]
#[index(id = 1, name = "both", on(names: multi, more: multi))]
#[index(id = 2, name = "single", on(single: multi))]
#[index(id = 3, name = "maybe", on(maybe: multi))]
struct Multi {
    names: Vec<String>,
    more: Vec<String>,
    single: String,
    maybe: Option<String>,
}

#[derive(Record)]
#[record(id = 1, name = "records", key(id))]
#[index(id = 1, name = "required", on(id), while_absent = required)]
#[index(id = 2, name = "itself", on(closed), while_absent = closed)]
struct WhileAbsent {
    id: u64,
    required: Timestamp,
    closed: Option<Timestamp>,
}

#[derive(Record)]
#[record(id = 1, name = "records", key(id: sorted))]
struct UnknownRole {
    id: u64,
}

#[derive(Record)]
#[record(id = 1, name = "records", key(id: ordered ordered))]
struct RoleTwice {
    id: u64,
}

fn main() {}
