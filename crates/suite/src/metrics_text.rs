//! Reads Prometheus' text format.

use std::borrow::Cow;

/// One sample of a series.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sample<'a> {
    /// The name with the labels, as written.
    pub series: &'a str,
    pub name: &'a str,
    /// The text between the braces.
    labels: &'a str,
    pub value: f64,
}

impl<'a> Sample<'a> {
    /// `None`: a comment, an empty line, or not a sample.
    fn read(line: &'a str) -> Option<Self> {
        let line = line.trim();
        let name_end = line.find(['{', ' ', '\t'])?;
        let name = &line[..name_end];
        if name.is_empty() || name.starts_with('#') {
            return None;
        }
        let (labels, end) = match line[name_end..].strip_prefix('{') {
            Some(rest) => {
                let length = unquoted(rest, '}')?;
                (&rest[..length], name_end + 1 + length + 1)
            }
            None => ("", name_end),
        };
        // A timestamp may follow.
        let value = line[end..].split_whitespace().next()?.parse().ok()?;
        Some(Self {
            series: &line[..end],
            name,
            labels,
            value,
        })
    }

    /// The value of a label, without its escapes.
    pub fn label(&self, name: &str) -> Option<Cow<'a, str>> {
        let mut rest = self.labels;
        while let Some((key, quoted)) = rest.split_once("=\"") {
            let length = unescaped_quote(quoted)?;
            if key.trim_matches([',', ' ']) == name {
                return Some(unescape(&quoted[..length]));
            }
            rest = &quoted[length + 1..];
        }
        None
    }
}

/// The samples of `text`; other lines are skipped.
pub fn samples(text: &str) -> impl Iterator<Item = Sample<'_>> {
    text.lines().filter_map(Sample::read)
}

/// The sum of a metric's series with these labels; `None` where there is none.
pub fn sum<'a>(
    text: &str,
    name: &str,
    labels: impl Iterator<Item = (&'a str, &'a str)> + Clone,
) -> Option<f64> {
    samples(text)
        .filter(|it| it.name == name)
        .filter(|it| {
            let mut labels = labels.clone();
            labels.all(|(label, value)| it.label(label).as_deref() == Some(value))
        })
        .map(|it| it.value)
        .reduce(|sum, value| sum + value)
}

/// Where `wanted` is outside of quotes.
fn unquoted(text: &str, wanted: char) -> Option<usize> {
    let mut begin = 0;
    loop {
        let rest = &text[begin..];
        let at = rest.find([wanted, '"'])?;
        if rest[at..].starts_with(wanted) {
            return Some(begin + at);
        }
        begin += at + 1;
        begin += unescaped_quote(&text[begin..])? + 1;
    }
}

/// Where the quoted value at the begin of `text` ends.
fn unescaped_quote(text: &str) -> Option<usize> {
    let mut is_escaped = false;
    text.bytes().position(|byte| {
        let ends = byte == b'"' && !is_escaped;
        is_escaped = byte == b'\\' && !is_escaped;
        ends
    })
}

/// Escaped are the backslash, the quote and the line feed.
fn unescape(value: &str) -> Cow<'_, str> {
    if !value.contains('\\') {
        return Cow::Borrowed(value);
    }
    let mut plain = String::with_capacity(value.len());
    let mut characters = value.chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' => match characters.next() {
                Some('n') => plain.push('\n'),
                other => plain.extend(other),
            },
            other => plain.push(other),
        }
    }
    Cow::Owned(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_have_names_labels_and_values() {
        let text = "# HELP a b\n# TYPE a gauge\na{x=\"1\",state=\"open\"} 1\nb 2.5\nnonsense\n\
                    c{state=\"half} open, \\\"so\\\"\\\\\", le=\"+Inf\",} +Inf 1700000000000\nd{state=\"x} 1\n";
        let found: Vec<_> = samples(text)
            .map(|it| (it.name, it.label("state").map(Cow::into_owned), it.value))
            .collect();
        let state = |text: &str| Some(text.to_owned());
        assert_eq!(
            found,
            [
                ("a", state("open"), 1.0),
                ("b", None, 2.5),
                ("c", state("half} open, \"so\"\\"), f64::INFINITY),
            ]
        );
        let series: Vec<_> = samples(text).map(|it| it.series).collect();
        assert_eq!(series[..2], ["a{x=\"1\",state=\"open\"}", "b"]);
        let last = samples(text).last().expect("three samples");
        assert_eq!(last.label("le").as_deref(), Some("+Inf"));
        assert_eq!(last.label("e"), None);
    }

    const METRICS: &str = "# TYPE up gauge\nup{host=\"api\",instance=\"0\"} 1\n\
        up{host=\"api\",instance=\"1\"} 0\nup{host=\"db\",instance=\"0\"} 1\nup_total 7\nfailed_total 12\n";

    #[test]
    fn series_with_the_labels_count_together() {
        let check = |name, host: Option<&str>, expected| {
            let labels = host.map(|host| ("host", host)).into_iter();
            assert_eq!(sum(METRICS, name, labels), expected, "{name} {host:?}");
        };
        check("up", Some("api"), Some(1.0));
        check("up", None, Some(2.0));
        check("failed_total", None, Some(12.0));
        check("up", Some("ap"), None);
        check("down", None, None);
    }
}
