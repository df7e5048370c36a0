//! A subscriber that keeps every line, of every level and target, for tests.

use std::io;
use std::sync::{Arc, Mutex};

use tracing::Subscriber;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::fmt::format::FmtSpan;

/// What was written.
#[derive(Clone, Debug, Default)]
pub struct Lines(Arc<Mutex<Vec<u8>>>);

impl Lines {
    /// Writes a line for each event, and for each beginning and end of a span, with the fields of all spans around it.
    pub fn subscriber(&self) -> impl Subscriber + Send + Sync + use<> {
        let builder = tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE);
        builder.with_span_events(FmtSpan::FULL).without_time().with_ansi(false).with_writer(self.clone()).finish()
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap()).into_owned()
    }
}

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Lines {
    type Writer = Lines;

    fn make_writer(&self) -> Lines {
        self.clone()
    }
}
