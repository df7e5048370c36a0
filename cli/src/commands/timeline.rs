//! `timeline ROOM`

use serde::Serialize;
use strongroom::matrix::Message;
use strongroom::{Cursor, Database, Timestamp};

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

/// Where a page ends.
enum Before {
    Time(Timestamp),
    Cursor(Cursor),
}

fn before(text: &str) -> Result<Before> {
    moment::parse(text).map(Before::Time).or_else(|not_a_time| {
        let cursor = text.parse().map(Before::Cursor);
        cursor.map_err(|_| Failure::WrongUse(format!("{not_a_time}, or the cursor that a page gave")))
    })
}

pub(crate) async fn run(db: &Database, arguments: &Timeline, output: &mut Output) -> Result<()> {
    // First what was typed, then what is stored.
    let before = arguments.before.as_deref().map(before).transpose()?;
    let room = super::known_room(db, &arguments.room).await?;
    let query = db.query(Message::ROOM_TIMESTAMP).equal(&room).newest_first().limit(arguments.limit);
    let query = match before {
        None => query,
        Some(Before::Time(time)) => query.before(time),
        Some(Before::Cursor(cursor)) => query.after(cursor),
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
