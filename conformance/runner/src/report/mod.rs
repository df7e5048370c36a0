//! What became of a run, for people and for programs.

mod json;
mod junit;
mod markdown;

use std::collections::BTreeMap;
use std::error::Error;
use std::fs;
use std::path::Path;

use strongroom_conformance::{Figures, Finished, Outcome};

use crate::arguments::Run;

/// A whole run.
pub(crate) struct Report {
    pub(crate) seed: u64,
    pub(crate) stacks: Vec<String>,
    /// In the order of cases, then of stacks.
    pub(crate) results: Vec<Finished>,
}

/// The sums of one stack.
#[derive(Default)]
pub(crate) struct Tally {
    pub(crate) pass: usize,
    pub(crate) fail: usize,
    pub(crate) not_applicable: usize,
    pub(crate) skip: usize,
    pub(crate) seconds: f64,
    pub(crate) figures: Figures,
}

/// A stack, a reason, and the cases that it keeps from running.
pub(crate) type Reason<'a> = (&'a str, &'a str, Vec<&'static str>);

impl Report {
    /// Writes the files that were asked for.
    pub(crate) fn write(&self, run: &Run) -> Result<(), Box<dyn Error>> {
        let put = |path: &Path, text: String| {
            fs::write(path, text).map_err(|error| format!("{} cannot be written: {error}", path.display()))
        };
        if let Some(path) = &run.json {
            put(path, json::render(self)?)?;
        }
        if let Some(path) = &run.junit {
            put(path, junit::render(self)?)?;
        }
        if let Some(path) = &run.markdown {
            put(path, markdown::render(self))?;
        }
        Ok(())
    }

    /// Why a case came to what it came to; of a pass, what it did.
    pub(crate) fn reason(finished: &Finished) -> Option<String> {
        let figures = Some(finished.figures.to_string()).filter(|_| !finished.figures.is_empty());
        finished.outcome.reason().map(str::to_owned).or(figures)
    }

    pub(crate) fn tally(&self, stack: &str) -> Tally {
        let mut tally = Tally::default();
        for finished in self.results.iter().filter(|finished| finished.stack == stack) {
            tally.seconds += finished.seconds;
            tally.figures.add(&finished.figures);
            match finished.outcome {
                Outcome::Pass => tally.pass += 1,
                Outcome::Fail(_) => tally.fail += 1,
                Outcome::NotApplicable(_) => tally.not_applicable += 1,
                Outcome::Skip(_) => tally.skip += 1,
            }
        }
        tally
    }

    pub(crate) fn not_applicable(&self) -> Vec<Reason<'_>> {
        self.reasons(|outcome| match outcome {
            Outcome::NotApplicable(reason) => Some(reason),
            _ => None,
        })
    }

    pub(crate) fn skipped(&self) -> Vec<Reason<'_>> {
        self.reasons(|outcome| match outcome {
            Outcome::Skip(reason) => Some(reason),
            _ => None,
        })
    }

    fn reasons<'a>(&'a self, reason: impl Fn(&'a Outcome) -> Option<&'a String>) -> Vec<Reason<'a>> {
        let mut cases: BTreeMap<(&str, &str), Vec<&'static str>> = BTreeMap::new();
        for finished in &self.results {
            if let Some(reason) = reason(&finished.outcome) {
                cases.entry((&finished.stack, reason)).or_default().push(finished.name);
            }
        }
        cases.into_iter().map(|((stack, reason), cases)| (stack, reason, cases)).collect()
    }
}
