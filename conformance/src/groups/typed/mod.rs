//! Records, indexes, cursors, transactions and the catalog on this store: what the typed database makes of it.
//!
//! A new case goes into the file of its idea (a new idea is a new file, named in `cases` below); what several files say alike
//! goes into `support`. Cases must also hold where a codec blinds exact components: their order and length are then open.

mod catalog;
mod concurrency;
mod copy;
mod damage;
mod engine;
mod expiry;
mod indexes;
mod many;
mod matrix;
mod meanwhile;
mod pages;
mod queries;
mod records;
mod reopen;
mod snapshots;
pub(super) mod support;
mod transactions;
mod unique;

pub(super) use support::poll_at_most;

use crate::Case;

pub(super) fn cases() -> Vec<Case> {
    let groups = [
        records::CASES,
        many::CASES,
        indexes::CASES,
        unique::CASES,
        queries::CASES,
        pages::CASES,
        expiry::CASES,
        transactions::CASES,
        snapshots::CASES,
        concurrency::CASES,
        damage::CASES,
        reopen::CASES,
        copy::CASES,
        engine::CASES,
    ];
    [groups.concat(), catalog::cases(), matrix::cases()].concat()
}
