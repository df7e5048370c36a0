//! What was read before: nothing that a store keeps of it may be given to whoever is owed something else.

use strongroom_core::store::{
    Batch, Content, Fetch, KeyRange, Limits, Read, Revision, Row, Scan, Snapshot, Store, StoredKey, Write,
};
use strongroom_core::{ErrorKind, Limit, Timestamp};

use super::support::{
    batch, commit, commit_all, committed, current, fill, key, key_guard, link, log, put, read, row, scanned, suffix,
    value,
};
use crate::case::cases;
use crate::{Checked, Context, Failure, Fault, Site, ensure, ensure_eq, ensure_kind};

cases! { Semantics;
    a_snapshot_sees_the_old_row_although_the_new_one_was_read,
    a_snapshot_sees_absence_although_the_row_was_read,
    a_snapshot_sees_the_row_although_its_absence_was_read,
    a_snapshot_sees_nothing_that_was_read_before_the_last_commit,
    what_a_snapshot_has_read_is_not_what_the_store_reads,
    what_a_snapshot_reads_long_after_a_write_is_not_what_the_store_reads,
    what_a_snapshot_reads_of_a_dropped_range_is_not_what_the_store_reads,
    as_of_never_goes_back_whatever_was_read_before,
    a_snapshot_is_of_its_revision_whatever_was_read_before,
    keys_read_before_count_towards_the_limit,
    a_key_read_before_answers_closed_when_the_store_is_closed,
    a_key_read_before_answers_expired_when_the_snapshot_is,
    what_another_opener_writes_is_read_although_the_key_was_read_before [Share],
    what_a_failed_commit_leaves_is_read_as_it_is_scanned [Reopen, Inject],
    what_is_read_by_key_is_what_is_scanned_after_every_step random true,
}

/// Reads a row twice, so that the second time may be answered by what was kept of the first, and says what it is.
async fn read_twice(store: &dyn Read, name: &str) -> Checked<Option<Row>> {
    let first = read(store, name).await?;
    ensure_eq!(read(store, name).await?, first, "'{name}', read again");
    Ok(first)
}

/// A snapshot is taken, the key changes, and the store is asked first: both see what is theirs.
async fn snapshot_beside(context: &Context, before: Option<Write>, after: Write) -> Checked {
    for known in [false, true] {
        let site = context.open().await?;
        let store = &*site.store;
        commit(store, batch([("beside", put("1"))])).await?;
        if let Some(before) = &before {
            commit(store, batch([("a", before.clone())])).await?;
        }
        let old = scanned(store, "a").await?;
        let snapshot = store.snapshot().await?;
        if known {
            ensure_eq!(read_twice(&*snapshot, "a").await?, old, "before the commit");
        }
        commit(store, batch([("a", after.clone())])).await?;
        let new = scanned(store, "a").await?;
        ensure!(new != old, "nothing has changed");
        ensure_eq!(read_twice(store, "a").await?, new, "what the store sees");
        ensure_eq!(read_twice(&*snapshot, "a").await?, old, "what a snapshot of before sees");
        ensure_eq!(read_twice(&*store.snapshot().await?, "a").await?, new, "what a snapshot of after sees");
        ensure_eq!(read_twice(store, "a").await?, new, "what the store sees, again");
        // Together with what both see alike, in one answer.
        let rows = snapshot.get(&["beside", "a"].map(key)).await?.rows;
        ensure_eq!(rows[1], old, "what a snapshot of before sees beside another key");
    }
    Ok(())
}

async fn a_snapshot_sees_the_old_row_although_the_new_one_was_read(context: Context) -> Checked {
    for (before, after) in [(put("old"), put("new")), (put("old"), link("b")), (suffix(0), suffix(1))] {
        snapshot_beside(&context, Some(before), after).await?;
    }
    Ok(())
}

async fn a_snapshot_sees_absence_although_the_row_was_read(context: Context) -> Checked {
    snapshot_beside(&context, None, put("new")).await
}

async fn a_snapshot_sees_the_row_although_its_absence_was_read(context: Context) -> Checked {
    snapshot_beside(&context, Some(put("old")), Write::Delete).await
}

