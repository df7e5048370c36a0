//! How far a long command is, on stderr, and only when that is a terminal.

use std::io::{self, Write};
use std::sync::atomic::{AtomicU64, Ordering};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::{text, units};

/// A progress bar, or nothing.
pub(crate) struct Progress {
    bar: ProgressBar,
    noun: &'static str,
    /// What was done by an earlier command, and does not count for the rate.
    begun_at: AtomicU64,
}

impl Progress {
    /// Of work of size `total`, if that is known, on things that are called `noun`.
    pub(crate) fn new(total: Option<u64>, noun: &'static str, color: bool) -> Self {
        // Hidden where stderr is no terminal.
        let bar = ProgressBar::with_draw_target(total, ProgressDrawTarget::stderr());
        let template = match (total, color) {
            (Some(_), true) => "{bar:30.cyan} {percent:>3}%  {msg}, {eta} left",
            (Some(_), false) => "{bar:30} {percent:>3}%  {msg}, {eta} left",
            (None, true) => "{spinner:.cyan} {msg}",
            (None, false) => "{spinner} {msg}",
        };
        let style = ProgressStyle::with_template(template).expect("the templates above are well-formed");
        bar.set_style(style);
        Progress { bar, noun, begun_at: AtomicU64::new(0) }
    }

    /// Of so many bytes, if that is known.
    pub(crate) fn of_bytes(total: Option<u64>, color: bool) -> Self {
        Progress::new(total, "byte", color)
    }

    /// An earlier command has done so many bytes: said also where there is no bar.
    pub(crate) fn begin_at(&self, done: u64) {
        self.begun_at.store(done, Ordering::Relaxed);
        self.bar.reset_elapsed();
        // A closed stderr is nobody's problem.
        self.bar.suspend(|| _ = writeln!(io::stderr(), "going on at {}", units::show_size(done)));
    }

    /// So many bytes are done.
    pub(crate) fn bytes(&self, done: u64) {
        let now = done.saturating_sub(self.begun_at.load(Ordering::Relaxed));
        let rate = now as f64 / self.bar.elapsed().as_secs_f64().max(0.001);
        self.bar.set_message(format!("{}, {} a second", units::show_size(done), units::show_size(rate as u64)));
        self.bar.set_position(done);
    }

    /// So much of the total is done, and so many things.
    pub(crate) fn at(&self, done: u64, things: u64) {
        let rate = things as f64 / self.bar.elapsed().as_secs_f64().max(0.001);
        self.bar.set_message(format!("{}, {} a second", text::counted(things, self.noun), text::count(rate as u64)));
        self.bar.set_position(done);
    }

    /// Clears it away.
    pub(crate) fn finish(&self) {
        self.bar.finish_and_clear();
    }
}
