//! The conformance suite on every stack, one named test a case and stack.

use std::process::ExitCode;

fn main() -> ExitCode {
    strongroom_conformance::harness::main(strongroom_conformance_runner::stacks::all())
}
