//! Steps of several tasks, one at a time, in an order that is given beforehand.
//!
//! The order is one of operations, not of polls: a store whose futures wait for reasons of their own takes the same path
//! as one that answers at once.

use tokio::sync::{Mutex, Semaphore, mpsc};

/// Whose turn it is.
#[derive(Debug)]
pub(crate) struct Turns {
    granted: Vec<Semaphore>,
    say: mpsc::UnboundedSender<Said>,
    hear: Mutex<mpsc::UnboundedReceiver<Said>>,
}

#[derive(Debug)]
enum Said {
    /// This task has taken its step and waits for its next turn.
    Waits(usize),
    /// This task has ended.
    Ended,
}

/// Which tasks go on: positions among those that wait, taken round.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Turn {
    pub(crate) who: usize,
    /// The one behind it takes its step at the same time.
    pub(crate) together: bool,
}

impl Turns {
    pub(crate) fn new(tasks: usize) -> Self {
        let (say, hear) = mpsc::unbounded_channel();
        Turns { granted: (0..tasks).map(|_| Semaphore::new(0)).collect(), say, hear: Mutex::new(hear) }
    }

    /// Waits for the task's turn.
    pub(crate) async fn wait(&self, task: usize) {
        self.say.send(Said::Waits(task)).ok();
        if let Ok(permit) = self.granted[task].acquire().await {
            permit.forget();
        }
    }

    /// The task has ended. Each task must say so, also one that failed.
    pub(crate) fn end(&self) {
        self.say.send(Said::Ended).ok();
    }

    /// Gives turns until every task has ended.
    pub(crate) async fn give(&self, order: impl IntoIterator<Item = Turn, IntoIter: Clone>) {
        let mut order = order.into_iter().cycle();
        let mut hear = self.hear.lock().await;
        let mut waiting = Vec::new();
        let mut awaited = self.granted.len();
        loop {
            for _ in 0..awaited {
                if let Some(Said::Waits(task)) = hear.recv().await {
                    waiting.push(task);
                }
            }
            if waiting.is_empty() {
                return;
            }
            // Tasks are heard in any order where two went on together.
            waiting.sort_unstable();
            let Turn { who, together } = order.next().unwrap_or(Turn { who: 0, together: false });
            awaited = 1 + usize::from(together && waiting.len() > 1);
            for _ in 0..awaited {
                let task = waiting.remove(who % waiting.len());
                self.granted[task].add_permits(1);
            }
        }
    }
}
