//! Metrics in Prometheus' text format.

/// The sum of a metric's series with these labels; `None` where there is none.
pub fn sum<'a>(
    text: &str,
    name: &str,
    labels: impl Iterator<Item = (&'a str, &'a str)> + Clone,
) -> Option<f64> {
    let values = text.lines().filter_map(|line| {
        let (series, value) = line.rsplit_once(' ')?;
        let (own, has) = series.split_once('{').unwrap_or((series, "}"));
        let is_there = |(label, value): (&str, &str)| {
            let value = value.replace('\\', r"\\").replace('"', "\\\"");
            let wanted = format!("{label}=\"{value}\"");
            has.starts_with(&wanted) || has.contains(&format!(",{wanted}"))
        };
        (own == name && labels.clone().all(is_there)).then_some(value)
    });
    values
        .filter_map(|value| value.parse::<f64>().ok())
        .reduce(|sum, value| sum + value)
}

#[cfg(test)]
mod tests {
    use super::sum;

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
