//! Sizes, times and ranges on the command line.

use std::str::FromStr;

use bytesize::ByteSize;
use jiff::{Span, SpanRelativeTo, Unit};

/// A number of bytes: `1024`, `2GiB`, `100MB`.
pub(crate) fn size(text: &str) -> Result<u64, String> {
    text.parse::<ByteSize>()
        .map(|size| size.as_u64())
        .map_err(|_| format!("'{text}' is no size; give one like 2GiB or 100MB"))
}

/// Bytes as people read them: `1.5 MiB`.
pub(crate) fn show_size(bytes: u64) -> String {
    ByteSize::b(bytes).display().iec().to_string()
}

/// A time in milliseconds: `36h`, `90d`, `1y`. A day has 24 hours, a year 365 days.
pub(crate) fn duration_ms(text: &str) -> Result<u64, String> {
    let wrong = || format!("'{text}' is no time; give one like 36h, 90d or 1y");
    let span: Span = text.parse().map_err(|_| wrong())?;
    let days = span.get_years() as i64 * 365 + span.get_months() as i64 * 30 + i64::from(span.get_weeks()) * 7;
    let rest = Span::new()
        .days(i64::from(span.get_days()))
        .hours(i64::from(span.get_hours()))
        .minutes(span.get_minutes())
        .seconds(span.get_seconds())
        .milliseconds(span.get_milliseconds());
    let rest = rest.total((Unit::Millisecond, SpanRelativeTo::days_are_24_hours())).map_err(|_| wrong())?;
    let millis = days as f64 * 86_400_000.0 + rest;
    if millis >= 0.0 { Ok(millis as u64) } else { Err(wrong()) }
}

/// As [`duration_ms`], from two days: a shorter time would take what is read daily, since that is noted once a day.
pub(crate) fn unused_ms(text: &str) -> Result<u64, String> {
    let millis = duration_ms(text)?;
    if millis < 2 * 86_400_000 { Err(format!("'{text}' is too short; give 2d or more")) } else { Ok(millis) }
}

/// A kind of media, like `image/png`.
pub(crate) fn mime_type(text: &str) -> Result<String, String> {
    match text.split_once('/') {
        Some((kind, of_it)) if !kind.is_empty() && !of_it.is_empty() => Ok(text.to_owned()),
        _ => Err(format!("'{text}' is no kind; give one like image/png")),
    }
}

/// Some bytes, as HTTP writes them: both ends inclusive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ByteRange {
    /// `A-` or `A-B`.
    From(u64, Option<u64>),
    /// `-N`: the last ones.
    Last(u64),
}

impl FromStr for ByteRange {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("'{text}' is no range; give one like 100-199, 100- or -50");
        let (first, last) = text.split_once('-').ok_or_else(wrong)?;
        let number = |text: &str| text.parse::<u64>().map_err(|_| wrong());
        match (first, last) {
            ("", last) => Ok(ByteRange::Last(number(last)?)),
            (first, "") => Ok(ByteRange::From(number(first)?, None)),
            (first, last) => {
                let (first, last) = (number(first)?, number(last)?);
                if first <= last { Ok(ByteRange::From(first, Some(last))) } else { Err(wrong()) }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_and_shown() {
        assert_eq!(
            ["1024", "2GiB", "100MB", "1 KiB"].map(|text| size(text).unwrap()),
            [1024, 2 << 30, 100_000_000, 1024]
        );
        assert!(["", "much", "-1"].iter().all(|text| size(text).is_err()));
        assert_eq!(show_size(1_572_864), "1.5 MiB");
    }

    #[test]
    fn times_are_read() {
        let day = 86_400_000;
        assert_eq!(
            ["36h", "90d", "1y", "2 weeks", "1d 12h"].map(|text| duration_ms(text).unwrap()),
            [36 * 3_600_000, 90 * day, 365 * day, 14 * day, 36 * 3_600_000]
        );
        assert!(["", "5", "soon", "-1d"].iter().all(|text| duration_ms(text).is_err()));
    }

    #[test]
    fn ranges_are_as_in_http() {
        let parsed = |text: &str| text.parse::<ByteRange>();
        assert_eq!(parsed("100-199"), Ok(ByteRange::From(100, Some(199))));
        assert_eq!(parsed("100-"), Ok(ByteRange::From(100, None)));
        assert_eq!(parsed("-50"), Ok(ByteRange::Last(50)));
        assert!(["", "-", "5", "2-1", "a-b", "1-2-3"].iter().all(|text| parsed(text).is_err()));
    }
}
