//! Parts of a date in the names of files.

use chrono::{DateTime, Datelike, SubsecRound, Timelike, Utc};

/// Parts of a date, as pendulum spells them.
pub(super) const DATES: [&str; 24] = [
    "YYYY", "YY", "Y", "MMMM", "MMM", "MM", "M", "DD", "D", "HH", "H", "mm", "m", "dddd", "ddd", "dd", "d", "ss", "s",
    "SSSS", "SSS", "SS", "S", "Q",
];

/// One part of a date in pendulum's way, in small letters as dlt has it.
pub(super) fn date_part(name: &str, at: DateTime<Utc>) -> String {
    let at = at.trunc_subsecs(6);
    let fraction = |digits: usize| format!("{:09}", at.nanosecond())[..digits].to_owned();
    let text = match name {
        "YYYY" => format!("{:04}", at.year()),
        "YY" => format!("{:02}", at.year() % 100),
        "Y" => at.year().to_string(),
        "MMMM" => at.format("%B").to_string(),
        "MMM" => at.format("%b").to_string(),
        "MM" => format!("{:02}", at.month()),
        "M" => at.month().to_string(),
        "DD" => format!("{:02}", at.day()),
        "D" => at.day().to_string(),
        "HH" => format!("{:02}", at.hour()),
        "H" => at.hour().to_string(),
        "mm" => format!("{:02}", at.minute()),
        "m" => at.minute().to_string(),
        "ss" => format!("{:02}", at.second()),
        "s" => at.second().to_string(),
        "dddd" => at.format("%A").to_string(),
        "ddd" => at.format("%a").to_string(),
        "dd" => at.format("%a").to_string()[..2].to_owned(),
        "d" => at.weekday().num_days_from_sunday().to_string(),
        "SSSS" => fraction(4),
        "SSS" => fraction(3),
        "SS" => fraction(2),
        "S" => fraction(1),
        _ => (at.month0() / 3 + 1).to_string(), // Q
    };
    text.to_lowercase()
}
