//! One named test a case, under `cargo test`.

use std::env;
use std::num::NonZero;
use std::process::ExitCode;
use std::sync::Arc;
use std::thread;

use libtest_mimic::{Arguments, Completion, Failed, Trial};

use crate::{Factory, Options, Outcome, groups, run_case, serve};

/// The program that runs every case on these factories, one named test each: `conformance!(MyFactory);`.
#[macro_export]
macro_rules! conformance {
    ($($factory:expr),+ $(,)?) => {
        fn main() -> ::std::process::ExitCode {
            $crate::harness::main(vec![$(::std::sync::Arc::new($factory)),+])
        }
    };
}

/// What [`conformance!`](crate::conformance) makes the program do. It takes the arguments of any Rust test program. Unless `--test-threads`
/// says otherwise, it runs one case more at a time than there are cores.
///
/// The environment may set `STRONGROOM_SEED`, `STRONGROOM_OPERATIONS`, `STRONGROOM_KILLS` and `STRONGROOM_CUTS`; with
/// `STRONGROOM_CI=1` a skip fails.
pub fn main(factories: Vec<Arc<dyn Factory>>) -> ExitCode {
    match serve(&factories) {
        Ok(false) => {}
        Ok(true) => return ExitCode::SUCCESS,
        Err(failure) => {
            complain(&failure.to_string());
            return ExitCode::FAILURE;
        }
    }
    let options = match options() {
        Ok(options) => options,
        Err(wrong) => {
            complain(&wrong);
            return ExitCode::FAILURE;
        }
    };
    let several = factories.len() > 1;
    let mut trials = Vec::new();
    for factory in &factories {
        for case in groups::all() {
            let name = format!("{}::{}", case.group, case.name);
            let name = if several { format!("{}::{name}", factory.name()) } else { name };
            let factory = factory.clone();
            trials.push(Trial::ignorable_test(name, move || told(run_case(&case, &factory, &options).outcome)));
        }
    }
    let mut arguments = Arguments::from_args();
    arguments.test_threads.get_or_insert_with(jobs);
    libtest_mimic::run(&arguments, trials).exit_code()
}

/// Cases that run at one time unless somebody says otherwise: one more than there are cores, since each waits now and then for a disk, a
/// server or another process.
pub fn jobs() -> usize {
    thread::available_parallelism().map_or(1, NonZero::get) + 1
}

fn told(outcome: Outcome) -> Result<Completion, Failed> {
    match outcome {
        Outcome::Pass => Ok(Completion::Completed),
        Outcome::Fail(reason) => Err(Failed::from(reason)),
        Outcome::NotApplicable(_) => Ok(Completion::ignored_with(outcome)),
        Outcome::Skip(_) if skips_fail() => Err(Failed::from(outcome)),
        Outcome::Skip(_) => Ok(Completion::ignored_with(outcome)),
    }
}

/// Whether what this machine lacks is a failure: `STRONGROOM_CI=1`.
pub fn skips_fail() -> bool {
    env::var_os("STRONGROOM_CI").is_some_and(|value| value == "1")
}

fn options() -> Result<Options, String> {
    let mut options = Options::default();
    read("STRONGROOM_SEED", &mut options.seed)?;
    read("STRONGROOM_OPERATIONS", &mut options.effort.operations)?;
    read("STRONGROOM_KILLS", &mut options.effort.kills)?;
    read("STRONGROOM_CUTS", &mut options.effort.cuts)?;
    Ok(options)
}

fn read<T: std::str::FromStr>(name: &str, into: &mut T) -> Result<(), String> {
    if let Ok(text) = env::var(name) {
        *into = text.parse().map_err(|_| format!("{name} is not a number: '{text}'"))?;
    }
    Ok(())
}

#[allow(clippy::print_stderr, reason = "this is the main function of a test program")]
fn complain(what: &str) {
    eprintln!("{what}");
}
