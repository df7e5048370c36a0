//! `import FILE|-`

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::pin::pin;
use std::time::Instant;

use serde::Serialize;
use strongroom::StoreUrl;
use strongroom::matrix::{Failure as EventFailure, ImportOptions, ImportReport, Importer, RawEvent};
use strongroom::matrix::{RoomId, UserId};

use crate::access::Access;
use crate::arguments::Import;
use crate::failure::{Failure, Result};
use crate::output::{Format, Output};
use crate::progress::Progress;
use crate::reader::{Batch, ReadError, Reader};
use crate::store::Opening;
use crate::text::{count, counted};

/// After so many failures it is not a file of events; the list of them must end somewhere.
const FAILURES_MAX: usize = 100_000;
/// How many failures a person is shown.
const FAILURES_SHOWN: usize = 10;

pub(crate) async fn run(arguments: &Import, url: &StoreUrl, access: &Access, output: &mut Output) -> Result<()> {
    // Without a key for a new store nothing else is begun, and waiting for one is not a part of the import.
    let opening = Opening::prepare(url, access).await?;
    let begun = Instant::now();
    let name = if arguments.file == Path::new("-") { "stdin".to_owned() } else { arguments.file.display().to_string() };
    let (input, bytes) = open(&arguments.file, &name)?;
    let mut reader = Reader::start(input);
    // Looked at before the store is made: a file that is no export leaves none behind.
    let first = reader.next().await.map_err(|error| unreadable(&name, error))?;

    let db = opening.database().await?;
    let options = ImportOptions {
        room: arguments.room.as_deref().map(RoomId::from),
        me: arguments.me.as_deref().map(UserId::from),
        strict: arguments.strict,
    };
    let mut import = Importing { importer: Importer::new(db.clone(), options), strict: arguments.strict };
    let progress = Progress::new(bytes, "event", output.color);
    let end = import.all(&mut reader, first, &progress).await;
    progress.finish();
    let report = import.importer.report();
    let shown = show(report, begun.elapsed().as_secs_f64(), output);
    db.close().await?;
    conclude(end, report, &name).and(shown)
}

type Input = Box<dyn Read + Send>;

/// The input, and its size if it has one.
fn open(path: &Path, name: &str) -> Result<(Input, Option<u64>)> {
    if path == Path::new("-") {
        return Ok((Box::new(io::stdin()), None));
    }
    let cannot = |error: io::Error| {
        Failure::new(format!("{name} cannot be read: {error}"), "check the path and its permissions")
    };
    let file = File::open(path).map_err(cannot)?;
    let metadata = file.metadata().map_err(cannot)?;
    if metadata.is_dir() {
        return Err(Failure::new(format!("{name} is a folder"), "name the export file in it"));
    }
    Ok((Box::new(file), metadata.is_file().then_some(metadata.len())))
}

/// How the import ended; in every case, what was stored before stays.
enum End {
    Complete,
    /// At the first failure, as asked.
    Strict,
    TooManyFailures,
    Interrupted,
    Unreadable(ReadError),
    Store(strongroom::Error),
}

struct Importing {
    importer: Importer,
    strict: bool,
}

impl Importing {
    async fn all(&mut self, reader: &mut Reader, first: Option<Batch>, progress: &Progress) -> End {
        let mut interrupt = pin!(tokio::signal::ctrl_c());
        let mut next = first;
        while let Some(batch) = next {
            let imported = self.batch(batch).await;
            let report = self.importer.report();
            progress.at(reader.bytes_read(), report.read);
            if self.strict && !report.failed.is_empty() {
                return End::Strict;
            }
            if let Err(error) = imported {
                return End::Store(error);
            }
            if report.failed.len() >= FAILURES_MAX {
                return End::TooManyFailures;
            }
            // Only between batches: the one in flight is finished first.
            next = tokio::select! {
                biased;
                _ = &mut interrupt => return End::Interrupted,
                next = reader.next() => match next {
                    Ok(next) => next,
                    Err(error) => return End::Unreadable(error),
                },
            };
        }
        End::Complete
    }

    async fn batch(&mut self, batch: Batch) -> strongroom::Result<()> {
        let mut events = Vec::with_capacity(batch.len());
        let mut failed = Vec::new();
        for item in batch {
            match item.json {
                Ok(json) => events.push(RawEvent { position: item.position, json }),
                Err(error) => failed.push((item.position, error)),
            }
            if self.strict && !failed.is_empty() {
                break;
            }
        }
        self.importer.import(events).await?;
        for (position, error) in failed {
            self.importer.failed(position, error);
        }
        Ok(())
    }
}

