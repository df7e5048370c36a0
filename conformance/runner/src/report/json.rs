//! The results as JSON.

use serde::Serialize;

use super::Report;

#[derive(Serialize)]
struct Document<'a> {
    version: &'static str,
    seed: u64,
    cases: Vec<Case<'a>>,
}

#[derive(Serialize)]
struct Case<'a> {
    group: &'static str,
    name: &'static str,
    stack: &'a str,
    outcome: &'static str,
    reason: Option<&'a str>,
    seconds: f64,
}

/// `{"version", "seed", "cases": [{"group", "name", "stack", "outcome", "reason", "seconds"}]}`; `version` is the
/// runner's. The reason of a pass is what it did, in numbers.
pub(super) fn render(report: &Report) -> serde_json::Result<String> {
    let reasons: Vec<Option<String>> = report.results.iter().map(Report::reason).collect();
    let cases = report.results.iter().zip(&reasons).map(|(finished, reason)| Case {
        group: finished.group.name(),
        name: finished.name,
        stack: &finished.stack,
        outcome: finished.outcome.name(),
        reason: reason.as_deref(),
        seconds: finished.seconds,
    });
    let document = Document { version: env!("CARGO_PKG_VERSION"), seed: report.seed, cases: cases.collect() };
    Ok(serde_json::to_string_pretty(&document)? + "\n")
}
