//! What must not compile, and what is then said. `TRYBUILD=overwrite cargo test -p strongroom-core-ui` records it anew.

use std::process::Command;

/// The compiler whose own words are recorded in `compiler`.
const RECORDED_WITH: &str = "rustc 1.95.";

#[test]
fn misuse_does_not_compile() {
    let tests = trybuild::TestCases::new();
    tests.compile_fail("derive/*.rs");
    // Another compiler words type errors in another way, and there is no looser comparison.
    if compiler_version().starts_with(RECORDED_WITH) {
        tests.compile_fail("compiler/*.rs");
    } else {
        eprintln!("NOT RUN: core/tests/ui/compiler, which is recorded with {RECORDED_WITH}x");
    }
}

fn compiler_version() -> String {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = Command::new(rustc).arg("--version").output().expect("the compiler that built this test runs");
    String::from_utf8(output.stdout).expect("its version is text")
}
