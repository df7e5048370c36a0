//! Copies of a whole database in another store.

use strongroom_core::ErrorKind;

use super::support::{Counter, Note, all, at, one, open, open_as, put_all, sound};
use crate::case::cases;
use crate::{Checked, Context, ensure_eq, ensure_kind};

cases! { Typed;
    a_copy_has_every_record_and_every_entry,
    a_copy_does_not_replace_another_record,
    a_copy_into_another_schema_is_refused,
}

/// Notes of every shape, more than a copy takes at a time.
fn notes() -> Vec<Note> {
    let note = |id: u32| Note {
        thread: id.is_multiple_of(3).then(|| "thread".to_owned()),
        tags: (0..id % 4).map(|tag| format!("{tag}")).collect(),
        slug: id.is_multiple_of(2).then(|| format!("slug {id}")),
        done_at: id.is_multiple_of(5).then(|| at(1)),
        expires_at: id.is_multiple_of(7).then(|| at(1_000)),
        ..Note::new("r", id, i64::from(id % 10))
    };
    (0..1_100).map(note).collect()
}

async fn a_copy_has_every_record_and_every_entry(context: Context) -> Checked {
    let ((from, _from), (to, _to)) = (open(&context).await?, open(&context).await?);
    put_all(&from, &notes()).await?;
    from.put(&Counter::new("c", 7)).await?;
    let mut told = Vec::new();
    ensure_eq!(from.copy_into(&to, |copied| told.push(copied.records)).await?.written, 1_101, "records that were new");
    ensure_eq!(told.last(), Some(&1_101), "what was told at the end");
    let (mut copied, mut expected) = (all(&to, Note::PRIMARY).await?, notes());
    copied.sort();
    expected.sort();
    ensure_eq!(copied, expected);
    ensure_eq!(to.get(&Counter::key("c")).await?, Some(Counter::new("c", 7)));
    ensure_eq!(to.query(Note::SLUG).equal("slug 42").first().await?.map(|note| note.id), Some(42));
    sound(&to).await
}

async fn a_copy_does_not_replace_another_record(context: Context) -> Checked {
    let ((from, _from), (to, _to)) = (open(&context).await?, open(&context).await?);
    from.put(&Note::with_slug(1, "taken")).await?;
    let other = Note { text: "another".to_owned(), ..Note::new("r", 1, 0) };
    to.put(&other).await?;
    ensure_kind!(from.copy_into(&to, |_| {}).await, ErrorKind::AlreadyExists);
    to.delete(&Note::key("r", &1)).await?;
    // Nor does it take a unique entry away.
    to.put(&Note::with_slug(2, "taken")).await?;
    ensure_kind!(from.copy_into(&to, |_| {}).await, ErrorKind::AlreadyExists);
    ensure_eq!(to.query(Note::SLUG).equal("taken").first().await?.map(|note| note.id), Some(2));
    ensure_eq!(to.get(&Note::key("r", &1)).await?, None);
    sound(&to).await
}

async fn a_copy_into_another_schema_is_refused(context: Context) -> Checked {
    let (from, _site) = open(&context).await?;
    from.put(&Counter::new("c", 7)).await?;
    let site = context.open().await?;
    let to = open_as(&site, one::<Counter>(1)?).await?;
    ensure_kind!(from.copy_into(&to, |_| {}).await, ErrorKind::SchemaMismatch);
    ensure_eq!(to.count::<Counter>().await?, 0);
    Ok(())
}
