//! Two stores that are written apart and exchange what changed end equal.

use futures_util::TryStreamExt;
use serde::{Deserialize, Serialize};
use strongroom_core::{ChangeCursor, Database, Merge, Merged, Record, Result, Schema, last_writer};

use super::super::support::{open, sound};
use crate::case::cases;
use crate::{Checked, Context, ensure, ensure_eq};

cases! { Behaviours;
    stores_that_merge_each_others_changes_end_equal random true,
    a_deletion_is_passed_on_and_ends_the_exchange,
}

/// A record that merges; without a name it is a tombstone.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Record, Serialize, Deserialize)]
#[record(crate = ::strongroom_core, id = 1, name = "profiles", key(user), changes)]
#[index(id = 1, name = "name", on(name))]
struct Profile {
    user: u32,
    name: Option<String>,
    version: u32,
}

impl Merge for Profile {
    fn merge(self, other: Self) -> Self {
        last_writer(self, other, |profile| profile.version)
    }
}

fn profile(user: u32, name: &str, version: u32) -> Profile {
    Profile { user, name: Some(name.to_owned()), version }
}

fn schema() -> Result<Schema> {
    Schema::builder("profiles", 1).collection::<Profile>().build()
}

/// One direction of the exchange.
struct Pull<'d> {
    from: &'d Database,
    to: &'d Database,
    since: ChangeCursor,
}

impl<'d> Pull<'d> {
    fn new(from: &'d Database, to: &'d Database) -> Self {
        Pull { from, to, since: ChangeCursor::START }
    }

    /// Brings a page, and says whether there may be more to bring, in either direction.
    async fn page(&mut self, limit: usize) -> Result<bool> {
        let page = self.from.changes(self.since.clone()).limit(limit).records::<Profile>().await?;
        let mut more = page.more;
        for (key, theirs) in page.records {
            more |= match theirs {
                Some(theirs) => self.to.merge(&theirs).await? == Merged::Stored,
                None => self.to.delete(&key).await?,
            };
        }
        self.since = page.next;
        Ok(more)
    }
}

/// Both directions, until there is nothing more; says how many pages that took.
async fn exchange(there: &mut Pull<'_>, back: &mut Pull<'_>) -> Checked<u32> {
    for rounds in 1.. {
        if !(there.page(7).await? | back.page(5).await?) {
            return Ok(rounds);
        }
        ensure!(rounds < 500, "an exchange without end");
    }
    Ok(0)
}

async fn all(db: &Database) -> Checked<Vec<Profile>> {
    let mut profiles: Vec<Profile> = db.query(Profile::PRIMARY).stream().try_collect().await?;
    profiles.sort();
    Ok(profiles)
}

async fn stores_that_merge_each_others_changes_end_equal(context: Context) -> Checked {
    let mut random = fastrand::Rng::with_seed(context.seed());
    let ((one, _one), (other, _other)) = (open(&context, schema()?).await?, open(&context, schema()?).await?);
    let (mut there, mut back) = (Pull::new(&one, &other), Pull::new(&other, &one));
    let mut written = Vec::new();
    for _ in 0..60 {
        // Few records and versions, so that many meet; some are tombstones, and some pages go between.
        let new = profile(random.u32(..6), ["a", "b", "a longer name"][random.usize(..3)], random.u32(..20));
        let new = if random.u8(..4) == 0 { Profile { name: None, ..new } } else { new };
        let db = if random.bool() { &one } else { &other };
        db.merge(&new).await?;
        written.push(new);
        match random.u8(..6) {
            0 => there.page(3).await.map(drop)?,
            1 => back.page(3).await.map(drop)?,
            _ => {}
        }
    }
    exchange(&mut there, &mut back).await?;
    let mut expected: Vec<Profile> = Vec::new();
    for new in written {
        match expected.iter_mut().find(|known| known.user == new.user) {
            Some(known) => *known = known.clone().merge(new),
            None => expected.push(new),
        }
    }
    expected.sort();
    ensure_eq!(all(&one).await?, expected);
    ensure_eq!(all(&other).await?, expected);
    ensure_eq!(exchange(&mut there, &mut back).await?, 1, "equal stores have nothing to tell");
    sound(&one).await?;
    sound(&other).await
}

async fn a_deletion_is_passed_on_and_ends_the_exchange(context: Context) -> Checked {
    let ((one, _one), (other, _other)) = (open(&context, schema()?).await?, open(&context, schema()?).await?);
    let (mut there, mut back) = (Pull::new(&one, &other), Pull::new(&other, &one));
    one.put(&profile(1, "a", 1)).await?;
    one.put(&profile(2, "b", 1)).await?;
    other.put(&profile(2, "b", 2)).await?;
    exchange(&mut there, &mut back).await?;
    // The newer version is deleted where it did not come from. Nobody has an older one that could bring it back.
    ensure!(one.delete(&Profile::key(&2)).await?);
    ensure!(exchange(&mut there, &mut back).await? <= 3, "it goes there, and nothing comes back");
    for db in [&one, &other] {
        ensure_eq!(all(db).await?, [profile(1, "a", 1)]);
        sound(db).await?;
    }
    Ok(())
}
