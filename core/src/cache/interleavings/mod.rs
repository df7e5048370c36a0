//! The rule, built on the primitives of a scheduler that decides how threads interleave: in every way there is where two
//! threads are short, in very many at random elsewhere.
//!
//! The store here is a list of states, one a revision, so what an answer must be is known exactly. Each [mistake](world::Mistake)
//! is a step of the rule left out, and the same exploration finds it.

#[path = "../coherence.rs"]
#[allow(dead_code, reason = "a part of it is for moka alone")]
mod coherence;
#[path = "../entry.rs"]
#[allow(dead_code, reason = "a part of it is for moka alone")]
mod entry;
#[path = "../stripes.rs"]
#[allow(dead_code, reason = "a part of it is for moka alone")]
mod stripes;
mod sync;
mod world;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use shuttle::scheduler::{PctScheduler, RandomScheduler};
use shuttle::{Config, Runner};

use crate::store::Sharing::{self, Exclusive, Shared};
use crate::store::{KeyPrefix, Revision, StoredKey};
use sync::locks_alone;
use world::{Mistake, World, key, run};

type Step = fn(&World);

/// Schedules of each scheduler that are tried where there are too many; `STRONGROOM_SCHEDULES` sets another number. A mistake
/// ends the search.
fn tries(mistake: Mistake) -> usize {
    let asked = std::env::var("STRONGROOM_SCHEDULES").ok().and_then(|tries| tries.parse().ok());
    asked.unwrap_or(if mistake == Mistake::None { 1_000 } else { 20_000 })
}

const KEEP: Step = |world| world.read_and_keep(&key(0));
const KEEP_STAMPED: Step = |world| world.read_and_keep(&stamped());
const READ_STAMPED: Step = |world| world.get(&[stamped()]);
const STAMP: Step = |world| world.stamp(&key(3));
const PUT_UNKNOWN: Step = |world| world.put_unknown(&key(0));
const RESEAL: Step = |world| world.reseal(&key(0));
const KEEP_ABSENCE: Step = |world| world.read_and_keep(&key(2));
const READ: Step = |world| world.get(&[key(0)]);
const READ_ALL: Step = |world| world.get(&[key(0), key(1), key(2)]);
const PUT: Step = |world| world.put(&[key(0)]);
const PUT_PAIR: Step = |world| world.put(&[key(0), key(1)]);
const PUT_NEW: Step = |world| world.put(&[key(2)]);
const DELETE: Step = |world| world.delete(&key(0));
const DROP_RANGE: Step = |world| world.drop_all();
const PUT_ELSEWHERE: Step = |world| world.put_elsewhere(&key(1));
const PUT_GIVEN_UP: Step = |world| world.put_given_up(&key(0), &key(1));
const LOCK: Step = |world| world.lock();
const READ_BESIDE_LOCK: Step = |world| world.get_beside_lock(&[key(0), key(1)]);
const VIEW: Step = |world| world.snapshot(&[key(0)], || {});
const SNAPSHOT: Step = |world| world.snapshot(&[key(0), key(2)], || world.put(&[key(0), key(2)]));

/// What the first stamped write will make.
fn stamped() -> StoredKey {
    KeyPrefix(key(3)).stamp(Revision(2))
}

/// Two threads, in every way there is, over a cache that has seen nothing: neither looks at an atomic that the other one changes.
fn every(sharing: Sharing, mistake: Mistake, threads: [Step; 2]) {
    locks_alone(|| shuttle::check_dfs(move || run(sharing, mistake, false, &threads), None));
}

/// Some threads, in many ways. `warm`: the cache has seen all keys before.
fn many<const N: usize>(sharing: Sharing, mistake: Mistake, warm: bool, threads: [Step; N]) {
    let tries = tries(mistake);
    let run = Arc::new(move || run(sharing, mistake, warm, &threads));
    let (random, run_random) = (RandomScheduler::new_from_seed(0, tries), run.clone());
    Runner::new(random, Config::default()).run(move || run_random());
    // Threads that are held up for long, at two places at most.
    Runner::new(PctScheduler::new_from_seed(0, 3, tries), Config::default()).run(move || run());
}

fn is_found(mistake: Mistake, explore: impl FnOnce(Mistake)) {
    let explored = catch_unwind(AssertUnwindSafe(|| explore(mistake)));
    assert!(explored.is_err(), "{mistake:?} is not found");
}

