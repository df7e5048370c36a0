//! The state store of matrix-sdk on SQLite: a room's state, members, profiles and receipts, next to the records of ours.

use std::path::Path;

use futures_util::future::try_join_all;
use matrix_sdk_base::{RoomMemberships, StateChanges, StateStore};
use matrix_sdk_sqlite::{SqliteStateStore, SqliteStoreConfig};
use ruma::events::StateEventType;
use ruma::events::receipt::{ReceiptEventContent, ReceiptThread, ReceiptType};
use strongroom::Database;
use strongroom::matrix::{Membership, ReadReceipt, RoomMember, RoomState};
use strongroom_benches::workload::TOGETHER;

use crate::ours::{REDB, REDB_ENCRYPTED, SQLITE, SQLITE_ENCRYPTED, close_all, folder_bytes, open_all};
use crate::room::{Join, Note, Read, room_id, user_id};
use crate::table::{Table, Turns};
use crate::{Result, Run, version};

/// Records saved at once.
const MANY: u64 = 100;
/// The key of every encrypted store here.
const KEY: [u8; 32] = [1; 32];
/// The room that is read.
const READ: u64 = 0;
/// The room that is written to in rounds.
const WRITTEN: u64 = 1;

/// Measures every operation that both have.
pub(crate) async fn compare(run: &Run, encrypted: bool) -> Result<Table> {
    let stacks = if encrypted { [SQLITE_ENCRYPTED, REDB_ENCRYPTED] } else { [SQLITE, REDB] };
    let how = if encrypted { "encrypted" } else { "open" };
    let peer = format!("matrix-sdk-sqlite {}, {how}", version("matrix-sdk-sqlite"));
    let mut table = Table::new(format!("A room's state, {how}"), peer, stacks.map(|stack| stack.name).to_vec());
    let folder = tempfile::tempdir()?;
    let their_folder = folder.path().join("state");
    let theirs = SqliteStateStore::open_with_config(&config(&their_folder, encrypted)).await?;
    let ours = open_all(&stacks, folder.path()).await?;

    let members = (run.messages / 10).max(MANY);
    write(run, &mut table, &theirs, &ours, members).await?;
    read(run, &mut table, &theirs, &ours, members).await?;

    theirs.vacuum().await?;
    theirs.close().await?;
    let bytes = close_all(ours, &stacks, folder.path()).await?;
    table.bytes("files at the end, compacted", folder_bytes(&their_folder)?, bytes);
    Ok(table)
}

/// A store of matrix-sdk in a folder. It is asked to keep as many bytes of pages in memory as a connection of ours.
pub(crate) fn config(folder: &Path, encrypted: bool) -> SqliteStoreConfig {
    SqliteStoreConfig::new(folder).key(encrypted.then_some(&KEY)).cache_size(8 << 20)
}

