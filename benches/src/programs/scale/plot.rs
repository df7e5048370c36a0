//! Plots: one line a stack, the number of messages to the right, both axes logarithmic.

use std::path::Path;

use plotters::prelude::*;
use strongroom::{Error, ErrorKind, Result};

use super::measure::Point;
use super::record::Series;

/// A plot of one column.
pub(super) struct Plot {
    /// The name of its file.
    pub(super) name: &'static str,
    pub(super) title: &'static str,
    value: fn(&Point) -> f64,
}

pub(super) const PLOTS: [Plot; 7] = [
    Plot { name: "page", title: "A page of 50, µs", value: |point| point.page_ns as f64 / 1e3 },
    Plot { name: "get", title: "A get of any message, µs", value: |point| point.cold_ns as f64 / 1e3 },
    Plot { name: "save", title: "A durable save, µs", value: |point| point.save_ns as f64 / 1e3 },
    Plot { name: "import", title: "The import of one message, µs", value: |point| point.import_ns as f64 / 1e3 },
    Plot { name: "reopen", title: "Reopening after a kill, ms", value: |point| point.reopen_ns as f64 / 1e6 },
    Plot { name: "memory", title: "Memory of an import, MB", value: |point| point.peak_bytes as f64 / 1e6 },
    Plot {
        name: "bytes",
        title: "Bytes on the medium, a message",
        value: |point| point.disk_bytes as f64 / point.messages as f64,
    },
];

const SIZE: (u32, u32) = (720, 420);
/// Told apart also by those who do not tell red from green.
const COLORS: [RGBColor; 6] = [
    RGBColor(0, 114, 178),
    RGBColor(230, 159, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(86, 180, 233),
    RGBColor(213, 94, 0),
];

/// Writes every plot into a folder.
pub(super) fn write(folder: &Path, all: &[Series<'_>]) -> Result<()> {
    PLOTS.iter().try_for_each(|plot| {
        draw(&folder.join(plot.name).with_extension("svg"), plot, all).map_err(|error| {
            let message = format!("the plot {} cannot be drawn: {error}", plot.name);
            Error::new(ErrorKind::Io, message)
        })
    })
}

/// A number at an axis, if it begins with one of these digits: there is no room for all.
fn label(value: f64, digits: &[u32]) -> String {
    let text = if value < 10.0 { format!("{value:.1}") } else { format!("{value:.0}") };
    let first = text.chars().find_map(|digit| digit.to_digit(10).filter(|digit| *digit > 0));
    if first.is_some_and(|first| digits.contains(&first)) { text } else { String::new() }
}

fn draw(path: &Path, plot: &Plot, all: &[Series<'_>]) -> std::result::Result<(), Box<dyn std::error::Error>> {
    let points = || all.iter().flat_map(|(_, points)| points).map(|measured| &measured.point);
    let values = || points().map(plot.value).filter(|value| *value > 0.0);
    let (low, high) = values().fold((f64::INFINITY, 0.0_f64), |(low, high), value| (low.min(value), high.max(value)));
    let from = points().map(|point| point.messages).min().unwrap_or(1) as f64;
    let to = points().map(|point| point.messages).max().unwrap_or(10) as f64;
    if low > high {
        return Ok(());
    }

    // More than a third of the height above all lines, for their names.
    let top = high * (2.0 * high / low).powf(0.6);
    let area = SVGBackend::new(path, SIZE).into_drawing_area();
    area.fill(&WHITE)?;
    let mut chart = ChartBuilder::on(&area)
        .caption(plot.title, ("sans-serif", 20))
        .margin(12)
        .x_label_area_size(40)
        .y_label_area_size(64)
        .build_cartesian_2d((from * 0.8..to * 1.25).log_scale(), (low * 0.5..top).log_scale())?;
    chart
        .configure_mesh()
        .x_desc("messages")
        .x_label_formatter(&|messages| label(*messages, &[1]))
        .y_label_formatter(&|value| label(*value, &[1, 2, 5]))
        .light_line_style(WHITE)
        .draw()?;
    for ((stack, points), color) in all.iter().zip(COLORS.iter().cycle()) {
        let line = || points.iter().map(|measured| (measured.point.messages as f64, (plot.value)(&measured.point)));
        chart
            .draw_series(LineSeries::new(line(), color.stroke_width(2)))?
            .label(stack)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], color.stroke_width(2)));
        chart.draw_series(line().map(|point| Circle::new(point, 3, color.filled())))?;
    }
    let labels = SeriesLabelPosition::UpperLeft;
    chart.configure_series_labels().position(labels).background_style(WHITE.mix(0.8)).border_style(BLACK).draw()?;
    area.present()?;
    Ok(())
}
