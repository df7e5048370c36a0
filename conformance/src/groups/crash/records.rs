//! Many tasks of a child write records with indexes through one database, in groups.

use std::sync::Arc;

use futures_util::TryStreamExt;
use serde::{Deserialize, Serialize};
use strongroom_core::schema::Schema;
use strongroom_core::store::Store;
use strongroom_core::{Database, Record, Result, Transaction};

use super::blow::{Blow, heard, pause};
use super::ledger::{Kept, LOST};
use super::random::Random;
use crate::child::Work;
use crate::{Checked, Child, Context, Failure, Settings, ensure, ensure_eq};

/// Tasks that write at the same time.
const WRITERS: u32 = 16;
/// Records that a writer keeps.
const KEPT: u32 = 4;
/// Acknowledgements after which a child is struck, at most.
const ACKNOWLEDGED_MAX: u64 = 60;

/// One thing that a writer wrote.
#[derive(Clone, Debug, PartialEq, Record, Serialize, Deserialize)]
#[record(id = 1, name = "entries", key(writer, number), crate = strongroom_core)]
#[index(id = 1, name = "tag", on(tags: multi, number: ordered))]
#[index(id = 2, name = "code", on(code), unique)]
#[index(id = 3, name = "open", on(writer, number: ordered), while_absent = done)]
struct Entry {
    writer: u32,
    number: u32,
    tags: Vec<String>,
    code: String,
    done: Option<u32>,
    text: String,
}

/// The last thing that a writer did.
#[derive(Clone, Debug, PartialEq, Record, Serialize, Deserialize)]
#[record(id = 2, name = "latest", key(writer), crate = strongroom_core)]
struct Latest {
    writer: u32,
    number: u32,
}

fn schema() -> Result<Schema> {
    Schema::builder("crash", 1).collection::<Entry>().collection::<Latest>().build()
}

impl Entry {
    /// As it is when its writer has come to `now`.
    fn at(writer: u32, number: u32, now: u32) -> Self {
        let done = (now >= number + 2).then_some(number + 2);
        let tags = match done {
            None => vec![format!("tag {}", number % 7), format!("tag {}", writer % 5), "open".to_owned()],
            Some(_) => vec![format!("tag {}", number % 3)],
        };
        let text = "text ".repeat(number as usize % 40);
        Entry { writer, number, tags, code: format!("code {writer} {number}"), done, text }
    }

    /// All that a writer keeps when it has come to `now`, which begins at 1.
    fn kept(writer: u32, now: u32) -> impl DoubleEndedIterator<Item = Self> {
        (now.saturating_sub(KEPT - 1).max(1)..=now).map(move |number| Entry::at(writer, number, now))
    }
}

/// One step of a writer: a new entry, a changed one, one that goes, and what it did last.
async fn step(tx: &Transaction, writer: u32, now: u32) -> Result<()> {
    tx.insert(&Entry::at(writer, now, now)).await?;
    if now > 2 {
        tx.update(&Entry::at(writer, now - 2, now)).await?;
    }
    if now > KEPT {
        tx.delete(&Entry::key(&writer, &(now - KEPT))).await?;
    }
    tx.put(&Latest { writer, number: now }).await
}

async fn latest(db: &Database, writer: u32) -> Result<u32> {
    Ok(db.get(&Latest::key(&writer)).await?.map_or(0, |latest| latest.number))
}

/// Makes a writer's next step; gives its number.
async fn go_on(db: &Database, writer: u32, last: u32) -> Result<u32> {
    let now = last + 1;
    db.write(move |tx| async move { step(&tx, writer, now).await }).await?;
    Ok(now)
}

