//! The matrix on the terminal: a row a case, a column a stack.

use std::error::Error;
use std::io::{self, Write};
use std::sync::Arc;

use strongroom_conformance::{Case, Factory, Finished, Outcome};

use crate::arguments::Run;
use crate::report::{Report, Tally};

const GREEN: &str = "\u{1b}[32m";
const RED: &str = "\u{1b}[1;31m";
const YELLOW: &str = "\u{1b}[33m";
const GREY: &str = "\u{1b}[90m";
const BOLD: &str = "\u{1b}[1m";
const RESET: &str = "\u{1b}[0m";

/// Columns are at least this wide: an outcome and its seconds.
const COLUMN: usize = 13;

pub(crate) struct Matrix {
    stacks: Vec<String>,
    name_width: usize,
    group: Option<&'static str>,
    color: bool,
}

impl Matrix {
    pub(crate) fn new(stacks: &[Arc<dyn Factory>], color: bool) -> Self {
        let stacks = stacks.iter().map(|stack| stack.name().to_owned()).collect();
        Matrix { stacks, name_width: 0, group: None, color }
    }

    pub(crate) fn begin(&mut self, cases: &[Case], run: &Run) -> io::Result<()> {
        self.name_width = cases.iter().map(|case| case.name.len()).max().unwrap_or(0) + 2;
        let (cases, stacks, seed) = (cases.len(), self.stacks.len(), run.seed);
        let mut out = io::stdout().lock();
        writeln!(out, "{cases} cases on {stacks} stacks, seed {seed}")?;
        write!(out, "{:width$}", "", width = self.name_width)?;
        for stack in &self.stacks {
            write!(out, "  {:>width$}", stack, width = width(stack))?;
        }
        writeln!(out)
    }

    /// One case on every stack.
    pub(crate) fn row(&mut self, row: &[Finished]) -> io::Result<()> {
        let Some(first) = row.first() else { return Ok(()) };
        let mut out = io::stdout().lock();
        if self.group != Some(first.group.name()) {
            self.group = Some(first.group.name());
            writeln!(out, "{}", self.paint(BOLD, first.group.name()))?;
        }
        write!(out, "  {:width$}", first.name, width = self.name_width - 2)?;
        for finished in row {
            let (color, text) = match &finished.outcome {
                Outcome::Pass => (GREEN, format!("pass {:6.2} s", finished.seconds)),
                Outcome::Fail(_) => (RED, format!("FAIL {:6.2} s", finished.seconds)),
                Outcome::NotApplicable(_) => (GREY, "n/a".to_owned()),
                Outcome::Skip(_) => (YELLOW, "SKIP".to_owned()),
            };
            let padded = format!("{text:>width$}", width = width(&finished.stack));
            write!(out, "  {}", self.paint(color, &padded))?;
        }
        writeln!(out)?;
        for finished in row {
            if let Outcome::Fail(reason) = &finished.outcome {
                let stack = &finished.stack;
                writeln!(out, "{}", self.paint(RED, &format!("    {stack}: {reason}")))?;
            }
        }
        out.flush()
    }

    /// Why cases did not run, and the sums.
    pub(crate) fn end(&self, report: &Report) -> io::Result<()> {
        let mut out = io::stdout().lock();
        for (title, color, reasons) in
            [("Not applicable", GREY, report.not_applicable()), ("Skipped", YELLOW, report.skipped())]
        {
            if !reasons.is_empty() {
                writeln!(out, "\n{title}:")?;
            }
            for (stack, reason, cases) in reasons {
                let number = cases.len();
                writeln!(out, "  {}", self.paint(color, &format!("{stack}, {number} cases: {reason}")))?;
            }
        }
        writeln!(out)?;
        for stack in &self.stacks {
            let Tally { pass, fail, not_applicable, skip, seconds, figures } = report.tally(stack);
            let line = format!(
                "{stack}: {pass} pass, {fail} fail, {not_applicable} n/a, {skip} skipped, {seconds:.1} s of work"
            );
            let color = if fail > 0 { RED } else { GREEN };
            writeln!(out, "{}", self.paint(color, &line))?;
            if !figures.is_empty() {
                writeln!(out, "  {figures}")?;
            }
        }
        out.flush()
    }

    fn paint(&self, color: &str, text: &str) -> String {
        if self.color { format!("{color}{text}{RESET}") } else { text.to_owned() }
    }
}

fn width(stack: &str) -> usize {
    stack.len().max(COLUMN)
}

/// Every case, its group and what it needs.
pub(crate) fn list(cases: &[Case]) -> io::Result<()> {
    let mut out = io::stdout().lock();
    for case in cases {
        let needs: Vec<String> = case.needs.iter().map(|need| format!("{need:?}").to_lowercase()).collect();
        let needs = if needs.is_empty() { String::new() } else { format!("  needs {}", needs.join(", ")) };
        let random = if case.random { "  random" } else { "" };
        writeln!(out, "{}::{}{needs}{random}", case.group, case.name)?;
    }
    writeln!(out, "{} cases", cases.len())
}

#[allow(clippy::print_stderr, reason = "the command's own messages")]
pub(crate) fn complain(error: &dyn Error) {
    eprintln!("error: {error}");
}
