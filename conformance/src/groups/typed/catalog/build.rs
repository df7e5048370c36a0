//! Building an index over what is there: complete or not at all, and finished after any interruption.

use std::sync::Arc;

use futures_util::TryStreamExt;
use serde::{Deserialize, Serialize};
use strongroom_core::store::{KeyRange, Limits};
use strongroom_core::{Database, ErrorKind, Limit, Record, Result, Schema, Timestamp};

use super::super::meanwhile::{Meanwhile, Moment};
use super::super::support::{at, kind, one, open_as, put_all, rows, some, sound};
use super::{First, WithCode, WithTime, declared, filled, item, items, refused};
use crate::case::cases;
use crate::context::Site;
use crate::groups::cut::Cut;
use crate::twist::Twisted;
use crate::{Checked, Context, Failure, ensure, ensure_eq, ensure_kind};

cases! { Typed;
    an_added_index_is_built_over_what_is_there,
    an_index_of_every_kind_can_be_added,
    an_index_of_many_entries_a_record_is_built_in_smaller_batches,
    a_build_keeps_to_the_limits_of_the_store,
    a_unique_index_over_duplicates_is_refused_and_nothing_changes,
    an_index_whose_entries_are_too_long_is_refused_and_nothing_changes,
    an_upgrade_cut_off_before_any_commit_is_finished,
    an_upgrade_cut_off_after_any_commit_is_finished,
    an_interrupted_build_goes_on_where_it_was,
    an_interrupted_way_back_leaves_no_incomplete_index,
    a_way_back_stops_where_another_has_finished_the_index,
}

declared!(
    AllKinds(id = 1, name = "items", key(id)),
    index(id = 1, name = "color", on(color)),
    index(id = 2, name = "time", on(time: ordered)),
    index(id = 3, name = "code", on(code), unique),
    index(id = 4, name = "tag", on(tags: multi)),
    index(id = 5, name = "codeless", on(color), while_absent = code),
    index(id = 6, name = "both", on(color, code, time: ordered))
);
declared!(
    WithTags(id = 1, name = "items", key(id)),
    index(id = 1, name = "color", on(color)),
    index(id = 2, name = "tag", on(tags: multi))
);

// Ordered components are stored as they are, also where a codec makes others shorter.
declared!(
    WithOrderedCode(id = 1, name = "items", key(id)),
    index(id = 1, name = "color", on(color)),
    index(id = 2, name = "code", on(code: ordered))
);

async fn an_added_index_is_built_over_what_is_there(context: Context) -> Checked {
    // More than one batch of the build takes.
    let (_db, site) = filled(&context, 1_234).await?;
    let db = open_as(&site, one::<WithTime>(2)?).await?;
    let found: Vec<WithTime> = db.query(WithTime::TIME).equal("c1").newest_first().stream().try_collect().await?;
    let expected: Vec<u64> = (0..1_234).rev().filter(|id| id % 3 == 1).collect();
    ensure_eq!(found.iter().map(|item| item.id).collect::<Vec<_>>(), expected);
    ensure_eq!(db.query(WithTime::COLOR).equal("c1").count().await?, expected.len() as u64);
    sound(&db).await
}

async fn an_index_of_every_kind_can_be_added(context: Context) -> Checked {
    let (db, site) = filled(&context, 0).await?;
    let tags = ["a", "b", "a"].map(str::to_owned).to_vec();
    put_all(&db, &[First { tags, ..item(1) }, First { code: None, ..item(2) }, item(4)]).await?;
    let db = open_as(&site, one::<AllKinds>(2)?).await?;
    let ids = |found: Vec<AllKinds>| found.iter().map(|item| item.id).collect::<Vec<_>>();
    ensure_eq!(ids(db.query(AllKinds::TIME).from(at(2)).page().await?.records), [2, 4]);
    ensure_eq!(ids(db.query(AllKinds::CODE).equal("code 4").page().await?.records), [4]);
    ensure_eq!(db.query(AllKinds::TAG).count().await?, 2);
    ensure_eq!(ids(db.query(AllKinds::CODELESS).page().await?.records), [2]);
    ensure_eq!(ids(db.query(AllKinds::BOTH).equal("c1").equal("code 1").page().await?.records), [1]);
    let fourth = some(db.get(&AllKinds::key(&4)).await?)?;
    ensure_kind!(db.put(&AllKinds { id: 9, ..fourth }).await, ErrorKind::UniqueViolation);
    sound(&db).await
}

async fn an_index_of_many_entries_a_record_is_built_in_smaller_batches(context: Context) -> Checked {
    let site = context.open_with(Limits { batch_writes_max: 200, ..context.limits() }).await?;
    let db = open_as(&site, one::<First>(1)?).await?;
    let tagged = |id| First { tags: (0..50).map(|tag| tag.to_string()).collect(), ..item(id) };
    put_all(&db, &(0..30).map(tagged).collect::<Vec<_>>()).await?;
    let db = open_as(&site, one::<WithTags>(2)?).await?;
    ensure_eq!(db.query(WithTags::TAG).equal("7").count().await?, 30);
    ensure_eq!(db.query(WithTags::TAG).count().await?, 30 * 50);
    sound(&db).await
}

