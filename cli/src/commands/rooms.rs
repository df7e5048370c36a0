//! `rooms`

use futures_util::TryStreamExt;
use serde::Serialize;
use strongroom::Database;
use strongroom::matrix::Room;

use crate::failure::Result;
use crate::moment;
use crate::output::{Format, Output};
use crate::text::count;

#[derive(Serialize)]
struct Rooms {
    rooms: Vec<Room>,
}

pub(crate) async fn run(db: &Database, output: &mut Output) -> Result<()> {
    let mut rooms: Vec<Room> = db.query(Room::PRIMARY).stream().try_collect().await?;
    rooms.sort_by(|a, b| b.last_event.cmp(&a.last_event).then_with(|| a.room_id.cmp(&b.room_id)));
    if output.format == Format::Json {
        return output.json(&Rooms { rooms });
    }
    let row = |room: &Room| {
        [
            room.room_id.to_string(),
            room.membership.to_string(),
            count(room.member_count),
            moment::show(room.last_event),
            room.aliases.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "),
        ]
    };
    output.table(["ROOM", "MEMBERSHIP", "MEMBERS", "LAST EVENT", "ALIASES"], rooms.iter().map(row).collect())
}
