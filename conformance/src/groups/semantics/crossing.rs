//! What crosses a read: it was begun before a write and ends after it. What it brings may be old; nobody is given that later.

use std::fmt;

use strongroom_core::store::{Batch, KeyPrefix, KeyRange, Revision, Row, Rows, Store, StoredKey, Write};

use super::support::{
    batch, commit, commit_all, committed, conflict, current, finish, key, key_guard, link, poll_once, put, read,
    rejection, row, scanned, soon, steps, suffix, value,
};
use crate::case::cases;
use crate::{Checked, Context, Failure, ensure, ensure_eq};

cases! { Semantics;
    a_read_that_a_put_crosses_is_not_what_is_read_later,
    a_read_that_a_delete_crosses_is_not_what_is_read_later,
    a_read_that_an_insert_crosses_is_not_what_is_read_later,
    a_read_that_a_link_crosses_is_not_what_is_read_later,
    a_read_that_a_stamped_write_crosses_is_not_what_is_read_later,
    a_read_that_a_drop_range_crosses_is_not_what_is_read_later,
    a_read_that_a_dropped_commit_crosses_is_not_what_is_read_later,
    a_read_that_crosses_what_does_not_happen_leaves_all_as_it_is,
    keys_read_together_are_of_one_revision_whatever_crosses,
    a_read_that_another_opener_crosses_is_not_what_is_read_later [Share],
}

/// Steps of a read after which it is crossed. One that takes more of them is not crossed any later.
const STEPS_MAX: usize = 8;

/// How a read is crossed.
#[derive(Clone, Copy)]
struct Way {
    /// It reads a snapshot.
    snapshot: bool,
    /// So many of its keys, the first ones, were read before.
    known: usize,
    /// Its steps before it is crossed.
    steps: usize,
}

impl Way {
    /// A name for what is read this way, no longer and no shorter than others.
    fn name(self) -> String {
        format!("{}-{}-{}", u8::from(self.snapshot), self.known, self.steps)
    }
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = if self.snapshot { "a snapshot" } else { "the store" };
        write!(f, "a read of {what}, crossed after {} steps, {} keys read before", self.steps, self.known)
    }
}

/// Every way to cross a read, so many of whose keys may have been read before.
fn ways(known: &[usize]) -> Vec<Way> {
    let all = [false, true].into_iter().flat_map(|snapshot| known.iter().map(move |known| (snapshot, *known)));
    all.flat_map(|(snapshot, known)| (0..=STEPS_MAX).map(move |steps| Way { snapshot, known, steps })).collect()
}

/// Crosses a read in all these ways, except for those in which it has ended before. `cross` says whether it had.
async fn each(ways: Vec<Way>, mut cross: impl AsyncFnMut(Way) -> Checked<bool>) -> Checked {
    let mut ended = None;
    for way in ways {
        let of = (way.snapshot, way.known);
        if ended != Some(of) && cross(way).await.map_err(|failure| Failure::new(format!("{way}: {failure}")))? {
            ended = Some(of);
        }
    }
    Ok(())
}

/// What is there when a read has been crossed.
struct Crossed {
    /// Whether the read had ended before.
    ended: bool,
    /// The revision of what crossed it.
    written: Revision,
    /// The rows before, and the rows now.
    before: Vec<Option<Row>>,
    after: Vec<Option<Row>>,
}

/// Begins to read, writes, and ends the read: it has seen the rows of its revision, and what is read later are those of now.
async fn cross(
    store: &dyn Store,
    way: Way,
    asked: &[StoredKey],
    write: impl Future<Output = Checked<Revision>>,
) -> Checked<Crossed> {
    let before = scan_each(store, asked).await?;
    if way.known > 0 {
        ensure_eq!(store.get(&asked[..way.known]).await?.rows, before[..way.known], "what was read before");
    }
    let snapshot = if way.snapshot { Some(store.snapshot().await?) } else { None };
    let mut reading = match &snapshot {
        Some(snapshot) => snapshot.get(asked),
        None => store.get(asked),
    };
    let begun = steps(&mut reading, way.steps).await;
    let ended = begun.is_ready();
    let written = write.await?;
    // Somebody else reads before this one ends.
    let newest = current(store).await?;
    ensure!(newest >= written, "as of {newest} after {written}");
    let Rows { as_of, rows } = finish(begun, reading).await?;
    let after = scan_each(store, asked).await?;
    let of_its_revision = if as_of < written { &before } else { &after };
    ensure_eq!(&rows, of_its_revision, "what it saw as of {as_of}, crossed by {written}");
    for _ in 0..2 {
        let later = store.get(asked).await?;
        ensure!(later.as_of >= written, "as of {} after {written}", later.as_of);
        ensure_eq!(later.rows, after, "what is read after {written}");
    }
    if let Some(snapshot) = snapshot {
        ensure_eq!(snapshot.get(asked).await?.rows, before, "what the snapshot sees after {written}");
    }
    Ok(Crossed { ended, written, before, after })
}

