//! One-time keys: each is given to one claimer, the oldest first, also when many claim at once.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::future::join_all;
use strongroom_core::matrix::{DeviceId, MatrixStore, OneTimeKey, UserId};
use strongroom_core::{Database, ErrorKind, Result};

use super::support::{at, open_again, open_matrix, open_watched, sound};
use crate::case::cases;
use crate::child::{Role, Work};
use crate::{Checked, Child, Context, Failure, ensure, ensure_eq, ensure_kind};

cases! { Behaviours;
    the_oldest_key_of_the_algorithm_is_claimed_first,
    of_sixty_four_claimers_of_forty_keys_forty_are_given_one,
    of_claimers_in_two_processes_no_two_are_given_the_same_key [Reopen, Processes, Share],
    a_claim_is_not_undone_when_the_store_is_opened_again [Reopen],
    a_claim_that_its_transaction_gives_up_did_not_happen,
    claims_of_several_databases_over_one_store_are_distinct,
    a_key_published_during_a_claim_does_not_make_it_start_over,
    a_claimer_that_is_dropped_takes_at_most_one_key,
    used_keys_go_when_they_were_used_before_the_time,
    a_used_key_that_is_published_again_stays_used,
    a_mark_that_changes_the_key_is_refused,
}

pub(super) const ROLES: &[Role] = &[Role { name: "claim", run: |work| Box::pin(claim_beside(work)) }];

const ALGORITHM: &str = "signed_curve25519";
const KEYS: u32 = 40;
const CLAIMERS: usize = 64;
/// What a child says when it is about to begin, and of a claimer that was given nothing.
const READY: &str = "ready";
const NONE: &str = "none";

fn user() -> UserId {
    "@ada:example.org".into()
}

fn device() -> DeviceId {
    "PHONE".into()
}

fn key(number: u32, algorithm: &str) -> OneTimeKey {
    OneTimeKey {
        user_id: user(),
        device_id: device(),
        key_id: format!("{algorithm}:{number}").into(),
        key: format!("key {number}"),
        algorithm: algorithm.to_owned(),
        created_at: at(i64::from(number)),
        used_at: None,
    }
}

async fn publish(db: &Database, keys: impl IntoIterator<Item = OneTimeKey>) -> Result<()> {
    let keys: Vec<OneTimeKey> = keys.into_iter().collect();
    let keys = &keys;
    db.write(|tx| async move {
        for key in keys {
            tx.insert(key).await?;
        }
        Ok(())
    })
    .await
}

async fn claim(store: &MatrixStore) -> Result<Option<OneTimeKey>> {
    store.claim_one_time_key(&user(), &device(), ALGORITHM).await
}

async fn the_oldest_key_of_the_algorithm_is_claimed_first(context: Context) -> Checked {
    let (store, site) = open_matrix(&context).await?;
    let mut other = key(0, ALGORITHM);
    other.device_id = "TABLET".into();
    publish(store.database(), [3, 1, 2].map(|number| key(number, ALGORITHM))).await?;
    publish(store.database(), [key(0, "ed25519"), other]).await?;
    let counts = store.count_one_time_keys(&user(), &device()).await?;
    ensure_eq!(counts, BTreeMap::from([(ALGORITHM.to_owned(), 3), ("ed25519".to_owned(), 1)]));
    site.clock.set(at(1_000));
    for number in [1, 2, 3] {
        let claimed = claim(&store).await?;
        ensure_eq!(claimed.as_ref().map(|key| (key.key.as_str(), key.used_at)), {
            let expected = ["key 1", "key 2", "key 3"][number - 1];
            Some((expected, Some(at(1_000))))
        });
    }
    ensure!(claim(&store).await?.is_none(), "a fourth key");
    let counts = store.count_one_time_keys(&user(), &device()).await?;
    ensure_eq!(counts, BTreeMap::from([("ed25519".to_owned(), 1)]));
    // A key that comes later is there for who asks later.
    publish(store.database(), [key(9, ALGORITHM)]).await?;
    ensure_eq!(claim(&store).await?.map(|key| key.key), Some("key 9".to_owned()));
    sound(store.database()).await
}

