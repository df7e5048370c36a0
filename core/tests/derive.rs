//! What `#[derive(Record)]` and `#[derive(Component)]` write.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use strongroom::key::{Components, Kind};
use strongroom::schema::{
    Collection, ComponentDef, EXPIRY_INDEX_ID, Exact, Index, IndexDef, IndexRef, Key, Ordered, Presence, Role,
};
use strongroom::{Component, Record, Timestamp};

#[derive(Component, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct RoomId(String);

#[derive(Component, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Alias(RoomId);

#[derive(Record, Clone, Serialize, Deserialize)]
#[record(id = 7, name = "rooms", key(room_id, r#type: ordered), expires = expires_at, removed_indexes(3, 254))]
#[index(id = 1, name = "creator", on(creator, created_at: ordered))]
#[index(id = 2, name = "alias", on(aliases: multi), unique)]
#[index(id = 9, name = "open_since", on(room_id, created_at: ordered), while_absent = closed_at)]
#[index(id = 5, name = "tag", on(topic, tags: multi ordered, room_id))]
struct Room {
    room_id: RoomId,
    r#type: String,
    creator: Option<String>,
    created_at: Timestamp,
    aliases: Vec<Alias>,
    tags: Option<BTreeSet<u32>>,
    topic: Option<RoomId>,
    closed_at: Option<Timestamp>,
    expires_at: Option<Timestamp>,
}

fn room() -> Room {
    Room {
        room_id: RoomId("!a".to_owned()),
        r#type: "m.space".to_owned(),
        creator: Some("@eve".to_owned()),
        created_at: Timestamp::from_millis(5),
        aliases: vec![Alias(RoomId("#x".to_owned())), Alias(RoomId("#y".to_owned()))],
        tags: Some(BTreeSet::from([8, 4])),
        topic: Some(RoomId("t".to_owned())),
        closed_at: None,
        expires_at: Some(Timestamp::from_millis(9)),
    }
}

/// The entries of a record in an index, each as its components' encodings.
fn entries<R: strongroom::Record>(record: &R, index: IndexRef) -> Vec<Vec<Vec<u8>>> {
    let mut entries = Vec::new();
    let mut scratch = Components::new();
    scratch.push::<u64>(&77); // what an earlier use left
    record.index_entries(index, &mut scratch, &mut |entry| entries.push(entry.iter().map(<[u8]>::to_vec).collect()));
    entries
}

fn encoded<C: strongroom::key::Component>(value: &C::Borrowed) -> Vec<u8> {
    let mut bytes = Vec::new();
    C::encode(value, &mut bytes);
    bytes
}

fn text(value: &str) -> Vec<u8> {
    encoded::<String>(value)
}

fn time(millis: i64) -> Vec<u8> {
    encoded::<Timestamp>(&Timestamp::from_millis(millis))
}

const fn component(field: &'static str, kind: Kind, role: Role, presence: Presence) -> ComponentDef {
    ComponentDef { field, kind, role, presence }
}

#[test]
fn the_definition_says_what_the_attributes_say() {
    let room_id = component("room_id", Kind::String, Role::Exact, Presence::Required);
    let created_at = component("created_at", Kind::Timestamp, Role::Ordered, Presence::Required);
    let index = |id, name, components: Vec<ComponentDef>, unique, while_absent| IndexDef {
        id,
        name,
        components: components.leak(),
        unique,
        while_absent,
    };
    let creator = component("creator", Kind::String, Role::Exact, Presence::Optional);
    let alias = component("aliases", Kind::String, Role::Exact, Presence::Multi);
    let topic = component("topic", Kind::String, Role::Exact, Presence::Optional);
    let tags = component("tags", Kind::U32, Role::Ordered, Presence::Multi);
    let expiry = component("expires_at", Kind::Timestamp, Role::Ordered, Presence::Optional);
    let expiry = Box::leak(Box::new(index(EXPIRY_INDEX_ID, "expires_at", vec![expiry], false, None)));
    let indexes = vec![
        index(1, "creator", vec![creator, created_at], false, None),
        index(2, "alias", vec![alias], true, None),
        index(9, "open_since", vec![room_id, created_at], false, Some("closed_at")),
        index(5, "tag", vec![topic, tags, room_id], false, None),
    ];
    let expected = Collection {
        id: 7,
        name: "rooms",
        key: vec![room_id, component("type", Kind::String, Role::Ordered, Presence::Required)].leak(),
        indexes: indexes.leak(),
        expiry: Some(expiry),
        removed_indexes: &[3, 254],
        uncached: false,
        changes: false,
    };
    assert_eq!(*Room::COLLECTION, expected);
}

