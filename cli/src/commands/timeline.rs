//! `timeline ROOM`

use serde::Serialize;
use strongroom::matrix::Message;
use strongroom::{Cursor, Database};

use super::message;
use crate::arguments::Timeline;
use crate::failure::{Failure, Result};
use crate::moment;
use crate::output::{Format, Output};

#[derive(Serialize)]
struct Page {
    messages: Vec<Message>,
    next: Option<Cursor>,
}

pub(crate) async fn run(db: &Database, arguments: &Timeline, output: &mut Output) -> Result<()> {
    let room = super::known_room(db, &arguments.room).await?;
    let query = db.query(Message::ROOM_TIMESTAMP).equal(&room).newest_first().limit(arguments.limit);
    let query = match &arguments.before {
        None => query,
        Some(text) => match moment::parse(text) {
            Ok(time) => query.before(time),
            Err(not_a_time) => {
                let cursor = text
                    .parse::<Cursor>()
                    .map_err(|_| Failure::WrongUse(format!("{not_a_time}, or the cursor that a page gave")))?;
                query.after(cursor)
            }
        },
    };
    let page = query.page().await?;
    if output.format == Format::Json {
        return output.json(&Page { messages: page.records, next: page.next });
    }
    output.table(message::HEADER, page.records.iter().map(message::row).collect())?;
    match page.next {
        Some(next) => output.note(format!("older messages: the same command with --before {next}")),
        None => Ok(()),
    }
}
