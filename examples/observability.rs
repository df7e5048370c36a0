//! What a program sees of its store: a line for each operation, and figures: `cargo run --example observability --features memory,metrics,tracing`.
#![allow(clippy::print_stdout, reason = "it is a program that prints what it sees")]

use std::sync::Arc;

use metrics::{Counter, Gauge, Histogram, HistogramFn, Key, KeyName, Metadata, Recorder, SharedString, Unit};
use strongroom::engine::{self, Metadata as Note};
use strongroom::{Database, observe};
use tracing_subscriber::fmt::format::FmtSpan;

/// Prints each figure as it comes. A program has an exporter here, such as that for Prometheus.
struct Print;
struct Printed(Key);

impl HistogramFn for Printed {
    fn record(&self, value: f64) {
        let labels: Vec<_> = self.0.labels().map(|label| format!("{}={}", label.key(), label.value())).collect();
        println!("{} {} {value:.6}", self.0.name(), labels.join(","));
    }
}

impl Recorder for Print {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn register_counter(&self, _: &Key, _: &Metadata<'_>) -> Counter {
        Counter::noop()
    }
    fn register_gauge(&self, _: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::noop()
    }
    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::from_arc(Arc::new(Printed(key.clone())))
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    tracing_subscriber::fmt()
        .with_max_level(tracing::Level::DEBUG) // the calls of the backend come with TRACE
        .with_span_events(FmtSpan::CLOSE)
        .init();
    metrics::set_global_recorder(Print)?;
    observe::describe();

    let db = Database::open(strongroom::open("memory:").await?, engine::schema()).await?;
    for key in ["theme", "language", "drafts"] {
        db.put(&Note { key: key.to_owned(), value: r#"{"never":"shown"}"#.parse()? }).await?;
    }
    db.get(&Note::key("theme")).await?;

    let activity = db.activity();
    println!("{} commits in {} groups, {} wait", activity.commits, activity.groups, activity.queued);
    for (collection, size) in db.sizes().await? {
        println!("{collection}: {} records, {} bytes", size.records, size.record_bytes);
    }
    db.close().await?;
    Ok(())
}