async fn a_snapshot_sees_nothing_that_was_read_before_the_last_commit(context: Context) -> Checked {
    let site = context.open().await?;
    let store = &*site.store;
    let writes = [put("1"), put("2"), Write::Delete, link("b"), Write::Delete, put("3"), suffix(1)];
    for write in writes {
        read_twice(store, "a").await?;
        let earlier = store.snapshot().await?;
        read_twice(&*earlier, "a").await?;
        let written = commit(store, batch([("a", write.clone())])).await?;
        // The store is not asked in between: what the snapshot gives is nothing but what was kept, or what is there.
        let snapshot = store.snapshot().await?;
        let seen = read_twice(&*snapshot, "a").await?;
        ensure_eq!(seen, scanned(&*snapshot, "a").await?, "what a snapshot sees after {write:?}");
        let gone = write == Write::Delete;
        ensure_eq!(seen.map(|row| row.revision), Some(written).filter(|_| !gone), "after {write:?}");
    }
    Ok(())
}

/// A snapshot reads first what has changed since it was taken, then the store does.
async fn snapshot_first(store: &dyn Store, snapshot: &dyn Snapshot, names: &[&str]) -> Checked {
    for name in names {
        let (old, new) = (scanned(snapshot, name).await?, scanned(store, name).await?);
        ensure!(old != new, "'{name}' has not changed");
        ensure_eq!(read_twice(snapshot, name).await?, old, "'{name}', as the snapshot sees it");
        ensure_eq!(read_twice(store, name).await?, new, "'{name}', as the store sees it, read by a snapshot before");
        ensure_eq!(
            read_twice(snapshot, name).await?,
            old,
            "'{name}', as the snapshot sees it, read by the store before"
        );
    }
    Ok(())
}

async fn what_a_snapshot_has_read_is_not_what_the_store_reads(context: Context) -> Checked {
    let site = context.open().await?;
    let store = &*site.store;
    commit(store, batch([("a", put("old")), ("b", put("old")), ("l", link("a"))])).await?;
    let snapshot = store.snapshot().await?;
    commit(store, batch([("a", put("new")), ("b", Write::Delete), ("c", put("new")), ("l", link("b"))])).await?;
    snapshot_first(store, &*snapshot, &["a", "b", "c", "l"]).await?;
    // It came and went: no row is there, as in the snapshot, and there was one in between.
    let between = store.snapshot().await?;
    commit(store, batch([("c", Write::Delete)])).await?;
    ensure_eq!(read_twice(&*snapshot, "c").await?, None);
    snapshot_first(store, &*between, &["c"]).await?;
    ensure_eq!(read_twice(&*snapshot, "c").await?, None);
    Ok(())
}

async fn what_a_snapshot_reads_long_after_a_write_is_not_what_the_store_reads(context: Context) -> Checked {
    let site = context.open().await?;
    let store = &*site.store;
    commit(store, batch([("a", put("old")), ("b", put("old"))])).await?;
    let snapshot = store.snapshot().await?;
    commit(store, batch([("a", put("new")), ("b", Write::Delete), ("c", put("new"))])).await?;
    // More writes than anybody would remember one by one.
    let many = site.settings.limits.batch_writes_max.min(10_000);
    let names: Vec<_> = (0..many).map(|number| format!("n{number:04}")).collect();
    fill(store, &names).await?;
    let batches = (0..200_u8).map(|number| batch([("last", put([number]))])).collect();
    for outcome in store.commit(batches).await? {
        committed(&outcome)?;
    }
    snapshot_first(store, &*snapshot, &["a", "b", "c"]).await
}

async fn what_a_snapshot_reads_of_a_dropped_range_is_not_what_the_store_reads(context: Context) -> Checked {
    let site = context.open().await?;
    let store = &*site.store;
    let rows = [("r1", put("1")), ("r2", link("r1")), ("r3", put("3")), ("s", put("s"))];
    commit(store, batch(rows)).await?;
    let snapshot = store.snapshot().await?;
    read_twice(&*snapshot, "r1").await?;
    committed(&store.drop_range(&KeyRange::prefix(b"r"), &[]).await?)?;
    snapshot_first(store, &*snapshot, &["r1", "r2"]).await?;
    let written = commit(store, batch([("r1", put("again"))])).await?;
    ensure_eq!(read_twice(store, "r1").await?, row(written, value("again")));
    snapshot_first(store, &*snapshot, &["r3"]).await?;
    ensure_eq!(read_twice(store, "r1").await?, row(written, value("again")));
    Ok(())
}

