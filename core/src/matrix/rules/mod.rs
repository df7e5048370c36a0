//! What follows from what: how updates become the records that they and their rooms are left with.
//!
//! Import and typed operations bring their [`Update`]s here, many in one transaction. A batch reads all that its updates touch,
//! merges in memory and writes what changed: so a room's derived fields, the effects of a redaction and an event's state are
//! always written with what caused them.

mod batch;
mod bundled;
mod event;
mod members;
mod messages;
mod others;
mod redaction;
mod relations;
mod rooms;
mod same;
mod state;
mod table;
mod typed;
mod update;

pub(super) use batch::run;
pub(super) use event::{Clarity, Defaults, REDACTION, json, room_events, text, timestamp};
pub(super) use typed::{message_update, redaction_of, state_update};
pub(super) use update::{Settings, Update, Verdict};
