//! The suite can fail: each broken store and each wrong stack is caught by the case that it names, which a correct one passes,
//! and so does one that is made alike without the mistake.

mod wrong;

use std::collections::{BTreeMap, BTreeSet};
use std::process::ExitCode;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use libtest_mimic::{Arguments, Completion, Failed, Trial};
use strongroom_conformance::broken::{self, Broken, BrokenFactory, BrokenObjects, Control};
use strongroom_conformance::{
    Can, Capability, Case, Effort, Factory, Failure, Options, Outcome, groups, harness, run_case, serve,
};
use strongroom_conformance_runner::stacks::{MemoryFactory, RedbFactory, SqliteFactory};
use wrong::Wrong;

fn main() -> ExitCode {
    // The children of cases that kill processes are this program, too, and so is what serves the disks.
    match serve_children() {
        Ok(true) => return ExitCode::SUCCESS,
        Ok(false) => {}
        Err(failure) => {
            complain(&failure);
            return ExitCode::FAILURE;
        }
    }
    let mut trials = vec![Trial::test("broken::every_name_is_unique", || names_are_unique().map_err(Failed::from))];
    for broken in broken::all() {
        let caught = move || caught(is_caught(broken), &broken);
        trials.push(Trial::ignorable_test(format!("broken::{}", broken.name), caught));
    }
    for broken in broken::objects() {
        let caught = move || caught(is_caught_in_objects(broken), broken);
        trials.push(Trial::ignorable_test(format!("objects::{}", broken.name), caught));
    }
    for control in broken::controls() {
        let caught_by: BTreeSet<_> = control.broken.iter().map(|broken| broken.caught_by).collect();
        for name in caught_by {
            let passes = move || caught(control_passes(control, name), &control.name);
            trials.push(Trial::ignorable_test(format!("right::{}::{name}", control.name), passes));
        }
    }
    for wrong in wrong::ALL {
        let caught = move || caught(is_found_out(wrong), wrong);
        trials.push(Trial::ignorable_test(format!("wrong::{}", wrong.name), caught));
    }
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

fn serve_children() -> Result<bool, Failure> {
    let mut known: Vec<Arc<dyn Factory>> = stacks().to_vec();
    for broken in broken::all() {
        known.extend(stacks().map(|inner| -> Arc<dyn Factory> { Arc::new(BrokenFactory::new(inner, broken)) }));
    }
    for control in broken::controls() {
        known.extend(stacks().map(|inner| -> Arc<dyn Factory> { Arc::new(BrokenFactory::control(inner, control)) }));
    }
    for broken in broken::objects() {
        known.extend(stacks().map(|inner| -> Arc<dyn Factory> { Arc::new(BrokenFactory::objects(inner, *broken)) }));
    }
    known.extend(wrong::ALL.iter().flat_map(|wrong| [(wrong.right)(), wrong.stack()]));
    serve(&known)
}

#[allow(clippy::print_stderr, reason = "this is the main function of a test program")]
fn complain(failure: &Failure) {
    eprintln!("{failure}");
}

fn names_are_unique() -> Result<(), String> {
    let mut names = BTreeSet::new();
    let all = broken::all().into_iter().map(|broken| broken.name).chain(wrong::ALL.iter().map(|wrong| wrong.name));
    let all = all.chain(broken::objects().iter().map(|broken| broken.name));
    let all = all.chain(broken::controls().into_iter().map(|control| control.name));
    match all.into_iter().find(|name| !names.insert(*name)) {
        Some(twice) => Err(format!("two broken stores are called {twice}")),
        None => Ok(()),
    }
}

/// Why it is not known that the suite catches something.
enum Not {
    Caught(String),
    /// What this machine lacks.
    Run(String),
}

fn caught(result: Result<(), Not>, what: &dyn std::fmt::Debug) -> Result<Completion, Failed> {
    match result {
        Ok(()) => Ok(Completion::Completed),
        Err(Not::Run(reason)) if !harness::skips_fail() => Ok(Completion::ignored_with(reason)),
        Err(Not::Caught(reason) | Not::Run(reason)) => Err(Failed::from(format!("{reason}\n{what:?}"))),
    }
}

fn is_caught(broken: Broken) -> Result<(), Not> {
    let case = case(broken.caught_by)?;
    let factory = factory_for(&case)?;
    let wrong: Arc<dyn Factory> = Arc::new(BrokenFactory::new(factory.clone(), broken));
    fails(&case, &factory, &wrong, Effort::default(), "")
}

fn is_caught_in_objects(broken: &BrokenObjects) -> Result<(), Not> {
    let case = case(broken.caught_by)?;
    let factory = factory_for(&case)?;
    let wrong: Arc<dyn Factory> = Arc::new(BrokenFactory::objects(factory.clone(), *broken));
    fails(&case, &factory, &wrong, Effort::default(), "")
}

/// A store that is made as broken ones are passes what those are caught by: it is the mistake that is caught.
fn control_passes(control: Control, caught_by: &str) -> Result<(), Not> {
    let case = case(caught_by)?;
    let right: Arc<dyn Factory> = Arc::new(BrokenFactory::control(factory_for(&case)?, control));
    match run_case(&case, &right, &options(Effort::default())).outcome {
        Outcome::Pass => Ok(()),
        Outcome::Skip(reason) => Err(Not::Run(reason)),
        other => Err(Not::Caught(format!("without the mistake it does not pass {caught_by}: {other}"))),
    }
}

fn is_found_out(wrong: &Wrong) -> Result<(), Not> {
    // A power cut may keep everything, so there are some more.
    let effort = Effort { cuts: 12, ..Effort::default() };
    fails(&case(wrong.caught_by)?, &(wrong.right)(), &wrong.stack(), effort, wrong.says)
}

/// The case passes on the right stack, and fails on the wrong one, for a reason in which these words are.
fn fails(
    case: &Case,
    right: &Arc<dyn Factory>,
    wrong: &Arc<dyn Factory>,
    effort: Effort,
    says: &str,
) -> Result<(), Not> {
    match passes(case, right) {
        Outcome::Pass => {}
        Outcome::Skip(reason) => return Err(Not::Run(reason)),
        other => return Err(Not::Caught(format!("the correct store does not pass the case: {other}"))),
    }
    match run_case(case, wrong, &options(effort)).outcome {
        Outcome::Fail(reason) if reason.starts_with("it panicked") => {
            Err(Not::Caught(format!("the case does not say why: {reason}")))
        }
        Outcome::Fail(reason) if reason.starts_with("it has not ended") => {
            Err(Not::Caught(format!("the case hangs: {reason}")))
        }
        Outcome::Fail(reason) if reason.contains(says) => Ok(()),
        Outcome::Fail(reason) => Err(Not::Caught(format!("it is caught for another reason: {reason}"))),
        other => Err(Not::Caught(format!("it is not caught: {other}"))),
    }
}

fn case(name: &str) -> Result<Case, Not> {
    let case = groups::all().into_iter().find(|case| format!("{case:?}") == name);
    case.ok_or_else(|| Not::Caught("there is no such case".to_owned()))
}

/// From what opens fastest to what can most.
fn stacks() -> [Arc<dyn Factory>; 3] {
    [Arc::new(MemoryFactory), Arc::new(RedbFactory), Arc::new(SqliteFactory)]
}

/// The first stack that can what the case needs, if the machine can.
fn factory_for(case: &Case) -> Result<Arc<dyn Factory>, Not> {
    let can = |factory: &Arc<dyn Factory>, need: &Capability| !matches!(factory.can(*need), Can::No(_));
    let fit = stacks().into_iter().find(|factory| case.needs.iter().all(|need| can(factory, need)));
    fit.ok_or_else(|| Not::Caught(format!("no stack can {:?}", case.needs)))
}

/// What becomes of the case on the correct store. Many broken stores name the same case: it is run once.
fn passes(case: &Case, factory: &Arc<dyn Factory>) -> Outcome {
    static KNOWN: Mutex<BTreeMap<String, Arc<OnceLock<Outcome>>>> = Mutex::new(BTreeMap::new());
    let name = format!("{case:?} on {}", factory.name());
    let known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner).entry(name).or_default().clone();
    known.get_or_init(|| run_case(case, factory, &options(Effort::default())).outcome).clone()
}

fn options(effort: Effort) -> Options {
    Options { effort, patience: Duration::from_secs(60), ..Options::default() }
}
