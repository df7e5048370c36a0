//! What was measured so far, in a file beside the page: a run of one stack or one size adds to what others have measured.

use std::fs;
use std::io::ErrorKind::NotFound;
use std::path::Path;

use serde::{Deserialize, Serialize};
use strongroom::{Error, ErrorKind, Result};

use super::measure::Point;
use crate::site::of_file;

const FILE: &str = "scale.json";

/// The points of one machine.
#[derive(Serialize, Deserialize)]
pub(super) struct Record {
    pub(super) machine: String,
    pub(super) points: Vec<Measured>,
}

/// A point, and when it was measured.
#[derive(Serialize, Deserialize)]
pub(super) struct Measured {
    pub(super) stack: String,
    pub(super) date: String,
    #[serde(flatten)]
    pub(super) point: Point,
}

/// A stack, and its points by size.
pub(super) type Series<'r> = (String, Vec<&'r Measured>);

impl Record {
    pub(super) fn new(machine: String) -> Self {
        Record { machine, points: Vec::new() }
    }

    /// What is in the folder, if there is anything.
    ///
    /// # Errors
    ///
    /// `InvalidInput` if it was measured on another machine, or with other versions: its points do not belong beside those of this one.
    pub(super) fn read(folder: &Path, machine: String) -> Result<Self> {
        let text = match fs::read(folder.join(FILE)) {
            Err(error) if error.kind() == NotFound => return Ok(Record::new(machine)),
            text => text.map_err(|error| of_file(&folder.join(FILE), &error))?,
        };
        let record: Record = serde_json::from_slice(&text).map_err(|error| {
            let message = format!("{} is none of this program's: {error}", folder.join(FILE).display());
            Error::new(ErrorKind::InvalidInput, message)
        })?;
        if record.machine != machine {
            let message = format!("{FILE} there is of {}, and this is {machine}: name another folder", record.machine);
            return Err(Error::new(ErrorKind::InvalidInput, message));
        }
        Ok(record)
    }

    /// Notes a point of today, in place of an earlier one of the same stack and size.
    pub(super) fn add(&mut self, stack: &str, point: Point) {
        let date = jiff::Timestamp::now().strftime("%Y-%m-%d").to_string();
        let is_same = |old: &Measured| old.stack == stack && old.point.messages == point.messages;
        self.points.retain(|old| !is_same(old));
        self.points.push(Measured { stack: stack.to_owned(), date, point });
    }

    /// Those of these stacks that have points.
    pub(super) fn series(&self, stacks: impl Iterator<Item = String>) -> Vec<Series<'_>> {
        let points = |stack: &str| {
            let mut points: Vec<_> = self.points.iter().filter(|measured| measured.stack == stack).collect();
            points.sort_by_key(|measured| measured.point.messages);
            points
        };
        stacks.map(|stack| (stack.clone(), points(&stack))).filter(|(_, points)| !points.is_empty()).collect()
    }

    pub(super) fn write(&self, folder: &Path) -> Result<()> {
        let mut text = serde_json::to_string_pretty(self).map_err(Error::application)?;
        text.push('\n');
        let (new, file) = (folder.join(FILE).with_extension("new"), folder.join(FILE));
        fs::write(&new, text).and_then(|()| fs::rename(new, &file)).map_err(|error| of_file(&file, &error))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn point(messages: u64, page_ns: u64) -> Point {
        Point { messages, page_ns, ..Point::default() }
    }

    #[test]
    fn a_later_run_adds_its_points_and_replaces_those_of_the_same_size() {
        let folder = tempfile::tempdir().unwrap();
        let mut first = Record::read(folder.path(), "machine".to_owned()).unwrap();
        first.add("redb", point(100, 1));
        first.add("sqlite", point(10, 2));
        first.write(folder.path()).unwrap();
        let mut second = Record::read(folder.path(), "machine".to_owned()).unwrap();
        second.add("redb", point(10, 3));
        second.add("redb", point(100, 4));
        second.write(folder.path()).unwrap();

        let record = Record::read(folder.path(), "machine".to_owned()).unwrap();
        let series = record.series(["sqlite", "memory", "redb"].map(str::to_owned).into_iter());
        let shown: Vec<(&str, Vec<_>)> = series
            .iter()
            .map(|(stack, points)| {
                (
                    stack.as_str(),
                    points.iter().map(|measured| (measured.point.messages, measured.point.page_ns)).collect(),
                )
            })
            .collect();
        assert_eq!(shown, [("sqlite", vec![(10, 2)]), ("redb", vec![(10, 3), (100, 4)])]);
    }

    #[test]
    fn points_of_another_machine_are_not_added_to() {
        let folder = tempfile::tempdir().unwrap();
        Record::new("machine".to_owned()).write(folder.path()).unwrap();
        let other = Record::read(folder.path(), "other".to_owned());
        assert_eq!(other.err().unwrap().kind(), ErrorKind::InvalidInput);
    }
}
