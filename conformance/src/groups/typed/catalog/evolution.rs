//! Which difference between catalog and program is brought together, and which is refused.

use serde::{Deserialize, Serialize};
use strongroom_core::store::{KeyRange, LinkTo, Write};
use strongroom_core::{ErrorKind, Record, Schema, Timestamp};

use super::super::support::{at, one, only_row, open_as, open_one, overwrite, put_all, rows, some, sound, value};
use super::{First, declared, filled, item, refused};
use crate::case::cases;
use crate::{Checked, Context, ensure, ensure_eq, ensure_kind};

cases! { Typed;
    the_same_schema_again_changes_nothing,
    an_added_collection_begins_empty,
    names_may_change,
    a_removed_index_is_declared_and_its_id_stays_taken,
    a_removed_collection_is_declared_and_its_rows_go,
    unsafe_changes_are_refused_with_what_differs,
    records_that_expire_cannot_cease_to,
    a_newer_schema_is_refused,
    rows_without_a_catalog_are_refused,
    a_damaged_catalog_is_refused,
    a_catalog_of_a_newer_format_is_refused,
}

declared!(Renamed(id = 1, name = "things", key(id)), index(id = 1, name = "colour", on(color)));
declared!(WithoutColor(id = 1, name = "items", key(id), removed_indexes(1)));
declared!(ForgotColor(id = 1, name = "items", key(id)));
declared!(OtherComponents(id = 1, name = "items", key(id)), index(id = 1, name = "color", on(color: ordered)));
declared!(OtherField(id = 1, name = "items", key(id)), index(id = 1, name = "color", on(code)));
declared!(NowUnique(id = 1, name = "items", key(id)), index(id = 1, name = "color", on(color), unique));
declared!(Conditional(id = 1, name = "items", key(id)), index(id = 1, name = "color", on(color), while_absent = code));
declared!(OtherKey(id = 1, name = "items", key(color, id)), index(id = 1, name = "color", on(color)));
declared!(ReusedId(id = 1, name = "items", key(id)), index(id = 1, name = "time", on(time: ordered)));
declared!(Another(id = 2, name = "more", key(id)));

async fn the_same_schema_again_changes_nothing(context: Context) -> Checked {
    let (_db, site) = filled(&context, 10).await?;
    let before = site.store.summarize(&KeyRange::ALL).await?;
    let again = open_as(&site, one::<First>(1)?).await?;
    ensure_eq!(site.store.summarize(&KeyRange::ALL).await?, before);
    ensure_eq!(again.schema().version(), 1);
    ensure_eq!(again.count::<First>().await?, 10);
    Ok(())
}

async fn an_added_collection_begins_empty(context: Context) -> Checked {
    let (_db, site) = filled(&context, 10).await?;
    let both = || Schema::builder("one", 2).collection::<First>().collection::<Another>().build();
    let db = open_as(&site, both()?).await?;
    ensure_eq!((db.count::<First>().await?, db.count::<Another>().await?), (10, 0));
    let First { id, color, time, code, tags } = item(3);
    db.put(&Another { id, color, time, code, tags }).await?;
    ensure_eq!(open_as(&site, both()?).await?.count::<Another>().await?, 1);
    sound(&db).await
}

async fn names_may_change(context: Context) -> Checked {
    let (_db, site) = filled(&context, 10).await?;
    let db = open_as(&site, one::<Renamed>(2)?).await?;
    ensure_eq!(db.query(Renamed::COLOUR).equal("c1").count().await?, 3);
    let stats = db.stats().await?;
    ensure_eq!(stats.collections.keys().collect::<Vec<_>>(), ["things"]);
    sound(&db).await
}

async fn a_removed_index_is_declared_and_its_id_stays_taken(context: Context) -> Checked {
    let (_db, site) = filled(&context, 50).await?;
    let error = refused::<First>(&site, one::<ForgotColor>(2)?).await?;
    ensure_eq!(error.kind(), ErrorKind::SchemaMismatch);
    ensure!(error.to_string().contains("color") && error.to_string().contains("declare it removed"), "{error}");
    let db = open_as(&site, one::<WithoutColor>(2)?).await?;
    let counts = db.stats().await?.collections["items"];
    ensure_eq!((counts.records, counts.entries), (50, 0));
    ensure!(rows(&*site.store, 1, 1).await?.is_empty(), "its rows are gone");
    sound(&db).await?;
    // Also for a program that no longer knows that it was.
    open_as(&site, one::<ForgotColor>(3)?).await?;
    let error = ensure_kind!(open_as(&site, one::<ReusedId>(4)?).await, ErrorKind::SchemaMismatch);
    ensure!(error.to_string().contains("removed"), "{error}");
    Ok(())
}

async fn a_removed_collection_is_declared_and_its_rows_go(context: Context) -> Checked {
    let (_db, site) = filled(&context, 50).await?;
    let error = refused::<First>(&site, one::<Another>(2)?).await?;
    ensure!(error.to_string().contains("items"), "{error}");
    let without = || Schema::builder("one", 2).collection::<Another>().removed(1).build();
    let db = open_as(&site, without()?).await?;
    ensure_eq!(site.store.summarize(&KeyRange::prefix(&[0, 1])).await?.rows, 0);
    sound(&db).await?;
    open_as(&site, without()?).await?;
    let again = Schema::builder("one", 3).collection::<First>().collection::<Another>().build()?;
    let error = ensure_kind!(open_as(&site, again).await, ErrorKind::SchemaMismatch);
    ensure!(error.to_string().contains("removed"), "{error}");
    Ok(())
}

