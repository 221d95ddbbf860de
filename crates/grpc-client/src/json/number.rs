//! Numbers of JSON, which may also be in quotes.

/// The largest exponent that is considered; beyond it no number is a 64-bit integer.
const MAX_EXPONENT: i64 = 400;

/// Whether the text is exactly one number of JSON.
pub(super) fn is_number(text: &str) -> bool {
    parts(text).is_some()
}

/// The whole number in a text, including `1e3` and `2.0`; `None` if it is not one.
pub(super) fn whole(text: &str) -> Option<i128> {
    let Parts {
        is_negative,
        whole,
        fraction,
        exponent,
    } = parts(text)?;
    let exponent: i64 = match exponent {
        "" => 0,
        digits => digits.parse().ok()?,
    };
    let digits: String = [whole, fraction].concat();
    let significant = digits.trim_end_matches('0');
    if significant.is_empty() {
        return Some(0);
    }
    if exponent.abs() > MAX_EXPONENT {
        return None;
    }
    // The number of digits before the point.
    let point = i64::try_from(whole.len()).ok()? + exponent;
    let point = usize::try_from(point).ok()?;
    if point < significant.len() || point > 60 {
        return None;
    }
    let mut digits = digits;
    digits.truncate(point);
    while digits.len() < point {
        digits.push('0');
    }
    let digits = digits.trim_start_matches('0');
    let number: i128 = digits.parse().ok()?;
    Some(if is_negative { -number } else { number })
}

struct Parts<'a> {
    is_negative: bool,
    whole: &'a str,
    fraction: &'a str,
    exponent: &'a str,
}

fn parts(text: &str) -> Option<Parts<'_>> {
    let are_digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let (rest, is_negative) = match text.strip_prefix('-') {
        Some(rest) => (rest, true),
        None => (text, false),
    };
    let (mantissa, exponent) = match rest.find(['e', 'E']) {
        Some(at) => (&rest[..at], Some(&rest[at + 1..])),
        None => (rest, None),
    };
    let (whole, fraction) = match mantissa.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (mantissa, None),
    };
    let has_leading_zero = whole.len() > 1 && whole.starts_with('0');
    let exponent_digits = exponent.map(|text| text.strip_prefix(['+', '-']).unwrap_or(text));
    let is_right = are_digits(whole)
        && !has_leading_zero
        && fraction.is_none_or(are_digits)
        && exponent_digits.is_none_or(are_digits);
    is_right.then(|| Parts {
        is_negative,
        whole,
        fraction: fraction.unwrap_or_default(),
        exponent: exponent.map_or("", |text| text.strip_prefix('+').unwrap_or(text)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_numbers_have_many_notations() {
        for (text, expected) in [
            ("0", Some(0)),
            ("-0", Some(0)),
            ("12", Some(12)),
            ("1e3", Some(1000)),
            ("1.5e1", Some(15)),
            ("2.0", Some(2)),
            ("1200e-2", Some(12)),
            ("-9223372036854775808", Some(-9_223_372_036_854_775_808)),
            ("18446744073709551615", Some(18_446_744_073_709_551_615)),
            ("0e999999", Some(0)),
            ("1.5", None),
            ("1e-1", None),
            ("1e999", None),
            ("1e99999999999999999999", None),
            ("01", None),
            (" 1", None),
            ("1.", None),
            (".5", None),
            ("", None),
            ("-", None),
            ("0x1", None),
        ] {
            assert_eq!(whole(text), expected, "{text}");
        }
    }
}
