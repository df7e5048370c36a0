//! The notes of three versions, and what each version's program makes of those before.

use futures_util::TryStreamExt;
use serde::{Deserialize, Serialize};
use strongroom_core::schema::{Migration, Split};
use strongroom_core::store::{Content, Fetch, KeyRange, Limits, Scan, Store};
use strongroom_core::{Database, Error, ErrorKind, Index, Record, Result, Schema, Timestamp};

use super::super::support::{at, open_again};
use crate::context::Site;
use crate::{Checked, Context, Failure, ensure, ensure_eq};

/// A note as the first version had it.
#[derive(Clone, Debug, PartialEq, Eq, Record, Serialize, Deserialize)]
#[record(crate = ::strongroom_core, id = 1, name = "notes", key(room, id))]
#[index(id = 1, name = "color", on(color, sent: ordered))]
#[index(id = 2, name = "body", on(body))]
pub(super) struct NoteV1 {
    pub(super) room: String,
    pub(super) id: u64,
    pub(super) color: String,
    pub(super) sent: Timestamp,
    pub(super) body: String,
    pub(super) size: String,
    pub(super) dropped: bool,
}

/// As the second: `room` and `sent` have other names, `body` too, `size` another type; `words` is added, `dropped` gone.
#[derive(Clone, Debug, PartialEq, Eq, Record, Serialize, Deserialize)]
#[record(crate = ::strongroom_core, id = 1, name = "notes", key(chat, id), removed_indexes(2))]
#[index(id = 1, name = "color", on(color, time: ordered))]
#[index(id = 3, name = "words", on(words: ordered))]
#[index(id = 4, name = "text", on(text), unique)]
pub(super) struct NoteV2 {
    pub(super) chat: String,
    pub(super) id: u64,
    pub(super) color: String,
    pub(super) time: Timestamp,
    pub(super) text: String,
    pub(super) size: u32,
    pub(super) words: u64,
}

/// As the third: `text` and `words` became lines, and the index over `text` went with it.
#[derive(Clone, Debug, PartialEq, Eq, Record, Serialize, Deserialize)]
#[record(crate = ::strongroom_core, id = 1, name = "notes", key(chat, id), removed_indexes(2, 3, 4))]
#[index(id = 1, name = "color", on(color, time: ordered))]
#[index(id = 5, name = "line", on(lines: multi))]
pub(super) struct NoteV3 {
    pub(super) chat: String,
    pub(super) id: u64,
    pub(super) color: String,
    pub(super) time: Timestamp,
    pub(super) lines: Vec<String>,
    pub(super) size: u32,
}

/// What the first version's note becomes in the second.
pub(super) fn to_v2(old: NoteV1) -> Result<NoteV2> {
    let size = old.size.parse().map_err(|_| Error::new(ErrorKind::InvalidInput, "the size is no number"))?;
    let words = old.body.split(' ').count() as u64;
    let NoteV1 { room: chat, id, color, sent: time, body: text, .. } = old;
    Ok(NoteV2 { chat, id, color, time, text, size, words })
}

/// What the second version's note becomes in the third.
pub(super) fn to_v3(NoteV2 { chat, id, color, time, text, size, .. }: NoteV2) -> Result<NoteV3> {
    Ok(NoteV3 { chat, id, color, time, lines: text.split(' ').map(str::to_owned).collect(), size })
}

pub(super) fn v1() -> Result<Schema> {
    Schema::builder("notes", 1).collection::<NoteV1>().build()
}

pub(super) fn v2() -> Result<Schema> {
    Schema::builder("notes", 2).collection::<NoteV2>().migration(Migration::to(2).rewrite(to_v2)).build()
}

pub(super) fn v3() -> Result<Schema> {
    let notes = Schema::builder("notes", 3).collection::<NoteV3>();
    notes.migration(Migration::to(2).rewrite(to_v2)).migration(Migration::to(3).rewrite(to_v3)).build()
}

