//! `delete-before TIME [--room ROOM]`

use futures_util::TryStreamExt;
use serde::Serialize;
use strongroom::matrix::{Message, Room, RoomId};
use strongroom::{Database, Timestamp};

use crate::arguments::DeleteBefore;
use crate::failure::{Failure, Result};
use crate::moment;
use crate::output::{Format, Output};
use crate::text::counted;

#[derive(Serialize)]
struct Deleted {
    deleted: u64,
}

/// The time that was given.
pub(crate) fn time(arguments: &DeleteBefore) -> Result<Timestamp> {
    moment::parse(&arguments.time).map_err(Failure::WrongUse)
}

pub(crate) async fn run(db: &Database, arguments: &DeleteBefore, output: &mut Output) -> Result<()> {
    let time = time(arguments)?;
    let deleted = match &arguments.room {
        Some(room) => in_room(db, &super::known_room(db, room).await?, time).await?,
        None => everywhere(db, time).await?,
    };
    match output.format {
        Format::Json => output.json(&Deleted { deleted }),
        Format::Table => {
            output.line(format!("{} from before {} deleted", counted(deleted, "message"), moment::show(time)))
        }
    }
}

/// Room by room, since the index of times is one of each room.
async fn everywhere(db: &Database, time: Timestamp) -> Result<u64> {
    let mut rooms = std::pin::pin!(db.query(Room::PRIMARY).stream());
    let mut deleted = 0;
    while let Some(room) = rooms.try_next().await? {
        deleted += in_room(db, &room.room_id, time).await?;
    }
    Ok(deleted)
}

async fn in_room(db: &Database, room: &RoomId, time: Timestamp) -> Result<u64> {
    Ok(db.query(Message::ROOM_TIMESTAMP).equal(room).before(time).delete().await?)
}
