//! `completions SHELL`

use clap::CommandFactory;

use crate::arguments::{Arguments, Completions};
use crate::failure::Result;
use crate::output::Output;

pub(crate) fn run(arguments: &Completions, output: &mut Output) -> Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut Arguments::command(), "strongroom", &mut script);
    output.script(&script)
}