#[test]
#[expect(clippy::type_complexity, reason = "the types are what is tested")]
fn constants_have_the_components_in_their_types() {
    let _: Index<Room, (Exact<RoomId>, (Ordered<String>, ()))> = Room::PRIMARY;
    let _: Index<Room, (Exact<String>, (Ordered<Timestamp>, ()))> = Room::CREATOR;
    let _: Index<Room, (Exact<Alias>, ())> = Room::ALIAS;
    let _: Index<Room, (Exact<RoomId>, (Ordered<Timestamp>, ()))> = Room::OPEN_SINCE;
    let _: Index<Room, (Exact<RoomId>, (Ordered<u32>, (Exact<RoomId>, ())))> = Room::TAG;
    let _: Index<Room, (Ordered<Timestamp>, ())> = Room::EXPIRY;
    let shown = [
        format!("{:?}", Room::PRIMARY),
        format!("{:?}", Room::CREATOR),
        format!("{:?}", Room::ALIAS),
        format!("{:?}", Room::OPEN_SINCE),
        format!("{:?}", Room::TAG),
        format!("{:?}", Room::EXPIRY),
    ];
    let expected = ["Index(Primary)", "Index(At(0))", "Index(At(1))", "Index(At(2))", "Index(At(3))", "Index(Expiry)"];
    assert_eq!(shown, expected);
}

#[test]
fn key_is_the_key_of_the_record() {
    let room = room();
    assert!(Room::key(&room.room_id, "m.space") == Key::of(&room));
    assert!(Room::key(&room.room_id, "m.spac") != Key::of(&room));
    assert_eq!(entries(&room, IndexRef::Primary), [[text("!a"), text("m.space")]]);
}

#[test]
fn an_optional_component_that_is_absent_gives_no_entry() {
    let mut room = room();
    assert_eq!(entries(&room, IndexRef::At(0)), [[text("@eve"), time(5)]]);
    room.creator = None;
    assert!(entries(&room, IndexRef::At(0)).is_empty());
}

#[test]
fn multi_gives_an_entry_for_each_element() {
    let mut room = room();
    assert_eq!(entries(&room, IndexRef::At(1)), [[text("#x")], [text("#y")]]);
    room.aliases.clear();
    assert!(entries(&room, IndexRef::At(1)).is_empty());
}

#[test]
fn multi_stands_among_other_components() {
    let mut room = room();
    let entry = |tag: u32| [text("t"), encoded::<u32>(&tag), text("!a")];
    assert_eq!(entries(&room, IndexRef::At(3)), [entry(4), entry(8)]);
    room.topic = None;
    assert!(entries(&room, IndexRef::At(3)).is_empty());
    room.topic = Some(RoomId("t".to_owned()));
    room.tags = None;
    assert!(entries(&room, IndexRef::At(3)).is_empty());
}

#[test]
fn while_absent_holds_a_record_only_until_the_field_is_set() {
    let mut room = room();
    assert_eq!(entries(&room, IndexRef::At(2)), [[text("!a"), time(5)]]);
    room.closed_at = Some(Timestamp::from_millis(6));
    assert!(entries(&room, IndexRef::At(2)).is_empty());
}