/// Checks that so many keys were given, each once.
fn ensure_distinct(claimed: &[String], keys: u32) -> Checked {
    let distinct: BTreeSet<&String> = claimed.iter().collect();
    ensure_eq!((claimed.len(), distinct.len()), (keys as usize, keys as usize), "claims, and keys among them");
    Ok(())
}

async fn claim_at_once(stores: impl IntoIterator<Item = MatrixStore>) -> Checked<Vec<String>> {
    let claims = stores.into_iter().map(|store| tokio::spawn(async move { claim(&store).await }));
    let mut claimed = Vec::new();
    for task in join_all(claims).await {
        let key = task.map_err(|error| Failure::new(error.to_string()))??;
        claimed.extend(key.map(|key| key.key));
    }
    Ok(claimed)
}

async fn of_sixty_four_claimers_of_forty_keys_forty_are_given_one(context: Context) -> Checked {
    let (store, _site) = open_matrix(&context).await?;
    publish(store.database(), (0..KEYS).map(|number| key(number, ALGORITHM))).await?;
    ensure_distinct(&claim_at_once((0..CLAIMERS).map(|_| store.clone())).await?, KEYS)?;
    ensure!(claim(&store).await?.is_none(), "one was left");
    sound(store.database()).await
}

/// Each database knows nothing of the other's turns.
async fn claims_of_several_databases_over_one_store_are_distinct(context: Context) -> Checked {
    let (store, site) = open_matrix(&context).await?;
    publish(store.database(), (0..KEYS).map(|number| key(number, ALGORITHM))).await?;
    let other = MatrixStore::new(open_again(&site, strongroom_core::matrix::schema()).await?)?;
    let stores = (0..CLAIMERS).map(|at| if at % 2 == 0 { store.clone() } else { other.clone() });
    ensure_distinct(&claim_at_once(stores).await?, KEYS)?;
    sound(store.database()).await
}

/// A child in which so many claim at once as its argument says. It tells each key that one of them was given, and how many were given none.
async fn claim_beside(work: Work) -> Checked {
    let store = MatrixStore::open(work.reopen().await?).await?;
    work.say(READY)?;
    // The parent publishes the keys when both are ready.
    let mut revision = strongroom_core::store::Revision::ZERO;
    while store.count_one_time_keys(&user(), &device()).await?.is_empty() {
        revision = store.database().changed(revision).await?;
    }
    let claims = (0..work.argument).map(|_| async {
        match claim(&store).await? {
            Some(key) => work.say(key.key)?,
            None => work.say(NONE)?,
        }
        Checked::Ok(())
    });
    futures_util::future::try_join_all(claims).await?;
    Ok(store.database().close().await?)
}

/// Half of them are in each process. Those here stop halfway until one over there was given a key, so that both take part.
async fn of_claimers_in_two_processes_no_two_are_given_the_same_key(context: Context) -> Checked {
    let (store, site) = open_matrix(&context).await?;
    let mut child = Child::start(&context, "claim", &site.place, CLAIMERS as u64 / 2)?;
    ensure_eq!(child.next_line()?.as_deref(), Some(READY));
    publish(store.database(), (0..KEYS).map(|number| key(number, ALGORITHM))).await?;
    let quarter = || (0..CLAIMERS / 4).map(|_| store.clone());
    let mut here = claim_at_once(quarter()).await?;
    // The other process has fewer claimers than there are keys.
    ensure!(here.len() >= KEYS as usize - CLAIMERS / 2, "nobody was given a key in this process: {}", here.len());
    let mut there = vec![child.next_line()?.ok_or_else(|| Failure::new("the child ended"))?];
    here.extend(claim_at_once(quarter()).await?);
    while let Some(key) = child.next_line()? {
        there.push(key);
    }
    child.wait()?;
    ensure_eq!(there.len(), CLAIMERS / 2, "each one there was answered");
    there.retain(|key| key != NONE);
    ensure!(!there.is_empty(), "nobody was given a key in the other process");
    // Each key once; the other claimers were given none.
    ensure_distinct(&[here, there].concat(), KEYS)?;
    ensure!(claim(&store).await?.is_none(), "one was left");
    sound(store.database()).await
}

