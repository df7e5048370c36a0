//! Following what is written: what happened since the last time, then what happens now: `cargo run --example changes`.

use std::pin::pin;

use futures_util::TryStreamExt;
use serde::{Deserialize, Serialize};
use strongroom::{ChangeCursor, ChangeKind, Database, Record, Schema, Trim};

#[derive(Clone, Debug, PartialEq, Record, Serialize, Deserialize)]
#[record(id = 1, name = "contacts", key(user), changes)]
struct Contact {
    user: String,
    name: String,
}

fn contact(user: &str, name: &str) -> Contact {
    Contact { user: user.into(), name: name.into() }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = tempfile::tempdir()?;
    let store = strongroom::open(&format!("redb:{}/contacts.redb", folder.path().display())).await?;
    let db = Database::builder(Schema::builder("contacts", 1).collection::<Contact>().build()?).open(store).await?;
    db.put(&contact("@ada", "Ada")).await?;

    // The text is what a program keeps of what it has done: with it, it goes on here the next time.
    let page = db.changes(ChangeCursor::START).records::<Contact>().await?;
    assert_eq!(page.records, [(Contact::key("@ada"), Some(contact("@ada", "Ada")))]);
    let kept: String = page.next.to_string();

    db.put(&contact("@bo", "Bo")).await?;
    let mut live = pin!(db.watch(kept.parse()?));
    let writer = db.clone();
    let writing = tokio::spawn(async move { writer.delete(&Contact::key("@ada")).await });

    // What was written before the stream began comes first, then what is being written.
    let written = live.try_next().await?.ok_or("the stream goes on")?;
    assert_eq!((written.kind(), written.key()), (ChangeKind::Put, Some(Contact::key("@bo"))));
    let deleted = live.try_next().await?.ok_or("the stream goes on")?;
    assert_eq!((deleted.kind(), deleted.key()), (ChangeKind::Delete, Some(Contact::key("@ada"))));
    writing.await??;

    // What all consumers have seen can go.
    assert_eq!(db.trim_changes(Trim::all().keep(deleted.cursor().clone())).await?, 3);
    Ok(())
}