/// A child whose tasks all write until the process ends.
pub(super) async fn write(work: Work) -> Checked {
    let db = Database::builder(schema()?).open(work.reopen().await?).await?;
    let work = Arc::new(work);
    let tasks = (0..WRITERS).map(|writer| {
        let (db, work) = (db.clone(), work.clone());
        tokio::spawn(async move {
            let mut last = latest(&db, writer).await?;
            loop {
                last = go_on(&db, writer, last).await?;
                work.say(format_args!("{writer} {last}"))?;
            }
        })
    });
    let ended: Checked<()> = futures_util::future::select_all(tasks.collect::<Vec<_>>())
        .await
        .0
        .unwrap_or_else(|error| Err(Failure::new(error.to_string())));
    ended
}

/// Strikes such a child after some acknowledgements, again and again.
pub(super) async fn struck_at_records(context: &Context, blow: Blow) -> Checked {
    let mut random = Random::new(context.seed(), 0);
    let (place, settings) = (context.place(), Settings::new(context.limits()));
    let mut store = context.factory().open(&place, &settings).await?;
    Database::builder(schema()?).open(store.clone()).await?;
    let mut acknowledged = [0; WRITERS as usize];
    for round in 0..blow.rounds(context) {
        store.close().await?;
        let mut child = Child::start(context, "records", &place, 0)?;
        for _ in 0..=random.below(ACKNOWLEDGED_MAX) {
            take_down(context, &mut acknowledged, &heard(&mut child)?)?;
        }
        pause(std::time::Duration::from_millis(5), &mut random);
        let (_, rest) = blow.strike(context, &place, &mut child, &mut random).await?;
        for line in rest {
            take_down(context, &mut acknowledged, &line)?;
        }
        store = context.factory().reopen(&place, &settings).await?;
        let kept = blow.kept(&*store);
        let checked = check(&store, kept, &mut acknowledged).await;
        checked.map_err(|failure| Failure::new(format!("round {round}, acknowledged {acknowledged:?}: {failure}")))?;
        if kept == Kept::All {
            context.count("lost", 0);
        }
    }
    Ok(store.close().await?)
}

fn take_down(context: &Context, acknowledged: &mut [u32], line: &str) -> Checked {
    let told =
        line.split_once(' ').and_then(|(writer, last)| Some((writer.parse::<usize>().ok()?, last.parse().ok()?)));
    let (writer, last) = told.ok_or_else(|| Failure::new(format!("the child says: {line}")))?;
    acknowledged[writer] = last;
    context.count("acknowledged", 1);
    Ok(())
}

/// Every writer stands where it was acknowledged to stand, or one step further, and its records and their entries with it.
async fn check(store: &Arc<dyn Store>, kept: Kept, acknowledged: &mut [u32]) -> Checked {
    let db = Database::builder(schema()?).open(store.clone()).await?;
    let verification = db.verify().await?;
    ensure!(verification.problems.is_empty(), "{:?}", verification.problems);
    let mut all = 0;
    for (writer, acknowledged) in (0..).zip(acknowledged.iter_mut()) {
        let now = latest(&db, writer).await?;
        let lost = now < *acknowledged && kept == Kept::All;
        ensure!(!lost, "{LOST}: writer {writer} stands at {now}, acknowledged {acknowledged}");
        ensure!(now <= *acknowledged + 1, "writer {writer} stands at {now}, acknowledged {acknowledged}");
        let open: Vec<Entry> = db.query(Entry::OPEN).equal(&writer).ascending().stream().try_collect().await?;
        let expected: Vec<Entry> = Entry::kept(writer, now).filter(|entry| entry.done.is_none()).collect();
        ensure_eq!(open, expected, "the open entries of writer {writer}");
        for entry in Entry::kept(writer, now) {
            let found = db.get(&Entry::key(&writer, &entry.number)).await?;
            ensure!(found.as_ref() == Some(&entry), "entry {writer} {}: {found:?}", entry.number);
            all += 1;
        }
        *acknowledged = now;
    }
    ensure_eq!(db.count::<Entry>().await?, all, "entries in all");
    acknowledged[0] = go_on(&db, 0, acknowledged[0]).await?;
    Ok(())
}
