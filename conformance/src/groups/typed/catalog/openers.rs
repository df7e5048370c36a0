//! Several that open one store: at once, one after another, with different schemas.

use std::sync::Arc;

use strongroom_core::store::{Limits, Sharing, Store};
use strongroom_core::{Database, ErrorKind, Record};

use super::super::support::{joined, one, open_as, put_all, some, sound};
use super::{First, WithTime, filled, item, items};
use crate::case::cases;
use crate::{Checked, Context, ensure, ensure_eq, ensure_kind};

cases! { Typed;
    first_opens_at_once_agree,
    upgrades_at_once_agree,
    an_older_schema_cannot_write_past_an_added_index,
    an_older_schema_still_reads_after_an_index_was_added,
    a_second_opener_shares_the_store_or_is_refused [Reopen],
}

/// Opens a store three times at once.
async fn opens<R: Record>(store: &Arc<dyn Store>, version: u32) -> Checked<Vec<Database>> {
    let mut tasks = Vec::new();
    for _ in 0..3 {
        tasks.push(tokio::spawn(Database::builder(one::<R>(version)?).open(store.clone())));
    }
    let mut opened = Vec::new();
    for task in tasks {
        opened.push(joined(task).await??);
    }
    Ok(opened)
}

async fn first_opens_at_once_agree(context: Context) -> Checked {
    for _ in 0..10 {
        let site = context.open().await?;
        let opened = opens::<First>(&site.store, 1).await?;
        for (id, db) in (0..).zip(&opened) {
            db.put(&item(id)).await?;
        }
        for db in &opened {
            ensure_eq!(db.count::<First>().await?, 3);
            sound(db).await?;
        }
        site.store.close().await?;
    }
    Ok(())
}

async fn upgrades_at_once_agree(context: Context) -> Checked {
    let site = context.open_with(Limits { page_entries_max: 20, ..context.limits() }).await?;
    let db = open_as(&site, one::<First>(1)?).await?;
    put_all(&db, &items(200)).await?;
    for db in &opens::<WithTime>(&site.store, 2).await? {
        ensure_eq!(db.query(WithTime::TIME).count().await?, 200);
        let first = some(db.get(&WithTime::key(&1)).await?)?;
        db.put(&first).await?;
        sound(db).await?;
    }
    Ok(())
}

async fn an_older_schema_cannot_write_past_an_added_index(context: Context) -> Checked {
    let (old, site) = filled(&context, 3).await?;
    let new = open_as(&site, one::<WithTime>(2)?).await?;
    let error = ensure_kind!(old.put(&item(9)).await, ErrorKind::SchemaMismatch);
    ensure!(error.to_string().contains("changed the schema"), "{error}");
    ensure_kind!(old.write(|tx| async move { tx.insert(&item(9)).await }).await, ErrorKind::SchemaMismatch);
    ensure_kind!(old.delete(&First::key(&1)).await, ErrorKind::SchemaMismatch);
    ensure_kind!(old.query(First::PRIMARY).delete().await, ErrorKind::SchemaMismatch);
    ensure_eq!(new.query(WithTime::TIME).count().await?, 3);
    sound(&new).await
}

async fn an_older_schema_still_reads_after_an_index_was_added(context: Context) -> Checked {
    let (old, site) = filled(&context, 3).await?;
    open_as(&site, one::<WithTime>(2)?).await?;
    ensure_eq!(old.get(&First::key(&1)).await?, Some(item(1)));
    ensure_eq!(old.query(First::COLOR).equal("c1").count().await?, 1);
    Ok(())
}

/// As the store declares: another handle on a shared store is as good as the first; an exclusive one is busy.
async fn a_second_opener_shares_the_store_or_is_refused(context: Context) -> Checked {
    let (db, site) = filled(&context, 3).await?;
    if site.store.info().sharing == Sharing::Exclusive {
        ensure_kind!(site.second().await, ErrorKind::Busy);
        ensure_eq!(db.count::<First>().await?, 3);
        return sound(&db).await;
    }
    let second = site.second().await?;
    let other = Database::builder(one::<First>(1)?).open(second.clone()).await?;
    ensure_eq!(other.count::<First>().await?, 3);
    other.put(&item(3)).await?;
    db.put(&item(4)).await?;
    ensure_eq!((db.count::<First>().await?, other.count::<First>().await?), (5, 5));
    // What one of them adds, the other must know before it writes.
    let new = Database::builder(one::<WithTime>(2)?).open(second).await?;
    ensure_kind!(db.put(&item(5)).await, ErrorKind::SchemaMismatch);
    ensure_eq!(new.query(WithTime::TIME).count().await?, 5);
    sound(&new).await
}