async fn unsafe_changes_are_refused_with_what_differs(context: Context) -> Checked {
    let (_db, site) = filled(&context, 3).await?;
    for (schema, words) in [
        (one::<OtherComponents>(2)?, vec!["color", "exact String", "ordered String", "new id"]),
        (one::<OtherField>(2)?, vec!["color: exact String", "code: exact optional String"]),
        (one::<NowUnique>(2)?, vec!["unique", "new id"]),
        (one::<Conditional>(2)?, vec!["while_absent", "code", "new id"]),
        (one::<OtherKey>(2)?, vec!["key", "items"]),
        (Schema::builder("other", 1).collection::<First>().build()?, vec!["one", "other"]),
    ] {
        let error = refused::<First>(&site, schema).await?;
        ensure_eq!(error.kind(), ErrorKind::SchemaMismatch);
        for word in words {
            ensure!(error.to_string().contains(word), "{word}: {error}");
        }
    }
    Ok(())
}

#[derive(Debug, Record, Serialize, Deserialize)]
#[record(crate = ::strongroom_core, id = 1, name = "passes", key(id), expires = until)]
struct Expiring {
    id: u64,
    until: Timestamp,
}

#[derive(Debug, Record, Serialize, Deserialize)]
#[record(crate = ::strongroom_core, id = 1, name = "passes", key(id))]
struct Lasting {
    id: u64,
    until: Timestamp,
}

/// The other way round it is an index like any other, and built over what is there.
async fn records_that_expire_cannot_cease_to(context: Context) -> Checked {
    let (db, site) = open_one::<Lasting>(&context).await?;
    put_all(&db, &(0..10).map(|id| Lasting { id, until: at(id.cast_signed()) }).collect::<Vec<_>>()).await?;
    site.clock.set(at(5));
    ensure_eq!(db.count::<Lasting>().await?, 10);
    let db = open_as(&site, one::<Expiring>(2)?).await?;
    ensure_eq!(db.query(Expiring::EXPIRY).count().await?, 4);
    sound(&db).await?;
    let error = ensure_kind!(open_as(&site, one::<Lasting>(3)?).await, ErrorKind::SchemaMismatch);
    ensure!(error.to_string().contains("keep `expires`"), "{error}");
    Ok(())
}

async fn a_newer_schema_is_refused(context: Context) -> Checked {
    let (_db, site) = filled(&context, 3).await?;
    open_as(&site, one::<First>(7)?).await?;
    let before = site.store.summarize(&KeyRange::ALL).await?;
    let error = ensure_kind!(open_as(&site, one::<First>(6)?).await, ErrorKind::SchemaMismatch);
    ensure!(error.to_string().contains("version 7") && error.to_string().contains("newer program"), "{error}");
    ensure_eq!(site.store.summarize(&KeyRange::ALL).await?, before);
    Ok(())
}

async fn rows_without_a_catalog_are_refused(context: Context) -> Checked {
    let (_db, site) = filled(&context, 3).await?;
    let catalog = only_row(&*site.store, 0, 1).await?;
    overwrite(&site.store, catalog.key, Write::Delete).await?;
    let before = site.store.summarize(&KeyRange::ALL).await?;
    ensure_kind!(open_as(&site, one::<First>(1)?).await, ErrorKind::Corrupt);
    ensure_eq!(site.store.summarize(&KeyRange::ALL).await?, before);
    Ok(())
}

async fn a_damaged_catalog_is_refused(context: Context) -> Checked {
    let (_db, site) = filled(&context, 3).await?;
    let catalog = only_row(&*site.store, 0, 1).await?;
    let record = some(rows(&*site.store, 1, 0).await?.pop())?;
    let whole = value(catalog.content.as_ref())?;
    let cut = whole[..whole.len() / 2].to_vec();
    for damaged in [Vec::new(), vec![1], b"\x01garbage".to_vec(), cut] {
        overwrite(&site.store, catalog.key.clone(), Write::Put(damaged.into())).await?;
        ensure_kind!(open_as(&site, one::<First>(1)?).await, ErrorKind::Corrupt);
    }
    let link = Write::Link(LinkTo::Key(record.key));
    overwrite(&site.store, catalog.key.clone(), link).await?;
    ensure_kind!(open_as(&site, one::<First>(1)?).await, ErrorKind::Corrupt);
    overwrite(&site.store, catalog.key, Write::Put(whole.into())).await?;
    ensure_eq!(open_as(&site, one::<First>(1)?).await?.count::<First>().await?, 3);
    Ok(())
}

async fn a_catalog_of_a_newer_format_is_refused(context: Context) -> Checked {
    let (_db, site) = filled(&context, 3).await?;
    let catalog = only_row(&*site.store, 0, 1).await?;
    for newer in [
        // Another version of everything that is stored.
        &b"\x02"[..],
        // A newer format may have another shape: {"format": 3, "shape": "another"}.
        b"\x01\x82\xA6format\x03\xA5shape\xA7another",
    ] {
        overwrite(&site.store, catalog.key.clone(), Write::Put(newer.to_vec().into())).await?;
        ensure_kind!(open_as(&site, one::<First>(1)?).await, ErrorKind::UnsupportedVersion);
    }
    ensure_eq!(rows(&*site.store, 1, 0).await?.len(), 3);
    Ok(())
}
