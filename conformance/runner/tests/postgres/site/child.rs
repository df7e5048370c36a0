//! Other processes: this program, started again with a role.

use std::env;
use std::io::{self, BufRead as _, BufReader, Lines, Write as _};
use std::process::{self, ChildStdout, Command, ExitCode, Stdio};

use crate::writers;

const VARIABLE: &str = "STRONGROOM_POSTGRES_ROLE";

/// Before each line that is meant for the parent.
const MARK: &str = "child: ";

/// Does what a parent asked, if this process was started as a child.
pub(crate) fn serve() -> Option<ExitCode> {
    let order = env::var(VARIABLE).ok()?;
    let (role, url) = order.split_once(' ').unwrap();
    super::run(writers::serve(role, url));
    Some(ExitCode::SUCCESS)
}

/// Tells the parent.
pub(crate) fn say(line: impl std::fmt::Display) {
    let mut output = io::stdout().lock();
    writeln!(output, "{MARK}{line}").unwrap();
    output.flush().unwrap();
}

/// What the parent says next.
pub(crate) fn hear() {
    io::stdin().read_line(&mut String::new()).unwrap();
}

/// A child process. Killed when it is dropped.
pub(crate) struct Child {
    process: process::Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Child {
    pub(crate) fn start(role: &str, url: &str) -> Self {
        let mut process = Command::new(env::current_exe().unwrap())
            .env(VARIABLE, format!("{role} {url}"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(process.stdout.take().unwrap()).lines();
        Child { process, lines }
    }

    /// The next line that it says; none when it has ended.
    pub(crate) fn next_line(&mut self) -> Option<String> {
        self.lines.by_ref().map(Result::unwrap).find_map(|line| line.strip_prefix(MARK).map(str::to_owned))
    }

    /// Lets it go on.
    pub(crate) fn go_on(&mut self) {
        writeln!(self.process.stdin.as_mut().unwrap()).unwrap();
    }

    /// What it still says, to its end.
    pub(crate) fn rest(mut self) -> Vec<String> {
        let rest = std::iter::from_fn(|| self.next_line()).collect();
        let status = self.process.wait().unwrap();
        assert!(status.success(), "the child failed: {status}");
        rest
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        // It may have ended already.
        self.process.kill().ok();
        self.process.wait().ok();
    }
}