async fn a_build_keeps_to_the_limits_of_the_store(context: Context) -> Checked {
    let site = context.open_with(small(&context)).await?;
    let db = open_as(&site, one::<First>(1)?).await?;
    put_all(&db, &items(100)).await?;
    let db = open_as(&site, one::<WithCode>(2)?).await?;
    ensure_eq!(db.query(WithCode::CODE).count().await?, 100);
    ensure_eq!(db.query(WithCode::CODE).limit(100).page().await?.records.len(), 100);
    sound(&db).await
}

/// Limits under which little makes many batches.
fn small(context: &Context) -> Limits {
    Limits { page_entries_max: 20, get_keys_max: 7, ..context.limits() }
}

async fn a_unique_index_over_duplicates_is_refused_and_nothing_changes(context: Context) -> Checked {
    let site = context.open_with(small(&context)).await?;
    let code = Some("code 7".to_owned());
    // Twenty records go into a batch: the duplicates come in one batch, and in different ones.
    for (count, duplicate) in [(15, 14), (75, 74)] {
        let db = open_as(&site, one::<First>(1)?).await?;
        put_all(&db, &items(count)).await?;
        db.put(&First { code: code.clone(), ..item(duplicate) }).await?;
        let error = refused::<First>(&site, one::<WithCode>(2)?).await?;
        ensure_eq!(error.kind(), ErrorKind::UniqueViolation);
        ensure!(error.to_string().contains("code") && error.to_string().contains("items"), "{error}");
        ensure_eq!(rows_of_index(&site).await?, 0, "rows of an index that is none");
    }
    let db = open_as(&site, one::<First>(1)?).await?;
    put_all(&db, &[item(14), item(74)]).await?;
    let db = open_as(&site, one::<WithCode>(2)?).await?;
    ensure_eq!(db.query(WithCode::CODE).count().await?, 75);
    sound(&db).await
}

async fn rows_of_index(site: &Site) -> Result<u64> {
    Ok(site.store.summarize(&KeyRange::prefix(&[0, 1, 2])).await?.rows)
}

async fn an_index_whose_entries_are_too_long_is_refused_and_nothing_changes(context: Context) -> Checked {
    let site = context.open_with(Limits { key_bytes_max: 300, ..small(&context) }).await?;
    let db = open_as(&site, one::<First>(1)?).await?;
    put_all(&db, &items(70)).await?;
    db.put(&First { code: Some("c".repeat(400)), ..item(65) }).await?;
    let error = refused::<First>(&site, one::<WithOrderedCode>(2)?).await?;
    ensure_eq!(error.kind(), ErrorKind::Limit(Limit::KeyBytes));
    ensure_eq!(rows_of_index(&site).await?, 0);
    Ok(())
}

/// Opens the store, and is cut off after so many changes.
async fn open_cut(site: &Site, schema: Schema, after: usize, late: bool) -> Result<Database> {
    Database::builder(schema).open(Cut::new(after, late).over(&site.store)).await
}

declared!(Gone(id = 2, name = "gone", key(id)), index(id = 1, name = "color", on(color)));
declared!(
    Next(id = 1, name = "items", key(id), removed_indexes(1)),
    index(id = 2, name = "time", on(time: ordered)),
    index(id = 3, name = "code", on(code), unique)
);

/// Two collections, of which the next program has one, without its index and with two others.
fn before() -> Result<Schema> {
    Schema::builder("one", 1).collection::<First>().collection::<Gone>().build()
}

fn next() -> Result<Schema> {
    Schema::builder("one", 2).collection::<Next>().removed(2).build()
}

async fn an_upgrade_cut_off_before_any_commit_is_finished(context: Context) -> Checked {
    upgrade_cut_off(&context, false).await
}

async fn an_upgrade_cut_off_after_any_commit_is_finished(context: Context) -> Checked {
    upgrade_cut_off(&context, true).await
}

