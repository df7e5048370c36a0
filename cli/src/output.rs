//! The only place that writes: what programs read goes to stdout, everything else to stderr.

use std::borrow::Cow;
use std::io::{self, BufWriter, IsTerminal, Write};

use clap::ValueEnum;
use comfy_table::{ColumnConstraint, ContentArrangement, Table, presets};
use serde::Serialize;

use crate::failure::{self, Result};
use crate::text;
use crate::url;

/// The widest first column that is never broken into lines, in characters.
const UNBROKEN_MAX: u16 = 26;

/// How results are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people.
    Table,
    /// For programs.
    Json,
}

/// Whether to use colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Color {
    /// On a terminal, unless NO_COLOR is set.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

impl Color {
    /// Whether what goes to stderr may be coloured.
    pub(crate) fn on_stderr(self) -> bool {
        match self {
            Color::Always => true,
            Color::Never => false,
            Color::Auto => {
                let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
                !refused && io::stderr().is_terminal()
            }
        }
    }
}

/// Where a command writes.
pub(crate) struct Output {
    /// How results are wanted.
    pub(crate) format: Format,
    /// Whether stderr is coloured.
    pub(crate) color: bool,
    stdout: BufWriter<io::Stdout>,
    guards_terminal: bool,
}

impl Output {
    pub(crate) fn new(format: Format, color: bool) -> Self {
        let stdout = io::stdout();
        let guards_terminal = stdout.is_terminal();
        Output { format, color, stdout: BufWriter::with_capacity(64 << 10, stdout), guards_terminal }
    }

    /// One JSON value on a line of its own.
    pub(crate) fn json(&mut self, value: &impl Serialize) -> Result<()> {
        self.json_part(value)?;
        Ok(self.stdout.write_all(b"\n")?)
    }

    /// A piece of a larger JSON text: a value, without a line's end.
    pub(crate) fn json_part(&mut self, value: &impl Serialize) -> Result<()> {
        self.raw_json(&serde_json::to_string(value)?)
    }

    /// JSON text in one line; on a terminal with control characters as JSON escapes, otherwise as it is.
    pub(crate) fn raw_json(&mut self, json: &str) -> Result<()> {
        let line = text::in_one_line(json);
        let safe = if self.guards_terminal { text::guard_json(&line) } else { Cow::Borrowed(line.as_ref()) };
        Ok(self.stdout.write_all(safe.as_bytes())?)
    }

    /// A line for people, escaped.
    pub(crate) fn line(&mut self, line: impl AsRef<str>) -> Result<()> {
        Ok(writeln!(self.stdout, "{}", text::escape(line.as_ref()))?)
    }

    /// A script, exactly as it is.
    pub(crate) fn script(&mut self, script: &[u8]) -> Result<()> {
        Ok(self.stdout.write_all(script)?)
    }

    /// A table for people, each cell escaped, within the terminal's width.
    pub(crate) fn table<const N: usize>(&mut self, header: [&str; N], rows: Vec<[String; N]>) -> Result<()> {
        let mut table = Table::new();
        table.load_style(presets::NOTHING).set_header(header);
        for row in rows {
            table.add_row(row.map(|cell| text::escape(&cell).into_owned()));
        }
        for column in table.column_iter_mut() {
            column.set_padding((0, 2));
        }
        // A time stays in one piece; room is made in the columns behind it.
        let is_short = table.column_max_content_widths().first().is_some_and(|width| *width <= UNBROKEN_MAX);
        if let Some(first) = table.column_mut(0).filter(|_| is_short) {
            first.set_constraint(ColumnConstraint::ContentWidth);
        }
        if let Some((terminal_size::Width(columns), _)) = terminal_size::terminal_size_of(io::stdout()) {
            table.set_content_arrangement(ContentArrangement::Dynamic).set_width(columns);
        }
        for line in table.lines() {
            writeln!(self.stdout, "{}", line.trim_end())?;
        }
        Ok(())
    }

    /// Sends what was written on its way.
    pub(crate) fn flush(&mut self) -> Result<()> {
        Ok(self.stdout.flush()?)
    }

    /// A message for people, on stderr. Written after all results so far.
    pub(crate) fn note(&mut self, line: impl AsRef<str>) -> Result<()> {
        self.flush()?;
        // A closed stderr is nobody's problem.
        let _ = writeln!(io::stderr(), "{}", text::escape(line.as_ref()));
        Ok(())
    }
}

/// The one line of a failure.
pub(crate) fn error(line: &str, color: bool) {
    let label = if color { "\u{1b}[1;31merror:\u{1b}[0m" } else { "error:" };
    let _ = writeln!(io::stderr(), "{label} {}", text::escape(line));
}

/// Answers a command line that the parser did not take: help as it is, a mistake in one line. Gives the exit status.
pub(crate) fn refusal(error: &clap::Error) -> u8 {
    use clap::error::ErrorKind;
    if matches!(
        error.kind(),
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand
    ) {
        // Whoever closed the pipe has read enough.
        let _ = error.print();
        return if error.use_stderr() { failure::WRONG_USE } else { failure::DONE };
    }
    let rendered = error.render().to_string();
    let mut parts = rendered.split("\n\n").map(|part| part.split_whitespace().collect::<Vec<_>>().join(" "));
    let mut line = parts.next().unwrap_or_default();
    line = line.strip_prefix("error: ").unwrap_or(&line).to_owned();
    for tip in parts.filter(|part| part.starts_with("tip: ")) {
        line = format!("{line}; {}", tip.trim_start_matches("tip: "));
    }
    // The parser repeats what it does not take, also a URL in the wrong place.
    let line = url::without_secrets(&line);
    self::error(&format!("{line}; see 'strongroom --help'"), Color::Auto.on_stderr());
    failure::WRONG_USE
}
