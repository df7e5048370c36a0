//! Messages with four indexes: ours next to native_db.

use strongroom::matrix::Message;
use strongroom::{Database, Timestamp};
use strongroom_benches::workload::{PAGE, TOGETHER, delete_before, get, import, page, save, save_together};

use crate::native::{Native, native};
use crate::ours::{REDB, REDB_ENCRYPTED, REDB_WITHOUT_REPAIR, Stack, close_all, folder_bytes, open_all, stored_bytes};
use crate::table::{Table, Turns};
use crate::{Result, Run, version};

const STACKS: [Stack; 3] = [REDB, REDB_WITHOUT_REPAIR, REDB_ENCRYPTED];
/// Imports by each, each into new files.
const IMPORTS: usize = 5;
/// Deletions by each.
const DELETIONS: u64 = 9;

/// Measures every operation that both have.
pub(crate) async fn compare(run: &Run) -> Result<Table> {
    let peer = format!("native_db {}", version("native_db"));
    let mut table = Table::new("Messages with four indexes", peer, STACKS.map(|stack| stack.name).to_vec());
    let turns = || Turns::new(STACKS.len());
    let (workload, stored) = (&run.workload, run.messages);

    let messages = workload.messages(0..stored)?;
    let mut imports = turns();
    let mut folder = tempfile::tempdir()?;
    let mut native_folder = folder.path().join("native_db");
    let (mut theirs, mut ours) = (None, Vec::<Database>::new());
    for _ in 0..IMPORTS {
        drop(theirs.take());
        for db in ours.drain(..) {
            db.close().await?;
        }
        folder = tempfile::tempdir()?;
        native_folder = folder.path().join("native_db");
        std::fs::create_dir(&native_folder)?;
        let new = Native::create(&native_folder.join("native.db"))?;
        ours = open_all(&STACKS, folder.path()).await?;
        let records = native(&messages);
        imports.round(async { new.import(records) }, &ours, async |db| import(db, &messages).await).await?;
        theirs = Some(new);
    }
    let mut theirs = theirs.ok_or("nothing was imported")?;
    let as_they_are = (folder_bytes(&native_folder)?, stored_bytes(&STACKS, folder.path())?);

    let [mut saves, mut together, mut batches, mut gets, mut pages, mut betweens, mut deletions] =
        [(); 7].map(|()| turns());
    let rounds = run.rounds as u64;
    for message in workload.messages(stored..stored + rounds)? {
        let record = (&message).into();
        saves.round(async { theirs.save(record) }, &ours, async |db| save(db, &message).await).await?;
    }
    let groups = workload.messages(stored + rounds..stored + rounds + rounds.div_ceil(8) * 2 * TOGETHER as u64)?;
    for group in groups.chunks_exact(2 * TOGETHER) {
        let (many, batch) = group.split_at(TOGETHER);
        let (records, at_once) = (native(many), native(batch));
        together.round(theirs.save_together(records), &ours, async |db| save_together(db, many).await).await?;
        batches.round(async { theirs.import(at_once) }, &ours, async |db| import(db, batch).await).await?;
    }
    let numbers = (0..5 * rounds).map(|n| n.wrapping_mul(7_919) % stored);
    for message in numbers.map(|n| workload.message(n)).collect::<strongroom::Result<Vec<_>>>()? {
        let key = Message::key(&message.room_id, &message.message_id);
        let native = (message.room_id.to_string(), message.message_id.to_string());
        gets.round(async { theirs.get(native) }, &ours, async |db| get(db, &key).await).await?;
    }
    for place in workload.places(run.rounds, stored) {
        let (room, before) = (&place.room, place.before);
        let begin = Timestamp::from_millis(0);
        pages.round(async { theirs.page(room, begin, before) }, &ours, async |db| page(db, &place).await).await?;
        let newest = ours[0].query(Message::ROOM_TIMESTAMP).equal(room).before(before).newest_first();
        let page = newest.limit(PAGE).page().await?.records;
        let from = page.last().map_or(begin, |message| message.timestamp);
        let between = async |db: &Database| {
            let range = db.query(Message::ROOM_TIMESTAMP).equal(room).range(from..before).newest_first();
            Ok(range.limit(PAGE).page().await?.records.len())
        };
        betweens.round(async { theirs.page(room, from, before) }, &ours, between).await?;
    }
    let room = workload.largest_room();
    for number in 1..=DELETIONS {
        let before = workload.time(stored * number / DELETIONS);
        let ours_deletes = async |db: &Database| delete_before(db, &room, before).await;
        deletions.round(async { theirs.delete_before(&room, before) }, &ours, ours_deletes).await?;
    }
    theirs.compact()?;
    drop(theirs);
    let ours = close_all(ours, &STACKS, folder.path()).await?;
    let compacted = (folder_bytes(&native_folder)?, ours);

    table.times("save one message, durable", saves);
    table.times(format!("{TOGETHER} saves at the same time, all of them"), together);
    table.times(format!("{TOGETHER} inserts in one transaction"), batches);
    table.times(format!("import {stored} messages"), imports);
    table.times("get one message", gets);
    table.times("the newest 50 of a room before a time", pages);
    table.times("the same 50, both times known", betweens);
    table.times("delete a room's messages before a time", deletions);
    table.bytes(format!("file after the import of {stored} messages"), as_they_are.0, as_they_are.1);
    table.bytes("file at the end, compacted", compacted.0, compacted.1);
    Ok(table)
}
