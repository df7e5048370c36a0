//! What fails, and when.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use super::lock;

/// When a connection fails, seen from the request that is to strike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// The server does not get the request. Both sides are reset.
    Before,
    /// The server gets the request and the client is reset at once. The server goes on; its connection is closed after its
    /// answer.
    During,
    /// The server has answered, up to `ReadyForQuery`, and the client has got nothing of that. Both sides are reset.
    After,
    /// The client has got the whole answer. Then both sides are closed, in order, so that nothing of the answer is lost.
    Answered,
}

/// The one fault that may be armed, for all connections.
#[derive(Default)]
pub(super) struct Faults {
    armed: Mutex<Option<(Moment, String)>>,
    struck: AtomicU64,
}

impl Faults {
    pub(super) fn arm(&self, moment: Moment, needle: &str) {
        *lock(&self.armed) = Some((moment, needle.to_owned()));
    }

    /// The fault that strikes at a request that executes these statements. It is armed no more.
    pub(super) fn take(&self, statements: &[impl AsRef<[u8]>]) -> Option<Moment> {
        let strikes =
            |armed: &mut (Moment, String)| statements.iter().any(|text| contains(text.as_ref(), armed.1.as_bytes()));
        lock(&self.armed).take_if(strikes).map(|(moment, _)| moment)
    }

    pub(super) fn count(&self) {
        self.struck.fetch_add(1, Ordering::SeqCst);
    }

    pub(super) fn struck(&self) -> u64 {
        self.struck.load(Ordering::SeqCst)
    }
}

fn contains(text: &[u8], needle: &[u8]) -> bool {
    needle.is_empty() || text.windows(needle.len()).any(|window| window == needle)
}