/// The second version, with another function for its one step.
pub(super) fn v2_by(step: impl Fn(NoteV1) -> Result<NoteV2> + Send + Sync + 'static) -> Result<Schema> {
    Schema::builder("notes", 2).collection::<NoteV2>().migration(Migration::to(2).rewrite(step)).build()
}

/// What a note was written with, apart from the note.
#[derive(Clone, Debug, PartialEq, Eq, Record, Serialize, Deserialize)]
#[record(crate = ::strongroom_core, id = 2, name = "bodies", key(room, id))]
#[index(id = 1, name = "text", on(text), unique)]
pub(super) struct Body {
    pub(super) room: String,
    pub(super) id: u64,
    pub(super) text: String,
}

/// A color that notes have.
#[derive(Clone, Debug, PartialEq, Eq, Record, Serialize, Deserialize)]
#[record(crate = ::strongroom_core, id = 3, name = "colors", key(color))]
pub(super) struct Color {
    pub(super) color: String,
}

/// What is left of a note whose body is on its own.
#[derive(Clone, Debug, PartialEq, Eq, Record, Serialize, Deserialize)]
#[record(crate = ::strongroom_core, id = 1, name = "notes", key(room, id), removed_indexes(2))]
#[index(id = 1, name = "color", on(color, sent: ordered))]
pub(super) struct Slim {
    pub(super) room: String,
    pub(super) id: u64,
    pub(super) color: String,
    pub(super) sent: Timestamp,
}

pub(super) fn split(note: &NoteV1, out: &mut Split<'_>) -> Result<()> {
    out.put(&Body { room: note.room.clone(), id: note.id, text: note.body.clone() })?;
    out.put(&Color { color: note.color.clone() })
}

pub(super) fn slim(NoteV1 { room, id, color, sent, .. }: NoteV1) -> Result<Slim> {
    Ok(Slim { room, id, color, sent })
}

/// The second version, had it split the notes: into bodies, colors and what is left.
pub(super) fn v2_split() -> Result<Schema> {
    v2_split_by(split)
}

pub(super) fn v2_split_by(
    step: impl Fn(&NoteV1, &mut Split<'_>) -> Result<()> + Send + Sync + 'static,
) -> Result<Schema> {
    let migration = Migration::to(2).split(step).rewrite(slim);
    let notes = Schema::builder("notes", 2).collection::<Slim>().collection::<Body>().collection::<Color>();
    notes.migration(migration).build()
}

/// A note of which everything follows from its number.
pub(super) fn note(id: u64) -> NoteV1 {
    NoteV1 {
        room: format!("room {}", id % 2),
        id,
        color: format!("c{}", id % 3),
        sent: at(id.cast_signed()),
        body: format!("note {id}{}", " and".repeat(id as usize % 4)),
        size: id.to_string(),
        dropped: true,
    }
}

pub(super) fn note_v2(id: u64) -> Result<NoteV2> {
    to_v2(note(id))
}

/// Limits under which a few records make many batches.
pub(super) fn small(context: &Context) -> Limits {
    Limits { page_entries_max: 10, get_keys_max: 7, ..context.limits() }
}

/// A new store as the first version's program left it.
pub(super) async fn filled(context: &Context, notes: u64) -> Checked<(Database, Site)> {
    let site = context.open_with(small(context)).await?;
    let db = open_again(&site, v1()?).await?;
    put_all(&db, (0..notes).map(note)).await?;
    Ok((db, site))
}

/// Puts records, many in one transaction.
pub(super) async fn put_all<R: Record>(db: &Database, records: impl IntoIterator<Item = R>) -> Checked {
    let records: Vec<R> = records.into_iter().collect();
    let records = &records;
    db.write(|tx| async move {
        for record in records {
            tx.put(record).await?;
        }
        Ok(())
    })
    .await?;
    Ok(())
}

/// Everything in one order of a collection.
pub(super) async fn all<R: Record, C: 'static>(db: &Database, order: Index<R, C>) -> Checked<Vec<R>> {
    Ok(db.query(order).stream().try_collect().await?)
}

