//! The page that says what was measured, where and how.

use std::fmt::Write;

use super::measure::Point;
use super::record::Series;

/// A column: its head, and what stands in it.
type Column = (&'static str, fn(&Point) -> String);

const COLUMNS: [Column; 14] = [
    ("messages", |point| point.messages.to_string()),
    ("import, each", |point| micros(point.import_ns)),
    ("save", |point| micros(point.save_ns)),
    ("64 saves at once, each", |point| micros(point.together_ns)),
    ("get, cold", |point| micros(point.cold_ns)),
    ("get, hot", |point| micros(point.hot_ns)),
    ("page of 50", |point| micros(point.page_ns)),
    ("page of a thread", |point| micros(point.thread_ns)),
    ("claim", |point| micros(point.claim_ns)),
    ("9 reads, 1 save", |point| micros(point.mixed_ns)),
    ("delete, each", |point| micros(point.delete_ns)),
    ("reopen after a kill", |point| format!("{:.1} ms", point.reopen_ns as f64 / 1e6)),
    ("memory of the import", |point| format!("{} MB", point.peak_bytes / 1_000_000)),
    ("bytes a message", |point| (point.disk_bytes / point.messages.max(1)).to_string()),
];

/// A page in Markdown, with a table and the plots that lie beside it.
pub(super) fn page(machine: &str, left_out: Option<String>, all: &[Series<'_>]) -> String {
    let mut page = String::new();
    // Writing to a string does not fail.
    let _ = write_page(&mut page, machine, left_out, all);
    page
}

fn write_page(page: &mut String, machine: &str, left_out: Option<String>, all: &[Series<'_>]) -> std::fmt::Result {
    writeln!(
        page,
        "# Costs by the number of messages\n\nMade by `cargo run --release -p strongroom-benches -- scale --out docs/benchmarks`, with `--from`, `--to` and `--stack` \
         for other sizes and single stacks: each run adds its rows to [those of before](scale.json).\n\n{machine}.\n"
    )?;
    match left_out {
        Some(left_out) => writeln!(page, "Left out in the last run: {left_out}.\n")?,
        None => writeln!(
            page,
            "Of PostgreSQL, bytes are those of its tables after `VACUUM FULL`, memory is the client's, and what was killed is the client.\n"
        )?,
    }
    writeln!(
        page,
        "Messages of about 300 bytes with 5 rows each, in 100 rooms whose sizes follow Zipf's law. Times are medians of one run: writes move by a factor of two from run to \
         run, so that differences below that say nothing. A stack without `+encrypted` is in clear.\n\n\
         Each: the time divided by the number. Cold: messages read once, after the store was opened; the system may still have the file in memory. Hot: 50 messages, again and \
         again. A page of a thread is shorter than 50 where threads are short, as at 10,000 messages. Claim: one one-time key. 9 reads, 1 save: 8 hot gets, a page and a save, \
         together. Delete: the oldest messages of the largest room. Memory is the most that a process has had which did nothing but import. Bytes are those of the file after a \
         compaction. What else was measured: [README.md](README.md); what follows from it: [which-backend.md](../which-backend.md).\n"
    )?;
    write!(page, "| stack | measured |")?;
    COLUMNS.iter().try_for_each(|(head, _)| write!(page, " {head} |"))?;
    writeln!(page, "\n|---|---|{}", "---|".repeat(COLUMNS.len()))?;
    for (stack, points) in all {
        for measured in points {
            write!(page, "| {stack} | {} |", measured.date)?;
            COLUMNS.iter().try_for_each(|(_, show)| write!(page, " {} |", show(&measured.point)))?;
            writeln!(page)?;
        }
    }
    writeln!(page)?;
    super::plot::PLOTS.iter().try_for_each(|plot| writeln!(page, "![{}]({}.svg)\n", plot.title, plot.name))
}

fn micros(nanoseconds: u64) -> String {
    format!("{:.1} µs", nanoseconds as f64 / 1e3)
}
