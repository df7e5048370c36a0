//! A recorder that keeps every figure, for tests.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use metrics::{
    Counter, CounterFn, Gauge, GaugeFn, Histogram, HistogramFn, Key, KeyName, Metadata, Recorder, SharedString, Unit,
};

/// How often a figure came, and the sum.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Figure {
    pub times: u64,
    pub sum: f64,
}

/// All figures, by kind, name and labels: `counter strongroom_conflicts_total{collection=letters}`.
#[derive(Clone, Debug, Default)]
pub struct Figures {
    kept: Arc<Mutex<BTreeMap<String, Figure>>>,
    described: Arc<Mutex<BTreeMap<String, String>>>,
}

impl Figures {
    pub fn get(&self, name: &str) -> Figure {
        self.kept.lock().unwrap().get(name).copied().unwrap_or_default()
    }

    /// Everything that it was told, as text.
    pub fn names(&self) -> Vec<String> {
        self.kept.lock().unwrap().keys().cloned().collect()
    }

    /// What each name was described with.
    pub fn described(&self) -> BTreeMap<String, String> {
        self.described.lock().unwrap().clone()
    }

    fn cell(&self, kind: &str, key: &Key) -> Arc<Cell> {
        let labels: Vec<_> = key.labels().map(|label| format!("{}={}", label.key(), label.value())).collect();
        Arc::new(Cell { figures: self.clone(), name: format!("{kind} {}{{{}}}", key.name(), labels.join(",")) })
    }

    fn describe(&self, kind: &str, name: &KeyName, unit: Option<Unit>, meaning: &str) {
        let unit = unit.map_or("none", |unit| unit.as_str());
        self.described.lock().unwrap().insert(name.as_str().to_owned(), format!("{kind} {unit} {meaning}"));
    }
}

struct Cell {
    figures: Figures,
    name: String,
}

impl Cell {
    fn add(&self, value: f64) {
        let mut kept = self.figures.kept.lock().unwrap();
        let figure = kept.entry(self.name.clone()).or_default();
        figure.times += 1;
        figure.sum += value;
    }
}

impl CounterFn for Cell {
    fn increment(&self, value: u64) {
        self.add(value as f64);
    }
    fn absolute(&self, _: u64) {
        panic!("nothing sets a counter");
    }
}

impl GaugeFn for Cell {
    fn increment(&self, value: f64) {
        self.add(value);
    }
    fn decrement(&self, value: f64) {
        self.add(-value);
    }
    fn set(&self, _: f64) {
        panic!("nothing sets a gauge: another database would have set it, too");
    }
}

impl HistogramFn for Cell {
    fn record(&self, value: f64) {
        self.add(value);
    }
}

impl Recorder for Figures {
    fn describe_counter(&self, name: KeyName, unit: Option<Unit>, meaning: SharedString) {
        self.describe("counter", &name, unit, &meaning);
    }
    fn describe_gauge(&self, name: KeyName, unit: Option<Unit>, meaning: SharedString) {
        self.describe("gauge", &name, unit, &meaning);
    }
    fn describe_histogram(&self, name: KeyName, unit: Option<Unit>, meaning: SharedString) {
        self.describe("histogram", &name, unit, &meaning);
    }
    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        Counter::from_arc(self.cell("counter", key))
    }
    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::from_arc(self.cell("gauge", key))
    }
    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::from_arc(self.cell("histogram", key))
    }
}
