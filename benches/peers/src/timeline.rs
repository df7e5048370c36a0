//! The event cache of matrix-sdk on SQLite: a room's messages in chunks, next to the same messages as records of ours.

use std::collections::BTreeMap;

use matrix_sdk_base::deserialized_responses::TimelineEvent;
use matrix_sdk_base::event_cache::store::EventCacheStore;
use matrix_sdk_base::event_cache::{Event, Gap};
use matrix_sdk_base::linked_chunk::{ChunkContent, ChunkIdentifier, LinkedChunkId, Position, Update};
use matrix_sdk_sqlite::SqliteEventCacheStore;
use ruma::serde::Raw;
use ruma::{OwnedEventId, OwnedRoomId};
use strongroom::matrix::{Message, RoomId, export_event};
use strongroom::{Database, Key};
use strongroom_benches::workload::{PAGE, Place, get, import, page, save};

use crate::ours::{REDB, REDB_ENCRYPTED, SQLITE, SQLITE_ENCRYPTED, Stack, close_all, folder_bytes, open_all};
use crate::state::config;
use crate::table::{Table, Turns};
use crate::{Error, Result, Run, version};

type Updates = Vec<Update<Event, Gap>>;

/// The rooms of the event cache: how many messages each has, 50 in a chunk so that a chunk is a page of ours.
#[derive(Default)]
struct Timeline {
    messages: BTreeMap<RoomId, Vec<Message>>,
}

impl Timeline {
    /// What the event cache is told of messages that come in one room.
    fn push(&mut self, room: &RoomId, new: &[Message]) -> Result<Updates> {
        let messages = self.messages.entry(room.clone()).or_default();
        let mut updates = Updates::new();
        for message in new {
            let (number, index) = (messages.len() / PAGE, messages.len() % PAGE);
            let chunk = ChunkIdentifier::new(number as u64);
            if index == 0 {
                let previous = number.checked_sub(1).map(|before| ChunkIdentifier::new(before as u64));
                updates.push(Update::NewItemsChunk { previous, new: chunk, next: None });
            }
            let event = Raw::from_json_string(export_event(message)?.as_str().to_owned())?;
            let event = TimelineEvent::from_plaintext(event);
            match updates.last_mut() {
                Some(Update::PushItems { items, .. }) if index > 0 => items.push(event),
                _ => updates.push(Update::PushItems { at: Position::new(chunk, index), items: vec![event] }),
            }
            messages.push(message.clone());
        }
        Ok(updates)
    }

    /// The chunk in which a place is, and when its first message was sent: the 50 messages before that are the chunk before.
    fn chunk(&self, place: &Place) -> Option<(u64, Place)> {
        let messages = self.messages.get(&place.room)?;
        let number = messages.partition_point(|message| message.timestamp < place.before) / PAGE;
        let before = messages.get(number * PAGE)?.timestamp;
        (number > 0).then(|| (number as u64, Place { before, ..place.clone() }))
    }
}

/// Both, with the same messages.
struct Stores {
    timeline: Timeline,
    theirs: SqliteEventCacheStore,
    ours: Vec<Database>,
}

/// Measures every operation that both have.
pub(crate) async fn compare(run: &Run, encrypted: bool) -> Result<Table> {
    let stacks: [Stack; 2] = if encrypted { [SQLITE_ENCRYPTED, REDB_ENCRYPTED] } else { [SQLITE, REDB] };
    let how = if encrypted { "encrypted" } else { "open" };
    let peer = format!("matrix-sdk-sqlite {}, {how}", version("matrix-sdk-sqlite"));
    let mut table = Table::new(format!("A room's messages, {how}"), peer, stacks.map(|stack| stack.name).to_vec());
    let folder = tempfile::tempdir()?;
    let their_folder = folder.path().join("events");
    let theirs = SqliteEventCacheStore::open_with_config(&config(&their_folder, encrypted)).await?;
    let ours = open_all(&stacks, folder.path()).await?;
    let mut stores = Stores { timeline: Timeline::default(), theirs, ours };

    writes(run, &mut table, &mut stores).await?;
    gets(run, &mut table, &stores).await?;
    pages(run, &mut table, &stores).await?;

    stores.theirs.vacuum().await?;
    stores.theirs.close().await?;
    let bytes = close_all(stores.ours, &stacks, folder.path()).await?;
    table.bytes("files at the end, compacted", folder_bytes(&their_folder)?, bytes);
    Ok(table)
}

