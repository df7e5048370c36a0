//! The command line.

use std::io::IsTerminal;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use strongroom_conformance::{Effort, Group, Options};

const AFTER_HELP: &str = "\
Exit status:
  0  every case passed, or is not applicable for the reason that its stack declares
  1  a case failed; with STRONGROOM_CI=1 also if one was skipped
  2  wrong use

Examples:
  run --backend all                                every case on every stack
  run --backend redb --group model --seed 7        one group, with the random choices of seed 7
  run --backend redb,sqlite --group crash --kills 500 --cuts 200
  run --backend all --group model --budget 10m     random cases again and again, with new seeds, for ten minutes";

/// Runs the conformance suite of Strongroom on its backends, side by side.
#[derive(Debug, Parser)]
#[command(name = "strongroom-conformance", version, after_help = AFTER_HELP, arg_required_else_help = true, max_term_width = 100)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run cases and show a matrix of case by stack
    Run(Box<Run>),
    /// List every case and what it needs
    List,
}

#[derive(Debug, Args)]
pub(crate) struct Run {
    /// The stacks: all, or names with commas between them
    #[arg(long, value_name = "STACK", value_delimiter = ',', required = true)]
    pub(crate) backend: Vec<String>,
    /// Only the cases of this group; may be given more than once
    #[arg(long, value_name = "GROUP")]
    pub(crate) group: Vec<Group>,
    /// Only the cases whose group::name has this in it; may be given more than once
    #[arg(long, value_name = "NAME")]
    pub(crate) case: Vec<String>,
    /// What random choices follow from; the same seed makes the same choices
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) seed: u64,
    /// Run the random cases again with new seeds until so long after the start, like 90s, 10m or 1h
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub(crate) budget: Option<Duration>,
    /// Operations in the random histories of one case
    #[arg(long, value_name = "N", default_value_t = Effort::default().operations)]
    pub(crate) operations: usize,
    /// Processes that one case kills
    #[arg(long, value_name = "N", default_value_t = Effort::default().kills)]
    pub(crate) kills: usize,
    /// Times that one case cuts the power
    #[arg(long, value_name = "N", default_value_t = Effort::default().cuts)]
    pub(crate) cuts: usize,
    /// After this a case counts as hung, and as failed
    #[arg(long, value_name = "TIME", value_parser = duration, default_value = "10m")]
    pub(crate) patience: Duration,
    /// Cases at a time; one more than there are processors unless given
    #[arg(long, value_name = "N")]
    pub(crate) jobs: Option<usize>,
    /// Write the results as JSON
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
    /// Write the results as JUnit XML
    #[arg(long, value_name = "FILE")]
    pub(crate) junit: Option<PathBuf>,
    /// Write the results as a page of Markdown
    #[arg(long, value_name = "FILE")]
    pub(crate) markdown: Option<PathBuf>,
    /// When to use colours; NO_COLOR is respected
    #[arg(long, value_enum, value_name = "WHEN", default_value_t = Color::Auto)]
    pub(crate) color: Color,
}

impl Run {
    pub(crate) fn options(&self, seed: u64) -> Options {
        let effort = Effort { operations: self.operations, kills: self.kills, cuts: self.cuts };
        Options { seed, effort, patience: self.patience }
    }
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Color {
    Auto,
    Always,
    Never,
}

impl Color {
    pub(crate) fn on_stdout(self) -> bool {
        match self {
            Color::Always => true,
            Color::Never => false,
            Color::Auto => {
                std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
            }
        }
    }
}

fn duration(text: &str) -> Result<Duration, String> {
    let parsed = text.parse::<jiff::SignedDuration>().ok().and_then(|duration| Duration::try_from(duration).ok());
    parsed.ok_or_else(|| "a time looks like 90s, 10m or 1h".to_owned())
}
