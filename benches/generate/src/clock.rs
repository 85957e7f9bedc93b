//! ISO 8601 timestamps from seconds since 1970, without a calendar crate.

use crate::json::Json;

/// 2024-01-01T00:00:00Z.
pub(crate) const START: u64 = 1_704_067_200;

/// Appends `2024-01-01T00:00:07`, with `fraction` digits of `micros` after a point, and `zone`.
pub(crate) fn write(out: &mut Json, seconds: u64, micros: u64, fraction: usize, zone: &str) {
    let (year, month, day) = civil(seconds / 86_400);
    let of_day = seconds % 86_400;
    out.digits(year, 4);
    for (mark, number) in
        [(b'-', month), (b'-', day), (b'T', of_day / 3600), (b':', of_day / 60 % 60), (b':', of_day % 60)]
    {
        out.buffer.push(mark);
        out.digits(number, 2);
    }
    if fraction > 0 {
        out.buffer.push(b'.');
        out.digits(micros / 10u64.pow(6 - fraction as u32), fraction);
    }
    out.buffer.extend_from_slice(zone.as_bytes());
}

/// Year, month and day of a day counted from 1970-01-01 (Howard Hinnant's `civil_from_days`).
fn civil(days: u64) -> (u64, u64, u64) {
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_days() {
        assert_eq!(civil(0), (1970, 1, 1));
        assert_eq!(civil(START / 86_400), (2024, 1, 1));
        assert_eq!(civil(START / 86_400 + 59), (2024, 2, 29));
        assert_eq!(civil(START / 86_400 + 366), (2025, 1, 1));
    }

    #[test]
    fn fraction_and_zone() {
        let mut json = Json::default();
        write(&mut json, START + 7, 32_383, 3, "Z");
        assert_eq!(json.buffer, b"2024-01-01T00:00:07.032Z");
    }
}