async fn writes(run: &Run, table: &mut Table, Stores { timeline, theirs, ours }: &mut Stores) -> Result<()> {
    let [mut imports, mut saves] = [(); 2].map(|()| Turns::new(ours.len()));
    let messages = run.workload.messages(0..run.messages)?;
    let mut by_room = BTreeMap::<&RoomId, Vec<Message>>::new();
    for message in &messages {
        by_room.entry(&message.room_id).or_default().push(message.clone());
    }
    let mut updates = Vec::with_capacity(by_room.len());
    for (room, messages) in &by_room {
        updates.push((their_room(room)?, timeline.push(room, messages)?));
    }
    let all = async {
        for (room, updates) in updates {
            theirs.handle_linked_chunk_updates(LinkedChunkId::Room(&room), updates).await?;
        }
        Ok::<_, Error>(())
    };
    imports.round(all, ours, async |db| import(db, &messages).await).await?;

    for message in run.workload.messages(run.messages..run.messages + run.rounds as u64)? {
        let room = their_room(&message.room_id)?;
        let updates = timeline.push(&message.room_id, std::slice::from_ref(&message))?;
        let push = theirs.handle_linked_chunk_updates(LinkedChunkId::Room(&room), updates);
        saves.round(push, ours, async |db| save(db, &message).await).await?;
    }
    let (count, rooms) = (run.messages, by_room.len());
    table.times(format!("import {count} messages of {rooms} rooms (theirs: a transaction for each room)"), imports);
    table.times("save one message, durable", saves);
    Ok(())
}

async fn gets(run: &Run, table: &mut Table, Stores { theirs, ours, .. }: &Stores) -> Result<()> {
    let mut turns = Turns::new(ours.len());
    for number in run.anywhere() {
        let message = run.workload.message(number)?;
        let (room, event) = (their_room(&message.room_id)?, OwnedEventId::try_from(message.message_id.as_str())?);
        let key = Key::of(&message);
        let find = async { theirs.find_event(&room, &event).await.map(|event| event.is_some()) };
        turns.round(find, ours, async |db| get(db, &key).await).await?;
    }
    table.times("get one message", turns);
    Ok(())
}

async fn pages(run: &Run, table: &mut Table, Stores { timeline, theirs, ours }: &Stores) -> Result<()> {
    let mut turns = Turns::new(ours.len());
    let places = run.workload.places(run.rounds, run.messages);
    for (number, place) in places.iter().filter_map(|place| timeline.chunk(place)) {
        let room = their_room(&place.room)?;
        let load = async { Ok::<_, Error>(chunk_before(theirs, &room, number).await?.len()) };
        turns.round(load, ours, async |db| page(db, &place).await).await?;

        let events = chunk_before(theirs, &room, number).await?;
        let newest = ours[0].query(Message::ROOM_TIMESTAMP).equal(&place.room).before(place.before).newest_first();
        let page = newest.limit(PAGE).page().await?.records;
        let theirs = events.iter().filter_map(|event| event.event_id()).map(|id| id.to_string());
        if !theirs.eq(page.iter().rev().map(|message| message.message_id.to_string())) {
            return Err("a chunk is not the page that ours reads".into());
        }
    }
    table.times(format!("{PAGE} messages of a room (theirs: a chunk; ours: a page)"), turns);
    Ok(())
}

/// The events of the chunk before another.
async fn chunk_before(theirs: &SqliteEventCacheStore, room: &OwnedRoomId, number: u64) -> Result<Vec<Event>> {
    let chunk = theirs.load_previous_chunk(LinkedChunkId::Room(room), ChunkIdentifier::new(number)).await?;
    Ok(match chunk.map(|chunk| chunk.content) {
        Some(ChunkContent::Items(events)) => events,
        _ => Vec::new(),
    })
}

fn their_room(room: &RoomId) -> Result<OwnedRoomId> {
    Ok(OwnedRoomId::try_from(room.as_str())?)
}
