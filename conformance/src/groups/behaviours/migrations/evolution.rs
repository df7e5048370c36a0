//! What the validator refuses, asked alone as a program's own test would, and asked by an opening.

use serde::{Deserialize, Serialize};
use strongroom_core::schema::Migration;
use strongroom_core::{Database, ErrorKind, Record, Result, Schema};

use super::super::support::{open, open_again};
use super::records::{NoteV1, NoteV2, Slim, filled, slim, to_v2, to_v3, v1, v2, v3};
use crate::case::cases;
use crate::{Checked, Context, Failure, ensure, ensure_eq, ensure_kind};

cases! { Behaviours;
    the_validator_refuses_what_an_opening_refuses,
    migrations_follow_each_other,
    a_migration_is_never_taken_out_or_put_in_later,
}

/// One collection as programs with one mistake each declare it.
macro_rules! note {
    ($name:ident($($record:tt)*) $(, $index:meta)*) => {
        #[derive(Clone, Debug, Record, Serialize, Deserialize)]
        #[record(crate = ::strongroom_core, $($record)*)]
        $(#[$index])*
        struct $name {
            id: u64,
            color: String,
            number: u32,
        }
    };
}

note!(First(id = 1, name = "notes", key(id), removed_indexes(9)), index(id = 1, name = "color", on(color)));
note!(
    Added(id = 1, name = "notes", key(id)),
    index(id = 1, name = "color", on(color)),
    index(id = 2, name = "number", on(number))
);
note!(
    ReusedIndex(id = 1, name = "notes", key(id)),
    index(id = 1, name = "color", on(color)),
    index(id = 9, name = "number", on(number))
);
note!(OtherType(id = 1, name = "notes", key(id)), index(id = 1, name = "color", on(number)));
note!(OtherRole(id = 1, name = "notes", key(id)), index(id = 1, name = "color", on(color: ordered)));
note!(OtherKey(id = 1, name = "notes", key(number)), index(id = 1, name = "color", on(color)));
note!(NowUnique(id = 1, name = "notes", key(id)), index(id = 1, name = "color", on(color), unique));
note!(Missing(id = 1, name = "notes", key(id)));
note!(ReusedCollection(id = 7, name = "others", key(id)));

fn first() -> Result<Schema> {
    Schema::builder("s", 1).collection::<First>().removed(7).build()
}

async fn the_validator_refuses_what_an_opening_refuses(context: Context) -> Checked {
    let version = |version| Schema::builder("s", version);
    let wrong: [(&str, Schema, &[&str]); 9] = [
        ("an index id that a removed one had", version(2).collection::<ReusedIndex>().build()?, &["number", "9"]),
        ("a type", version(2).collection::<OtherType>().build()?, &["color", "String", "U32"]),
        ("a role", version(2).collection::<OtherRole>().build()?, &["color", "ordered"]),
        ("a key", version(2).collection::<OtherKey>().build()?, &["key", "number"]),
        ("uniqueness", version(2).collection::<NowUnique>().build()?, &["color", "unique"]),
        ("a missing index", version(2).collection::<Missing>().build()?, &["color", "removed"]),
        (
            "a collection id that a removed one had",
            version(2).collection::<First>().collection::<ReusedCollection>().build()?,
            &["others", "7"],
        ),
        ("an older version", version(0).collection::<First>().build()?, &["newer program"]),
        ("another schema", Schema::builder("t", 2).collection::<First>().build()?, &["\"t\""]),
    ];
    let (db, site) = open(&context, first()?).await?;
    db.put(&First { id: 1, color: "red".to_owned(), number: 1 }).await?;
    for (what, schema, words) in wrong {
        let error = ensure_kind!(schema.check_evolution(&first()?), ErrorKind::SchemaMismatch);
        let text = error.to_string().to_lowercase();
        ensure!(words.iter().all(|word| text.contains(&word.to_lowercase())), "{what}: {text}");
        let opened = Database::open(site.store.clone(), schema).await;
        let Err(error) = opened else { return Err(Failure::new(format!("{what}: opened"))) };
        ensure!(error.to_string().to_lowercase().ends_with(&text), "{what}: {error}, and {text}");
        ensure_eq!(db.query(First::COLOR).equal("red").count().await?, 1);
    }
    version(2).collection::<Added>().build()?.check_evolution(&first()?)?;
    let (older, newer) = (v1()?, v3()?);
    newer.check_evolution(&older)?;
    newer.check_evolution(&v2()?)?;
    Ok(())
}

async fn migrations_follow_each_other(_: Context) -> Checked {
    let to = |version| Migration::to(version).rewrite(to_v2);
    let notes = |version| Schema::builder("notes", version).collection::<NoteV2>();
    let refused = |schema: strongroom_core::schema::SchemaBuilder, word: &str| {
        let error = ensure_kind!(schema.build(), ErrorKind::SchemaMismatch);
        ensure!(error.to_string().contains(word), "{error}, not {word}");
        Ok::<_, Failure>(())
    };
    notes(2).migration(to(2)).build()?;
    refused(notes(1).migration(to(2)), "not beyond 1")?;
    refused(notes(3).migration(to(3)).migration(to(2)), "beyond version 3")?;
    refused(notes(2).migration(Migration::to(0)), "beyond version 0")?;
    refused(notes(2).migration(to(2).rewrite(to_v2)), "twice")?;
    // The second step begins with what the first did not leave, and the last does not end with what the program has.
    refused(notes(3).migration(to(2)).migration(to(3)), "another type")?;
    refused(notes(2).migration(Migration::to(2).rewrite(slim)), "ends with another type")?;
    refused(notes(3).migration(to(2)).migration(Migration::to(3).rewrite(to_v3)), "ends with another type")?;
    refused(notes(3).migration(to(2)).migration(Migration::to(3).split(|_: &NoteV1, _| Ok(()))), "another type")?;
    refused(
        notes(2)
            .migration(Migration::to(2).rewrite(|old: First| Ok(Added { id: old.id, color: old.color, number: 0 }))),
        "type",
    )?;
    Ok(())
}

async fn a_migration_is_never_taken_out_or_put_in_later(context: Context) -> Checked {
    let (_, site) = filled(&context, 5).await?;
    open_again(&site, v3()?).await?;
    let without = Schema::builder("notes", 4).collection::<super::records::NoteV3>();
    let only_the_last = without.clone().migration(Migration::to(3).rewrite(to_v3));
    for schema in [without.build()?, only_the_last.build()?] {
        let error = ensure_kind!(schema.check_evolution(&v3()?), ErrorKind::SchemaMismatch);
        ensure!(error.to_string().contains("never removed"), "{error}");
        ensure_kind!(Database::open(site.store.clone(), schema).await, ErrorKind::SchemaMismatch);
    }
    let (_, site) = filled(&context, 5).await?;
    let second = Schema::builder("notes", 2).collection::<NoteV1>().build()?;
    open_again(&site, second.clone()).await?;
    let late = Schema::builder("notes", 3).collection::<Slim>().migration(Migration::to(2).rewrite(slim)).build()?;
    let error = ensure_kind!(late.check_evolution(&second), ErrorKind::SchemaMismatch);
    ensure!(error.to_string().contains("newer version"), "{error}");
    ensure_kind!(Database::open(site.store.clone(), late).await, ErrorKind::SchemaMismatch);
    Ok(())
}