#[derive(Serialize)]
struct Summary<'a> {
    read: u64,
    stored: u64,
    unchanged: u64,
    undecryptable: u64,
    skipped: &'a BTreeMap<String, u64>,
    failed: &'a [EventFailure],
    seconds: f64,
}

fn show(report: &ImportReport, seconds: f64, output: &mut Output) -> Result<()> {
    if output.format == Format::Json {
        output.json(&Summary {
            read: report.read,
            stored: report.stored,
            unchanged: report.unchanged,
            undecryptable: report.undecryptable,
            skipped: &report.skipped,
            failed: &report.failed,
            seconds,
        })?;
        return output.flush();
    }
    let rate = count((report.read as f64 / seconds.max(0.001)) as u64);
    output.line(format!("read       {} in {seconds:.1} s ({rate} a second)", counted(report.read, "event")))?;
    output.line(format!("stored     {}", count(report.stored)))?;
    output.line(format!("unchanged  {}", count(report.unchanged)))?;
    if report.undecryptable > 0 {
        output.line(format!(
            "encrypted  {} that the exporting device could not decrypt; kept as they are",
            count(report.undecryptable)
        ))?;
    }
    let skipped: u64 = report.skipped.values().sum();
    if skipped > 0 {
        output.line(format!("skipped    {}, of types that no collection holds:", count(skipped)))?;
        for (kind, number) in &report.skipped {
            output.line(format!("  {:>8}  {kind}", count(*number)))?;
        }
    }
    if !report.failed.is_empty() {
        output.line(format!("failed     {}:", count(report.failed.len() as u64)))?;
        for failure in report.failed.iter().take(FAILURES_SHOWN) {
            output.line(format!("  {:>8}  {}", failure.position, failure.error))?;
        }
        if let Some(more @ 1..) = report.failed.len().checked_sub(FAILURES_SHOWN) {
            output.line(format!("  and {} more (all of them: --format json)", count(more as u64)))?;
        }
    }
    output.flush()
}

fn conclude(end: End, report: &ImportReport, name: &str) -> Result<()> {
    let stored = counted(report.stored, "event");
    let again = "run the same import again to complete it";
    match end {
        End::Complete if report.failed.is_empty() => Ok(()),
        End::Complete => {
            let failed = counted(report.failed.len() as u64, "event");
            let others =
                if report.stored + report.unchanged == 0 { "nothing was stored" } else { "the others are stored" };
            Err(Failure::new(format!("{failed} of {name} could not be taken"), others))
        }
        End::Strict => {
            let position = report.failed.first().map_or(0, |failure| failure.position);
            let what = format!("stopped at the first event that failed, number {position} of {name}");
            Err(Failure::new(what, "correct it and import again, or leave out --strict"))
        }
        End::TooManyFailures => {
            let what = format!("{} events failed", count(report.failed.len() as u64));
            Err(Failure::new(what, format!("check that {name} holds Matrix events")))
        }
        End::Interrupted => Err(Failure::Interrupted(format!("interrupted, {stored} stored so far; {again}"))),
        End::Unreadable(error) => {
            let Failure::Failed(line) = unreadable(name, error) else { return Err(Failure::Reported) };
            Err(Failure::Failed(format!("{line} ({stored} from before it kept)")))
        }
        End::Store(error) => match Failure::from(error) {
            Failure::Failed(line) => Err(Failure::Failed(format!("{line} ({stored} stored before; then {again})"))),
            other => Err(other),
        },
    }
}

fn unreadable(name: &str, error: ReadError) -> Failure {
    match error {
        ReadError::Io(error) => Failure::new(format!("{name} cannot be read: {error}"), "check it and import again"),
        ReadError::Syntax { line, byte, what } => {
            let what = format!("{name} is broken at line {line}, byte {byte}: {what}");
            Failure::new(what, "get a whole export and import it again")
        }
        ReadError::NoEvents => {
            let what = format!("{name} has no \"messages\" and is not one Matrix event a line");
            Failure::new(what, "give Element's export as JSON, or JSON Lines")
        }
        ReadError::Stopped => Failure::Reported,
    }
}