async fn scan_each(store: &dyn Store, asked: &[StoredKey]) -> Checked<Vec<Option<Row>>> {
    let mut rows = Vec::new();
    for key in asked {
        rows.push(scanned(store, key).await?);
    }
    Ok(rows)
}

/// Crosses reads of one key, which holds `before`, by writing `after`.
async fn crossed_by(store: &dyn Store, writer: &dyn Store, before: Option<Write>, after: Write) -> Checked {
    let ways = ways(&[0, 1]);
    if let Some(before) = before {
        commit(writer, batch(ways.iter().map(|way| (way.name(), before.clone())))).await?;
    }
    each(ways, async |way| {
        let write = commit(writer, batch([(way.name(), after.clone())]));
        let crossed = cross(store, way, &[key(way.name())], write).await?;
        match after {
            Write::Delete => ensure_eq!(crossed.after, [None]),
            _ => ensure_eq!(crossed.after[0].as_ref().map(|row| row.revision), Some(crossed.written)),
        }
        Ok(crossed.ended)
    })
    .await
}

async fn a_read_that_a_put_crosses_is_not_what_is_read_later(context: Context) -> Checked {
    let site = context.open().await?;
    crossed_by(&*site.store, &*site.store, Some(put("old")), put("new")).await
}

async fn a_read_that_a_delete_crosses_is_not_what_is_read_later(context: Context) -> Checked {
    let site = context.open().await?;
    crossed_by(&*site.store, &*site.store, Some(put("old")), Write::Delete).await
}

async fn a_read_that_an_insert_crosses_is_not_what_is_read_later(context: Context) -> Checked {
    let site = context.open().await?;
    crossed_by(&*site.store, &*site.store, None, put("new")).await
}

async fn a_read_that_a_link_crosses_is_not_what_is_read_later(context: Context) -> Checked {
    for (before, after) in
        [(put("old"), link("target")), (link("target"), put("new")), (suffix(1), suffix(2)), (suffix(1), Write::Delete)]
    {
        let site = context.open().await?;
        crossed_by(&*site.store, &*site.store, Some(before), after).await?;
    }
    Ok(())
}

async fn a_read_that_a_stamped_write_crosses_is_not_what_is_read_later(context: Context) -> Checked {
    let site = context.open().await?;
    let store = &*site.store;
    // Which revision it will be is not known; of a store that is one's own it is the next.
    each(ways(&[0, 4]), async |way| {
        let (prefix, newest) = (KeyPrefix(key(way.name())), current(store).await?);
        let asked: Vec<_> = (1..=4).map(|more| prefix.stamp(Revision(newest.0 + more))).collect();
        let stamped = vec![(prefix.clone(), way.name().into_bytes().into())];
        let crossed = cross(store, way, &asked, commit(store, Batch { stamped, ..Batch::default() })).await?;
        let (written, stamped) = (crossed.written, prefix.stamp(crossed.written));
        ensure_eq!(read(store, &stamped).await?, row(written, value(way.name())), "the stamped row");
        for (asked, found) in asked.iter().zip(&crossed.after) {
            ensure_eq!(found.is_some(), *asked == stamped, "whether there is a row under a revision");
        }
        Ok(crossed.ended)
    })
    .await
}

async fn a_read_that_a_drop_range_crosses_is_not_what_is_read_later(context: Context) -> Checked {
    let site = context.open().await?;
    let store = &*site.store;
    let ways = ways(&[0, 2]);
    let rows = |way: &Way| [(way.name(), put("old")), (way.name() + "link", link("target"))];
    commit(store, batch(ways.iter().flat_map(rows))).await?;
    commit(store, batch([("beside", put("1"))])).await?;
    each(ways, async |way| {
        let asked = ["", "link", "none"].map(|name| key(way.name() + name));
        let range = KeyRange::prefix(way.name().as_bytes());
        let write = async { committed(&store.drop_range(&range, &[]).await?) };
        let crossed = cross(store, way, &asked, write).await?;
        ensure_eq!(crossed.after, [None, None, None], "what is left of a range");
        ensure!(read(store, "beside").await?.is_some(), "a row beside the range is gone");
        let written = commit(store, batch([(way.name(), put("again"))])).await?;
        ensure_eq!(read(store, way.name()).await?, row(written, value("again")));
        Ok(crossed.ended)
    })
    .await
}

