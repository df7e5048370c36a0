//! How far an import is, on stderr, and only when that is a terminal.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::text;

/// A progress bar, or nothing.
pub(crate) struct Progress(ProgressBar);

impl Progress {
    /// Of an input of `bytes`, if that is known.
    pub(crate) fn new(bytes: Option<u64>, color: bool) -> Self {
        // Hidden where stderr is no terminal.
        let bar = ProgressBar::with_draw_target(bytes, ProgressDrawTarget::stderr());
        let template = match (bytes, color) {
            (Some(_), true) => "{bar:30.cyan} {percent:>3}%  {msg}, {eta} left",
            (Some(_), false) => "{bar:30} {percent:>3}%  {msg}, {eta} left",
            (None, true) => "{spinner:.cyan} {msg}",
            (None, false) => "{spinner} {msg}",
        };
        let style = ProgressStyle::with_template(template).expect("the templates above are well-formed");
        bar.set_style(style);
        Progress(bar)
    }

    /// So many bytes are read, and so many events.
    pub(crate) fn at(&self, bytes: u64, events: u64) {
        let rate = events as f64 / self.0.elapsed().as_secs_f64().max(0.001);
        self.0.set_message(format!("{}, {} a second", text::counted(events, "event"), text::count(rate as u64)));
        self.0.set_position(bytes);
    }

    /// Clears it away.
    pub(crate) fn finish(&self) {
        self.0.finish_and_clear();
    }
}
