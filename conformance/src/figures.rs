//! How much stands behind a pass: what a case did, in numbers.

use std::collections::BTreeMap;
use std::fmt;

/// What was done, by name: kills, power cuts, commits that were acknowledged or lost, operations.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Figures(BTreeMap<&'static str, u64>);

impl Figures {
    /// So many more of this. None are worth a mention, too: `0 lost`.
    pub fn count(&mut self, what: &'static str, more: u64) {
        *self.0.entry(what).or_default() += more;
    }

    /// Those of another run as well.
    pub fn add(&mut self, other: &Figures) {
        other.0.iter().for_each(|(what, more)| self.count(what, *more));
    }

    /// How many of this.
    pub fn get(&self, what: &str) -> u64 {
        self.0.get(what).copied().unwrap_or_default()
    }

    /// Whether nothing was counted.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, (what, many)) in self.0.iter().enumerate() {
            let comma = if at == 0 { "" } else { ", " };
            write!(f, "{comma}{many} {what}")?;
        }
        Ok(())
    }
}
