//! In which order cases run, and how often: every case once on every stack, then the random ones again until the budget ends.

use std::collections::BTreeMap;
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Instant;

use strongroom_conformance::{Case, Factory, Finished, Outcome, harness, run_case};

use crate::arguments::Run;

/// Runs every case on every stack. `on_row` is given the results of one case, in the order of the cases.
pub(crate) fn run(
    cases: &[Case],
    stacks: &[Arc<dyn Factory>],
    run: &Run,
    mut on_row: impl FnMut(&[Finished]) -> io::Result<()>,
) -> io::Result<Vec<Finished>> {
    let began = Instant::now();
    let mut results: Vec<Finished> = Vec::with_capacity(cases.len() * stacks.len());
    round(cases, stacks, run, run.seed, |row| {
        results.extend_from_slice(row);
        on_row(row)
    })?;
    let Some(budget) = run.budget else { return Ok(results) };
    let mut seed = run.seed;
    // A case that failed has told its seed already.
    let mut random: Vec<Case> = cases.iter().filter(|case| case.random).copied().collect();
    while began.elapsed() < budget && !random.is_empty() {
        seed += 1;
        round(&random.clone(), stacks, run, seed, |row| {
            for again in row {
                let first =
                    |one: &&mut Finished| (one.group, one.name, &one.stack) == (again.group, again.name, &again.stack);
                let Some(first) = results.iter_mut().find(first) else { continue };
                first.seconds += again.seconds;
                first.figures.add(&again.figures);
                if let (Outcome::Pass, Outcome::Fail(reason)) = (&first.outcome, &again.outcome) {
                    first.outcome = Outcome::Fail(format!("with --seed {seed}: {reason}"));
                    random.retain(|case| (case.group, case.name) != (again.group, again.name));
                    on_row(std::slice::from_ref(&*first))?;
                }
            }
            Ok(())
        })?;
    }
    Ok(results)
}

/// Runs every case once, some at a time, and hands on the rows in order.
fn round(
    cases: &[Case],
    stacks: &[Arc<dyn Factory>],
    run: &Run,
    seed: u64,
    mut on_row: impl FnMut(&[Finished]) -> io::Result<()>,
) -> io::Result<()> {
    let options = run.options(seed);
    let jobs = run.jobs.unwrap_or_else(harness::jobs).max(1);
    let total = cases.len() * stacks.len();
    let next = AtomicUsize::new(0);
    let (send, receive) = mpsc::channel();
    thread::scope(|scope| {
        for _ in 0..jobs {
            let (next, send, options) = (&next, send.clone(), &options);
            scope.spawn(move || {
                loop {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    if at >= total {
                        return;
                    }
                    let (case, stack) = (&cases[at / stacks.len()], &stacks[at % stacks.len()]);
                    // Nobody listens once writing the rows has failed.
                    if send.send((at, run_case(case, stack, options))).is_err() {
                        return;
                    }
                }
            });
        }
        drop(send);
        let mut waiting = BTreeMap::new();
        let mut row = Vec::with_capacity(stacks.len());
        let mut wanted = 0;
        while let Ok((at, finished)) = receive.recv() {
            waiting.insert(at, finished);
            while let Some(finished) = waiting.remove(&wanted) {
                wanted += 1;
                row.push(finished);
                if row.len() == stacks.len() {
                    on_row(&row)?;
                    row.clear();
                }
            }
        }
        Ok(())
    })
}
