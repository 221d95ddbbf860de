//! Errors of the operating system in messages.

/// A text without the numbers of errors of the system. The standard library puts them at the end of its texts: `Connection
/// refused (os error 111)`.
pub fn without_numbers(text: &str) -> String {
    let mut parts = text.split(" (os error ");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| {
        let rest = part.trim_start_matches(|c: char| c.is_ascii_digit());
        text + rest.strip_prefix(')').unwrap_or(rest)
    })
}

/// An error of the system as k6 words it: `no such file or directory`.
pub fn in_words(error: &std::io::Error) -> String {
    without_numbers(&error.to_string()).to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_of_the_system_are_told_without_their_numbers() {
        for (text, told) in [
            (
                "No such file or directory (os error 2)",
                "No such file or directory",
            ),
            ("a: denied (os error 13): b", "a: denied: b"),
            ("(os error 7) alone", "(os error 7) alone"),
            ("nothing of it", "nothing of it"),
        ] {
            assert_eq!(without_numbers(text), told);
        }
        let refused = std::io::Error::from_raw_os_error(111);
        assert_eq!(in_words(&refused), "connection refused");
    }
}
