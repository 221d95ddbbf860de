//! Ids in text: `ACSO-07`, `AIA-14..22`, `DET-06, 07`, and `acis_09_and_10` in names.

use std::collections::BTreeSet;

const PREFIXES: [&str; 5] = ["ACSO", "DET", "AIA", "ACIS", "A360"];

/// Every id that a text names.
pub(super) fn of(text: &str) -> BTreeSet<String> {
    let mut ids = BTreeSet::new();
    for prefix in PREFIXES {
        in_prose(text, prefix, &mut ids);
        in_names(text, prefix, &mut ids);
    }
    ids
}

fn in_prose(text: &str, prefix: &str, ids: &mut BTreeSet<String>) {
    let mark = format!("{prefix}-");
    for (at, _) in text.match_indices(&mark) {
        if follows_a_letter(text, at) {
            continue;
        }
        let rest = &text[at + mark.len()..];
        let Some((first, rest)) = number(rest) else {
            continue;
        };
        add(prefix, first, ids);
        continued(prefix, first, rest, ids);
    }
}

/// `..22`, `, 08`, and so on after an id.
fn continued(prefix: &str, mut last: u32, mut rest: &str, ids: &mut BTreeSet<String>) {
    loop {
        let range = rest.strip_prefix("..").and_then(number);
        if let Some((end, after)) = range {
            (last..=end).for_each(|number| add(prefix, number, ids));
            (last, rest) = (end, after);
            continue;
        }
        match rest.strip_prefix(", ").and_then(number) {
            Some((next, after)) => {
                add(prefix, next, ids);
                (last, rest) = (next, after);
            }
            None => return,
        }
    }
}

fn in_names(text: &str, prefix: &str, ids: &mut BTreeSet<String>) {
    let mark = format!("{}_", prefix.to_lowercase());
    for (at, _) in text.match_indices(&mark) {
        if follows_a_letter(text, at) {
            continue;
        }
        let mut rest = &text[at + mark.len()..];
        while let Some((found, after)) = number(rest) {
            add(prefix, found, ids);
            let next = after
                .strip_prefix("_and_")
                .or_else(|| after.strip_prefix('_'));
            rest = next.unwrap_or("");
        }
    }
}

fn follows_a_letter(text: &str, at: usize) -> bool {
    text[..at]
        .chars()
        .next_back()
        .is_some_and(char::is_alphanumeric)
}

/// Exactly two digits.
fn number(text: &str) -> Option<(u32, &str)> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    (digits == 2).then(|| Some((text[..2].parse().ok()?, &text[2..])))?
}

fn add(prefix: &str, number: u32, ids: &mut BTreeSet<String>) {
    ids.insert(format!("{prefix}-{number:02}"));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_ranges_and_names_are_found() {
        let check = |text: &str, expected: &[&str]| {
            let found: Vec<String> = of(text).into_iter().collect();
            assert_eq!(found, expected, "{text}");
        };
        check("ACSO-07", &["ACSO-07"]);
        check(
            "see AIA-14..16, and DET-06, 07",
            &["AIA-14", "AIA-15", "AIA-16", "DET-06", "DET-07"],
        );
        check("fn acis_09_and_10_percentiles()", &["ACIS-09", "ACIS-10"]);
        check("fn a360_17_and_19_processors()", &["A360-17", "A360-19"]);
        check("DET-100, XDET-01, DET-1, det_1", &[]);
    }
}
