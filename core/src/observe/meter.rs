//! Figures on their way to the crate `metrics`; without the feature, nowhere.

use super::Metric;

/// The values of a metric's labels, in the order of [`Metric::labels`]; an empty one is left out.
pub type Labels<'l> = &'l [&'static str];

/// Adds to a counter.
#[inline]
pub fn count(metric: &'static Metric, labels: Labels<'_>, by: u64) {
    #[cfg(feature = "metrics")]
    metrics::counter!(metric.name, named(metric, labels)).increment(by);
    #[cfg(not(feature = "metrics"))]
    let _ = (metric, labels, by);
}

/// Moves a gauge up, or down if `by` is negative.
#[inline]
pub fn add(metric: &'static Metric, labels: Labels<'_>, by: f64) {
    #[cfg(feature = "metrics")]
    metrics::gauge!(metric.name, named(metric, labels)).increment(by);
    #[cfg(not(feature = "metrics"))]
    let _ = (metric, labels, by);
}

/// Adds one number to a histogram.
#[inline]
pub fn record(metric: &'static Metric, labels: Labels<'_>, value: f64) {
    #[cfg(feature = "metrics")]
    metrics::histogram!(metric.name, named(metric, labels)).record(value);
    #[cfg(not(feature = "metrics"))]
    let _ = (metric, labels, value);
}

#[cfg(feature = "metrics")]
fn named(metric: &'static Metric, values: Labels<'_>) -> Vec<metrics::Label> {
    let labels = metric.labels.iter().zip(values).filter(|(_, value)| !value.is_empty());
    labels.map(|(name, value)| metrics::Label::from_static_parts(name, value)).collect()
}

/// Tells the recorder what each figure means and which unit it has. Call it once, after the recorder was installed.
#[cfg(feature = "metrics")]
#[cfg_attr(docsrs, doc(cfg(feature = "metrics")))]
pub fn describe() {
    use super::Kind;
    for metric in super::ALL {
        let unit = match metric.unit {
            "seconds" => metrics::Unit::Seconds,
            "bytes" => metrics::Unit::Bytes,
            _ => metrics::Unit::Count,
        };
        match metric.kind {
            Kind::Counter => metrics::describe_counter!(metric.name, unit, metric.meaning),
            Kind::Gauge => metrics::describe_gauge!(metric.name, unit, metric.meaning),
            Kind::Histogram => metrics::describe_histogram!(metric.name, unit, metric.meaning),
        }
    }
}
