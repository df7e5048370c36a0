//! Two stores that were written apart and exchange what changed until they are equal: `cargo run --example sync`.

use futures_util::TryStreamExt;
use serde::{Deserialize, Serialize};
use strongroom::{ChangeCursor, Database, Merge, Merged, Record, Result, Schema, last_writer};

#[derive(Clone, Debug, PartialEq, Record, Serialize, Deserialize)]
#[record(id = 1, name = "profiles", key(user), changes)]
struct Profile {
    user: String,
    name: String,
    version: u64,
}

fn profile(user: &str, name: &str, version: u64) -> Profile {
    Profile { user: user.into(), name: name.into(), version }
}

/// The newer one wins. What wins already is not written again, so the exchange comes to an end.
impl Merge for Profile {
    fn merge(self, other: Self) -> Self {
        last_writer(self, other, |profile| profile.version)
    }
}

/// Brings a page of what was written to `from` into `to`, and says whether there may be more to bring, in either direction.
async fn pull(from: &Database, since: &mut ChangeCursor, to: &Database) -> Result<bool> {
    let page = from.changes(since.clone()).records::<Profile>().await?;
    let mut more = page.more;
    for theirs in page.records.iter().filter_map(|(_, now)| now.as_ref()) {
        more |= to.merge(theirs).await? == Merged::Stored;
    }
    *since = page.next;
    Ok(more)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = tempfile::tempdir()?;
    let schema = Schema::builder("profiles", 1).collection::<Profile>().build()?;
    let open = async |name: &str| {
        let store = strongroom::open(&format!("redb:{}/{name}.redb", folder.path().display())).await?;
        Database::builder(schema.clone()).open(store).await
    };
    let (phone, laptop) = (&open("phone").await?, &open("laptop").await?);
    phone.put(&profile("@a", "Ada", 2)).await?;
    laptop.put(&profile("@a", "ada", 1)).await?;
    laptop.put(&profile("@b", "Bo", 1)).await?;

    let (mut of_phone, mut of_laptop) = (ChangeCursor::START, ChangeCursor::START);
    while pull(phone, &mut of_phone, laptop).await? | pull(laptop, &mut of_laptop, phone).await? {}

    let all = |db: &Database| db.query(Profile::PRIMARY).stream().try_collect::<Vec<_>>();
    assert_eq!(all(phone).await?, [profile("@a", "Ada", 2), profile("@b", "Bo", 1)]);
    assert_eq!(all(phone).await?, all(laptop).await?);
    Ok(())
}