async fn upgrade_cut_off(context: &Context, late: bool) -> Checked {
    for changes in 0..100 {
        let site = context.open_with(small(context)).await?;
        let db = open_as(&site, before()?).await?;
        put_all(&db, &items(25)).await?;
        db.put(&Gone { id: 1, color: String::new(), time: at(0), code: None, tags: Vec::new() }).await?;
        let cut = open_cut(&site, next()?, changes, late).await;
        let (finished, began) = (cut.is_ok(), changes > 0 || late);
        // The program of before may go on if nothing has happened, and must not if something has.
        match open_as(&site, before()?).await {
            Ok(db) if !began => sound(&db).await?,
            Ok(_) => return Err(Failure::new(format!("after {changes} changes the older program goes on"))),
            Err(error) => ensure!(began && error.kind() == ErrorKind::SchemaMismatch, "{changes} changes: {error}"),
        }
        let db = open_as(&site, next()?).await?;
        let found: Vec<Next> = db.query(Next::TIME).ascending().stream().try_collect().await?;
        ensure_eq!(found.iter().map(|item| item.id).collect::<Vec<_>>(), (0..25).collect::<Vec<_>>());
        ensure_eq!(db.query(Next::CODE).count().await?, 25, "after {changes} changes");
        ensure!(rows(&*site.store, 1, 1).await?.is_empty(), "the removed index after {changes} changes");
        ensure_eq!(site.store.summarize(&KeyRange::prefix(&[0, 2])).await?.rows, 0, "after {changes} changes");
        ensure!(rows(&*site.store, 0, 2).await?.is_empty(), "what is left of the build after {changes} changes");
        sound(&db).await?;
        site.store.close().await?;
        if finished {
            ensure!(changes > 8, "it was cut off in all of its steps");
            return Ok(());
        }
    }
    Err(Failure::new("an upgrade does not end"))
}

async fn an_interrupted_build_goes_on_where_it_was(context: Context) -> Checked {
    let site = context.open_with(small(&context)).await?;
    let db = open_as(&site, one::<First>(1)?).await?;
    put_all(&db, &items(200)).await?;
    // Ten batches of twenty: one that began anew each time would never end.
    for attempts in 1..=20 {
        if open_cut(&site, one::<WithTime>(2)?, 2, false).await.is_ok() {
            ensure!(attempts > 5, "it was cut off");
            let db = open_as(&site, one::<WithTime>(2)?).await?;
            ensure_eq!(db.query(WithTime::TIME).count().await?, 200);
            return sound(&db).await;
        }
    }
    Err(Failure::new("it does not go on"))
}

/// Gives the record that a build comes to last the code of the first one. So they come in different batches, wherever the codec puts them, and the
/// first batch is written before the duplicate is met. Gives the last one as it was.
async fn duplicate_far_apart(db: &Database) -> Checked<First> {
    let stored = db.query(First::PRIMARY).limit(100).page().await?.records;
    let [first, .., last] = &stored[..] else { return Err(Failure::new("there are not two records")) };
    db.put(&First { code: first.code.clone(), ..last.clone() }).await?;
    Ok(last.clone())
}

/// Wherever the way back from a failed upgrade is cut off, a later open does not take a part of an index for the whole.
async fn an_interrupted_way_back_leaves_no_incomplete_index(context: Context) -> Checked {
    for changes in 0..10 {
        let site = context.open_with(small(&context)).await?;
        let db = open_as(&site, one::<First>(1)?).await?;
        put_all(&db, &items(45)).await?;
        duplicate_far_apart(&db).await?;
        ensure!(open_cut(&site, one::<WithCode>(2)?, changes, changes % 2 == 1).await.is_err());
        let error = refused::<First>(&site, one::<WithCode>(2)?).await?;
        ensure_eq!(error.kind(), ErrorKind::UniqueViolation, "after {changes} changes");
        ensure_eq!(rows_of_index(&site).await?, 0, "after {changes} changes");
        site.store.close().await?;
    }
    Ok(())
}

/// One program meets duplicates and goes back. Before it drops what it has built, another does the same, the duplicate goes,
/// and the index is built again and used.
async fn a_way_back_stops_where_another_has_finished_the_index(context: Context) -> Checked {
    let site = context.open_with(small(&context)).await?;
    let db = open_as(&site, one::<First>(1)?).await?;
    put_all(&db, &items(45)).await?;
    let last = duplicate_far_apart(&db).await?;
    let meanwhile = Arc::new(Meanwhile::new(Moment::BeforeDropRange));
    let store = site.store.clone();
    meanwhile.then(async move {
        let open = async |schema| Database::builder(schema).open(store.clone()).await;
        ensure_eq!(kind(open(one::<WithCode>(2)?).await), Some(ErrorKind::UniqueViolation));
        open(one::<First>(1)?).await?.put(&last).await?;
        ensure_eq!(open(one::<WithCode>(2)?).await?.query(WithCode::CODE).count().await?, 45);
        Ok(())
    });
    let twisted = Arc::new(Twisted::new(site.store.clone(), meanwhile.clone()));
    let opened = Database::builder(one::<WithCode>(2)?).open(twisted).await;
    ensure_eq!(kind(opened), Some(ErrorKind::UniqueViolation));
    meanwhile.happened()?;
    let db = open_as(&site, one::<WithCode>(2)?).await?;
    ensure_eq!(db.query(WithCode::CODE).count().await?, 45, "the other's index is whole");
    sound(&db).await
}
