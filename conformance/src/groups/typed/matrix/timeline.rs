//! What a client asks of a timeline.

use std::cmp::Reverse;

use strongroom_core::matrix::{EventId, Message, RoomId, relation};
use strongroom_core::{Cursor, Database, Json, Result};

use super::super::support::{at, put_all, some, sound};
use super::{ROOM, import, message, open};
use crate::case::cases;
use crate::{Checked, Context, ensure, ensure_eq};

cases! { Typed;
    pages_of_a_timeline_are_a_sort_by_time,
    a_thread_holds_its_messages_and_no_others,
    relations_of_an_event_are_found_by_type,
    messages_before_a_time_are_deleted_in_one_room_alone,
}

/// The timeline, newest first, in pages.
async fn timeline(db: &Database, size: usize) -> Checked<Vec<Message>> {
    let room = RoomId::from(ROOM);
    let mut messages = Vec::new();
    let mut after: Option<Cursor> = None;
    loop {
        let query = db.query(Message::ROOM_TIMESTAMP).equal(&room).newest_first().limit(size);
        let page = match after {
            None => query.page().await?,
            Some(cursor) => query.after(cursor).page().await?,
        };
        messages.extend(page.records);
        ensure!(messages.len() < 1_000, "pages without end");
        match page.next {
            Some(next) => after = Some(next),
            None => return Ok(messages),
        }
    }
}

/// Many at one time, and some that were sent before what was sent later.
async fn pages_of_a_timeline_are_a_sort_by_time(context: Context) -> Checked {
    let (db, _site) = open(&context).await?;
    let times: Vec<i64> = (0..90).map(|number| number * 37 % 30 - 10).collect();
    let events: Vec<String> = (0..)
        .zip(&times)
        .map(|(number, time)| message(&format!("${number}"), *time, "@ada:example.org", r#"{"body":"text"}"#))
        .collect();
    ensure_eq!(import(&db, &events, 40).await?.stored, 90);
    let whole = timeline(&db, 90).await?;
    let mut sorted = times;
    sorted.sort_by_key(|time| Reverse(*time));
    let found: Vec<i64> = whole.iter().map(|message| message.timestamp.as_millis()).collect();
    ensure_eq!(found, sorted);
    let mut ids: Vec<_> = whole.iter().map(|message| message.message_id.clone()).collect();
    ids.sort();
    ids.dedup();
    ensure_eq!(ids.len(), 90, "each once");
    for size in [1, 7, 30, 89] {
        ensure!(timeline(&db, size).await? == whole, "pages of {size}");
    }
    Ok(())
}

fn written(room: &str, id: &str, time: i64) -> Result<Message> {
    Ok(Message::new(room, id, "m.room.message", "@ada:example.org", at(time), Json::new(r#"{"body": "text"}"#)?))
}

async fn a_thread_holds_its_messages_and_no_others(context: Context) -> Checked {
    let (db, _site) = open(&context).await?;
    let threaded = |id: &str, root: &str, time| {
        message(
            id,
            time,
            "@ada:example.org",
            &format!(r#"{{"body":"text","m.relates_to":{{"rel_type":"m.thread","event_id":"{root}"}}}}"#),
        )
    };
    let events = [
        message("$a", 1, "@ada:example.org", r#"{"body":"root"}"#),
        threaded("$1", "$a", 30),
        threaded("$2", "$a", 10),
        threaded("$3", "$b", 20),
        threaded("$4", "$a", 20),
    ];
    import(&db, &events, 500).await?;
    let room = RoomId::from(ROOM);
    let thread = db.query(Message::THREAD).equal(&room).equal(&EventId::from("$a")).oldest_first().page().await?;
    let ids: Vec<_> = thread.records.iter().map(|message| message.message_id.as_str()).collect();
    ensure_eq!(ids, ["$2", "$4", "$1"]);
    Ok(())
}

async fn relations_of_an_event_are_found_by_type(context: Context) -> Checked {
    let (db, _site) = open(&context).await?;
    let mut messages = vec![written(ROOM, "$a", 1)?];
    for (id, kind, time) in
        [("$edit2", relation::REPLACE, 30), ("$edit1", relation::REPLACE, 20), ("$like", relation::ANNOTATION, 25)]
    {
        let mut related = written(ROOM, id, time)?;
        related.relates_to = Some("$a".into());
        related.relates_to_type = Some(kind.to_owned());
        messages.push(related);
    }
    put_all(&db, &messages).await?;
    let (room, target) = (RoomId::from(ROOM), EventId::from("$a"));
    let related = || db.query(Message::RELATION).equal(&room).equal(&target);
    ensure_eq!(related().count().await?, 3);
    let edit = some(related().equal(relation::REPLACE).newest_first().first().await?)?;
    ensure_eq!(edit.message_id.as_str(), "$edit2");
    ensure_eq!(related().equal(relation::ANNOTATION).count().await?, 1);
    ensure_eq!(related().equal(relation::THREAD).count().await?, 0);
    Ok(())
}

async fn messages_before_a_time_are_deleted_in_one_room_alone(context: Context) -> Checked {
    let (db, _site) = open(&context).await?;
    let rooms = [ROOM, "!other:example.org"];
    let messages: Result<Vec<_>> =
        (0..400).map(|number| written(rooms[number % 2], &format!("${number}"), (number as i64) / 2)).collect();
    put_all(&db, &messages?).await?;
    let of_room = |room: &str| db.query(Message::ROOM_TIMESTAMP).equal(&RoomId::from(room));
    ensure_eq!(of_room(ROOM).before(at(150)).delete().await?, 150);
    ensure_eq!((of_room(ROOM).count().await?, of_room(rooms[1]).count().await?), (50, 200));
    ensure!(some(of_room(ROOM).oldest_first().first().await?)?.timestamp == at(150), "what is at the time stays");
    sound(&db).await
}