async fn write(run: &Run, table: &mut Table, theirs: &SqliteStateStore, ours: &[Database], members: u64) -> Result<()> {
    let [mut room, mut one, mut together, mut many, mut joins, mut receipts] = [(); 6].map(|()| Turns::new(ours.len()));
    let all: Vec<_> = (0..members).map(|n| Join::new(READ, n)).collect::<Result<_>>()?;
    join(&mut room, theirs, ours, &all).await?;
    let notes: Vec<_> = (0..members).map(|n| Note::new(READ, n)).collect::<Result<_>>()?;
    save_notes(&mut Turns::new(ours.len()), theirs, ours, &notes).await?;
    let read: Vec<_> = (0..MANY).map(|n| Read::new(READ, n, 0)).collect::<Result<_>>()?;
    save_receipts(&mut Turns::new(ours.len()), theirs, ours, &read).await?;

    let rounds = run.rounds as u64;
    for note in (0..rounds).map(|n| Note::new(WRITTEN, n)) {
        let Note { record, event } = note?;
        let mut changes = StateChanges::default();
        event.add(&mut changes);
        one.round(theirs.save_changes(&changes), ours, async |db| db.put(&record).await).await?;
    }
    for round in 0..rounds.div_ceil(4) {
        let (first, users) = (rounds + round * MANY, round * MANY..(round + 1) * MANY);
        let notes: Vec<_> = (first..first + MANY).map(|n| Note::new(WRITTEN, n)).collect::<Result<_>>()?;
        save_notes(&mut many, theirs, ours, &notes).await?;
        let new: Vec<_> = users.clone().map(|n| Join::new(WRITTEN, n)).collect::<Result<_>>()?;
        join(&mut joins, theirs, ours, &new).await?;
        let read: Vec<_> = users.map(|n| Read::new(WRITTEN, n, round)).collect::<Result<_>>()?;
        save_receipts(&mut receipts, theirs, ours, &read).await?;
    }
    for round in 0..rounds.div_ceil(8) {
        let first = 1_000_000 + round * TOGETHER as u64;
        let notes: Vec<_> = (first..first + TOGETHER as u64).map(|n| Note::new(WRITTEN, n)).collect::<Result<_>>()?;
        let changes: Vec<_> = notes.iter().map(|note| changes([&note.event])).collect();
        let all = try_join_all(changes.iter().map(|changes| theirs.save_changes(changes)));
        let put_each = async |db: &Database| {
            try_join_all(notes.iter().map(|note| db.put(&note.record))).await.map(|done| done.len())
        };
        let all = async { all.await.map(|done| done.len()) };
        together.round(all, ours, put_each).await?;
    }
    table.times("save one state event, durable", one);
    table.times(format!("{TOGETHER} such saves at the same time, all of them"), together);
    table.times(format!("save {MANY} state events at once"), many);
    table.times(format!("{MANY} members join at once: event, membership, profile"), joins);
    table.times(format!("{members} members at once, a room's first sync"), room);
    table.times(format!("save {MANY} receipts at once"), receipts);
    Ok(())
}

async fn save_notes(turns: &mut Turns, theirs: &SqliteStateStore, ours: &[Database], notes: &[Note]) -> Result<()> {
    let changes = changes(notes.iter().map(|note| &note.event));
    let records: Vec<_> = notes.iter().map(|note| note.record.clone()).collect();
    turns.round(theirs.save_changes(&changes), ours, async |db| db.put_many(&records).await).await
}

async fn join(turns: &mut Turns, theirs: &SqliteStateStore, ours: &[Database], joins: &[Join]) -> Result<()> {
    let mut changes = StateChanges::default();
    for join in joins {
        join.event.add(&mut changes);
        changes.profiles.entry(join.event.room.clone()).or_default().insert(join.user.clone(), join.profile.clone());
    }
    let events: Vec<_> = joins.iter().map(|join| join.state.clone()).collect();
    let members: Vec<_> = joins.iter().map(|join| join.member.clone()).collect();
    let (events, members) = (&events, &members);
    let put = async |db: &Database| {
        db.write(|tx| async move {
            tx.put_many(events).await?;
            tx.put_many(members).await
        })
        .await
    };
    turns.round(theirs.save_changes(&changes), ours, put).await
}

async fn save_receipts(turns: &mut Turns, theirs: &SqliteStateStore, ours: &[Database], read: &[Read]) -> Result<()> {
    let mut changes = StateChanges::default();
    for read in read {
        let room = changes.receipts.entry(read.room.clone()).or_insert_with(|| ReceiptEventContent(Default::default()));
        let event = room.0.entry(read.event.clone()).or_default();
        event.entry(ReceiptType::Read).or_default().insert(read.user.clone(), read.receipt.clone());
    }
    let records: Vec<_> = read.iter().map(|read| read.record.clone()).collect();
    turns.round(theirs.save_changes(&changes), ours, async |db| db.put_many(&records).await).await
}

fn changes<'a>(events: impl IntoIterator<Item = &'a crate::room::StateEvent>) -> StateChanges {
    let mut changes = StateChanges::default();
    events.into_iter().for_each(|event| event.add(&mut changes));
    changes
}

