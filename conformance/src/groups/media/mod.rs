//! Bytes in an object store, and the records that name them: are they ever apart, or not what was stored?
//!
//! A [`scene`](support) has a database of the store under test and the stack's object store. What fails, waits or counts is put around
//! either by [`hooks`](moments). A medium's content follows from a number, so that whoever knows its number can tell whether it is whole.

mod bodies;
mod child;
mod copies;
mod crossing;
mod damage;
mod faults;
mod kills;
mod meanwhile;
mod moments;
mod no_space;
mod power;
mod records;
mod resume;
mod retention;
mod sizes;
mod sources;
mod support;
mod sweeps;
mod takeover;
mod transfers;

use crate::Case;
use crate::child::Role;

/// What child processes do.
pub(super) const ROLES: &[Role] = &[
    Role { name: "media", run: |work| Box::pin(child::work_on(work)) },
    Role { name: "media unsynced", run: |work| Box::pin(child::work_unsynced(work)) },
    Role { name: "media to a point", run: |work| Box::pin(child::upload_to_a_point(work)) },
    Role { name: "media sweeper", run: |work| Box::pin(child::sweep_on(work)) },
];

pub(super) fn cases() -> Vec<Case> {
    [
        sizes::CASES,
        sources::CASES,
        records::CASES,
        transfers::CASES,
        crossing::CASES,
        resume::CASES,
        takeover::CASES,
        faults::CASES,
        bodies::CASES,
        sweeps::CASES,
        retention::CASES,
        meanwhile::CASES,
        damage::CASES,
        copies::CASES,
        no_space::CASES,
        kills::CASES,
        power::CASES,
    ]
    .concat()
}
