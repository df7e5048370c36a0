//! A message is begun once, however often it is tried, and what was begun outlives a crash.

use futures_util::future::join_all;
use strongroom_core::matrix::{self, MatrixStore, SendOutcome, SendTransaction, TransactionStatus};
use strongroom_core::{ErrorKind, Json, Once, Result};

use super::support::{at, open_again, open_matrix, sound};
use crate::case::cases;
use crate::child::{Role, Work};
use crate::{Checked, Child, Context, Failure, ensure, ensure_eq, ensure_kind};

cases! { Behaviours;
    a_transaction_is_first_once_and_then_replays_what_was_stored [Reopen],
    of_many_that_begin_the_same_one_is_the_first,
    what_was_begun_is_a_replay_after_a_kill [Reopen, Processes],
    of_two_processes_that_begin_the_same_one_is_the_first [Reopen, Processes, Share],
    what_was_sent_stays_sent,
    pending_transactions_come_oldest_first_in_pages,
    finished_transactions_age_out_and_pending_ones_stay,
    what_was_just_sent_is_known_however_long_ago_it_was_begun,
    what_has_expired_can_be_inserted_once_more,
}

pub(super) const ROLES: &[Role] = &[
    Role { name: "begin", run: |work| Box::pin(begin_until_killed(work)) },
    Role { name: "begin the same", run: |work| Box::pin(begin_the_same(work)) },
];

/// Transactions that two processes begin.
const SHARED: u64 = 40;

fn transaction(number: u64) -> SendTransaction {
    SendTransaction {
        txn_id: format!("txn{number}").as_str().into(),
        room_id: "!kitchen".into(),
        message_id: "~local".into(),
        status: TransactionStatus::Pending,
        timestamp: at(number as i64),
        finished_at: None,
        metadata: None,
    }
}

fn with_metadata(number: u64, text: &str) -> Result<SendTransaction> {
    Ok(SendTransaction { metadata: Some(Json::new(text)?), ..transaction(number) })
}