/// The notes of a database of the second version, sorted by number.
pub(super) async fn notes_v2(db: &Database) -> Checked<Vec<NoteV2>> {
    let mut notes = all(db, NoteV2::PRIMARY).await?;
    notes.sort_by_key(|note| note.id);
    Ok(notes)
}

/// Checks a store that went from the first version to the second: the records, every index, and that nothing is left of the way.
pub(super) async fn is_v2(site: &Site, db: &Database, notes: u64) -> Checked {
    let expected = (0..notes).map(note_v2).collect::<Result<Vec<_>>>()?;
    ensure_eq!(notes_v2(db).await?, expected);
    for color in 0..3 {
        let ids = expected.iter().map(|note| note.id).filter(|id| id % 3 == color).rev().collect::<Vec<_>>();
        let found =
            db.query(NoteV2::COLOR).equal(&format!("c{color}")).newest_first().limit(1_000).page().await?.records;
        ensure_eq!(found.iter().map(|note| note.id).collect::<Vec<_>>(), ids);
    }
    let words = all(db, NoteV2::WORDS).await?;
    ensure!(words.is_sorted_by_key(|note| note.words) && words.len() as u64 == notes, "{} by words", words.len());
    for note in &expected {
        ensure_eq!(db.query(NoteV2::TEXT).equal(&note.text).first().await?.as_ref(), Some(note));
    }
    is_settled(site, db).await?;
    ensure_eq!(shapes(&*site.store).await?.iter().filter(|shape| **shape != 2).count(), 0, "records of an older shape");
    ensure_eq!(rows(&*site.store, &[0, 1, 2]).await?, 0, "entries of the removed index");
    Ok(())
}

/// Checks that nothing is left to do, and that every record has its entries and every entry its record.
pub(super) async fn is_settled(site: &Site, db: &Database) -> Checked {
    ensure!(!db.is_migrating().await?, "something is left to do");
    ensure_eq!(rows(&*site.store, &[0, 0, 2]).await? + rows(&*site.store, &[0, 0, 5]).await?, 0, "notes of progress");
    sound(db).await
}

pub(super) async fn sound(db: &Database) -> Checked {
    let found = db.verify().await?;
    ensure!(found.problems.is_empty(), "{:?}", found.problems);
    Ok(())
}

/// How many rows there are behind a prefix.
pub(super) async fn rows(store: &dyn Store, prefix: &[u8]) -> Result<u64> {
    Ok(store.summarize(&KeyRange::prefix(prefix)).await?.rows)
}

/// The shapes of the notes as they are stored, in the order of their keys.
pub(super) async fn shapes(store: &dyn Store) -> Checked<Vec<u32>> {
    shapes_of(store, 1).await
}

/// The shapes of a collection's records as they are stored.
pub(super) async fn shapes_of(store: &dyn Store, collection: u8) -> Checked<Vec<u32>> {
    let mut shapes = Vec::new();
    let mut range = KeyRange::prefix(&[0, collection, 0]);
    loop {
        let limit = store.info().limits.page_entries_max;
        let scan = Scan { range: range.clone(), reverse: false, limit, max_bytes: usize::MAX, fetch: Fetch::Values };
        let page = store.scan(&scan).await?;
        let Some(last) = page.entries.last().map(|entry| entry.key.clone()) else { return Ok(shapes) };
        for entry in page.entries {
            shapes.push(match entry.content {
                Some(Content::Value(value)) if value[0] == 1 => 0,
                Some(Content::Value(value)) if value[0] == 2 => {
                    u32::from_be_bytes([value[1], value[2], value[3], value[4]])
                }
                other => return Err(Failure::new(format!("no record: {other:?}"))),
            });
        }
        range = range.beyond(&last, false);
    }
}
