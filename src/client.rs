//! The owner's end of the process that serves a disk.

use std::io::{self, BufRead, BufReader, Write};
#[cfg(unix)]
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use crate::machine::Counters;
use crate::request::{Request, parse_answer};

/// The program that serves, if the owner names none, and the word that each such program is called with.
const PROGRAM: &str = "strongroom-disk";
const WORD: &str = "serve-disk";

/// A process that serves. When this is dropped the process ends, and with it the mount.
pub(crate) struct Client {
    process: Child,
    /// Until the drop, which closes it: that ends the process.
    requests: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

impl Client {
    pub(crate) fn start(program: Option<&Path>) -> io::Result<Self> {
        let program = program.map_or_else(beside_this, |program| Ok(program.to_owned()))?;
        let mut command = Command::new(program);
        command.arg(WORD).stdin(Stdio::piped()).stdout(Stdio::piped());
        // A signal from the terminal is for the owner. The process sees that the owner ends, and unmounts.
        #[cfg(unix)]
        command.process_group(0);
        let mut process = command.spawn()?;
        match (process.stdin.take(), process.stdout.take()) {
            (Some(requests), Some(answers)) => {
                Ok(Client { process, requests: Some(requests), answers: BufReader::new(answers) })
            }
            _ => unreachable!("both were asked for"),
        }
    }

    pub(crate) fn ask(&mut self, request: &Request) -> io::Result<Counters> {
        let ended = || io::Error::new(io::ErrorKind::BrokenPipe, "the process that serves the disk has ended");
        let requests = self.requests.as_mut().ok_or_else(ended)?;
        requests.write_all(format!("{request}\n").as_bytes())?;
        let mut line = String::new();
        self.answers.read_line(&mut line)?;
        parse_answer(line.trim_end_matches('\n')).ok_or_else(ended)?.map_err(io::Error::other)
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        drop(self.requests.take());
        // A failure has nobody to tell: the mount stays, as `mount` shows.
        let _ = self.process.wait();
    }
}

/// The program in the folder of the one that runs, or above: the tests of a package lie in a folder below.
fn beside_this() -> io::Result<PathBuf> {
    let this = std::env::current_exe()?;
    let name = format!("{PROGRAM}{}", std::env::consts::EXE_SUFFIX);
    let found = this.ancestors().skip(1).take(2).map(|folder| folder.join(&name)).find(|path| path.exists());
    let missing = || format!("there is no {PROGRAM} beside the program (`cargo build -p strongroom-conformance-disk`)");
    found.ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, missing()))
}
