//! What is attacked: a store with a few records, as its raw rows, and which of them belong to which record.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use strongroom_core::store::{
    Batch, Content, ENCRYPTION_HEADER, Entry, Fetch, KeyPrefix, KeyRange, LinkTo, Outcome, Scan, Store, StoredKey,
    Write,
};
use strongroom_core::{Database, ManualClock, Record, Result, Schema, Timestamp};

use super::RawRow;
use crate::{Checked, Failure, ensure};

/// Stands in every value and in every component that is blinded: nothing that is shown without the key may hold it.
pub const CANARY: &str = "canary-5fd1c2";

/// How many letters there are, and how many drafts: their ids are 0 to one less.
pub const RECORDS: u32 = 5;

/// The record that most attacks are about.
pub const STRUCK: u32 = 2;

/// Where the raw rows that no collection has begin: the keyspaces of collection 0 are the framework's own.
const LOG: [u8; 3] = [0, 0, 200];

/// A record with a unique index, a multi one, an ordered one, and an expiry.
#[derive(Clone, Debug, PartialEq, Eq, Record, Serialize, Deserialize)]
#[record(crate = ::strongroom_core, id = 1, name = "letters", key(room, id), expires = expires_at)]
#[index(id = 1, name = "by_time", on(room, time: ordered))]
#[index(id = 2, name = "handle", on(handle), unique)]
#[index(id = 3, name = "tag", on(tags: multi))]
pub struct Letter {
    /// The same for all.
    pub room: String,
    /// Its number.
    pub id: u32,
    /// Its number again.
    pub time: Timestamp,
    /// Its own.
    pub handle: String,
    /// One that all have, one of its own.
    pub tags: Vec<String>,
    /// Far ahead.
    pub expires_at: Option<Timestamp>,
    /// What it says.
    pub text: String,
}

/// A record of the same fields in another collection.
#[derive(Clone, Debug, PartialEq, Eq, Record, Serialize, Deserialize)]
#[record(crate = ::strongroom_core, id = 2, name = "drafts", key(room, id))]
#[index(id = 1, name = "by_time", on(room, time: ordered))]
#[index(id = 2, name = "handle", on(handle), unique)]
pub struct Draft {
    /// The same for all.
    pub room: String,
    /// Its number.
    pub id: u32,
    /// Its number again.
    pub time: Timestamp,
    /// Its own.
    pub handle: String,
    /// As a letter's.
    pub tags: Vec<String>,
    /// As a letter's.
    pub expires_at: Option<Timestamp>,
    /// What it says.
    pub text: String,
}

/// The room of all records.
pub fn room() -> String {
    format!("room {CANARY}")
}

/// The tag that all letters have.
pub fn tag() -> String {
    format!("tag {CANARY}")
}

/// The letter of this number, as it is written in the end.
pub fn letter(id: u32) -> Letter {
    let text = if id == STRUCK { format!("amended {CANARY} {id}") } else { format!("letter {CANARY} {id}") };
    Letter {
        room: room(),
        id,
        time: Timestamp::from_millis(i64::from(id)),
        handle: format!("handle {CANARY} {id}"),
        tags: vec![tag(), format!("tag {CANARY} {id}")],
        expires_at: Some(Timestamp::from_millis(1_000_000)),
        text,
    }
}

/// The struck letter, as it was before it was amended.
pub fn older_letter() -> Letter {
    Letter { text: format!("letter {CANARY} {STRUCK}"), ..letter(STRUCK) }
}

/// The draft of this number.
pub fn draft(id: u32) -> Draft {
    let Letter { room, id, time, handle, tags, expires_at, .. } = letter(id);
    Draft { room, id, time, handle, tags, expires_at, text: format!("draft {CANARY} {id}") }
}

/// The schema of both.
///
/// # Errors
///
/// None that a test could survive.
pub fn schema() -> Result<Schema> {
    Schema::builder("evil", 1).collection::<Letter>().collection::<Draft>().build()
}

/// Opens the database over a store, with a clock that stands still.
///
/// # Errors
///
/// As [`Database::open`].
pub async fn open(store: Arc<dyn Store>) -> Result<Database> {
    let clock = Arc::new(ManualClock::new(Timestamp::from_millis(0)));
    Database::builder(schema()?).clock(clock).open(store).await
}

