//! A collection that was in use before it is followed.

use serde::{Deserialize, Serialize};
use strongroom_core::{ChangeCursor, ChangeKind, Database, ErrorKind, Record, Result, Schema};

use super::super::support::{open, open_again};
use super::support::{Put, all};
use crate::case::cases;
use crate::{Checked, Context, ensure, ensure_eq, ensure_kind};

cases! { Behaviours;
    a_collection_that_is_followed_later_says_where_it_begins,
    a_handle_that_would_not_list_cannot_write,
}

/// The same collection, before it was followed and after.
#[derive(Clone, Debug, PartialEq, Record, Serialize, Deserialize)]
#[record(id = 1, name = "plain", key(id))]
struct Plain {
    id: u32,
}

#[derive(Clone, Debug, PartialEq, Record, Serialize, Deserialize)]
#[record(id = 1, name = "followed", key(id), changes)]
struct Followed {
    id: u32,
}

#[derive(Clone, Debug, PartialEq, Record, Serialize, Deserialize)]
#[record(id = 2, name = "later", key(id), changes)]
struct Later {
    id: u32,
}

fn one<R: Record>(version: u32) -> Result<Schema> {
    Schema::builder("begin", version).collection::<R>().build()
}

fn both(version: u32) -> Result<Schema> {
    Schema::builder("begin", version).collection::<Followed>().collection::<Later>().build()
}

async fn kinds(db: &Database) -> Checked<Vec<(ChangeKind, &'static str)>> {
    let changes = all(db, &ChangeCursor::START, 500).await?;
    Ok(changes.iter().map(|change| (change.kind(), change.collection())).collect())
}

async fn a_collection_that_is_followed_later_says_where_it_begins(context: Context) -> Checked {
    let (db, site) = open(&context, one::<Plain>(1)?).await?;
    db.put(&Plain { id: 1 }).await?;
    let early = db.change_cursor().await?;
    db.put(&Plain { id: 2 }).await?;
    let db = open_again(&site, one::<Followed>(2)?).await?;
    ensure_eq!(kinds(&db).await?, [(ChangeKind::Begun, "followed")]);
    db.put(&Followed { id: 3 }).await?;
    ensure_eq!(kinds(&db).await?, [(ChangeKind::Begun, "followed"), (Put, "followed")]);
    let page = db.changes(early).records::<Followed>().await?;
    ensure!(page.begun, "who followed before is told to read all");
    ensure_eq!(page.records, [(Followed::key(&3), Some(Followed { id: 3 }))]);
    // Once; and what is new has nothing that was not listed.
    let db = open_again(&site, both(3)?).await?;
    db.put(&Later { id: 1 }).await?;
    ensure_eq!(kinds(&db).await?[1..], [(Put, "followed"), (Put, "later")]);
    ensure!(!db.changes(page.next).records::<Later>().await?.begun);
    ensure_eq!(db.verify().await?.problems.len(), 0);
    Ok(())
}

async fn a_handle_that_would_not_list_cannot_write(context: Context) -> Checked {
    let (old, site) = open(&context, one::<Plain>(1)?).await?;
    old.put(&Plain { id: 1 }).await?;
    let new = open_again(&site, one::<Followed>(1)?).await?;
    ensure_kind!(old.put(&Plain { id: 2 }).await, ErrorKind::SchemaMismatch);
    new.put(&Followed { id: 2 }).await?;
    // Switched off, it is followed no more, and begins anew when it is switched on.
    let off = open_again(&site, one::<Plain>(1)?).await?;
    ensure_kind!(new.put(&Followed { id: 3 }).await, ErrorKind::SchemaMismatch);
    off.put(&Plain { id: 3 }).await?;
    ensure_kind!(off.changes(ChangeCursor::START).of::<Plain>().page().await, ErrorKind::InvalidInput);
    ensure_eq!(kinds(&off).await?.len(), 0);
    let on = open_again(&site, one::<Followed>(1)?).await?;
    let told: Vec<_> = kinds(&on).await?.into_iter().map(|(kind, _)| kind).collect();
    ensure_eq!(told, [ChangeKind::Begun, Put, ChangeKind::Begun]);
    Ok(())
}