async fn a_transaction_is_first_once_and_then_replays_what_was_stored(context: Context) -> Checked {
    let (store, mut site) = open_matrix(&context).await?;
    let first = with_metadata(1, r#"{"draft":1}"#)?;
    ensure_eq!(store.begin_transaction(&first).await?, Once::First);
    ensure!(
        store.begin_transaction(&with_metadata(1, r#"{"draft":2}"#)?).await? == Once::Replay(first),
        "not the first"
    );
    ensure!(store.begin_transaction(&transaction(2)).await?.is_first(), "another id");
    let finished = store.finish_transaction(&"txn1".into(), &SendOutcome::sent("$event")).await?;
    site.reopen().await?;
    let store = MatrixStore::new(open_again(&site, matrix::schema()).await?)?;
    let replay = store.begin_transaction(&transaction(1)).await?.stored();
    ensure!(replay.as_ref() == Some(&finished), "the replay is not what was stored last");
    let replay = replay.ok_or_else(|| Failure::new("no replay"))?;
    ensure_eq!((replay.status, replay.message_id.as_str()), (TransactionStatus::Sent, "$event"));
    ensure_eq!(replay.metadata.as_ref().map(Json::as_str), Some(r#"{"draft":1}"#));
    sound(store.database()).await
}

async fn of_many_that_begin_the_same_one_is_the_first(context: Context) -> Checked {
    let (store, site) = open_matrix(&context).await?;
    let other = MatrixStore::new(open_again(&site, matrix::schema()).await?)?;
    let begins = (0..32).map(|number| {
        let store = if number % 2 == 0 { store.clone() } else { other.clone() };
        tokio::spawn(async move {
            let mine = with_metadata(1, &number.to_string())?;
            Ok::<_, strongroom_core::Error>((store.begin_transaction(&mine).await?, mine))
        })
    });
    let (mut firsts, mut replays) = (Vec::new(), Vec::new());
    for task in join_all(begins).await {
        match task.map_err(|error| Failure::new(error.to_string()))?? {
            (Once::First, mine) => firsts.push(mine),
            (Once::Replay(stored), _) => replays.push(stored),
        }
    }
    ensure_eq!((firsts.len(), replays.len()), (1, 31));
    ensure!(replays.iter().all(|stored| *stored == firsts[0]), "a replay of something else");
    sound(store.database()).await
}

/// A child that begins transactions and acknowledges each.
async fn begin_until_killed(work: Work) -> Checked {
    let store = MatrixStore::open(work.reopen().await?).await?;
    for number in 0.. {
        let begun = store.begin_transaction(&transaction(number)).await?;
        ensure!(begun.is_first(), "transaction {number} was there");
        work.say(number)?;
    }
    Ok(())
}

async fn what_was_begun_is_a_replay_after_a_kill(context: Context) -> Checked {
    for round in 0..context.effort().kills as u64 {
        let (store, site) = open_matrix(&context).await?;
        store.database().close().await?;
        let mut child = Child::start(&context, "begin", &site.place, 0)?;
        let mut acknowledged = 0;
        for _ in 0..5 + 3 * round {
            let line = child.next_line()?.ok_or_else(|| Failure::new("the child ended"))?;
            acknowledged = line.parse::<u64>().map_err(|_| Failure::new(line.clone()))? + 1;
        }
        ensure!(child.kill()?, "the child had ended before it was killed");
        let again = context.reopen(&site.place, &site.settings).await?;
        let store = MatrixStore::new(strongroom_core::Database::builder(matrix::schema()).open(again).await?)?;
        for number in 0..acknowledged {
            let begun = store.begin_transaction(&transaction(number)).await?;
            ensure!(begun == Once::Replay(transaction(number)), "transaction {number} of {acknowledged} was lost");
        }
        let pending = store.pending_transactions(10_000, None).await?.records.len() as u64;
        ensure!(pending >= acknowledged, "{pending} of {acknowledged} are pending");
        sound(store.database()).await?;
        context.count("acknowledged", acknowledged);
    }
    Ok(())
}

async fn what_was_sent_stays_sent(context: Context) -> Checked {
    let (store, _site) = open_matrix(&context).await?;
    ensure_kind!(store.finish_transaction(&"txn1".into(), &SendOutcome::failed()).await, ErrorKind::NotFound);
    store.begin_transaction(&transaction(1)).await?;
    let nothing = SendOutcome { status: TransactionStatus::Pending, ..SendOutcome::failed() };
    ensure_kind!(store.finish_transaction(&"txn1".into(), &nothing).await, ErrorKind::InvalidInput);
    let failed = store.finish_transaction(&"txn1".into(), &SendOutcome::failed()).await?;
    ensure_eq!((failed.status, failed.message_id.as_str()), (TransactionStatus::Failed, "~local"));
    store.finish_transaction(&"txn1".into(), &SendOutcome::sent("$1")).await?;
    for late in [SendOutcome::failed(), SendOutcome::sent("$2")] {
        let stored = store.finish_transaction(&"txn1".into(), &late).await?;
        ensure_eq!((stored.status, stored.message_id.as_str()), (TransactionStatus::Sent, "$1"));
    }
    sound(store.database()).await
}

async fn pending_transactions_come_oldest_first_in_pages(context: Context) -> Checked {
    let (store, _site) = open_matrix(&context).await?;
    for number in [5, 1, 4, 2, 3] {
        store.begin_transaction(&transaction(number)).await?;
    }
    store.finish_transaction(&"txn2".into(), &SendOutcome::sent("$2")).await?;
    store.finish_transaction(&"txn4".into(), &SendOutcome::failed()).await?;
    let mut after = None;
    let mut pages = Vec::new();
    loop {
        let page = store.pending_transactions(2, after).await?;
        pages.push(page.records.iter().map(|pending| pending.txn_id.as_str().to_owned()).collect::<Vec<_>>());
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    ensure_eq!(pages, [vec!["txn1", "txn3"], vec!["txn5"]]);
    Ok(())
}

async fn finished_transactions_age_out_and_pending_ones_stay(context: Context) -> Checked {
    let (store, site) = open_matrix(&context).await?;
    for number in 1..=6 {
        store.begin_transaction(&transaction(number)).await?;
    }
    for (number, outcome) in [
        (1, SendOutcome::sent("$e")),
        (3, SendOutcome::failed()),
        (2, SendOutcome::sent("$e")),
        (6, SendOutcome::sent("$e")),
    ] {
        site.clock.set(at(100 * number));
        let finished = store.finish_transaction(&format!("txn{number}").as_str().into(), &outcome).await?;
        ensure_eq!(finished.finished_at, Some(at(100 * number)));
    }
    ensure_eq!(store.age_out_transactions(at(100)).await?, 0, "at the time itself");
    ensure_eq!(store.age_out_transactions(at(600)).await?, 3, "1, 2 and 3");
    ensure!(store.begin_transaction(&transaction(1)).await?.is_first(), "an id that aged out is new");
    ensure!(!store.begin_transaction(&transaction(4)).await?.is_first(), "what is pending stays");
    ensure!(!store.begin_transaction(&transaction(6)).await?.is_first(), "what is recent stays");
    sound(store.database()).await
}

/// Begun, then offline for a month.
async fn what_was_just_sent_is_known_however_long_ago_it_was_begun(context: Context) -> Checked {
    const MONTH: i64 = 30 * 86_400_000;
    let (store, site) = open_matrix(&context).await?;
    store.begin_transaction(&transaction(1)).await?;
    let now = at(MONTH + 1_000);
    site.clock.set(now);
    store.finish_transaction(&"txn1".into(), &SendOutcome::failed()).await?;
    site.clock.set(at(2 * MONTH));
    store.finish_transaction(&"txn1".into(), &SendOutcome::sent("$1")).await?;
    ensure_eq!(store.age_out_transactions(now.saturating_add(1)).await?, 0, "it was given up then, and sent now");
    let replay = store.begin_transaction(&transaction(1)).await?.stored();
    ensure_eq!(replay.map(|stored| stored.status), Some(TransactionStatus::Sent), "a retry sends nothing");
    // What is told again of the same sending does not keep it longer.
    site.clock.set(at(3 * MONTH));
    store.finish_transaction(&"txn1".into(), &SendOutcome::sent("$1")).await?;
    ensure_eq!(store.age_out_transactions(at(2 * MONTH + 1)).await?, 1);
    sound(store.database()).await
}

async fn what_has_expired_can_be_inserted_once_more(context: Context) -> Checked {
    let (store, site) = open_matrix(&context).await?;
    let typing = |until| matrix::Typing {
        room_id: "!kitchen".into(),
        user_id: "@ada:example.org".into(),
        typing: true,
        timeout_ms: 0,
        expires_at: at(until),
    };
    let db = store.database();
    ensure!(db.insert_once(&typing(100)).await?.is_first(), "the first");
    ensure!(db.insert_once(&typing(200)).await? == Once::Replay(typing(100)), "it is there");
    site.clock.set(at(100));
    ensure!(db.insert_once(&typing(200)).await?.is_first(), "it had expired");
    ensure!(
        db.write(|tx| async move { tx.insert_once(&typing(300)).await }).await? == Once::Replay(typing(200)),
        "there"
    );
    sound(db).await
}

/// Says which of them it was the first to begin.
async fn begin_the_same(work: Work) -> Checked {
    let store = MatrixStore::open(work.reopen().await?).await?;
    work.say("ready")?;
    for number in (0..SHARED).rev() {
        if store.begin_transaction(&transaction(number)).await?.is_first() {
            work.say(number)?;
        }
    }
    Ok(store.database().close().await?)
}

async fn of_two_processes_that_begin_the_same_one_is_the_first(context: Context) -> Checked {
    let (store, site) = open_matrix(&context).await?;
    let mut child = Child::start(&context, "begin the same", &site.place, 0)?;
    ensure_eq!(child.next_line()?.as_deref(), Some("ready"));
    let mut first = Vec::new();
    for number in 0..SHARED {
        if store.begin_transaction(&transaction(number)).await?.is_first() {
            first.push(number);
        }
    }
    while let Some(line) = child.next_line()? {
        first.push(line.parse().map_err(|_| Failure::new(line.clone()))?);
    }
    child.wait()?;
    first.sort_unstable();
    ensure!(first.iter().copied().eq(0..SHARED), "each was begun once: {first:?}");
    sound(store.database()).await
}