#[test]
fn expiry_is_known_and_indexed() {
    let mut room = room();
    assert_eq!(room.expires_at(), Some(Timestamp::from_millis(9)));
    assert_eq!(entries(&room, IndexRef::Expiry), [[time(9)]]);
    room.expires_at = None;
    assert_eq!(strongroom::Record::expires_at(&room), None);
    assert!(entries(&room, IndexRef::Expiry).is_empty());
}

#[test]
fn an_index_that_is_not_there_has_no_entries() {
    assert!(entries(&room(), IndexRef::At(4)).is_empty());
}

#[test]
fn a_new_type_is_encoded_as_what_it_holds() {
    let alias = Alias(RoomId("a\0b".to_owned()));
    assert_eq!(Alias::KIND, Kind::String);
    assert_eq!(encoded::<Alias>(&alias), text("a\0b"));
    assert_eq!(Option::<Alias>::KIND, Kind::OptionString);
    let bytes = encoded::<Alias>(&alias);
    let mut input = bytes.as_slice();
    assert_eq!(Alias::decode(&mut input).unwrap(), alias);
    assert!(input.is_empty());
}

mod without_imports {
    //! Nothing is in scope but what the record itself names; the standard names mean something else.

    #![allow(dead_code, non_camel_case_types)]

    type None = ();
    type Some = ();
    type Ok = ();
    struct Vec;
    struct Result;
    mod core {}
    mod std {}

    #[derive(::strongroom_core::Component, ::serde::Serialize, ::serde::Deserialize)]
    #[component(crate = ::strongroom_core)]
    pub(super) struct Number(pub(super) u32);

    #[derive(::strongroom_core::Record, ::serde::Serialize, ::serde::Deserialize)]
    #[record(crate = ::strongroom_core, id = 1, name = "typing", key(components, index), expires = until)]
    #[index(id = 1, name = "scratch", on(scratch: multi))]
    pub(super) struct Typing {
        pub(super) components: Number,
        /// An `Option` in a primary key is a value like any other.
        pub(super) index: ::std::option::Option<Number>,
        pub(super) scratch: ::std::vec::Vec<Number>,
        pub(super) until: ::strongroom_core::Timestamp,
    }
}

#[test]
fn the_code_needs_no_imports_and_takes_another_crate_path() {
    use without_imports::{Number, Typing};
    let until = Timestamp::from_millis(3);
    let typing = Typing { components: Number(1), index: None, scratch: vec![Number(2)], until };
    assert!(Typing::key(&Number(1), &None) == Key::of(&typing));
    assert!(Typing::key(&Number(1), &Some(Number(0))) != Key::of(&typing));
    assert_eq!(entries(&typing, IndexRef::Primary), [[vec![0, 0, 0, 1], vec![0]]]);
    assert_eq!(entries(&typing, IndexRef::At(0)), [[vec![0, 0, 0, 2]]]);
    assert_eq!(entries(&typing, IndexRef::Expiry), [[time(3)]]);
    assert_eq!(Typing::COLLECTION.key[1].kind, Kind::OptionU32);
    assert_eq!(Typing::COLLECTION.key[1].presence, Presence::Required);
    assert_eq!(Typing::COLLECTION.expiry.map(|index| index.components[0].presence), Some(Presence::Required));
}

macro_rules! declared {
    ($name:ident { $($field:ident: $type:ty),* }) => {
        #[derive(Record, Serialize, Deserialize)]
        #[record(id = 2, name = "declared", key(id), expires = until)]
        #[index(id = 1, name = "optional", on(optional))]
        struct $name { until: Option<Timestamp>, $($field: $type),* }
    };
}

declared!(Declared { id: u64, optional: Option<bool> });

#[test]
fn a_record_can_come_from_a_macro() {
    let record = Declared { until: None, id: 1, optional: Some(true) };
    assert_eq!(entries(&record, IndexRef::At(0)), [[vec![1]]]);
    assert_eq!(Declared::COLLECTION.indexes[0].components[0].presence, Presence::Optional);
}