async fn a_claim_is_not_undone_when_the_store_is_opened_again(context: Context) -> Checked {
    let (store, mut site) = open_matrix(&context).await?;
    publish(store.database(), [1, 2].map(|number| key(number, ALGORITHM))).await?;
    ensure_eq!(claim(&store).await?.map(|key| key.key), Some("key 1".to_owned()));
    site.reopen().await?;
    let store = MatrixStore::new(open_again(&site, strongroom_core::matrix::schema()).await?)?;
    ensure_eq!(claim(&store).await?.map(|key| key.key), Some("key 2".to_owned()));
    Ok(())
}

async fn a_claim_that_its_transaction_gives_up_did_not_happen(context: Context) -> Checked {
    let (store, _site) = open_matrix(&context).await?;
    publish(store.database(), [1, 2].map(|number| key(number, ALGORITHM))).await?;
    let given_up = store.database().write(|tx| async move {
        let unclaimed = || tx.query(OneTimeKey::UNCLAIMED).equal(&user()).equal(&device()).equal(ALGORITHM);
        for expected in ["key 1", "key 2"] {
            let claimed = unclaimed().claim(|key| key.used_at = Some(at(5))).await?;
            if claimed.is_none_or(|key| key.key != expected) {
                return Ok(());
            }
        }
        Err(strongroom_core::Error::application(std::io::Error::other("no session after all")))
    });
    ensure!(given_up.await.is_err(), "the transaction did not see its own claims");
    ensure_eq!(claim(&store).await?.map(|key| key.key), Some("key 1".to_owned()));
    Ok(())
}

async fn a_key_published_during_a_claim_does_not_make_it_start_over(context: Context) -> Checked {
    let (other, site) = open_matrix(&context).await?;
    publish(other.database(), [5, 6].map(|number| key(number, ALGORITHM))).await?;
    let (db, watch) = open_watched(&site, strongroom_core::matrix::schema()).await?;
    let store = MatrixStore::new(db)?;
    watch.take_deleted();
    let publisher = other.clone();
    watch.before_commit(async move {
        Ok(publish(publisher.database(), [1, 9].map(|number| key(number, ALGORITHM))).await?)
    });
    ensure_eq!(claim(&store).await?.map(|key| key.key), Some("key 5".to_owned()), "the oldest when it was read");
    ensure_eq!(watch.take_deleted(), [1], "one commit, which takes one entry away");
    // But a claim of the same key does.
    let rival = other.clone();
    watch.before_commit(async move { ensure_claimed(&rival, "key 1").await });
    ensure_eq!(claim(&store).await?.map(|key| key.key), Some("key 6".to_owned()));
    ensure_eq!(watch.take_deleted().len(), 2, "commits: one that lost, and one");
    sound(store.database()).await
}

async fn ensure_claimed(store: &MatrixStore, expected: &str) -> Checked {
    ensure_eq!(claim(store).await?.map(|key| key.key).as_deref(), Some(expected));
    Ok(())
}

