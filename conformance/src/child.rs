//! Child processes: the test program, started again with a role.
//!
//! A child opens a place as another process would, works there and says on its output what was acknowledged, until it is
//! killed. [`serve`] stands first in the program's `main`.

use std::env;
use std::io::{self, BufRead, BufReader, Lines, Write as _};
use std::process::{self, ChildStdout, Command, Stdio};
use std::sync::Arc;

use futures_util::future::LocalBoxFuture;
use serde::{Deserialize, Serialize};
use strongroom_core::Error;
use strongroom_core::store::Store;

use crate::{Checked, Context, Factory, Failure, Place, Settings, groups};

const VARIABLE: &str = "STRONGROOM_CONFORMANCE_CHILD";

/// What a child does. Ends when the work is done, or with the process.
pub(crate) struct Role {
    pub(crate) name: &'static str,
    pub(crate) run: fn(Work) -> LocalBoxFuture<'static, Checked>,
}

/// What a child works with.
pub(crate) struct Work {
    pub(crate) factory: Arc<dyn Factory>,
    pub(crate) place: Place,
    pub(crate) settings: Settings,
    pub(crate) argument: u64,
}

impl Work {
    /// Opens the place that the parent made.
    pub(crate) async fn reopen(&self) -> Result<Arc<dyn Store>, Error> {
        self.factory.reopen(&self.place, &self.settings).await
    }

    /// Tells the parent; it hears of it even if the process is killed right after.
    pub(crate) fn say(&self, line: impl std::fmt::Display) -> io::Result<()> {
        let mut output = io::stdout().lock();
        writeln!(output, "{MARK}{line}")?;
        output.flush()
    }
}

/// Before each line that is meant for the parent: engines and harnesses may write too.
const MARK: &str = "conformance: ";

#[derive(Serialize, Deserialize)]
struct Order {
    role: String,
    stack: String,
    folder: std::path::PathBuf,
    name: String,
    argument: u64,
}

/// Does what a parent asked, if this process was started as a child or by a factory; `false` if it was not.
///
/// # Errors
///
/// What ended the child's work.
pub fn serve(factories: &[Arc<dyn Factory>]) -> Result<bool, Failure> {
    for factory in factories {
        if factory.attend()? {
            return Ok(true);
        }
    }
    let Ok(order) = env::var(VARIABLE) else { return Ok(false) };
    let order: Order = serde_json::from_str(&order).map_err(|error| Failure::new(error.to_string()))?;
    let factory = factories.iter().find(|factory| factory.name() == order.stack);
    let factory = factory.ok_or_else(|| Failure::new(format!("the child knows no stack {}", order.stack)))?;
    let settings = Settings::new(factory.limits());
    let place = Place { folder: order.folder, name: order.name };
    let work = Work { factory: factory.clone(), place, settings, argument: order.argument };
    let mut roles = OWN.iter().chain(groups::roles());
    let role = roles.find(|role| role.name == order.role);
    let role = role.ok_or_else(|| Failure::new(format!("no role is called {}", order.role)))?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on((role.run)(work))?;
    Ok(true)
}

const OWN: &[Role] = &[Role { name: "open", run: |work| Box::pin(open_and_tell(work)) }];

async fn open_and_tell(work: Work) -> Checked {
    match work.reopen().await {
        Ok(store) => {
            store.close().await?;
            work.say("opened")?;
        }
        Err(error) => work.say(format_args!("{:?}", error.kind()))?,
    }
    Ok(())
}

/// Has another process open the place; gives `opened`, or the kind of the error that it met.
pub(crate) fn open_elsewhere(context: &Context, place: &Place) -> Checked<String> {
    let mut child = Child::start(context, "open", place, 0)?;
    let said = child.next_line()?;
    child.wait()?;
    said.ok_or_else(|| Failure::new("the other process said nothing"))
}

/// Checks that another process that opens the place is answered `Unsupported`.
pub(crate) fn refuses_to_open(context: &Context, place: &Place) -> Checked {
    match open_elsewhere(context, place)?.as_str() {
        "Unsupported" => Ok(()),
        said => Err(Failure::new(format!("another process that opened the place met {said}"))),
    }
}

/// A child process. Killed when it is dropped.
#[derive(Debug)]
pub struct Child {
    process: process::Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Child {
    /// Starts this program again, in a role, on a place. `argument` is the role's own.
    pub(crate) fn start(context: &Context, role: &str, place: &Place, argument: u64) -> Checked<Child> {
        let stack = context.factory().name().to_owned();
        let (folder, name) = (place.folder.clone(), place.name.clone());
        let order = Order { role: role.to_owned(), stack, folder, name, argument };
        let order = serde_json::to_string(&order).map_err(|error| Failure::new(error.to_string()))?;
        let mut command = Command::new(env::current_exe()?);
        let mut process = command
            .env(VARIABLE, order)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()?;
        let output = process.stdout.take().ok_or_else(|| Failure::new("the child has no output"))?;
        Ok(Child { process, lines: BufReader::new(output).lines() })
    }

    /// The next line that the child says; none when it has ended.
    ///
    /// # Errors
    ///
    /// Those of reading from a pipe.
    pub fn next_line(&mut self) -> io::Result<Option<String>> {
        for line in &mut self.lines {
            let line = line?;
            if let Some(at) = line.find(MARK) {
                return Ok(Some(line[at + MARK.len()..].to_owned()));
            }
        }
        Ok(None)
    }

    /// Ends it at once, without any chance to clean up. Says whether it was still at work.
    ///
    /// # Errors
    ///
    /// Those of the operating system; or if it had failed by itself.
    pub fn kill(&mut self) -> io::Result<bool> {
        self.process.kill()?;
        let status = self.process.wait()?;
        match status.code() {
            Some(0) => Ok(false),
            // Only on Unix a process that is killed has none.
            Some(_) if cfg!(unix) => Err(io::Error::other(format!("the child failed before it was killed: {status}"))),
            _ => Ok(true),
        }
    }

    /// Waits until it ends by itself.
    ///
    /// # Errors
    ///
    /// If it failed.
    pub fn wait(&mut self) -> Checked {
        let status = self.process.wait()?;
        if status.success() { Ok(()) } else { Err(Failure::new(format!("the child failed: {status}"))) }
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        // It may have ended already.
        self.kill().ok();
    }
}