#[test]
fn a_row_is_kept_beside_a_commit_in_every_way_there_is() {
    every(Exclusive, Mistake::None, [KEEP, PUT]);
    every(Exclusive, Mistake::None, [KEEP, DELETE]);
    every(Exclusive, Mistake::None, [KEEP_ABSENCE, PUT_NEW]);
    every(Exclusive, Mistake::None, [KEEP_STAMPED, STAMP]);
    for mistake in [Mistake::KeptWhateverHappened, Mistake::UnmarkedBefore] {
        is_found(mistake, |mistake| every(Exclusive, mistake, [KEEP, PUT]));
    }
}

#[test]
fn reads_cross_commits() {
    for sharing in [Exclusive, Shared] {
        for warm in [false, true] {
            many(sharing, Mistake::None, warm, [READ, PUT]);
            many(sharing, Mistake::None, warm, [READ_ALL, READ, PUT_PAIR, DELETE]);
            many(sharing, Mistake::None, warm, [READ_ALL, READ_STAMPED, READ_STAMPED, STAMP]);
        }
    }
    for mistake in [Mistake::KeptWhateverHappened, Mistake::UnmarkedBefore] {
        is_found(mistake, |mistake| many(Exclusive, mistake, false, [READ, PUT]));
    }
    is_found(Mistake::Torn, |mistake| many(Exclusive, mistake, false, [READ, READ_ALL, PUT_PAIR]));
}

#[test]
fn snapshots_cross_commits() {
    for sharing in [Exclusive, Shared] {
        for warm in [false, true] {
            many(sharing, Mistake::None, warm, [VIEW, PUT]);
            many(sharing, Mistake::None, warm, [SNAPSHOT, READ_ALL]);
            many(sharing, Mistake::None, warm, [SNAPSHOT, READ_ALL, PUT_PAIR, DELETE]);
        }
    }
    is_found(Mistake::MarkedAfter, |mistake| many(Exclusive, mistake, true, [VIEW, PUT]));
    is_found(Mistake::NewerThanTheSnapshot, |mistake| many(Exclusive, mistake, true, [SNAPSHOT, READ_ALL]));
}

#[test]
fn ranges_are_dropped() {
    for sharing in [Exclusive, Shared] {
        many(sharing, Mistake::None, true, [READ_ALL, SNAPSHOT, DROP_RANGE]);
        many(sharing, Mistake::None, false, [READ_ALL, PUT, DROP_RANGE]);
    }
    is_found(Mistake::VoidBeforeOnly, |mistake| every(Exclusive, mistake, [KEEP, DROP_RANGE]));
}

#[test]
fn others_write() {
    for warm in [false, true] {
        many(Shared, Mistake::None, warm, [READ_ALL, READ, PUT_ELSEWHERE]);
        many(Shared, Mistake::None, warm, [READ_ALL, SNAPSHOT, PUT_ELSEWHERE]);
        many(Shared, Mistake::None, warm, [READ_ALL, PUT, PUT_ELSEWHERE, DROP_RANGE]);
    }
    is_found(Mistake::OthersUnseen, |mistake| many(Shared, mistake, true, [READ_ALL, PUT_ELSEWHERE]));
}

#[test]
fn nobody_knows_whether_it_happened() {
    for sharing in [Exclusive, Shared] {
        many(sharing, Mistake::None, true, [READ_ALL, PUT_UNKNOWN]);
        many(sharing, Mistake::None, true, [READ_ALL, PUT_UNKNOWN, PUT_PAIR]);
        many(sharing, Mistake::None, false, [SNAPSHOT, PUT_UNKNOWN, DELETE]);
        many(sharing, Mistake::None, true, [VIEW, PUT_UNKNOWN]);
        for warm in [false, true] {
            many(sharing, Mistake::None, warm, [READ_ALL, VIEW, PUT_GIVEN_UP]);
        }
    }
    is_found(Mistake::GivenUpUnheeded, |mistake| many(Exclusive, mistake, true, [READ_ALL, PUT_GIVEN_UP]));
}

#[test]
fn a_layer_below_is_locked() {
    for warm in [false, true] {
        many(Exclusive, Mistake::None, warm, [READ_BESIDE_LOCK, LOCK, PUT]);
        many(Shared, Mistake::None, warm, [READ_BESIDE_LOCK, LOCK, PUT_ELSEWHERE]);
    }
}

#[test]
fn a_layer_below_seals_rows_anew() {
    many(Exclusive, Mistake::None, true, [READ_ALL, RESEAL]);
    many(Exclusive, Mistake::None, false, [READ_ALL, SNAPSHOT, RESEAL]);
    is_found(Mistake::Untold, |mistake| many(Exclusive, mistake, true, [READ_ALL, READ_ALL, RESEAL]));
}