async fn as_of_never_goes_back_whatever_was_read_before(context: Context) -> Checked {
    let site = context.open().await?;
    let store = &*site.store;
    fill(store, &["a", "b", "c"]).await?;
    let asked: [&[&str]; 7] = [&["a"], &["none"], &["a", "b"], &["b", "none"], &[], &["c", "d"], &["d"]];
    let asked = asked.map(|names| names.iter().map(key).collect::<Vec<_>>());
    let mut last = current(store).await?;
    for round in 0..10_u8 {
        // One key that is asked for and one that is not, in turn.
        let name = if round.is_multiple_of(2) { "beside" } else { "d" };
        last = last.max(commit(store, batch([(name, put([round]))])).await?);
        for asked in asked.iter().chain(asked.iter().rev()) {
            let found = store.get(asked).await?;
            ensure!(found.as_of >= last, "as of {} after {last} was seen", found.as_of);
            let newest = found.rows.iter().flatten().map(|row| row.revision).max().unwrap_or_default();
            ensure!(newest <= found.as_of, "a row of revision {newest} as of {}", found.as_of);
            last = found.as_of;
        }
    }
    Ok(())
}

async fn a_snapshot_is_of_its_revision_whatever_was_read_before(context: Context) -> Checked {
    let site = context.open().await?;
    let store = &*site.store;
    fill(store, &["a", "b"]).await?;
    let mut held = Vec::new();
    for round in 0..5_u8 {
        commit(store, batch([("b", put([round]))])).await?;
        held.push(store.snapshot().await?);
        for name in ["a", "b", "none"] {
            read_twice(store, name).await?;
        }
        for snapshot in &held {
            for asked in [&["a"][..], &["none"], &["b"], &["a", "b", "none"]] {
                let asked: Vec<_> = asked.iter().map(key).collect();
                ensure_eq!(snapshot.get(&asked).await?.as_of, snapshot.revision());
            }
        }
    }
    Ok(())
}

async fn keys_read_before_count_towards_the_limit(context: Context) -> Checked {
    let site = context.open_with(Limits { get_keys_max: 4, ..context.limits() }).await?;
    let store = &*site.store;
    fill(store, &["a", "b", "c", "d"]).await?;
    let snapshot = store.snapshot().await?;
    let all = ["a", "b", "c", "d", "none"].map(key);
    for reads in [store as &dyn Read, &*snapshot as &dyn Read] {
        for asked in all.chunks(4).chain(all.chunks(3)) {
            ensure_eq!(reads.get(asked).await?.rows.len(), asked.len());
        }
        ensure_kind!(reads.get(&all).await, ErrorKind::Limit(Limit::GetKeys));
        ensure_kind!(reads.get(&["a", "a", "a", "a", "a"].map(key)).await, ErrorKind::Limit(Limit::GetKeys));
        ensure_eq!(reads.get(&all[..4]).await?.rows.iter().flatten().count(), 4);
    }
    Ok(())
}

async fn a_key_read_before_answers_closed_when_the_store_is_closed(context: Context) -> Checked {
    let site = context.open().await?;
    let store = &*site.store;
    fill(store, &["a", "b"]).await?;
    let snapshot = store.snapshot().await?;
    let asked: [&[&str]; 4] = [&["a"], &["none"], &["a", "b"], &["a", "none"]];
    let asked = asked.map(|names| names.iter().map(key).collect::<Vec<_>>());
    for asked in &asked {
        store.get(asked).await?;
        snapshot.get(asked).await?;
    }
    store.close().await?;
    for asked in &asked {
        ensure_kind!(store.get(asked).await, ErrorKind::Closed);
        ensure_kind!(snapshot.get(asked).await, ErrorKind::Closed);
    }
    Ok(())
}

async fn a_key_read_before_answers_expired_when_the_snapshot_is(context: Context) -> Checked {
    let site = context.open_with(Limits { snapshot_age_ms_max: 1_000, ..context.limits() }).await?;
    let store = &*site.store;
    fill(store, &["a", "b", "c"]).await?;
    let snapshot = store.snapshot().await?;
    // The one it has read itself, the other only the store.
    let [own, others] = [["a", "none"], ["b", "nothing"]].map(|names| names.map(key));
    snapshot.get(&own).await?;
    store.get(&others).await?;
    let before = store.get(&own).await?;
    site.clock.set(Timestamp::from_millis(1_000));
    for asked in [&own[..], &own[..1], &own[1..], &others, &others[..1], &others[1..], &[key("c")]] {
        ensure_kind!(snapshot.get(asked).await, ErrorKind::SnapshotExpired);
    }
    // The store reads what it did.
    ensure_eq!(store.get(&own).await?, before);
    Ok(())
}