/// The raw rows of a store.
pub type RawRows = BTreeMap<StoredKey, Content>;

/// The raw keys of one record.
#[derive(Clone, Debug, Default)]
pub struct Keys {
    /// The record's own.
    pub record: StoredKey,
    /// Its entries, by the number of the index.
    pub entries: BTreeMap<u8, Vec<StoredKey>>,
}

/// An encrypted store as somebody sees it who has the file and no key, and who watched it being written.
#[derive(Clone, Debug)]
pub struct Scene {
    /// Its rows.
    pub rows: RawRows,
    /// Its rows before the struck letter was amended.
    pub older: RawRows,
    /// The keys of each letter.
    pub letters: Vec<Keys>,
    /// The keys of each draft.
    pub drafts: Vec<Keys>,
    /// The key of the header.
    pub header: StoredKey,
    /// The key of the catalog.
    pub catalog: StoredKey,
    /// The key of the keyring.
    pub keyring: StoredKey,
    /// Two rows that were stamped under one prefix.
    pub stamped: [StoredKey; 2],
    /// A row that was stamped under another prefix of the same length.
    pub stamped_elsewhere: StoredKey,
    /// A row under a key of its own.
    pub plain: StoredKey,
}

impl Scene {
    /// Writes the records into `sealed`, an encrypted store that is empty yet, and watches the store `raw` below it.
    ///
    /// # Errors
    ///
    /// Those of the store, and rows that are not as they must be.
    pub async fn make(raw: &dyn Store, sealed: &Arc<dyn Store>) -> Checked<Scene> {
        let mut seen = read(raw).await?;
        let keyring = only(seen.keys().filter(|key| **key != ENCRYPTION_HEADER))?;
        let db = open(sealed.clone()).await?;
        let catalog = only(new_keys(raw, &mut seen).await?.iter())?;
        let (mut letters, mut drafts) = (Vec::new(), Vec::new());
        for id in 0..RECORDS {
            let first = if id == STRUCK { older_letter() } else { letter(id) };
            db.insert(&first).await?;
            letters.push(keys(new_keys(raw, &mut seen).await?)?);
            db.insert(&draft(id)).await?;
            drafts.push(keys(new_keys(raw, &mut seen).await?)?);
        }
        let mut log = Vec::new();
        for prefix in [b'a', b'a', b'b'] {
            let prefix = KeyPrefix(StoredKey::from([&LOG[..], &[prefix]].concat()));
            let value = Bytes::from(Scene::log());
            commit(&**sealed, Batch { stamped: vec![(prefix, value)], ..Batch::default() }).await?;
            log.push(only(new_keys(raw, &mut seen).await?.iter())?);
        }
        // As long as a stamped row's key.
        let plain = StoredKey::from([&LOG[..], b"plain key"].concat());
        put(&**sealed, plain.clone(), Scene::log()).await?;
        let older = read(raw).await?;
        db.update(&letter(STRUCK)).await?;
        let [first, second, stamped_elsewhere] = <[_; 3]>::try_from(log).map_err(|_| wrong("stamped rows"))?;
        let stamped = [first, second];
        let (header, rows) = (ENCRYPTION_HEADER, read(raw).await?);
        Ok(Scene { rows, older, letters, drafts, header, catalog, keyring, stamped, stamped_elsewhere, plain })
    }

    /// The value of each row that was written past the typed database.
    pub fn log() -> Vec<u8> {
        format!("log {CANARY}").into_bytes()
    }

    /// The keys of the rows that were written past the typed database, and which one each is, if an attack names it.
    pub fn log_keys(&self) -> [(StoredKey, Option<RawRow>); 4] {
        let [first, second] = self.stamped.clone();
        [
            (first, Some(RawRow::Stamped)),
            (second, None),
            (self.stamped_elsewhere.clone(), None),
            (self.plain.clone(), Some(RawRow::Plain)),
        ]
    }

    /// The raw value under a key.
    ///
    /// # Errors
    ///
    /// If there is none.
    pub fn value(&self, key: &StoredKey) -> Checked<Vec<u8>> {
        match self.rows.get(key) {
            Some(Content::Value(value)) => Ok(value.to_vec()),
            _ => Err(wrong("no value")),
        }
    }
}

