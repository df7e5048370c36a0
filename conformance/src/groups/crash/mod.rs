//! Is anything acknowledged lost, or left by half, when processes are killed, the power goes or the medium fails?
//!
//! Steps of a [`history`] follow from a seed. A child makes them and acknowledges each; it is struck by a [`blow`]; the
//! [`ledger`] knows what must be left. A new way to die is a role of the child and a case.

pub(super) mod blow;
mod builds;
mod control;
mod faults;
mod history;
mod kills;
mod ledger;
mod moments;
mod onlooker;
mod power;
pub(crate) mod random;
mod records;
mod seen;
mod unsynced;
mod writer;

use crate::Case;
use crate::child::Role;
use history::Style;

/// What child processes do.
pub(super) const ROLES: &[Role] = &[
    Role { name: "rows", run: |work| Box::pin(writer::write(work, Style::Rows)) },
    Role { name: "large", run: |work| Box::pin(writer::write(work, Style::Large)) },
    Role { name: "deletes", run: |work| Box::pin(writer::write(work, Style::Deletes)) },
    Role { name: "snapshots", run: |work| Box::pin(writer::write_beside_snapshots(work)) },
    Role { name: "on", run: |work| Box::pin(writer::write_on(work)) },
    Role { name: "create", run: |work| Box::pin(moments::create(work)) },
    Role { name: "recover", run: |work| Box::pin(moments::recover(work)) },
    Role { name: "compact", run: |work| Box::pin(moments::compact(work)) },
    Role { name: "close", run: |work| Box::pin(moments::close(work)) },
    Role { name: "look", run: |work| Box::pin(onlooker::look(work)) },
    Role { name: "records", run: |work| Box::pin(records::write(work)) },
    Role { name: "build", run: |work| Box::pin(builds::build(work)) },
];

pub(super) fn cases() -> Vec<Case> {
    [kills::CASES, power::CASES, control::CASES, faults::CASES, unsynced::CASES].concat()
}
