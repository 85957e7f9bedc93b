//! Days, microseconds and the proleptic Gregorian calendar of years 1..=9999.

/// Microseconds in a second.
pub(super) const SECOND: i64 = 1_000_000;
/// Microseconds in a day.
pub(super) const DAY: i64 = 86_400 * SECOND;
/// The last microsecond of the year 9999, since the Unix epoch.
pub(super) const LAST: i64 = 253_402_300_800 * SECOND - 1;
/// The first microsecond of the year 1, since the Unix epoch.
pub(super) const FIRST: i64 = -62_135_596_800 * SECOND;

/// Days since 1970-01-01; `None` if the date does not exist or its year is not 1..=9999.
pub(super) fn date(year: u32, month: u32, day: u32) -> Option<i32> {
    let exists = (1..=9999).contains(&year) && (1..=days_in_month(year, month)?).contains(&day);
    exists.then(|| days_from_civil(year, month, day))
}

/// Days since 1970-01-01 of day `ordinal` (from 1) of `year`.
pub(super) fn ordinal_date(year: u32, ordinal: u32) -> Option<i32> {
    let new_year = date(year, 1, 1)?;
    let exists = (1..=days_in_year(year)).contains(&ordinal);
    // The cast is exact: at most 366.
    exists.then(|| new_year + ordinal as i32 - 1)
}

/// Days since 1970-01-01 of an ISO week date.
///
/// As pendulum's `iso_to_ymd`: week 0 and day 0 are taken too, as the days before the first.
pub(super) fn week_date(year: u32, week: u32, day: u32) -> Option<i32> {
    let fourth = date(year, 1, 4)?;
    // 1970-01-01 was a Thursday; 0 is Monday.
    let weekday_of_fourth = (fourth + 3).rem_euclid(7);
    if week > weeks_in_year(year, weekday_of_fourth) || day > 7 {
        return None;
    }
    let first_monday = fourth - weekday_of_fourth;
    // The casts are exact: week is at most 53, day at most 7.
    let days = first_monday + (week as i32 - 1) * 7 + day as i32 - 1;
    (days >= date(1, 1, 1)? && days <= date(9999, 12, 31)?).then_some(days)
}

/// Microseconds since midnight; `None` if there is no such time in Python (no 24:00, no `:60`).
pub(super) fn time(hour: u32, minute: u32, second: u32, micros: u32) -> Option<i64> {
    let exists = hour < 24 && minute < 60 && second < 60 && micros < 1_000_000;
    exists.then(|| i64::from((hour * 60 + minute) * 60 + second) * SECOND + i64::from(micros))
}

/// Year, month and day of a day since 1970-01-01. The year may be outside 1..=9999.
pub fn civil_from_days(days: i64) -> (i64, u32, u32) {
    // Howard Hinnant's algorithm: years begin in March, so the leap day is the last one.
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let of_era = shifted.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * of_year + 2) / 153;
    // The casts are exact: a day is 1..=31, a month 1..=12.
    let day = (of_year - (153 * month_from_march + 2) / 5 + 1) as u32;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month as u32, day)
}

fn days_from_civil(year: u32, month: u32, day: u32) -> i32 {
    // The reverse of `civil_from_days`; all numbers are positive for years from 1.
    let year = if month <= 2 { year - 1 } else { year };
    let era = year / 400;
    let year_of_era = year % 400;
    let month_from_march = (month + 9) % 12;
    let of_year = (153 * month_from_march + 2) / 5 + day - 1;
    let of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + of_year;
    // The cast is exact: below 4 million.
    (era * 146_097 + of_era) as i32 - 719_468
}

fn days_in_month(year: u32, month: u32) -> Option<u32> {
    match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => Some(31),
        4 | 6 | 9 | 11 => Some(30),
        2 => Some(if is_leap(year) { 29 } else { 28 }),
        _ => None,
    }
}

fn days_in_year(year: u32) -> u32 {
    if is_leap(year) { 366 } else { 365 }
}

/// 53 weeks if the year begins on a Thursday, or on a Wednesday and is a leap year.
fn weeks_in_year(year: u32, weekday_of_fourth: i32) -> u32 {
    let weekday_of_first = (weekday_of_fourth + 4) % 7;
    let long = weekday_of_first == 3 || (weekday_of_first == 2 && is_leap(year));
    if long { 53 } else { 52 }
}

fn is_leap(year: u32) -> bool {
    year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_day_there_is_comes_back() {
        let (mut expected, last) = (-719_162, 2_932_896);
        for year in 1..=9999 {
            for month in 1..=12 {
                for day in 1..=31 {
                    if let Some(days) = date(year, month, day) {
                        assert_eq!(days, expected);
                        let back = civil_from_days(i64::from(days));
                        assert_eq!(back, (i64::from(year), month, day));
                        expected += 1;
                    }
                }
            }
        }
        assert_eq!(expected - 1, last);
        assert_eq!((FIRST / DAY, LAST / DAY), (-719_162, 2_932_896));
    }

    #[test]
    fn what_does_not_exist_is_refused() {
        assert_eq!(date(0, 1, 1), None);
        assert_eq!(date(10_000, 1, 1), None);
        assert_eq!(date(2023, 2, 29), None);
        assert_eq!(date(2024, 13, 1), None);
        assert_eq!(ordinal_date(2023, 366), None);
        assert_eq!(ordinal_date(2024, 0), None);
        assert_eq!(time(24, 0, 0, 0), None);
        assert_eq!(time(23, 59, 60, 0), None);
    }

    #[test]
    fn weeks_are_those_of_iso() {
        assert_eq!(week_date(2024, 5, 2), date(2024, 1, 30));
        assert_eq!(week_date(2020, 53, 7), date(2021, 1, 3));
        assert_eq!(week_date(2021, 53, 1), None);
        assert_eq!(week_date(2021, 1, 8), None);
        assert_eq!(week_date(9999, 52, 7), None);
        // Not ISO, but pendulum takes them.
        assert_eq!(week_date(2024, 0, 0), date(2023, 12, 24));
    }
}