impl Keys {
    /// The record's entry in an index of which it has one, else the first one.
    ///
    /// # Errors
    ///
    /// If there is none.
    pub fn entry(&self, index: u8) -> Checked<StoredKey> {
        let entry = self.entries.get(&index).and_then(|entries| entries.first());
        entry.cloned().ok_or_else(|| wrong("no entry"))
    }
}

/// Every row of a store.
///
/// # Errors
///
/// Those of the store.
pub async fn read(store: &dyn Store) -> Checked<RawRows> {
    let mut rows = RawRows::new();
    let mut range = KeyRange::ALL;
    loop {
        let scan = Scan { range: range.clone(), reverse: false, limit: 500, max_bytes: 1 << 20, fetch: Fetch::Values };
        let page = store.scan(&scan).await?;
        let last = page.entries.last().map(|entry| entry.key.clone());
        rows.extend(page.entries.into_iter().filter_map(|Entry { key, content, .. }| content.map(|it| (key, it))));
        match last {
            Some(last) if page.more => range = range.beyond(&last, false),
            _ => return Ok(rows),
        }
    }
}

/// Puts rows into a store in place of all that it has.
///
/// # Errors
///
/// Those of the store.
pub async fn replace(store: &dyn Store, rows: &RawRows) -> Checked {
    let mut batch = Batch::default();
    batch.writes.extend(read(store).await?.into_keys().map(|key| (key, Write::Delete)));
    for (key, content) in rows {
        batch.writes.insert(key.clone(), as_write(key, content)?);
    }
    commit(store, batch).await
}

/// The write that makes such a row.
///
/// # Errors
///
/// If it is damaged.
pub fn as_write(key: &StoredKey, content: &Content) -> Checked<Write> {
    match content {
        Content::Value(value) => Ok(Write::Put(value.clone())),
        Content::Link(target) => Ok(Write::Link(match key.as_bytes().strip_suffix(target.as_bytes()) {
            // In the form that it had.
            Some(front) => LinkTo::Suffix(u16::try_from(front.len()).map_err(|_| wrong("a key"))?),
            None => LinkTo::Key(target.clone()),
        })),
        Content::Damaged(_) => Err(wrong("a raw row is damaged")),
    }
}

/// Writes one value.
///
/// # Errors
///
/// Those of the store.
pub async fn put(store: &dyn Store, key: StoredKey, value: Vec<u8>) -> Checked {
    commit(store, Batch { writes: [(key, Write::Put(value.into()))].into(), ..Batch::default() }).await
}

/// Commits one batch, which must happen.
pub(super) async fn commit(store: &dyn Store, batch: Batch) -> Checked {
    let outcomes = store.commit(vec![batch]).await?;
    ensure!(matches!(outcomes[..], [Outcome::Committed(_)]), "not committed: {outcomes:?}");
    Ok(())
}

/// The keys that came since `seen`, which then has them.
async fn new_keys(raw: &dyn Store, seen: &mut RawRows) -> Checked<Vec<StoredKey>> {
    let now = read(raw).await?;
    let new = now.keys().filter(|key| !seen.contains_key(*key)).cloned().collect();
    *seen = now;
    Ok(new)
}

fn only<'k>(mut keys: impl Iterator<Item = &'k StoredKey>) -> Checked<StoredKey> {
    match (keys.next(), keys.next()) {
        (Some(key), None) => Ok(key.clone()),
        _ => Err(wrong("not one row")),
    }
}

/// Sorts the keys of one record: the third byte is the number of the index, 0 for the record.
fn keys(of_record: Vec<StoredKey>) -> Checked<Keys> {
    let mut keys = Keys::default();
    for key in of_record {
        match key.as_bytes().get(2) {
            Some(0) => keys.record = key,
            Some(index) => keys.entries.entry(*index).or_default().push(key),
            None => return Err(wrong("a short key")),
        }
    }
    ensure!(!keys.record.is_empty(), "a record has a row");
    Ok(keys)
}

#[track_caller]
fn wrong(what: &str) -> Failure {
    Failure::new(format!("the scene is not as it must be: {what}"))
}