async fn what_another_opener_writes_is_read_although_the_key_was_read_before(context: Context) -> Checked {
    let site = context.open().await?;
    let (store, other) = (&*site.store, site.second().await?);
    let writes = [put("1"), put("2"), Write::Delete, link("b"), Write::Delete, put("3"), suffix(1), put("4")];
    for (write, own) in writes.iter().flat_map(|write| [(write, false), (write, true)]) {
        read_twice(store, "a").await?;
        let snapshot = store.snapshot().await?;
        let before = read_twice(&*snapshot, "a").await?;
        let written = commit(&*other, batch([("a", write.clone())])).await?;
        if own {
            // A revision of one's own, behind one that was not seen.
            commit(store, batch([("own", put("1"))])).await?;
        }
        let gone = *write == Write::Delete;
        let seen = read_twice(store, "a").await?;
        ensure_eq!(seen.map(|row| row.revision), Some(written).filter(|_| !gone), "{write:?} of another, own: {own}");
        ensure_eq!(read_twice(&*snapshot, "a").await?, before, "what the snapshot sees of {write:?}");
    }
    let stamped = commit(&*other, log([("log", "1")])).await?;
    fill(&*other, &["r1", "r2"]).await?;
    for name in ["r1", "r2", "r3"] {
        read_twice(store, name).await?;
    }
    ensure!(scanned(store, "r1").await?.is_some() && current(store).await? > stamped);
    committed(&other.drop_range(&KeyRange::prefix(b"r"), &[]).await?)?;
    ensure_eq!(store.get(&["r1", "r2", "r3"].map(key)).await?.rows, [None, None, None], "what another has dropped");
    Ok(())
}

/// More accesses than the commit of one small batch can need.
const ACCESSES_MAX: u64 = 500;

async fn what_a_failed_commit_leaves_is_read_as_it_is_scanned(context: Context) -> Checked {
    for fault in [|after| Fault::SyncOnce { after }, |after| Fault::Broken { after }] {
        let mut site = context.open().await?;
        let mut after = 0;
        while fails(&context, &mut site, fault(after)).await? {
            after += 1;
            ensure!(after < ACCESSES_MAX, "a fault after {after} accesses was still met");
        }
        context.count("faults", after);
    }
    Ok(())
}

/// Commits under this fault what was read before, and compares what is there; says whether the fault was met.
async fn fails(context: &Context, site: &mut Site, fault: Fault) -> Checked<bool> {
    let inject = async |site: &Site, fault| context.factory().inject(&site.place, fault).await;
    commit(&*site.store, batch([("a", put("old")), ("b", put("old")), ("c", Write::Delete)])).await?;
    let asked = ["a", "b", "c"].map(key);
    let before = site.store.get(&asked).await?.rows;
    inject(site, fault).await?;
    let new = batch([("a", put("new")), ("b", Write::Delete), ("c", put("new"))]);
    let failed = site.store.commit(vec![new]).await.err();
    inject(site, Fault::None).await?;
    // It may take a commit for the store to know again what is there, or an opening.
    let told = site.store.commit(vec![batch([("beside", put("1"))])]).await;
    for reopened in [false, true] {
        if reopened && told.is_err() {
            site.reopen().await?;
        }
        let mut scans = Vec::new();
        for name in &asked {
            scans.push(scanned(&*site.store, name).await);
        }
        let (Ok(scans), Ok(rows)) = (scans.into_iter().collect::<Checked<Vec<_>>>(), site.store.get(&asked).await)
        else {
            ensure!(!reopened, "nothing can be read of a store that was opened again");
            continue;
        };
        ensure_eq!(rows.rows, scans, "what is read after {fault:?}, answered by {failed:?}");
        let unknown = failed.as_ref().is_some_and(|error| error.kind() == ErrorKind::CommitUnknown);
        let changed = rows.rows != before;
        ensure!(unknown || changed == failed.is_none(), "changed: {changed} after {fault:?}, answered by {failed:?}");
    }
    Ok(failed.is_some())
}

