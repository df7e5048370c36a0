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

/// `{"version", "seed", "cases": [{"group", "name", "stack", "outcome", "reason", "seconds"}]}`; `version` is the runner's.
pub(super) fn render(report: &Report) -> serde_json::Result<String> {
    let cases = report.results.iter().map(|finished| Case {
        group: finished.group.name(),
        name: finished.name,
        stack: &finished.stack,
        outcome: finished.outcome.name(),
        reason: finished.outcome.reason(),
        seconds: finished.seconds,
    });
    let document = Document { version: env!("CARGO_PKG_VERSION"), seed: report.seed, cases: cases.collect() };
    Ok(serde_json::to_string_pretty(&document)? + "\n")
}
