//! Times on the command line and in tables: RFC 3339 or milliseconds since the Unix epoch.

use strongroom::Timestamp;

/// The bound for "strictly before `text`".
///
/// Stored times are whole milliseconds, so a finer time is rounded up: what lies in its millisecond is before it.
pub(crate) fn parse(text: &str) -> Result<Timestamp, String> {
    if let Ok(millis) = text.parse::<i64>() {
        return Ok(Timestamp::from_millis(millis));
    }
    let moment: jiff::Timestamp = text.parse().map_err(|_| {
        format!("'{text}' is no time; give RFC 3339 like 2024-05-01T12:00:00Z, or milliseconds since 1970")
    })?;
    let millis = moment.as_nanosecond().div_euclid(1_000_000) + i128::from(moment.as_nanosecond() % 1_000_000 != 0);
    i64::try_from(millis)
        .map(Timestamp::from_millis)
        .map_err(|_| format!("'{text}' is out of range; give a time that fits in 64-bit milliseconds"))
}

/// As people read it: RFC 3339 in UTC, or plain milliseconds where a calendar has no such year.
pub(crate) fn show(time: Timestamp) -> String {
    match jiff::Timestamp::from_millisecond(time.as_millis()) {
        Ok(moment) => format!("{moment:.3}"),
        Err(_) => time.as_millis().to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn milliseconds_and_rfc_3339_are_the_same_moment() {
        let parsed = |text| parse(text).unwrap().as_millis();
        assert_eq!(parsed("1714564800000"), 1_714_564_800_000);
        assert_eq!(parsed("2024-05-01T12:00:00Z"), 1_714_564_800_000);
        assert_eq!(parsed("2024-05-01T14:00:00+02:00"), 1_714_564_800_000);
        assert_eq!(parsed("-5"), -5);
    }

    #[test]
    fn a_finer_time_is_rounded_up() {
        let parsed = |text| parse(text).unwrap().as_millis();
        assert_eq!(parsed("1970-01-01T00:00:00.001Z"), 1);
        assert_eq!(parsed("1970-01-01T00:00:00.0011Z"), 2);
        assert_eq!(parsed("1969-12-31T23:59:59.9995Z"), 0);
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for text in ["", "yesterday", "2024-05-01", "12:00", "1e9", "99999999999999999999"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_time_is_shown_in_utc_and_the_unshowable_as_a_number() {
        assert_eq!(show(Timestamp::from_millis(1_714_564_800_007)), "2024-05-01T12:00:00.007Z");
        assert_eq!(show(Timestamp::MAX), i64::MAX.to_string());
    }
}
