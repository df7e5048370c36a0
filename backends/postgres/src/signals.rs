//! Commits are announced to other processes, and theirs are heard: `NOTIFY` and `LISTEN`.
//!
//! An announcement is a transaction of its own, after the commit. In the same one it would make commits to all namespaces wait
//! for each other: the server lets only one transaction that notifies commit at a time, flush included (docs/decisions/0020).
//! It says which namespaces have changed, no more: anybody who may use the database can send one, so the revision is looked up.
//! What was not announced, since its process was killed in between or knew of nobody who waits, is found by looking now and then.

use std::collections::{BTreeSet, HashMap};
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use futures_util::future::{pending, select};
use sqlx::postgres::PgListener;
use sqlx::{AssertSqlSafe, Executor};
use strongroom_core::Result;
use strongroom_core::store::sorted::closed;
use strongroom_core::store::tasks::Newest;
use tokio::runtime::Handle;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::sleep;

use crate::connections::Connections;
use crate::error::{damaged, from_engine};
use crate::row;
use crate::server::Wire;

/// Namespaces in one announcement: a payload holds less than 8,000 bytes, and a number has up to 19 digits.
const ANNOUNCED_MAX: usize = 350;

/// What goes out and comes in, for all namespaces of a server's schema.
pub(crate) struct Signals {
    state: Mutex<State>,
    /// Somebody has come who waits, or all is over.
    called: Arc<Notify>,
    runtime: Handle,
    interval: Duration,
}

#[derive(Default)]
struct State {
    /// Namespaces that were committed to here, which is not announced yet.
    changed: BTreeSet<i64>,
    announcing: Option<JoinHandle<()>>,
    /// Who waits for what others commit, by namespace.
    waiting: HashMap<i64, Vec<Arc<Newest>>>,
    listening: Option<JoinHandle<()>>,
    closed: bool,
}

impl Signals {
    pub(crate) fn new(runtime: &Handle, poll_ms: u64) -> Arc<Self> {
        Arc::new(Signals {
            state: Mutex::default(),
            called: Arc::default(),
            runtime: runtime.clone(),
            interval: Duration::from_millis(poll_ms.max(1)),
        })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Announces, soon, that this namespace has changed.
    pub(crate) fn announce(self: &Arc<Self>, wire: &Arc<Wire>, namespace: i64) {
        let mut state = self.lock();
        state.changed.insert(namespace);
        // One that ended without saying so has panicked.
        if state.announcing.as_ref().is_none_or(JoinHandle::is_finished) {
            let (signals, wire) = (self.clone(), wire.clone());
            state.announcing = Some(self.runtime.spawn(async move { signals.announce_all(&wire).await }));
        }
    }

    /// Announces until there is nothing to announce. What comes meanwhile goes together.
    async fn announce_all(&self, wire: &Wire) {
        loop {
            let changed: Vec<i64> = {
                let mut state = self.lock();
                let some: Vec<i64> = state.changed.iter().copied().take(ANNOUNCED_MAX).collect();
                state.changed.retain(|namespace| !some.contains(namespace));
                if some.is_empty() {
                    // Under the lock: whoever comes after this begins anew.
                    state.announcing = None;
                    return;
                }
                some
            };
            // Whoever does not hear of it will look.
            wire.announce(&changed).await.ok();
        }
    }

    /// Hears of what others commit to this namespace, until the answer is dropped.
    ///
    /// # Errors
    ///
    /// `Closed`.
    pub(crate) fn wait(self: &Arc<Self>, wire: &Arc<Wire>, namespace: i64, newest: &Arc<Newest>) -> Result<Waiting> {
        let mut state = self.lock();
        if state.closed {
            return Err(closed());
        }
        state.waiting.entry(namespace).or_default().push(newest.clone());
        if state.listening.as_ref().is_none_or(JoinHandle::is_finished) {
            let (signals, wire) = (Arc::downgrade(self), wire.clone());
            state.listening = Some(self.runtime.spawn(async move { listen(&signals, &wire).await }));
        }
        self.called.notify_one();
        Ok(Waiting { signals: self.clone(), namespace, newest: newest.clone() })
    }

    fn is_waited_for(&self, namespace: i64) -> bool {
        self.lock().waiting.contains_key(&namespace)
    }

    /// Looks for the newest revisions of all namespaces that somebody waits for, and tells them.
    async fn look(&self, wire: &Wire) -> Result<()> {
        let namespaces: Vec<i64> = self.lock().waiting.keys().copied().collect();
        if namespaces.is_empty() {
            return Ok(());
        }
        let query = sqlx::query(wire.statements.newest_of.clone()).bind(&namespaces);
        let mut connection = wire.connections.take().await?;
        let found = async { query.fetch_all(&mut *connection).await.map_err(from_engine) };
        let found = wire.connections.answer(found).await;
        let mut revisions = HashMap::new();
        for found in Connections::give_back(connection, found)? {
            revisions.insert(row::number(&found, 0)?.ok_or_else(damaged)?, row::revision(&found, 1)?);
        }
        let state = self.lock();
        for namespace in namespaces {
            for newest in state.waiting.get(&namespace).into_iter().flatten() {
                match revisions.get(&namespace) {
                    Some(revision) => newest.tell(*revision),
                    // It was removed. Nothing can come any more.
                    None => newest.close(),
                }
            }
        }
        Ok(())
    }

    /// Announces what is to be announced, and hears nothing more.
    pub(crate) async fn close(&self) {
        let announcing = {
            let mut state = self.lock();
            state.closed = true;
            // Whoever waits hears of nothing more.
            state.waiting.values().flatten().for_each(|newest| newest.close());
            state.announcing.take()
        };
        self.called.notify_one();
        if let Some(announcing) = announcing {
            announcing.await.ok();
        }
    }
}

impl Drop for Signals {
    fn drop(&mut self) {
        self.called.notify_one();
    }
}

/// One who waits.
pub(crate) struct Waiting {
    signals: Arc<Signals>,
    namespace: i64,
    newest: Arc<Newest>,
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let mut state = self.signals.lock();
        let Some(waiting) = state.waiting.get_mut(&self.namespace) else { return };
        if let Some(at) = waiting.iter().position(|newest| Arc::ptr_eq(newest, &self.newest)) {
            waiting.swap_remove(at);
        }
        if waiting.is_empty() {
            state.waiting.remove(&self.namespace);
        }
    }
}

