//! A schema with every kind of index, and records whose every field is told from all else.

#![allow(clippy::duplicated_attributes, reason = "the lint takes two `index` attributes of a record for one")]

use serde::{Deserialize, Serialize};
use strongroom_core::key::Components;
use strongroom_core::{Record, Schema, Timestamp};

/// Stands in all names and texts, and so must stand nowhere in the file.
pub(crate) const CANARY: &str = "canary";

#[derive(Clone, Serialize, Deserialize, Record)]
#[record(id = 7, name = "canary_visits", key(canary_house, canary_guest, canary_visit), expires = canary_leaves)]
#[index(id = 1, name = "canary_by_guest", on(canary_guest, canary_arrived: ordered))]
#[index(id = 2, name = "canary_ticket", on(canary_ticket), unique)]
#[index(id = 3, name = "canary_tags", on(canary_house, canary_tags: multi))]
#[index(id = 4, name = "canary_vips", on(canary_house, canary_vip))]
#[index(id = 5, name = "canary_room", on(canary_room))]
#[index(id = 6, name = "canary_present", on(canary_house, canary_guest), while_absent = canary_left)]
#[index(id = 8, name = "canary_door", on(canary_door: ordered, canary_house))]
#[index(id = 9, name = "canary_again", on(canary_guest, canary_house, canary_visit))]
pub(crate) struct Visit {
    pub(crate) canary_house: String,
    pub(crate) canary_guest: String,
    pub(crate) canary_visit: u64,
    pub(crate) canary_arrived: Timestamp,
    pub(crate) canary_ticket: String,
    pub(crate) canary_tags: Vec<String>,
    pub(crate) canary_vip: bool,
    pub(crate) canary_room: Option<String>,
    pub(crate) canary_left: Option<Timestamp>,
    pub(crate) canary_door: u32,
    pub(crate) canary_leaves: Option<Timestamp>,
    pub(crate) canary_note: String,
}

/// Has the same guests, under a key that begins as an index of the visits does.
#[derive(Clone, Serialize, Deserialize, Record)]
#[record(id = 8, name = "canary_guests", key(canary_guest))]
#[index(id = 1, name = "canary_by_guest", on(canary_guest))]
pub(crate) struct Guest {
    pub(crate) canary_guest: String,
}

pub(crate) fn schema() -> Schema {
    Schema::builder("canary_guests", 1).collection::<Visit>().collection::<Guest>().build().unwrap()
}

impl Visit {
    /// The encodings of a field's values, as a component.
    pub(crate) fn encoded(&self, field: &str) -> Vec<Vec<u8>> {
        fn one(push: impl FnOnce(&mut Components)) -> Vec<u8> {
            let mut components = Components::new();
            push(&mut components);
            components.as_bytes().to_vec()
        }
        fn text(text: &str) -> Vec<u8> {
            one(|to| to.push::<String>(text))
        }
        fn time(time: &Timestamp) -> Vec<u8> {
            one(|to| to.push::<Timestamp>(time))
        }
        match field {
            "canary_house" => vec![text(&self.canary_house)],
            "canary_guest" => vec![text(&self.canary_guest)],
            "canary_visit" => vec![one(|to| to.push::<u64>(&self.canary_visit))],
            "canary_arrived" => vec![time(&self.canary_arrived)],
            "canary_ticket" => vec![text(&self.canary_ticket)],
            "canary_tags" => self.canary_tags.iter().map(|tag| text(tag)).collect(),
            "canary_vip" => vec![one(|to| to.push::<bool>(&self.canary_vip))],
            "canary_room" => self.canary_room.iter().map(|room| text(room)).collect(),
            "canary_left" => self.canary_left.iter().map(time).collect(),
            "canary_door" => vec![one(|to| to.push::<u32>(&self.canary_door))],
            "canary_leaves" => self.canary_leaves.iter().map(time).collect(),
            _ => panic!("{field} is in no key of {}", Visit::COLLECTION.name),
        }
    }
}

/// Visits of four guests to three houses, so that most values occur in several records.
pub(crate) fn visits() -> Vec<Visit> {
    let canary = |what: &str, number: u64| format!("{CANARY}-{what}-{number}");
    let visit = |number: u64| Visit {
        canary_house: canary("house", number % 3),
        canary_guest: canary("guest", number % 4),
        // Eight bytes that occur nowhere by chance.
        canary_visit: 0xC0FF_EEC0_FFEE_0000 + number / 2,
        canary_arrived: Timestamp::from_millis(1_714_564_800_000 + (number / 2) as i64),
        canary_ticket: canary("ticket", number),
        canary_tags: (0..number % 3).map(|tag| canary("tag", tag)).collect(),
        canary_vip: number % 5 == 0,
        canary_room: (number % 2 == 0).then(|| canary("room", number % 4)),
        canary_left: (number % 4 == 1).then(|| Timestamp::from_millis(1_814_564_800_000 + number as i64)),
        canary_door: 0xD00B_0000 + (number % 2) as u32,
        canary_leaves: (number % 3 != 0).then(|| Timestamp::from_millis(4_102_444_800_000 + number as i64)),
        canary_note: canary("note", number).repeat(1 + (number as usize % 7) * 9),
    };
    (0..24).map(visit).collect()
}
