//! The command `strongroom`: import, page, verify and export a messenger's store.

mod access;
mod arguments;
mod commands;
mod demo;
mod failure;
mod moment;
mod objects;
mod output;
mod progress;
mod reader;
mod secret;
mod store;
mod text;
mod units;

use std::process::ExitCode;

use clap::Parser;

use access::Access;
use arguments::Arguments;
use failure::Result;
use output::Output;

#[tokio::main(worker_threads = 2)]
async fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => return ExitCode::from(output::refusal(&error)),
    };
    let mut output = Output::new(arguments.global.format, arguments.global.color.on_stderr());
    match run(&arguments, &mut output).await {
        Ok(()) => ExitCode::from(failure::DONE),
        Err(failure) => {
            if let Some(line) = failure.line() {
                output::error(line, output.color);
            }
            ExitCode::from(failure.status())
        }
    }
}

async fn run(arguments: &Arguments, output: &mut Output) -> Result<()> {
    let access = Access::of(&arguments.global)?;
    commands::run(arguments, &access, output).await
}
