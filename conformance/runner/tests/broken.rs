//! The suite can fail: each broken store is caught by the case that it names, which the correct store passes.

use std::collections::{BTreeMap, BTreeSet};
use std::process::ExitCode;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use libtest_mimic::{Arguments, Failed, Trial};
use strongroom_conformance::broken::{self, Broken, BrokenFactory};
use strongroom_conformance::{Can, Capability, Case, Factory, Options, Outcome, groups, run_case};
use strongroom_conformance_runner::stacks::{MemoryFactory, RedbFactory};

fn main() -> ExitCode {
    let mut trials = vec![Trial::test("broken::every_name_is_unique", || names_are_unique().map_err(Failed::from))];
    for broken in broken::all() {
        let caught = move || is_caught(broken).map_err(|reason| Failed::from(format!("{reason}\n{broken:?}")));
        trials.push(Trial::test(format!("broken::{}", broken.name), caught));
    }
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

fn names_are_unique() -> Result<(), String> {
    let mut names = BTreeSet::new();
    match broken::all().into_iter().find(|broken| !names.insert(broken.name)) {
        Some(twice) => Err(format!("two broken stores are called {}", twice.name)),
        None => Ok(()),
    }
}

fn is_caught(broken: Broken) -> Result<(), String> {
    let case = groups::all().into_iter().find(|case| format!("{case:?}") == broken.caught_by);
    let case = case.ok_or("there is no such case")?;
    let factory = factory_for(&case)?;
    match passes(&case, &factory) {
        Outcome::Pass => {}
        other => return Err(format!("the correct store does not pass the case: {other}")),
    }
    let wrong: Arc<dyn Factory> = Arc::new(BrokenFactory::new(factory, broken));
    match run_case(&case, &wrong, &options()).outcome {
        Outcome::Fail(reason) if reason.starts_with("it panicked") => {
            Err(format!("the case does not say why: {reason}"))
        }
        Outcome::Fail(reason) if reason.starts_with("it has not ended") => Err(format!("the case hangs: {reason}")),
        Outcome::Fail(_) => Ok(()),
        other => Err(format!("it is not caught: {other}")),
    }
}

/// The first stack that can what the case needs.
fn factory_for(case: &Case) -> Result<Arc<dyn Factory>, String> {
    let stacks: [Arc<dyn Factory>; 2] = [Arc::new(MemoryFactory), Arc::new(RedbFactory)];
    let can = |factory: &Arc<dyn Factory>, need: &Capability| factory.can(*need) == Can::Yes;
    let fit = stacks.into_iter().find(|factory| case.needs.iter().all(|need| can(factory, need)));
    fit.ok_or_else(|| format!("neither memory nor redb can {:?}", case.needs))
}

/// What becomes of the case on the correct store. Many broken stores name the same case: it is run once.
fn passes(case: &Case, factory: &Arc<dyn Factory>) -> Outcome {
    static KNOWN: Mutex<BTreeMap<String, Arc<OnceLock<Outcome>>>> = Mutex::new(BTreeMap::new());
    let known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner).entry(format!("{case:?}")).or_default().clone();
    known.get_or_init(|| run_case(case, factory, &options()).outcome).clone()
}

fn options() -> Options {
    Options { patience: Duration::from_secs(60), ..Options::default() }
}