impl Wire {
    async fn announce(&self, namespaces: &[i64]) -> Result<()> {
        let payload: Vec<String> = namespaces.iter().map(i64::to_string).collect();
        // It has nothing to lose, so nobody waits for a flush. All that is in the text are numbers and the schema's name.
        let sql = format!(
            "BEGIN; SET LOCAL synchronous_commit = off; SELECT pg_notify('{}', '{}'); COMMIT",
            self.statements.channel(),
            payload.join(" ")
        );
        let mut connection = self.connections.take().await?;
        let sent = async { connection.execute(AssertSqlSafe(sql)).await.map(drop).map_err(from_engine) };
        let sent = self.connections.answer(sent).await;
        if sent.is_err() {
            // Its transaction may be open.
            connection.close_on_drop();
        }
        sent
    }

    async fn listener(&self) -> Option<PgListener> {
        let mut listener = PgListener::connect_with(&self.connections.listening).await.ok()?;
        // It would listen again without the lock.
        listener.eager_reconnect(false);
        listener.listen(&self.statements.channel()).await.ok()?;
        // In this order: what is not announced was committed before the lock was there, and is found by the look that comes next.
        listener.execute(self.statements.listen.clone()).await.ok()?;
        Some(listener)
    }
}

/// Listens until all is over. A connection that is lost is made anew; meanwhile it is looked, as well.
async fn listen(signals: &Weak<Signals>, wire: &Arc<Wire>) {
    let (mut listener, mut connecting) = (None, None);
    loop {
        let Some(strong) = signals.upgrade().filter(|signals| !signals.lock().closed) else { return };
        if listener.is_none()
            && connecting.get_or_insert_with(|| connect(strong.called.clone(), wire.clone())).is_finished()
            && let Some(connecting) = connecting.take()
        {
            listener = connecting.await.ok().flatten();
        }
        // After it has begun to listen, so that nothing falls between the two.
        strong.look(wire).await.ok();
        let (called, interval) = (strong.called.clone(), strong.interval);
        drop(strong);
        let heard = pin!(hear(signals, &mut listener));
        let (called, time) = (pin!(called.notified()), pin!(sleep(interval)));
        select(heard, select(called, time)).await;
    }
}

/// Connects, and calls when that is done. If it fails, there is time until the next look.
fn connect(called: Arc<Notify>, wire: Arc<Wire>) -> JoinHandle<Option<PgListener>> {
    tokio::spawn(async move {
        let listener = wire.listener().await?;
        called.notify_one();
        Some(listener)
    })
}

/// Waits for an announcement of something that somebody waits for, or for the end of the connection.
async fn hear(signals: &Weak<Signals>, listener: &mut Option<PgListener>) {
    let Some(listening) = listener else { return pending().await };
    loop {
        match listening.try_recv().await {
            Ok(Some(announced)) => {
                let mut changed = announced.payload().split(' ').filter_map(|namespace| namespace.parse().ok());
                if signals.upgrade().is_none_or(|signals| changed.any(|namespace| signals.is_waited_for(namespace))) {
                    return;
                }
            }
            // It was lost, with its lock.
            Ok(None) | Err(_) => {
                *listener = None;
                return;
            }
        }
    }
}