async fn a_claimer_that_is_dropped_takes_at_most_one_key(context: Context) -> Checked {
    let (store, _site) = open_matrix(&context).await?;
    publish(store.database(), (0..KEYS).map(|number| key(number, ALGORITHM))).await?;
    let dropped: Vec<_> = (0..8)
        .map(|_| {
            let store = store.clone();
            tokio::spawn(async move { claim(&store).await })
        })
        .collect();
    tokio::task::yield_now().await;
    dropped.iter().for_each(tokio::task::JoinHandle::abort);
    let claimed = claim_at_once((0..CLAIMERS).map(|_| store.clone())).await?;
    let lost = KEYS as usize - claimed.len();
    ensure!(lost <= dropped.len(), "{lost} keys went with {} claimers", dropped.len());
    ensure_distinct(&claimed, KEYS - lost as u32)
}

async fn used_keys_go_when_they_were_used_before_the_time(context: Context) -> Checked {
    let (store, site) = open_matrix(&context).await?;
    publish(store.database(), (0..4).map(|number| key(number, ALGORITHM))).await?;
    for time in [100, 200, 300] {
        site.clock.set(at(time));
        claim(&store).await?;
    }
    ensure_eq!(store.sweep_used_one_time_keys(at(100)).await?, 0, "at the time itself");
    ensure_eq!(store.sweep_used_one_time_keys(at(300)).await?, 2);
    ensure_eq!(store.database().count::<OneTimeKey>().await?, 2, "one used, one unclaimed");
    ensure_eq!(claim(&store).await?.map(|key| key.key), Some("key 3".to_owned()));
    sound(store.database()).await
}

async fn a_used_key_that_is_published_again_stays_used(context: Context) -> Checked {
    let (store, site) = open_matrix(&context).await?;
    let keys = |numbers: std::ops::Range<u32>| numbers.map(|number| key(number, ALGORITHM)).collect::<Vec<_>>();
    ensure_eq!(store.publish_one_time_keys(&keys(0..2)).await?, 2);
    site.clock.set(at(1_000));
    ensure_eq!(claim(&store).await?.map(|key| key.key), Some("key 0".to_owned()));
    // One is used, one is not, the last one is twice in the list.
    let again = [keys(0..3), keys(2..3)].concat();
    ensure_eq!(store.publish_one_time_keys(&again).await?, 1);
    for expected in ["key 1", "key 2"] {
        ensure_eq!(claim(&store).await?.map(|key| key.key).as_deref(), Some(expected));
    }
    ensure!(claim(&store).await?.is_none(), "a key was given twice");
    // More than one step takes.
    ensure_eq!(store.publish_one_time_keys(&keys(0..450)).await?, 447);
    ensure_eq!(store.publish_one_time_keys(&[]).await?, 0);
    sound(store.database()).await
}

async fn a_mark_that_changes_the_key_is_refused(context: Context) -> Checked {
    let (store, _site) = open_matrix(&context).await?;
    let db = store.database();
    publish(db, [1, 2].map(|number| key(number, ALGORITHM))).await?;
    let renamed = |key: &mut OneTimeKey| {
        key.key_id = format!("{ALGORITHM}:2").into();
        key.used_at = Some(at(5));
    };
    let unclaimed = || db.query(OneTimeKey::UNCLAIMED).equal(&user()).equal(&device()).equal(ALGORITHM);
    ensure_kind!(unclaimed().oldest_first().claim(renamed).await, ErrorKind::InvalidInput);
    let within = db.write(|tx| async move {
        let unclaimed = tx.query(OneTimeKey::UNCLAIMED).equal(&user()).equal(&device()).equal(ALGORITHM);
        unclaimed.oldest_first().claim(renamed).await
    });
    ensure_kind!(within.await, ErrorKind::InvalidInput);
    let first = db.get(&OneTimeKey::key(&user(), &device(), &format!("{ALGORITHM}:1").into())).await?;
    ensure!(first == Some(key(1, ALGORITHM)), "the claimed key changed");
    let other = db.get(&OneTimeKey::key(&user(), &device(), &format!("{ALGORITHM}:2").into())).await?;
    ensure_eq!(other.map(|key| key.key), Some("key 2".to_owned()), "another key was overwritten");
    sound(db).await
}
