//! The command that runs the conformance suite on every stack, side by side.

mod arguments;
mod matrix;
mod report;
mod schedule;

use std::error::Error;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser;
use strongroom_conformance::{Case, Factory, Outcome, groups, harness, serve};
use strongroom_conformance_runner::stacks;

use arguments::{Arguments, Command, Run};
use matrix::Matrix;
use report::Report;

fn main() -> ExitCode {
    match execute() {
        Ok(code) => code,
        Err(error) => {
            matrix::complain(&*error);
            ExitCode::from(2)
        }
    }
}

fn execute() -> Result<ExitCode, Box<dyn Error>> {
    // A child process that a case started has its own work to do.
    if serve(&stacks::all())? {
        return Ok(ExitCode::SUCCESS);
    }
    match Arguments::parse().command {
        Command::List => {
            matrix::list(&groups::all())?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Run(run) => run_suite(&run),
    }
}

fn run_suite(run: &Run) -> Result<ExitCode, Box<dyn Error>> {
    let stacks = chosen_stacks(&run.backend)?;
    let cases = chosen_cases(run)?;
    let mut matrix = Matrix::new(&stacks, run.color.on_stdout());
    matrix.begin(&cases, run)?;
    let results = schedule::run(&cases, &stacks, run, |row| matrix.row(row))?;
    let report =
        Report { seed: run.seed, stacks: stacks.iter().map(|stack| stack.name().to_owned()).collect(), results };
    matrix.end(&report)?;
    report.write(run)?;
    let failed = report.results.iter().any(|finished| match finished.outcome {
        Outcome::Fail(_) => true,
        Outcome::Skip(_) => harness::skips_fail(),
        Outcome::Pass | Outcome::NotApplicable(_) => false,
    });
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn chosen_stacks(wanted: &[String]) -> Result<Vec<Arc<dyn Factory>>, String> {
    let all = stacks::all();
    let known = || all.iter().map(|stack| stack.name().to_owned()).collect::<Vec<_>>().join(", ");
    if let Some(unknown) = wanted.iter().find(|name| *name != "all" && !all.iter().any(|stack| stack.name() == **name))
    {
        return Err(format!("no stack is called '{unknown}': use all, {}", known()));
    }
    let every = wanted.iter().any(|name| name == "all");
    Ok(all.into_iter().filter(|stack| every || wanted.iter().any(|name| name == stack.name())).collect())
}

fn chosen_cases(run: &Run) -> Result<Vec<Case>, String> {
    let in_group = |case: &Case| run.group.is_empty() || run.group.contains(&case.group);
    let named = |case: &Case| {
        let name = format!("{}::{}", case.group, case.name);
        run.case.is_empty() || run.case.iter().any(|part| name.contains(part.as_str()))
    };
    let cases: Vec<Case> = groups::all().into_iter().filter(|case| in_group(case) && named(case)).collect();
    if cases.is_empty() { Err("no case has that name in that group; 'list' shows all".to_owned()) } else { Ok(cases) }
}
