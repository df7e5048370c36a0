//! The figures that a run of `ratios` gives, and whether each holds.

use std::fmt;

use serde_json::{Value, json};

use crate::machine::Machine;

/// What is compared with the limit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Bound {
    /// Ours divided by the baseline's is at most this.
    RatioAtMost(f64),
    /// Throughput, so the baseline's time divided by ours, is at least this.
    ThroughputAtLeast(f64),
    /// Ours alone is at most this, in its unit; the baseline stands beside it.
    AtMost(f64),
    /// Ours less the baseline's is at most this, in its unit.
    DifferenceAtMost(f64),
    /// Nothing: it helps to read the others.
    Context,
}

/// What a figure counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Nanoseconds.
    Nanoseconds,
    /// Bytes.
    Bytes,
}

/// One figure: medians of one run.
#[derive(Clone, Debug)]
pub struct Figure {
    /// What it is.
    pub name: String,
    /// What it counts.
    pub unit: Unit,
    /// What this library takes.
    pub ours: f64,
    /// What it is compared with takes.
    pub baseline: Option<f64>,
    /// When it holds.
    pub bound: Bound,
    /// What has to be known to read it; empty if nothing.
    pub note: String,
    /// Whether it was measured at the size that its name says.
    pub whole: bool,
}

impl Figure {
    /// Of two times, in nanoseconds.
    pub fn times(name: impl Into<String>, (ours, baseline): (u64, u64), bound: Bound) -> Self {
        let (ours, baseline) = (ours as f64, Some(baseline as f64));
        Figure { name: name.into(), unit: Unit::Nanoseconds, ours, baseline, bound, note: String::new(), whole: true }
    }

    /// Of one time, in nanoseconds.
    pub fn time(name: impl Into<String>, ours: u64, bound: Bound) -> Self {
        Figure { baseline: None, ..Figure::times(name, (ours, 0), bound) }
    }

    /// Of sizes, in bytes.
    pub fn bytes(name: impl Into<String>, ours: u64, baseline: Option<u64>, bound: Bound) -> Self {
        let baseline = baseline.map(|baseline| baseline as f64);
        Figure { unit: Unit::Bytes, baseline, ..Figure::time(name, ours, bound) }
    }

    /// With a note.
    #[must_use]
    pub fn note(self, note: impl Into<String>) -> Self {
        Figure { note: note.into(), ..self }
    }

    /// Measured at a smaller size than the name says, unless `whole`.
    #[must_use]
    pub fn whole(self, whole: bool) -> Self {
        Figure { whole, ..self }
    }

    /// Ours by the baseline's, or for throughput the other way round. `None` without a baseline.
    pub fn ratio(&self) -> Option<f64> {
        let baseline = self.baseline.filter(|baseline| *baseline > 0.0 && self.ours > 0.0)?;
        Some(if matches!(self.bound, Bound::ThroughputAtLeast(_)) {
            baseline / self.ours
        } else {
            self.ours / baseline
        })
    }

    /// The limit, if there is one.
    pub fn limit(&self) -> Option<f64> {
        match self.bound {
            Bound::RatioAtMost(limit)
            | Bound::ThroughputAtLeast(limit)
            | Bound::AtMost(limit)
            | Bound::DifferenceAtMost(limit) => Some(limit),
            Bound::Context => None,
        }
    }

    /// Whether what was measured is within the limit; `None` if there is none or nothing to compare. See [`whole`](Figure::whole).
    pub fn holds(&self) -> Option<bool> {
        match self.bound {
            Bound::RatioAtMost(limit) => Some(self.ratio()? <= limit),
            Bound::ThroughputAtLeast(limit) => Some(self.ratio()? >= limit),
            Bound::AtMost(limit) => Some(self.ours <= limit),
            Bound::DifferenceAtMost(limit) => Some(self.ours - self.baseline? <= limit),
            Bound::Context => None,
        }
    }

    fn json(&self) -> Value {
        let bound = match self.bound {
            Bound::RatioAtMost(_) => "ratio at most",
            Bound::ThroughputAtLeast(_) => "ratio at least",
            Bound::AtMost(_) => "ours at most",
            Bound::DifferenceAtMost(_) => "difference at most",
            Bound::Context => "none",
        };
        let [ours, baseline] = match self.unit {
            Unit::Nanoseconds => ["ours_ns", "baseline_ns"],
            Unit::Bytes => ["ours_bytes", "baseline_bytes"],
        };
        let mut json = json!({
            "name": self.name,
            "ours_ns": null,
            "baseline_ns": null,
            "ratio": self.ratio(),
            "limit": self.limit(),
            "holds": self.holds(),
            "bound": bound,
            "at_full_size": self.whole,
            "note": self.note,
        });
        json[ours] = json!(self.ours);
        json[baseline] = json!(self.baseline);
        json
    }

    /// Ours or the baseline's, as people read it.
    fn shown(&self, value: f64) -> String {
        match (self.unit, value) {
            (Unit::Nanoseconds, ..1e4) => format!("{value:.0} ns"),
            (Unit::Nanoseconds, ..1e7) => format!("{:.1} µs", value / 1e3),
            (Unit::Nanoseconds, _) => format!("{:.1} ms", value / 1e6),
            (Unit::Bytes, ..1e4) => format!("{value:.0} B"),
            (Unit::Bytes, _) => format!("{:.1} MB", value / 1e6),
        }
    }
}

