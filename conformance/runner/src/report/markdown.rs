//! The results as a page of Markdown.

use std::fmt::Write;

use super::{Report, Tally};

pub(super) fn render(report: &Report) -> String {
    // Writing to a string cannot fail.
    let mut page = String::new();
    let _ = write_page(&mut page, report);
    page
}

fn write_page(page: &mut String, report: &Report) -> std::fmt::Result {
    writeln!(page, "# Conformance\n\nStrongroom {}, seed {}.\n", env!("CARGO_PKG_VERSION"), report.seed)?;
    writeln!(page, "| stack | pass | fail | n/a | skipped | what was done |\n|---|---|---|---|---|---|")?;
    for stack in &report.stacks {
        let Tally { pass, fail, not_applicable, skip, figures, .. } = report.tally(stack);
        writeln!(page, "| {stack} | {pass} | {fail} | {not_applicable} | {skip} | {figures} |")?;
    }
    let mut group = None;
    for row in report.results.chunks(report.stacks.len()) {
        if group != Some(row[0].group) {
            group = Some(row[0].group);
            write!(page, "\n## {}\n\n| case |", row[0].group)?;
            report.stacks.iter().try_for_each(|stack| write!(page, " {stack} |"))?;
            writeln!(page, "\n|---|{}", "---|".repeat(report.stacks.len()))?;
        }
        write!(page, "| {} |", row[0].name.replace('_', " "))?;
        for finished in row {
            let name = finished.outcome.name();
            match finished.figures.is_empty() {
                true => write!(page, " {name} |")?,
                false => write!(page, " {name}: {} |", finished.figures)?,
            }
        }
        writeln!(page)?;
    }
    let failed: Vec<_> = report.results.iter().filter(|finished| finished.outcome.name() == "fail").collect();
    if !failed.is_empty() {
        writeln!(page, "\n## Failures\n")?;
    }
    for finished in failed {
        let reason = finished.outcome.reason().unwrap_or_default();
        writeln!(page, "- `{}::{}` on {}:\n\n  ```text", finished.group, finished.name, finished.stack)?;
        reason.lines().try_for_each(|line| writeln!(page, "  {line}"))?;
        writeln!(page, "  ```")?;
    }
    for (title, reasons) in [("Not applicable", report.not_applicable()), ("Skipped", report.skipped())] {
        if !reasons.is_empty() {
            writeln!(page, "\n## {title}\n\n| stack | reason | cases |\n|---|---|---|")?;
        }
        for (stack, reason, cases) in reasons {
            writeln!(page, "| {stack} | {} | {} |", reason.replace('|', "\\|"), cases.join(", "))?;
        }
    }
    Ok(())
}
