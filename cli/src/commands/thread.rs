//! `thread ROOM EVENT`

use std::pin::pin;

use futures_util::TryStreamExt;
use strongroom::Database;
use strongroom::matrix::{EventId, Message};

use super::message;
use crate::arguments::Thread;
use crate::failure::{Failure, Result};
use crate::output::{Format, Output};

pub(crate) async fn run(db: &Database, arguments: &Thread, output: &mut Output) -> Result<()> {
    let room = super::known_room(db, &arguments.room).await?;
    let named = EventId::from(arguments.event.as_str());
    let mut root = db.get(&Message::key(&room, &named)).await?;
    let mut root_id = named;
    // Any message of the thread leads to its root.
    if let Some(thread_root) = root.as_ref().and_then(|message| message.thread_root.clone()) {
        root = db.get(&Message::key(&room, &thread_root)).await?;
        root_id = thread_root;
    }
    let mut replies = pin!(db.query(Message::THREAD).equal(&room).equal(&root_id).stream());
    let mut reply = replies.try_next().await?;
    if root.is_none() && reply.is_none() {
        let what = format!("no event {root_id} in {room}");
        return Err(Failure::new(what, "take an event id from 'strongroom timeline ROOM'"));
    }
    if output.format == Format::Table {
        let mut rows: Vec<_> = root.iter().map(message::row).collect();
        while let Some(message) = reply {
            rows.push(message::row(&message));
            reply = replies.try_next().await?;
        }
        return output.table(message::HEADER, rows);
    }
    // Written as it is read: a thread can be long.
    output.raw_json("{\"root\":")?;
    output.json_part(&root)?;
    output.raw_json(",\"messages\":[")?;
    let mut is_first = true;
    while let Some(message) = reply {
        if !std::mem::take(&mut is_first) {
            output.raw_json(",")?;
        }
        output.json_part(&message)?;
        reply = replies.try_next().await?;
    }
    output.raw_json("],\"next\":null}")?;
    output.line("")
}
