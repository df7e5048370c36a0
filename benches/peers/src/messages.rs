//! Messages with four indexes: ours next to native_db.

use std::fs;
use std::path::PathBuf;

use strongroom::matrix::Message;
use strongroom::{Database, Key, Timestamp};
use strongroom_benches::workload::{PAGE, TOGETHER, delete_before, get, import, page, save, save_together};
use tempfile::TempDir;

use crate::native::{Native, native};
use crate::ours::{REDB, REDB_ENCRYPTED, REDB_WITHOUT_REPAIR, Stack, close_all, folder_bytes, open_all, stored_bytes};
use crate::table::{Table, Turns};
use crate::{Result, Run, version};

const STACKS: [Stack; 3] = [REDB, REDB_WITHOUT_REPAIR, REDB_ENCRYPTED];
/// Imports by each, each into new files.
const IMPORTS: usize = 5;
/// Deletions by each.
const DELETIONS: u64 = 9;

/// Both, with the same messages.
struct Stores {
    folder: TempDir,
    their_folder: PathBuf,
    theirs: Native,
    ours: Vec<Database>,
}

/// Measures every operation that both have.
pub(crate) async fn compare(run: &Run) -> Result<Table> {
    let peer = format!("native_db {}", version("native_db"));
    let mut table = Table::new("Messages with four indexes", peer, STACKS.map(|stack| stack.name).to_vec());
    let mut stores = imports(run, &mut table).await?;
    saves(run, &mut table, &stores).await?;
    reads(run, &mut table, &stores).await?;
    deletions(run, &mut table, &stores).await?;

    stores.theirs.compact()?;
    drop(stores.theirs);
    let ours = close_all(stores.ours, &STACKS, stores.folder.path()).await?;
    table.bytes("file at the end, compacted", folder_bytes(&stores.their_folder)?, ours);
    Ok(table)
}

/// Imports into new files each time; the last are kept.
async fn imports(run: &Run, table: &mut Table) -> Result<Stores> {
    let messages = run.workload.messages(0..run.messages)?;
    let mut turns = Turns::new(STACKS.len());
    let mut number = 0;
    let stores = loop {
        let folder = tempfile::tempdir()?;
        let their_folder = folder.path().join("native_db");
        fs::create_dir(&their_folder)?;
        let theirs = Native::create(&their_folder.join("native.db"))?;
        let ours = open_all(&STACKS, folder.path()).await?;
        let records = native(&messages);
        turns.round(async { theirs.import(records) }, &ours, async |db| import(db, &messages).await).await?;
        number += 1;
        if number == IMPORTS {
            break Stores { folder, their_folder, theirs, ours };
        }
        for db in ours {
            db.close().await?;
        }
    };
    table.times(format!("import {} messages", run.messages), turns);
    let (theirs, ours) = (folder_bytes(&stores.their_folder)?, stored_bytes(&STACKS, stores.folder.path())?);
    table.bytes("file after this import", theirs, ours);
    Ok(stores)
}

async fn saves(run: &Run, table: &mut Table, Stores { theirs, ours, .. }: &Stores) -> Result<()> {
    let [mut one, mut together, mut batches] = [(); 3].map(|()| Turns::new(STACKS.len()));
    let (first, rounds) = (run.messages, run.rounds as u64);
    for message in run.workload.messages(first..first + rounds)? {
        let record = (&message).into();
        one.round(async { theirs.save(record) }, ours, async |db| save(db, &message).await).await?;
    }
    let (first, count) = (first + rounds, rounds.div_ceil(8) * 2 * TOGETHER as u64);
    for group in run.workload.messages(first..first + count)?.chunks_exact(2 * TOGETHER) {
        let (many, batch) = group.split_at(TOGETHER);
        let (records, at_once) = (native(many), native(batch));
        together.round(theirs.save_together(records), ours, async |db| save_together(db, many).await).await?;
        batches.round(async { theirs.import(at_once) }, ours, async |db| import(db, batch).await).await?;
    }
    table.times("save one message, durable", one);
    table.times(format!("{TOGETHER} saves at the same time, all of them"), together);
    table.times(format!("{TOGETHER} inserts in one transaction"), batches);
    Ok(())
}

async fn reads(run: &Run, table: &mut Table, Stores { theirs, ours, .. }: &Stores) -> Result<()> {
    let [mut gets, mut pages, mut betweens] = [(); 3].map(|()| Turns::new(STACKS.len()));
    for number in run.anywhere() {
        let message = run.workload.message(number)?;
        let (key, their_key) = (Key::of(&message), (message.room_id.to_string(), message.message_id.to_string()));
        gets.round(async { theirs.get(their_key) }, ours, async |db| get(db, &key).await).await?;
    }
    let begin = Timestamp::from_millis(0);
    for place in run.workload.places(run.rounds, run.messages) {
        let (room, before) = (&place.room, place.before);
        pages.round(async { theirs.page(room, begin, before) }, ours, async |db| page(db, &place).await).await?;

        let newest = ours[0].query(Message::ROOM_TIMESTAMP).equal(room).before(before).newest_first();
        let oldest = newest.limit(PAGE).page().await?.records.pop();
        let from = oldest.map_or(begin, |message| message.timestamp);
        let between = async |db: &Database| {
            let range = db.query(Message::ROOM_TIMESTAMP).equal(room).range(from..before).newest_first();
            Ok(range.limit(PAGE).page().await?.records.len())
        };
        betweens.round(async { theirs.page(room, from, before) }, ours, between).await?;
    }
    table.times("get one message", gets);
    table.times(format!("the newest {PAGE} of a room before a time"), pages);
    table.times(format!("the same {PAGE}, both times known"), betweens);
    Ok(())
}

async fn deletions(run: &Run, table: &mut Table, Stores { theirs, ours, .. }: &Stores) -> Result<()> {
    let mut turns = Turns::new(STACKS.len());
    let room = run.workload.largest_room();
    for number in 1..=DELETIONS {
        let before = run.workload.time(run.messages * number / DELETIONS);
        let delete = async |db: &Database| delete_before(db, &room, before).await;
        turns.round(async { theirs.delete_before(&room, before) }, ours, delete).await?;
    }
    table.times("delete a room's messages before a time", turns);
    Ok(())
}
