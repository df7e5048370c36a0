//! What the owner of a disk asks of the process that serves it: a line for a request and a line for the answer.

use std::fmt;
use std::path::PathBuf;

use crate::fault::Fault;
use crate::machine::Counters;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Request {
    /// Comes first and once.
    Mount {
        /// Text without a line break.
        folder: PathBuf,
        capacity_bytes: Option<u64>,
        names_sync_with_file: bool,
    },
    Cut {
        seed: u64,
    },
    PowerOn,
    Inject(Fault),
    Count,
}

/// The counters after the request, or why it failed.
pub(crate) type Answer = Result<Counters, String>;

impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Request::Mount { folder, capacity_bytes, names_sync_with_file } => {
                // No limit is the greatest one.
                let capacity_bytes = capacity_bytes.unwrap_or(u64::MAX);
                write!(f, "mount {capacity_bytes} {names_sync_with_file} {}", folder.display())
            }
            Request::Cut { seed } => write!(f, "cut {seed}"),
            Request::PowerOn => f.write_str("power-on"),
            Request::Inject(Fault::None) => f.write_str("well"),
            Request::Inject(Fault::NoSpace) => f.write_str("no-space"),
            Request::Inject(Fault::IoError { after }) => write!(f, "io-error {after}"),
            Request::Inject(Fault::SyncError { retried }) => write!(f, "sync-error {retried}"),
            Request::Inject(Fault::Lie) => f.write_str("lie"),
            Request::Count => f.write_str("count"),
        }
    }
}

impl Request {
    pub(crate) fn parse(line: &str) -> Option<Self> {
        let (verb, rest) = line.split_once(' ').unwrap_or((line, ""));
        Some(match verb {
            "mount" => {
                let mut words = rest.splitn(3, ' ');
                let capacity_bytes = Some(words.next()?.parse().ok()?).filter(|bytes| *bytes != u64::MAX);
                let names_sync_with_file = words.next()?.parse().ok()?;
                Request::Mount { folder: words.next()?.into(), capacity_bytes, names_sync_with_file }
            }
            "cut" => Request::Cut { seed: rest.parse().ok()? },
            "power-on" => Request::PowerOn,
            "well" => Request::Inject(Fault::None),
            "no-space" => Request::Inject(Fault::NoSpace),
            "io-error" => Request::Inject(Fault::IoError { after: rest.parse().ok()? }),
            "sync-error" => Request::Inject(Fault::SyncError { retried: rest.parse().ok()? }),
            "lie" => Request::Inject(Fault::Lie),
            "count" => Request::Count,
            _ => return None,
        })
    }
}

pub(crate) fn print_answer(answer: &Answer) -> String {
    match answer {
        Ok(Counters { reads, writes, syncs, read_bytes, written_bytes }) => {
            format!("ok {reads} {writes} {syncs} {read_bytes} {written_bytes}")
        }
        Err(reason) => format!("failed {}", reason.replace('\n', " ")),
    }
}

pub(crate) fn parse_answer(line: &str) -> Option<Answer> {
    match line.split_once(' ')? {
        ("ok", numbers) => {
            let numbers: Vec<u64> = numbers.split(' ').map(|number| number.parse().ok()).collect::<Option<_>>()?;
            let [reads, writes, syncs, read_bytes, written_bytes] = numbers[..] else { return None };
            Some(Ok(Counters { reads, writes, syncs, read_bytes, written_bytes }))
        }
        ("failed", reason) => Some(Err(reason.to_owned())),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_and_answers_arrive_as_they_were_sent() {
        let mount = |capacity_bytes, names_sync_with_file| Request::Mount {
            folder: "/a folder/with spaces".into(),
            capacity_bytes,
            names_sync_with_file,
        };
        let faults = [
            Fault::None,
            Fault::NoSpace,
            Fault::IoError { after: 7 },
            Fault::SyncError { retried: true },
            Fault::SyncError { retried: false },
            Fault::Lie,
        ];
        let others = [mount(None, true), mount(Some(5), false), Request::Cut { seed: u64::MAX }, Request::PowerOn];
        for request in others.into_iter().chain(faults.map(Request::Inject)).chain([Request::Count]) {
            assert_eq!(Request::parse(&request.to_string()), Some(request));
        }
        assert_eq!(Request::parse("cut"), None);

        let counters = Counters { reads: 1, writes: 2, syncs: 3, read_bytes: 4, written_bytes: 5 };
        for answer in [Ok(counters), Err("a reason".to_owned())] {
            assert_eq!(parse_answer(&print_answer(&answer)), Some(answer));
        }
        assert_eq!(parse_answer("ok 1"), None);
    }
}
