//! Python's `repr(float)`: numbers as texts.

/// `repr(number)` (and `str(number)`) of a Python float: the shortest digits that read back as
/// the same number, with an exponent below 1e-4 and from 1e16.
#[must_use]
pub fn float_repr(number: f64) -> String {
    if number.is_nan() {
        return "nan".to_owned();
    }
    if number.is_infinite() {
        return if number > 0.0 { "inf" } else { "-inf" }.to_owned();
    }
    let size = number.abs();
    let scientific = shortest(number);
    let Some((digits, exponent)) = scientific.split_once('e') else {
        return scientific; // Cannot be: the format always has an exponent.
    };
    if size != 0.0 && !(1e-4..1e16).contains(&size) {
        return match exponent.strip_prefix('-') {
            Some(exponent) => format!("{digits}e-{exponent:0>2}"),
            None => format!("{digits}e+{exponent:0>2}"),
        };
    }
    // As many digits after the point as the shortest digits have, at least one.
    let after_point = digits.split_once('.').map_or(0, |(_, after)| after.len());
    let after_point =
        after_point.try_into().map_or(0, |after: i32| after.saturating_sub(exponent.parse().unwrap_or(0)));
    format!("{number:.*}", usize::try_from(after_point).unwrap_or(0).max(1))
}

/// The shortest digits that read back as `number`, in Rust's scientific form.
///
/// Where the number lies in the middle between two of them, Rust takes the upper and Python the
/// even one (2**-25 ends in 12, not 13); so the same number of digits is rounded once more,
/// unless that rounding is too far away, as it can be below a power of two.
fn shortest(number: f64) -> String {
    let shortest = format!("{number:e}");
    let digits = shortest.bytes().take_while(|&byte| byte != b'e').filter(u8::is_ascii_digit);
    let rounded = format!("{number:.*e}", digits.count().saturating_sub(1));
    if rounded.parse() == Ok(number) { rounded } else { shortest }
}

#[cfg(test)]
mod tests {
    use super::float_repr;

    #[test]
    fn floats_are_written_as_python_does() {
        let pairs = [
            (1.0, "1.0"),
            (-0.0, "-0.0"),
            (0.1, "0.1"),
            (1e15, "1000000000000000.0"),
            (9_999_999_999_999_998.0, "9999999999999998.0"),
            (1e16, "1e+16"),
            (1.5e300, "1.5e+300"),
            (0.0001, "0.0001"),
            (0.00001, "1e-05"),
            (-1.25e-7, "-1.25e-07"),
            (5e-324, "5e-324"),
            (2.0_f64.powi(-25), "2.9802322387695312e-08"),
            (2.0_f64.powi(-44), "5.684341886080802e-14"),
            (f64::NEG_INFINITY, "-inf"),
            (f64::NAN, "nan"),
        ];
        for (number, text) in pairs {
            assert_eq!(float_repr(number), text);
        }
    }
}
