//! Records, indexes, cursors, transactions and the catalog on this store: what the typed database makes of it.
//!
//! A new case goes into the file of its idea (a new idea is a new file, named in `cases` below); what several files say alike
//! goes into `support`.

mod concurrency;
mod expiry;
mod indexes;
mod pages;
mod queries;
mod records;
mod snapshots;
mod support;
mod transactions;
mod unique;

use crate::Case;

pub(super) fn cases() -> Vec<Case> {
    let groups = [
        records::CASES,
        indexes::CASES,
        unique::CASES,
        queries::CASES,
        pages::CASES,
        expiry::CASES,
        transactions::CASES,
        snapshots::CASES,
        concurrency::CASES,
    ];
    groups.concat()
}
