//! `key rotate [--resume]`

use std::time::Instant;

use serde::Serialize;
use strongroom::encryption::{Progress as Swept, Resealed};
use strongroom::store::{KeyRange, Read};

use crate::arguments::RotateKey;
use crate::failure::{Failure, Result};
use crate::output::{Format, Output};
use crate::progress::Progress;
use crate::store::EncryptedStore;
use crate::text::{count, counted};

/// What to do after an interruption.
const RESUME: &str = "'strongroom key rotate --resume' goes on";

#[derive(Serialize)]
struct Rotated<'a> {
    /// The id of the key that was made, if one was.
    key: Option<u32>,
    rows: u64,
    resealed: u64,
    damaged: u64,
    retired: &'a [u32],
    kept: &'a [u32],
    seconds: f64,
}

pub(super) async fn run(store: &EncryptedStore, arguments: &RotateKey, output: &mut Output) -> Result<()> {
    let begun = Instant::now();
    // A sweep that goes on does not look at the rows it had done, so its end is not known.
    let (key, rows) = if arguments.resume {
        (None, None)
    } else {
        (Some(store.rotate().await?), Some(store.summarize(&KeyRange::ALL).await?.rows))
    };
    let mut swept = Swept::default();
    let progress = Progress::new(rows, "row", output.color);
    let resealed = tokio::select! {
        resealed = store.reseal(|now| {
            swept = now;
            progress.at(now.rows, now.rows);
        }) => Some(resealed),
        // The batch in flight is finished by the store, and the next sweep begins behind it.
        _ = tokio::signal::ctrl_c() => None,
    };
    progress.finish();
    let sealed = counted(swept.resealed, "value");
    let done = match resealed {
        Some(Ok(done)) => done,
        Some(Err(error)) => {
            let what = format!("{error} ({sealed} sealed anew before)");
            return Err(Failure::new(what, RESUME));
        }
        None => return Err(Failure::Interrupted(format!("interrupted, {sealed} sealed anew so far; {RESUME}"))),
    };
    show(key, &done, begun.elapsed().as_secs_f64(), output)?;
    if done.damaged == 0 && done.kept.is_empty() {
        return Ok(());
    }
    let what = match done.damaged {
        0 => "an old key is still in use".to_owned(),
        damaged => format!("{} could not be opened, so an old key is still in use", counted(damaged, "value")),
    };
    Err(Failure::new(what, format!("'strongroom verify' names what is damaged; then {RESUME}")))
}

fn show(key: Option<u32>, done: &Resealed, seconds: f64, output: &mut Output) -> Result<()> {
    let (rows, resealed) = (done.progress.rows, done.progress.resealed);
    if output.format == Format::Json {
        let (damaged, retired, kept) = (done.damaged, &done.retired, &done.kept);
        return output.json(&Rotated { key, rows, resealed, damaged, retired, kept, seconds });
    }
    if let Some(key) = key {
        output.line(format!("new key    {key}"))?;
    }
    output.line(format!("looked at  {} in {seconds:.1} s", counted(rows, "row")))?;
    output.line(format!("sealed     {} anew", counted(resealed, "value")))?;
    if done.damaged > 0 {
        output.line(format!("damaged    {}, left as they are", counted(done.damaged, "value")))?;
    }
    output.line(format!(
        "old keys   {} destroyed, {} still in use",
        numbers(&done.retired),
        count(done.kept.len() as u64)
    ))
}

/// "none", or the keys by number.
fn numbers(ids: &[u32]) -> String {
    if ids.is_empty() {
        return "none".to_owned();
    }
    ids.iter().map(u32::to_string).collect::<Vec<_>>().join(", ")
}