/// The keys of the random history: few, so that each is written and read again and again.
const NAMES: [&str; 8] = ["a", "a1", "a2", "b", "b1", "c", "l", "l1"];

async fn what_is_read_by_key_is_what_is_scanned_after_every_step(context: Context) -> Checked {
    let mut random = fastrand::Rng::with_seed(context.seed());
    let site = context.open().await?;
    let store = &*site.store;
    let mut held = Vec::new();
    for number in 0..context.effort().operations.div_ceil(10) {
        let what = step(store, &mut random, &mut held).await;
        let alike = match what {
            Ok(what) => all_alike(store, &held, &mut random).await.map_err(|failure| format!("{what}: {failure}")),
            Err(failure) => Err(failure.to_string()),
        };
        alike.map_err(|why| Failure::new(format!("seed {}, step {number}, {why}", context.seed())))?;
    }
    Ok(())
}

/// One random step. Says what it was.
async fn step(
    store: &dyn Store,
    random: &mut fastrand::Rng,
    held: &mut Vec<Box<dyn Snapshot>>,
) -> Checked<&'static str> {
    let guard = |random: &mut fastrand::Rng| key_guard(NAMES[random.usize(..NAMES.len())], Some(Revision(1 << 40)));
    match random.u8(..10) {
        0..5 => {
            commit(store, random_batch(random)).await?;
            Ok("a commit")
        }
        5 => {
            let refused = Batch { guards: vec![guard(random)], ..random_batch(random) };
            commit_all(store, [random_batch(random), refused, random_batch(random)]).await?;
            Ok("a conflict between commits")
        }
        6 => {
            let mut wrong = random_batch(random);
            wrong.writes.insert(key("z"), suffix(9));
            commit_all(store, [wrong, Batch { guards: vec![guard(random)], ..random_batch(random) }]).await?;
            Ok("a batch that is wrong, and a conflict")
        }
        7 => {
            let range = KeyRange::prefix(&NAMES[random.usize(..NAMES.len())].as_bytes()[..1]);
            committed(&store.drop_range(&range, &[]).await?)?;
            Ok("drop_range")
        }
        8 => {
            if held.len() == 3 {
                held.swap_remove(random.usize(..3));
            }
            held.push(store.snapshot().await?);
            Ok("a snapshot")
        }
        _ => Ok("nothing"),
    }
}

fn random_batch(random: &mut fastrand::Rng) -> Batch {
    let writes = (0..random.usize(1..4)).map(|_| {
        let write = match random.u8(..6) {
            0..3 => put([random.u8(..)]),
            3 => link(NAMES[random.usize(..NAMES.len())]),
            4 => suffix(random.u16(..2)),
            _ => Write::Delete,
        };
        (NAMES[random.usize(..NAMES.len())], write)
    });
    batch(writes.collect::<Vec<_>>())
}

/// The store and some of the snapshots give by key, in a random order, what they give in a scan.
async fn all_alike(store: &dyn Store, held: &[Box<dyn Snapshot>], random: &mut fastrand::Rng) -> Checked {
    let mut views: Vec<&dyn Read> = vec![store as &dyn Read];
    views.extend(held.iter().map(|snapshot| &**snapshot as &dyn Read));
    random.shuffle(&mut views);
    for view in views {
        let whole =
            Scan { range: KeyRange::ALL, reverse: false, limit: 50, max_bytes: usize::MAX, fetch: Fetch::Values };
        let page = view.scan(&whole).await?;
        let wanted = |name: &StoredKey| {
            let entry = page.entries.iter().find(|entry| entry.key == *name);
            entry.map(|entry| (entry.revision, entry.content.clone().unwrap_or(Content::Link(StoredKey::EMPTY))))
        };
        let mut asked = NAMES.map(key);
        random.shuffle(&mut asked);
        let few = random.usize(1..=asked.len());
        for asked in [&asked[..few], &asked[..]] {
            let found = view.get(asked).await?;
            ensure_eq!(found.as_of, page.as_of, "as of");
            for (name, found) in asked.iter().zip(found.rows) {
                let found = found.map(|row| (row.revision, row.content));
                ensure_eq!(found, wanted(name), "{:?}", name.as_bytes());
            }
        }
    }
    Ok(())
}
