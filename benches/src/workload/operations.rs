//! What a messenger does with its store: each operation through the public API, as a user writes it.

use futures_util::future::try_join_all;
use futures_util::{StreamExt, TryStreamExt, stream};
use strongroom::matrix::{MatrixStore, Message, OneTimeKey, RoomId};
use strongroom::store::{Batch, Revision, Store};
use strongroom::{Database, Key, Result, Timestamp};

use super::{Place, Workload, Writes};
use crate::sink::committed;

/// Messages in a page.
pub const PAGE: usize = 50;
/// Saves at the same time.
pub const TOGETHER: usize = 64;
/// Messages in one transaction of an import.
pub const IMPORT_BATCH: usize = 2_500;
/// Messages that an import is best given at a time: with fewer the engine waits, more only take memory.
pub const IMPORT_CHUNK: usize = 4 * IMPORT_BATCH;

const USER: &str = "@user-000:example.org";
const DEVICE: &str = "DEVICE";
const ALGORITHM: &str = "signed_curve25519";

/// Saves one message.
///
/// # Errors
///
/// As [`Database::put`].
pub async fn save(db: &Database, message: &Message) -> Result<()> {
    db.put(message).await
}

/// Commits rows as they are, by the store alone and without guards.
///
/// # Errors
///
/// As [`Store::commit`].
pub async fn commit(store: &dyn Store, writes: Writes) -> Result<Revision> {
    committed(store.commit(vec![Batch { writes, ..Batch::default() }]).await?)
}

/// Saves messages at the same time, each by itself.
///
/// # Errors
///
/// As [`Database::put`].
pub async fn save_together(db: &Database, messages: &[Message]) -> Result<()> {
    try_join_all(messages.iter().map(|message| db.put(message))).await.map(drop)
}

/// Imports messages that are new, [`IMPORT_BATCH`] in a transaction. Two transactions are under way at a time: one is made ready while
/// the engine is busy with the other.
///
/// # Errors
///
/// As [`Database::insert_many`].
pub async fn import(db: &Database, messages: &[Message]) -> Result<()> {
    stream::iter(messages.chunks(IMPORT_BATCH))
        .map(|batch| db.insert_many(batch))
        .buffer_unordered(2)
        .try_collect()
        .await
}

/// Reads one message; says whether it is there.
///
/// # Errors
///
/// As [`Database::get`].
pub async fn get(db: &Database, key: &Key<Message>) -> Result<bool> {
    Ok(db.get(key).await?.is_some())
}

/// Reads the newest [`PAGE`] messages of a room before a time; says how many there are.
///
/// # Errors
///
/// As [`strongroom::Query::page`].
pub async fn page(db: &Database, place: &Place) -> Result<usize> {
    let newest = db.query(Message::ROOM_TIMESTAMP).equal(&place.room).before(place.before).newest_first();
    Ok(newest.limit(PAGE).page().await?.records.len())
}

/// The same of a thread.
///
/// # Errors
///
/// As [`strongroom::Query::page`].
pub async fn thread_page(db: &Database, place: &Place) -> Result<usize> {
    let thread = db.query(Message::THREAD).equal(&place.room).equal(&place.thread);
    Ok(thread.before(place.before).newest_first().limit(PAGE).page().await?.records.len())
}

/// One-time keys of one device with these numbers, to be [published](publish) and [claimed](claim).
pub fn one_time_keys(numbers: std::ops::Range<u64>) -> Vec<OneTimeKey> {
    let key = |n: u64| OneTimeKey {
        user_id: USER.into(),
        device_id: DEVICE.into(),
        key_id: format!("AAAA{n:08}").into(),
        key: format!("{n:043}"),
        algorithm: ALGORITHM.to_owned(),
        created_at: super::time(n),
        used_at: None,
    };
    numbers.map(key).collect()
}

/// Publishes one-time keys.
///
/// # Errors
///
/// As [`MatrixStore::publish_one_time_keys`].
pub async fn publish(store: &MatrixStore, keys: &[OneTimeKey]) -> Result<u64> {
    store.publish_one_time_keys(keys).await
}

/// Claims one of the keys; says whether one was left.
///
/// # Errors
///
/// As [`MatrixStore::claim_one_time_key`].
pub async fn claim(store: &MatrixStore) -> Result<bool> {
    Ok(store.claim_one_time_key(&USER.into(), &DEVICE.into(), ALGORITHM).await?.is_some())
}

/// Deletes the messages of a room before a time; says how many there were.
///
/// # Errors
///
/// As [`strongroom::Query::delete`].
pub async fn delete_before(db: &Database, room: &RoomId, time: Timestamp) -> Result<u64> {
    db.query(Message::ROOM_TIMESTAMP).equal(room).before(time).delete().await
}

/// Ten operations: nine reads, of which one is a page, and one save of message number `next`.
///
/// # Errors
///
/// Those of [`get`], [`page`] and [`save`].
pub async fn mixed(db: &Database, workload: &Workload, keys: &[Key<Message>], place: &Place, next: u64) -> Result<()> {
    for key in keys.iter().cycle().skip(next as usize % keys.len().max(1)).take(8) {
        get(db, key).await?;
    }
    page(db, place).await?;
    save(db, &workload.message(next)?).await
}
