//! `export ROOM`

use std::pin::pin;

use futures_util::TryStreamExt;
use strongroom::Database;
use strongroom::matrix::{Message, export_event};

use crate::arguments::Export;
use crate::failure::Result;
use crate::output::Output;

pub(crate) async fn run(db: &Database, arguments: &Export, output: &mut Output) -> Result<()> {
    let room = super::known_room(db, &arguments.room).await?;
    let mut messages = pin!(db.query(Message::ROOM_TIMESTAMP).equal(&room).stream());
    // Events of one time come in the store's order, which is not the same in every store: they are sorted by id.
    let mut tied: Vec<Message> = Vec::new();
    while let Some(message) = messages.try_next().await? {
        if tied.first().is_some_and(|first| first.timestamp != message.timestamp) {
            write_sorted(&mut tied, output)?;
        }
        tied.push(message);
    }
    write_sorted(&mut tied, output)
}

fn write_sorted(tied: &mut Vec<Message>, output: &mut Output) -> Result<()> {
    tied.sort_by(|a, b| a.message_id.cmp(&b.message_id));
    for message in tied.drain(..) {
        output.raw_json(export_event(&message)?.as_str())?;
        output.line("")?;
    }
    Ok(())
}
