//! What backends share that ask their engine from tasks of a tokio runtime, as those over sockets and threads do.
//!
//! - [`read`]: a read that goes on though nobody polls it, and ends when nobody waits for it any more;
//! - [`complete`]: a change that is completed even if nobody waits for it, in the order in which changes were begun;
//! - [`Held`]: a snapshot over a view that is asked in such tasks;
//! - [`Newest`]: the newest revision that is known, and who waits for a newer one.

mod complete;
mod held;
mod newest;

pub use complete::{Turn, complete, read};
pub use held::Held;
pub use newest::Newest;