async fn a_read_that_a_dropped_commit_crosses_is_not_what_is_read_later(context: Context) -> Checked {
    for more in 0..4 {
        let site = context.open().await?;
        let store = &*site.store;
        let ways = ways(&[0, 3]);
        let rows = |way: &Way| [(way.name() + "put", put("old")), (way.name() + "gone", put("old"))];
        commit(store, batch(ways.iter().flat_map(rows))).await?;
        each(ways, async |way| {
            let [changed, gone, new] = ["put", "gone", "new"].map(|name| way.name() + name);
            let writes = [(&changed, put("new")), (&gone, Write::Delete), (&new, put("new"))];
            let before = current(store).await?;
            let write = async {
                let mut committing = store.commit(vec![batch(writes)]);
                if poll_once(&mut committing).is_pending() {
                    let _ = steps(&mut committing, more).await;
                }
                drop(committing);
                soon("a commit that was dropped", store.changed(before)).await?.map_err(Failure::from)
            };
            let crossed = cross(store, way, &[&changed, &gone, &new].map(key), write).await?;
            let new = row(crossed.written, value("new"));
            ensure_eq!(crossed.after, [new.clone(), None, new], "what was dropped after {more} steps more");
            Ok(crossed.ended)
        })
        .await?;
    }
    Ok(())
}

async fn a_read_that_crosses_what_does_not_happen_leaves_all_as_it_is(context: Context) -> Checked {
    let site = context.open().await?;
    let store = &*site.store;
    let (conflicting, wrong) = (key_guard("none", Some(Revision(1))), suffix(999));
    for (round, others) in [false, true].into_iter().enumerate() {
        let ways = ways(&[0, 3]);
        let name = |way: &Way, name: &str| format!("{round}-{}{name}", way.name());
        let rows = |way: &Way| [(name(way, "put"), put("old")), (name(way, "gone"), put("old"))];
        commit(store, batch(ways.iter().flat_map(rows))).await?;
        each(ways, async |way| {
            let names = ["put", "gone", "new"].map(|part| name(&way, part));
            let writes = || batch(names.iter().zip([put("no"), Write::Delete, put("no")]));
            let refused = Batch { guards: vec![conflicting.clone()], ..writes() };
            let mut impossible = writes();
            impossible.writes.insert(key("impossible"), wrong.clone());
            let write = async {
                let [clash, wrong] = if others {
                    let [_, clash, _, wrong, last] = commit_all(
                        store,
                        [
                            batch([("x", put("1"))]),
                            refused,
                            batch([("x", put("2"))]),
                            impossible,
                            batch([("x", put("3"))]),
                        ],
                    )
                    .await?;
                    committed(&last)?;
                    [clash, wrong]
                } else {
                    commit_all(store, [refused, impossible]).await?
                };
                conflict(&clash)?;
                rejection(&wrong)?;
                current(store).await
            };
            let crossed = cross(store, way, &names.map(key), write).await?;
            ensure_eq!(crossed.after, crossed.before, "what did not happen");
            Ok(crossed.ended)
        })
        .await?;
    }
    Ok(())
}

async fn keys_read_together_are_of_one_revision_whatever_crosses(context: Context) -> Checked {
    let site = context.open().await?;
    let store = &*site.store;
    for (round, backwards) in [false, true].into_iter().enumerate() {
        let ways = ways(&[0, 1, 2, 3]);
        let names = |way: &Way| ["put", "gone", "new", "link"].map(|name| format!("{round}-{}{name}", way.name()));
        let rows = |way: &Way| {
            let [changed, gone, _, link] = names(way);
            [(changed, put("old")), (gone, put("old")), (link, suffix(1))]
        };
        commit(store, batch(ways.iter().flat_map(rows))).await?;
        each(ways, async |way| {
            let mut asked = names(&way).map(key);
            let write = batch(asked.iter().zip([put("new"), Write::Delete, put("new"), suffix(2)]));
            if backwards {
                asked.reverse();
            }
            // The rows that it saw are compared there, all together.
            Ok(cross(store, way, &asked, commit(store, write)).await?.ended)
        })
        .await?;
    }
    Ok(())
}

async fn a_read_that_another_opener_crosses_is_not_what_is_read_later(context: Context) -> Checked {
    for (before, after) in [(Some(put("old")), put("new")), (Some(put("old")), Write::Delete), (None, put("new"))] {
        let site = context.open().await?;
        let other = site.second().await?;
        crossed_by(&*site.store, &*other, before, after).await?;
    }
    Ok(())
}
