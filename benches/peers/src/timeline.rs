//! The event cache of matrix-sdk on SQLite: a room's messages in chunks, next to the same messages as records of ours.

use std::collections::BTreeMap;

use matrix_sdk_base::deserialized_responses::TimelineEvent;
use matrix_sdk_base::event_cache::store::EventCacheStore;
use matrix_sdk_base::event_cache::{Event, Gap};
use matrix_sdk_base::linked_chunk::{ChunkContent, ChunkIdentifier, LinkedChunkId, Position, Update};
use matrix_sdk_sqlite::SqliteEventCacheStore;
use ruma::serde::Raw;
use ruma::{OwnedEventId, OwnedRoomId};
use strongroom::Database;
use strongroom::matrix::{Message, RoomId, export_event};
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
    let [mut imports, mut saves, mut gets, mut pages] = [(); 4].map(|()| Turns::new(stacks.len()));
    let mut timeline = Timeline::default();

    let messages = run.workload.messages(0..run.messages)?;
    let mut by_room = BTreeMap::<&RoomId, Vec<Message>>::new();
    for message in &messages {
        by_room.entry(&message.room_id).or_default().push(message.clone());
    }
    let mut updates = Vec::new();
    for (room, messages) in &by_room {
        updates.push((their_room(room)?, timeline.push(room, messages)?));
    }
    let all = async {
        for (room, updates) in updates {
            theirs.handle_linked_chunk_updates(LinkedChunkId::Room(&room), updates).await?;
        }
        Ok::<_, Error>(())
    };
    imports.round(all, &ours, async |db| import(db, &messages).await).await?;

    for message in run.workload.messages(run.messages..run.messages + run.rounds as u64)? {
        let room = their_room(&message.room_id)?;
        let updates = timeline.push(&message.room_id, std::slice::from_ref(&message))?;
        let push = theirs.handle_linked_chunk_updates(LinkedChunkId::Room(&room), updates);
        saves.round(push, &ours, async |db| save(db, &message).await).await?;
    }
    for number in (0..5 * run.rounds as u64).map(|n| n.wrapping_mul(7_919) % run.messages) {
        let message = run.workload.message(number)?;
        let (room, event) = (their_room(&message.room_id)?, OwnedEventId::try_from(message.message_id.as_str())?);
        let key = strongroom::Key::of(&message);
        let find = async { theirs.find_event(&room, &event).await.map(|event| event.is_some()) };
        gets.round(find, &ours, async |db| get(db, &key).await).await?;
    }
    for (number, place) in
        run.workload.places(run.rounds, run.messages).iter().filter_map(|place| timeline.chunk(place))
    {
        let room = their_room(&place.room)?;
        let load = async {
            let before = ChunkIdentifier::new(number);
            let chunk = theirs.load_previous_chunk(LinkedChunkId::Room(&room), before).await?;
            Ok::<_, Error>(match chunk.map(|chunk| chunk.content) {
                Some(ChunkContent::Items(events)) => events.len(),
                _ => 0,
            })
        };
        pages.round(load, &ours, async |db: &Database| page(db, &place).await).await?;
    }
    theirs.vacuum().await?;
    theirs.close().await?;
    let bytes = close_all(ours, &stacks, folder.path()).await?;

    table.times("save one message, durable", saves);
    table.times(
        format!("import {} messages of {} rooms (theirs: a transaction for each room)", run.messages, by_room.len()),
        imports,
    );
    table.times("get one message", gets);
    table.times("50 messages of a room (theirs: a chunk; ours: a page)", pages);
    table.bytes("files at the end, compacted", folder_bytes(&their_folder)?, bytes);
    Ok(table)
}

fn their_room(room: &RoomId) -> Result<OwnedRoomId> {
    Ok(OwnedRoomId::try_from(room.as_str())?)
}