/// All figures of a run.
#[derive(Clone, Debug)]
pub struct Report {
    /// Where it ran.
    pub machine: Machine,
    /// Those of the table of limits.
    pub figures: Vec<Figure>,
    /// What is not among them, and why.
    pub left_out: Option<String>,
    /// What was asked for: sizes, seed, whether it is a smoke test.
    pub run: Value,
}

impl Report {
    /// `{"figures": [..], "context": [..], "left_out": .., "machine": {..}, "run": {..}}`: times in nanoseconds, sizes in bytes, `null` for what does not apply.
    pub fn json(&self) -> Value {
        let (context, figures): (Vec<_>, Vec<_>) =
            self.figures.iter().partition(|figure| figure.bound == Bound::Context);
        let json = |figures: Vec<&Figure>| figures.into_iter().map(Figure::json).collect::<Vec<_>>();
        json!({ "figures": json(figures), "context": json(context), "left_out": self.left_out, "machine": self.machine, "run": self.run })
    }
}

/// A table in Markdown.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}\n", self.machine)?;
        if let Some(left_out) = &self.left_out {
            writeln!(f, "Left out: {left_out}\n")?;
        }
        writeln!(f, "| figure | ours | baseline | ratio | limit | holds |\n|---|---|---|---|---|---|")?;
        for figure in &self.figures {
            let dash = || "–".to_owned();
            let baseline = figure.baseline.map_or_else(dash, |baseline| figure.shown(baseline));
            let ratio = figure.ratio().map_or_else(dash, |ratio| format!("{ratio:.2}"));
            let limit = match figure.bound {
                Bound::RatioAtMost(limit) => format!("at most {limit}"),
                Bound::ThroughputAtLeast(limit) => format!("at least {limit}"),
                Bound::AtMost(limit) => format!("at most {}", figure.shown(limit)),
                Bound::DifferenceAtMost(limit) => format!("at most {} more", figure.shown(limit)),
                Bound::Context => dash(),
            };
            let holds = match (figure.holds(), figure.whole) {
                (Some(true), true) => "yes".to_owned(),
                (Some(true), false) => "so far".to_owned(),
                (Some(false), _) => "NO".to_owned(),
                (None, _) => dash(),
            };
            let note = if figure.note.is_empty() { String::new() } else { format!(" ({})", figure.note) };
            let ours = figure.shown(figure.ours);
            writeln!(f, "| {}{note} | {ours} | {baseline} | {ratio} | {limit} | {holds} |", figure.name)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holds(ours: u64, baseline: u64, bound: Bound) -> Option<bool> {
        Figure::times("a figure", (ours, baseline), bound).holds()
    }

    #[test]
    fn a_figure_holds_up_to_its_limit_and_not_past_it() {
        assert_eq!(holds(110, 100, Bound::RatioAtMost(1.1)), Some(true));
        assert_eq!(holds(111, 100, Bound::RatioAtMost(1.1)), Some(false));
        assert_eq!(holds(100, 600, Bound::ThroughputAtLeast(6.0)), Some(true));
        assert_eq!(holds(100, 599, Bound::ThroughputAtLeast(6.0)), Some(false));
        assert_eq!(holds(4_000, 1, Bound::AtMost(4_000.0)), Some(true));
        assert_eq!(holds(4_001, 1, Bound::AtMost(4_000.0)), Some(false));
        assert_eq!(holds(250, 100, Bound::DifferenceAtMost(150.0)), Some(true));
        assert_eq!(holds(251, 100, Bound::DifferenceAtMost(150.0)), Some(false));
        assert_eq!(holds(1, 1, Bound::Context), None);
        assert_eq!(holds(1, 0, Bound::RatioAtMost(1.0)), None);
    }

    #[test]
    fn the_json_has_the_fields_that_are_promised() {
        let figures = vec![
            Figure::times("a time", (300, 200), Bound::RatioAtMost(1.1)),
            Figure::bytes("a size", 135, Some(100), Bound::RatioAtMost(1.35)),
            Figure::times("beside it", (1, 1), Bound::Context),
        ];
        let json = Report { machine: Machine::this(), figures, left_out: None, run: Value::Null }.json();
        let parsed: Value = serde_json::from_str(&json.to_string()).unwrap();
        let [time, size] = parsed["figures"].as_array().unwrap().as_slice() else { panic!("{parsed}") };
        assert_eq!(
            (&time["name"], &time["ours_ns"], &time["baseline_ns"]),
            (&json!("a time"), &json!(300.0), &json!(200.0))
        );
        assert_eq!((&time["ratio"], &time["limit"], &time["holds"]), (&json!(1.5), &json!(1.1), &json!(false)));
        assert_eq!(
            (&size["ours_ns"], &size["ours_bytes"], &size["holds"]),
            (&json!(null), &json!(135.0), &json!(true))
        );
        assert_eq!(parsed["context"][0]["name"], "beside it");
    }
}
