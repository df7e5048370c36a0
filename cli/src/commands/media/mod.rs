//! `media put|get|list|stat|delete|sweep|verify|copy|probe`

mod copy;
mod get;
mod list;
mod put;
mod stat;
mod sweep;
mod verify;

use serde::Serialize;
use strongroom::matrix;
use strongroom::objects::{ObjectsUrl, probe};
use strongroom::{Json, StoreUrl};

use crate::access::Access;
use crate::arguments::{Media, MediaCommand};
use crate::failure::{Failure, Result};
use crate::moment;
use crate::objects;
use crate::output::{Format, Output};
use crate::store::Opening;

pub(crate) async fn run(arguments: &Media, url: &StoreUrl, access: &Access, output: &mut Output) -> Result<()> {
    // What cannot be right is refused before anything is opened, or made.
    let objects = objects::place("--objects", arguments.objects.as_deref(), url)?;
    let checked = match &arguments.command {
        MediaCommand::Put(arguments) => Some(put::check(arguments)?),
        MediaCommand::List(arguments) => {
            list::filter(arguments)?;
            None
        }
        MediaCommand::Get(arguments) => {
            get::check(arguments)?;
            None
        }
        _ => None,
    };
    let target = match &arguments.command {
        MediaCommand::Copy(arguments) => Some(copy::check(arguments).await?),
        _ => None,
    };
    let opening = match checked {
        Some(_) => Opening::prepare(url, access).await?,
        None => Opening::of_existing_media(url, access).await?,
    };
    // These read records alone: of a mistyped folder they make none.
    let objects = match &arguments.command {
        MediaCommand::List(_) | MediaCommand::Stat { .. } if !matches!(objects, ObjectsUrl::S3 { .. }) => {
            ObjectsUrl::Memory
        }
        _ => objects,
    };
    let media = objects::media(opening, &objects).await?;
    let result = match (&arguments.command, checked) {
        (MediaCommand::Copy(_), _) => match target {
            Some(target) => copy::run(&media, target, output).await,
            None => Ok(()),
        },
        (MediaCommand::Put(arguments), Some(checked)) => put::run(&media, arguments, checked, output).await,
        (MediaCommand::Put(_), None) => Ok(()),
        (MediaCommand::Get(arguments), _) => get::run(&media, arguments, output).await,
        (MediaCommand::List(arguments), _) => list::run(&media, arguments, output).await,
        (MediaCommand::Stat { id }, _) => stat::run(&media, id, output).await,
        (MediaCommand::Delete { id }, _) => delete(&media, id, output).await,
        (MediaCommand::Sweep(arguments), _) => sweep::run(&media, arguments, output).await,
        (MediaCommand::Verify, _) => verify::run(&media, output).await,
        (MediaCommand::Probe, _) => conditional(&media, output).await,
    };
    let closed = media.database().close().await;
    result.and(closed.map_err(Failure::from))
}

/// A medium that is not as it was stored, as programs read it.
#[derive(Serialize)]
struct Problem<'a> {
    media_id: &'a str,
    error: String,
}

impl<'a> Problem<'a> {
    fn of_all(problems: &'a [strongroom::objects::Problem]) -> Vec<Self> {
        let shown = |problem: &'a strongroom::objects::Problem| Problem {
            media_id: problem.media_id.as_str(),
            error: problem.error.to_string(),
        };
        problems.iter().map(shown).collect()
    }

    /// A line for each, for people.
    fn show_all(problems: &[Self], output: &mut Output) -> Result<()> {
        problems.iter().try_for_each(|problem| output.line(format!("{}: {}", problem.media_id, problem.error)))
    }
}

/// A medium as programs read it.
#[derive(Serialize)]
struct Shown<'a> {
    media_id: &'a str,
    size: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    sha256: Option<String>,
    mime_type: &'a str,
    room_id: &'a str,
    uploaded_at: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    thumbnail: Option<&'a Json>,
}

impl<'a> Shown<'a> {
    fn of(record: &'a matrix::Media, sha256: Option<&[u8; 32]>) -> Self {
        Shown {
            media_id: record.media_id.as_str(),
            size: record.size,
            sha256: sha256.map(|sha256| hex(sha256)),
            mime_type: &record.mime_type,
            room_id: record.room_id.as_str(),
            uploaded_at: record.uploaded_at.as_millis(),
            expires_at: record.expires_at.map(|at| at.as_millis()),
            thumbnail: record.thumbnail_info.as_ref(),
        }
    }

    fn rows(&self) -> Vec<[String; 2]> {
        let at = |millis: i64| moment::show(strongroom::Timestamp::from_millis(millis));
        let mut rows = vec![
            ["media_id", self.media_id].map(str::to_owned),
            ["size".to_owned(), crate::text::counted(self.size, "byte")],
            ["mime_type", self.mime_type].map(str::to_owned),
            ["room_id", self.room_id].map(str::to_owned),
            ["uploaded_at".to_owned(), at(self.uploaded_at)],
        ];
        rows.extend(self.sha256.clone().map(|sha256| ["sha256".to_owned(), sha256]));
        rows.extend(self.expires_at.map(|millis| ["expires_at".to_owned(), at(millis)]));
        rows.extend(self.thumbnail.map(|info| ["thumbnail".to_owned(), info.as_str().to_owned()]));
        rows
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unknown(id: &str) -> Failure {
    Failure::new(format!("there is no medium {id}"), "'strongroom media list' shows those there are")
}

#[derive(Serialize)]
struct Deleted<'a> {
    deleted: &'a str,
}

async fn delete(media: &strongroom::objects::Media, id: &str, output: &mut Output) -> Result<()> {
    if !media.delete(&id.into()).await? {
        return Err(unknown(id));
    }
    match output.format {
        Format::Json => output.json(&Deleted { deleted: id }),
        Format::Table => output.line(format!("{id} deleted, with its bytes")),
    }
}

#[derive(Serialize)]
struct Probed {
    create: &'static str,
    update: &'static str,
}

async fn conditional(media: &strongroom::objects::Media, output: &mut Output) -> Result<()> {
    let found = probe(&**media.objects()).await?;
    let (create, update) = (found.create.as_str(), found.update.as_str());
    match output.format {
        Format::Json => output.json(&Probed { create, update }),
        Format::Table => output.table(
            ["A WRITE ONLY IF", "IS"],
            vec![
                ["there is none".to_owned(), create.to_owned()],
                ["it is still this one".to_owned(), update.to_owned()],
            ],
        ),
    }
}