async fn read(run: &Run, table: &mut Table, theirs: &SqliteStateStore, ours: &[Database], members: u64) -> Result<()> {
    let [mut events, mut profiles, mut receipts, mut member_events, mut member_ids, mut joined, mut of_event] =
        [(); 7].map(|()| Turns::new(ours.len()));
    let room = room_id(READ)?;
    let name = strongroom::matrix::RoomId::from(room.as_str());
    for n in (0..5 * run.rounds as u64).map(|n| n * 7_919 % members) {
        let note = Note::new(READ, n)?;
        let (state_key, key) = (note.record.state_key.as_str(), strongroom::Key::of(&note.record));
        let get = async {
            theirs.get_state_event(&room, StateEventType::from(Note::TYPE), state_key).await.map(|e| e.is_some())
        };
        events.round(get, ours, async |db| Ok(db.get(&key).await?.is_some())).await?;

        let user = user_id(n)?;
        let key = RoomMember::key(&name, &user.as_str().into());
        let get = async { theirs.get_profile(&room, &user).await.map(|profile| profile.is_some()) };
        profiles.round(get, ours, async |db| Ok(db.get(&key).await?.is_some())).await?;

        let user = user_id(n % MANY)?;
        let ours_user = strongroom::matrix::UserId::from(user.as_str());
        let get = async {
            let newest = theirs.get_user_room_receipt_event(&room, ReceiptType::Read, ReceiptThread::Unthreaded, &user);
            newest.await.map(|receipt| receipt.is_some())
        };
        let newest = async |db: &Database| {
            let read = db.query(ReadReceipt::USER_READ).equal(&ours_user).equal(&name).newest_first();
            Ok(read.first().await?.is_some())
        };
        receipts.round(get, ours, newest).await?;
    }
    let event = Read::new(READ, 0, 0)?.event;
    let ours_event = strongroom::matrix::EventId::from(event.as_str());
    for _ in 0..run.rounds.div_ceil(4) {
        let get = async { theirs.get_state_events(&room, StateEventType::RoomMember).await.map(|events| events.len()) };
        let all = async |db: &Database| {
            let events = db.query(RoomState::ROOM_TYPE).equal(&name).equal("m.room.member");
            Ok(events.limit(members as usize).page().await?.records.len())
        };
        member_events.round(get, ours, all).await?;
        let get = async { theirs.get_user_ids(&room, RoomMemberships::JOIN).await.map(|ids| ids.len()) };
        let all = async |db: &Database| {
            let joined = db.query(RoomMember::MEMBERSHIP).equal(&name).equal(&Membership::Join);
            Ok(joined.limit(members as usize).page().await?.records.len())
        };
        member_ids.round(get, ours, all).await?;
        let get = async {
            let ids = theirs.get_user_ids(&room, RoomMemberships::JOIN).await?;
            theirs.get_profiles(&room, &ids).await.map(|profiles| profiles.len())
        };
        joined.round(get, ours, all).await?;
        let get = async {
            let read =
                theirs.get_event_room_receipt_events(&room, ReceiptType::Read, ReceiptThread::Unthreaded, &event);
            read.await.map(|receipts| receipts.len())
        };
        let all = async |db: &Database| {
            let read = db.query(ReadReceipt::ROOM_RECEIPTS).equal(&name).equal(&ours_event);
            Ok(read.limit(MANY as usize).page().await?.records.len())
        };
        of_event.round(get, ours, all).await?;
    }
    table.times("get one state event", events);
    table.times("get one profile", profiles);
    table.times("get a user's receipt in a room", receipts);
    table.times(format!("the {MANY} receipts of an event"), of_event);
    table.times(format!("the member events of a room of {members}"), member_events);
    table.times(format!("who has joined, of {members} (theirs: ids; ours: whole records)"), member_ids);
    table.times("the same with names and pictures (theirs: ids, then profiles; ours: those records)", joined);
    Ok(())
}
