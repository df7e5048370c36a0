//! What other processes write, and what is left when one is killed.

use std::collections::BTreeSet;
use std::pin::pin;

use futures_util::{StreamExt, TryStreamExt};
use strongroom_core::{ChangeCursor, Database};

use super::super::support::open_again;
use super::support::{Put, Track, all, open, schema, told};
use crate::case::cases;
use crate::child::Work;
use crate::{Checked, Child, Context, Failure, ensure, ensure_eq};

cases! { Behaviours;
    a_watch_brings_what_another_process_writes [Reopen, Processes, Share],
    after_a_kill_what_is_listed_is_what_is_there [Reopen, Processes],
}

/// Tracks that the other process writes.
const TRACKS: u32 = 20;

/// A child that writes some tracks, each by itself.
pub(super) async fn write(work: Work) -> Checked {
    let db = Database::builder(schema()?).open(work.reopen().await?).await?;
    for id in 0..TRACKS {
        db.put(&Track::new(id)).await?;
    }
    work.say("done")?;
    Ok(db.close().await?)
}

async fn a_watch_brings_what_another_process_writes(context: Context) -> Checked {
    let (db, site) = open(&context).await?;
    let mut watch = pin!(db.watch(db.change_cursor().await?));
    let mut child = Child::start(&context, "write tracks", &site.place, 0)?;
    for id in 0..TRACKS {
        let change = watch.next().await.ok_or_else(|| Failure::new("the stream has ended"))??;
        ensure_eq!(told(&change), (Put, id));
    }
    child.wait()?;
    Ok(())
}

/// A child that writes tracks without an end, several tasks beside each other, and says which.
pub(super) async fn write_on(work: Work) -> Checked {
    let db = Database::builder(schema()?).open(work.reopen().await?).await?;
    let tasks = (0..4_u32).map(|task| {
        let (db, work) = (&db, &work);
        async move {
            for number in 0_u32.. {
                let id = |number: u32| task * 250 + number % 250;
                let (id, last) = (id(number), id(number + 249));
                db.write(|tx| async move {
                    tx.put(&Track::new(id)).await?;
                    if number % 3 == 2 {
                        tx.delete(&Track::key("r", &last)).await?;
                    }
                    Ok(())
                })
                .await?;
                work.say(id)?;
            }
            Checked::Ok(())
        }
    });
    futures_util::future::try_join_all(tasks).await?;
    Ok(())
}

async fn after_a_kill_what_is_listed_is_what_is_there(context: Context) -> Checked {
    let (db, mut site) = open(&context).await?;
    let since = db.change_cursor().await?;
    db.close().await?;
    let mut acknowledged = BTreeSet::new();
    for kill in 0..context.effort().kills as u32 {
        let mut child = Child::start(&context, "write tracks on", &site.place, 0)?;
        for _ in 0..20 + 7 * kill {
            let line = child.next_line()?.ok_or_else(|| Failure::new("the child ended"))?;
            acknowledged.insert(line.parse::<u32>().map_err(|_| Failure::new(line))?);
        }
        ensure!(child.kill()?, "the child was at work");
    }
    site.reopen().await?;
    let db = open_again(&site, schema()?).await?;
    let mut listed = BTreeSet::new();
    let mut own = BTreeSet::new();
    for change in all(&db, &since, 50).await? {
        let (kind, id) = told(&change);
        listed.insert(id);
        if kind == Put {
            own.insert(id)
        } else {
            own.remove(&id)
        };
    }
    ensure!(acknowledged.is_subset(&listed), "what was acknowledged is listed");
    let there: Vec<Track> = db.query(Track::PRIMARY).equal("r").stream().try_collect().await?;
    let there: BTreeSet<u32> = there.iter().map(|track| track.id).collect();
    ensure_eq!(own, there, "who followed the feed has what is there");
    ensure_eq!(all(&db, &ChangeCursor::START, 500).await?.len(), all(&db, &since, 500).await?.len());
    Ok(())
}
