//! Lengths of time and of data, as people write and read them.

use thiserror::Error;

/// What is no length of time.
#[derive(Debug, PartialEq, Eq, Error)]
#[error("{0:?} is no length of time: write 30s, 5m, 2h or 1d")]
pub(crate) struct NotALifetime(String);

/// Seconds of a length of time such as `30s`, `5m`, `2h`, `1d`; a number alone is seconds.
pub(crate) fn seconds(text: &str) -> Result<u64, NotALifetime> {
    let refused = || NotALifetime(text.to_owned());
    let (number, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()));
    let factor = match unit {
        "" | "s" => 1,
        "m" | "min" => 60,
        "h" => 3_600,
        "d" => 86_400,
        _other_units => return Err(refused()),
    };
    number.parse::<u64>().ok().and_then(|number| number.checked_mul(factor)).ok_or_else(refused)
}

/// Seconds in the two largest units that matter.
pub(crate) fn spoken(seconds: u64) -> String {
    let two = |large: u64, unit: &str, small: u64, small_unit: &str| match small {
        0 => format!("{large} {unit}"),
        small => format!("{large} {unit} {small} {small_unit}"),
    };
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3_600 => two(seconds / 60, "min", seconds % 60, "s"),
        3_600..86_400 => two(seconds / 3_600, "h", seconds % 3_600 / 60, "min"),
        _days => two(seconds / 86_400, "d", seconds % 86_400 / 3_600, "h"),
    }
}

/// Seconds in the largest unit alone: for columns.
pub(crate) fn short(seconds: u64) -> String {
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3_600 => format!("{} min", seconds / 60),
        3_600..86_400 => format!("{} h", seconds / 3_600),
        _days => format!("{} d", seconds / 86_400),
    }
}

/// Microseconds in milliseconds, with three digits that count.
pub(crate) fn milliseconds(us: u64) -> String {
    match us {
        0..10_000 => format!("{}.{:02} ms", us / 1_000, us % 1_000 / 10),
        10_000..100_000 => format!("{}.{} ms", us / 1_000, us % 1_000 / 100),
        _longer => format!("{} ms", us / 1_000),
    }
}

/// Bytes in units of 1,000.
pub(crate) fn bytes(count: u64) -> String {
    scaled(count, "B", &["kB", "MB", "GB", "TB", "PB", "EB"])
}

/// How an interface stands that is up: with so many peers, where each is an interface of its own.
pub(crate) fn standing(peers: Option<u64>) -> String {
    match peers {
        None => "up".to_owned(),
        Some(1) => "1 peer".to_owned(),
        Some(peers) => format!("{peers} peers"),
    }
}

/// Bits per second in units of 1,000; nothing if unknown.
pub(crate) fn rate(bps: u64) -> String {
    if bps == 0 {
        "?".to_owned()
    } else {
        scaled(bps, "b/s", &["kb/s", "Mb/s", "Gb/s", "Tb/s", "Pb/s", "Eb/s"])
    }
}

/// A price for 1,024 bytes, in units of 1,000 µNXS.
pub(crate) fn price(unxs_per_kib: Option<u64>) -> String {
    const LARGER: [&str; 6] = ["mNXS/KiB", "NXS/KiB", "kNXS/KiB", "MNXS/KiB", "GNXS/KiB", "TNXS/KiB"];
    match unxs_per_kib {
        None => "of unknown cost".to_owned(),
        Some(0) => "free".to_owned(),
        Some(unxs) => scaled(unxs, "µNXS/KiB", &LARGER),
    }
}

/// The same in µNXS, for columns.
pub(crate) fn short_price(unxs_per_kib: Option<u64>) -> String {
    match unxs_per_kib {
        None => "?".to_owned(),
        Some(0) => "free".to_owned(),
        Some(unxs) => scaled(unxs, "", &["k", "M", "G", "T", "P", "E"]).replace(' ', ""),
    }
}

fn scaled(count: u64, unit: &str, larger: &[&str]) -> String {
    let (mut whole, mut rest, mut name) = (count, 0, unit);
    for unit in larger {
        if whole < 1_000 {
            break;
        }
        (whole, rest, name) = (whole / 1_000, whole % 1_000, unit);
    }
    if name == unit || whole >= 100 {
        format!("{whole} {name}")
    } else {
        format!("{whole}.{} {name}", rest / 100)
    }
}

/// A point in Unix time as people write it, in UTC.
pub(crate) fn utc(unix_s: u64) -> String {
    let (days, second) = (unix_s / 86_400, unix_s % 86_400);
    let (year, month, day) = civil(days);
    format!(
        "{year:04}-{month:02}-{day:02} {:02}:{:02}:{:02}Z",
        second / 3_600,
        second % 3_600 / 60,
        second % 60
    )
}

/// The date so many days after 1970-01-01: years of 365 or 366 days, counted from March so that the leap day comes last.
fn civil(days: u64) -> (u64, u64, u64) {
    let from_march = days + 719_468;
    let (era, day_of_era) = (from_march / 146_097, from_march % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (era * 400 + year_of_era + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_time_are_read_and_spoken() {
        let read = |text| seconds(text).ok();
        assert_eq!(["0", "30s", "5m", "2h", "1d"].map(read), [0, 30, 300, 7_200, 86_400].map(Some));
        assert_eq!(["", "s", "-1s", "5 m", "1w", "1.5h", "99999999999999999999"].map(read), [None; 7]);
        assert_eq!(
            [0, 59, 60, 61, 3_600, 5_400, 90_000].map(spoken),
            ["0 s", "59 s", "1 min", "1 min 1 s", "1 h", "1 h 30 min", "1 d 1 h"]
        );
        assert_eq!([59, 119, 7_199, 172_799].map(short), ["59 s", "1 min", "1 h", "1 d"]);
    }

    #[test]
    fn quantities_keep_the_digits_that_count() {
        assert_eq!(
            [0, 999, 1_000, 123_456, 1_234_567].map(bytes),
            ["0 B", "999 B", "1.0 kB", "123 kB", "1.2 MB"]
        );
        assert_eq!(bytes(u64::MAX), "18.4 EB");
        assert_eq!([0, 300, 10_000_000].map(rate), ["?", "300 b/s", "10.0 Mb/s"]);
        assert_eq!(
            [7, 1_234, 12_345, 123_456].map(milliseconds),
            ["0.00 ms", "1.23 ms", "12.3 ms", "123 ms"]
        );
    }

    #[test]
    fn prices_are_read_in_the_unit_that_fits() {
        assert_eq!(
            [None, Some(0), Some(40), Some(1_234), Some(2_500_000)].map(price),
            ["of unknown cost", "free", "40 µNXS/KiB", "1.2 mNXS/KiB", "2.5 NXS/KiB"]
        );
        assert_eq!(price(Some(u64::MAX)), "18.4 TNXS/KiB");
        assert_eq!(
            [None, Some(0), Some(40), Some(1_234), Some(u64::MAX)].map(short_price),
            ["?", "free", "40", "1.2k", "18.4E"]
        );
    }

    #[test]
    fn dates_are_right_at_their_edges() {
        assert_eq!(utc(0), "1970-01-01 00:00:00Z");
        assert_eq!(utc(951_782_399), "2000-02-28 23:59:59Z");
        assert_eq!(utc(951_782_400), "2000-02-29 00:00:00Z");
        assert_eq!(utc(1_798_761_599), "2026-12-31 23:59:59Z");
        assert_eq!(utc(4_107_542_400), "2100-03-01 00:00:00Z");
    }
}
