//! The table: medians of rounds in which both took turns, and how often the one goes into the other.

use std::fmt;
use std::time::{Duration, Instant};

use strongroom::Database;
use strongroom_benches::figures::{Bound, Figure};
use strongroom_benches::rounds::Rounds;

use crate::{Error, Result};

/// What one peer was compared in.
pub(crate) struct Table {
    title: String,
    peer: String,
    /// The names of ours.
    ours: Vec<&'static str>,
    rows: Vec<Row>,
}

struct Row {
    operation: String,
    measured: Measured,
}

enum Measured {
    Time(Turns),
    Bytes { peer: u64, ours: Vec<u64> },
}

/// The rounds of one operation.
pub(crate) struct Turns {
    rounds: usize,
    peer: Rounds,
    ours: Vec<Rounds>,
}

impl Turns {
    /// None so far, for as many of ours.
    pub(crate) fn new(ours: usize) -> Self {
        Turns { rounds: 0, peer: Rounds::default(), ours: vec![Rounds::default(); ours] }
    }

    /// One round: each does the operation once, the peer first in every other round. What they answer, such as how many records
    /// they found, must be the same.
    pub(crate) async fn round<T: PartialEq, E: Into<Error>>(
        &mut self,
        peer: impl Future<Output = std::result::Result<T, E>>,
        ours: &[Database],
        call: impl AsyncFn(&Database) -> strongroom::Result<T>,
    ) -> Result<()> {
        let peer_first = self.rounds.is_multiple_of(2);
        self.rounds += 1;
        let theirs = timed(&mut self.peer, peer);
        let each = async {
            let mut answers = Vec::with_capacity(ours.len());
            for (rounds, db) in self.ours.iter_mut().zip(ours) {
                answers.push(timed(rounds, call(db)).await?);
            }
            Ok::<_, Error>(answers)
        };
        let (answer, answers) = if peer_first {
            let answer = theirs.await?;
            (answer, each.await?)
        } else {
            let answers = each.await?;
            (theirs.await?, answers)
        };
        if answers.iter().any(|ours| *ours != answer) {
            return Err("the two did not find the same".into());
        }
        Ok(())
    }
}

/// Notes what a call takes.
async fn timed<T, E: Into<Error>>(
    rounds: &mut Rounds,
    call: impl Future<Output = std::result::Result<T, E>>,
) -> Result<T> {
    let begin = Instant::now();
    let answer = call.await;
    rounds.note(begin.elapsed(), 1);
    answer.map_err(Into::into)
}

impl Table {
    /// One without rows.
    pub(crate) fn new(title: impl Into<String>, peer: impl Into<String>, ours: Vec<&'static str>) -> Self {
        Table { title: title.into(), peer: peer.into(), ours, rows: Vec::new() }
    }

    /// Adds a row of times.
    pub(crate) fn times(&mut self, operation: impl Into<String>, turns: Turns) {
        self.rows.push(Row { operation: operation.into(), measured: Measured::Time(turns) });
    }

    /// Adds a row of bytes.
    pub(crate) fn bytes(&mut self, operation: impl Into<String>, peer: u64, ours: Vec<u64>) {
        self.rows.push(Row { operation: operation.into(), measured: Measured::Bytes { peer, ours } });
    }

    /// One figure for each of ours in each row.
    pub(crate) fn figures(&self) -> impl Iterator<Item = Figure> + '_ {
        self.rows.iter().flat_map(|row| {
            let name = |ours: &str| format!("{}: strongroom, {ours} / {}", row.operation, self.peer);
            let figure = move |(at, ours): (usize, &&'static str)| match &row.measured {
                Measured::Time(turns) => {
                    let medians = (turns.ours[at].median(), turns.peer.median());
                    Figure::times(name(ours), medians, Bound::Context)
                }
                Measured::Bytes { peer, ours: bytes } => {
                    Figure::bytes(name(ours), bytes[at], Some(*peer), Bound::Context)
                }
            };
            self.ours.iter().enumerate().map(figure).collect::<Vec<_>>()
        })
    }
}

/// In Markdown; behind each of ours stands what it takes divided by what the peer does.
impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "### {}\n", self.title)?;
        writeln!(f, "| operation | {} | ours: {} |", self.peer, self.ours.join(" | ours: "))?;
        writeln!(f, "|---|---{}|", "|---".repeat(self.ours.len()))?;
        for Row { operation, measured } in &self.rows {
            let (peer, ours, shown): (u64, Vec<u64>, fn(u64) -> String) = match measured {
                Measured::Time(Turns { peer, ours, .. }) => {
                    (peer.median(), ours.iter().map(Rounds::median).collect(), |ns| {
                        format!("{:.1?}", Duration::from_nanos(ns))
                    })
                }
                Measured::Bytes { peer, ours } => {
                    (*peer, ours.clone(), |bytes| format!("{:.2} MB", bytes as f64 / 1e6))
                }
            };
            write!(f, "| {operation} | {} |", shown(peer))?;
            for ours in ours {
                write!(f, " {} ({:.2}) |", shown(ours), ours as f64 / peer.max(1) as f64)?;
            }
            writeln!(f)?;
        }
        Ok(())
    }
}
