//! The command `strongroom`: import, page, verify and export a messenger's store.

mod access;
mod arguments;
mod commands;
mod demo;
mod failure;
mod interrupt;
mod moment;
mod objects;
mod output;
mod progress;
mod reader;
mod secret;
mod store;
mod text;
mod units;
mod url;

use std::process::ExitCode;

use clap::Parser;

use access::Access;
use arguments::Arguments;
use failure::Result;
use output::Output;

fn main() -> ExitCode {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => {
            output::error(&format!("the system gives no threads: {error}; try again"), false);
            return ExitCode::from(failure::FAILED);
        }
    };
    let ended = runtime.block_on(command());
    // A read of a pipe that nobody writes to must not keep a command that was asked to end.
    runtime.shutdown_background();
    ended
}

async fn command() -> ExitCode {
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
