//! Collecting the faults of a profile, each with its path.

/// Where faults go, with the path of the part that is being looked at.
pub(crate) struct Check<'a> {
    faults: &'a mut Vec<(String, String)>,
    path: String,
}

impl<'a> Check<'a> {
    pub(crate) fn new(faults: &'a mut Vec<(String, String)>) -> Self {
        Self {
            faults,
            path: String::new(),
        }
    }

    /// The same collector one level down.
    pub(crate) fn at(&mut self, field: &str) -> Check<'_> {
        Check {
            path: join(&self.path, field),
            faults: self.faults,
        }
    }

    /// The same collector at an element of a list.
    pub(crate) fn index(&mut self, index: usize) -> Check<'_> {
        Check {
            path: format!("{}[{index}]", self.path),
            faults: self.faults,
        }
    }

    pub(crate) fn fault(&mut self, field: &str, message: impl Into<String>) {
        self.faults.push((join(&self.path, field), message.into()));
    }

    /// A share of something: 0 to 1.
    pub(crate) fn share(&mut self, field: &str, value: f64) {
        if !(0.0..=1.0).contains(&value) {
            self.fault(
                field,
                format!("{value} is not between 0 and 1; write 0.05 for 5 %"),
            );
        }
    }

    /// A finite number of at least zero.
    pub(crate) fn not_negative(&mut self, field: &str, value: f64) {
        if !value.is_finite() || value < 0.0 {
            self.fault(field, format!("{value} must be 0 or more"));
        }
    }

    /// A finite number above zero.
    pub(crate) fn positive(&mut self, field: &str, value: f64) {
        if !value.is_finite() || value <= 0.0 {
            self.fault(field, format!("{value} must be more than 0"));
        }
    }

    /// A time in milliseconds: finite, 0 or more, at most a day.
    pub(crate) fn ms(&mut self, field: &str, value: f64) {
        const DAY_MS: f64 = 86_400_000.0;
        self.not_negative(field, value);
        if value > DAY_MS {
            self.fault(field, format!("{value} ms is more than a day (86400000)"));
        }
    }
}

fn join(path: &str, field: &str) -> String {
    match (path, field) {
        ("", _) => field.to_owned(),
        (_, "") => path.to_owned(),
        _ => format!("{path}.{field}"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::Latency;
    use crate::rate_limit::RateLimit;

    fn check(part: &str, value: Value, expected: &[&str]) {
        let mut faults = Vec::new();
        match part {
            "latency" => serde_json::from_value::<Latency>(value)
                .expect("a latency")
                .validate(&mut faults),
            _ => serde_json::from_value::<RateLimit>(value)
                .expect("a rate limit")
                .validate(&mut faults),
        }
        let paths: Vec<&str> = faults.iter().map(|(path, _)| path.as_str()).collect();
        assert_eq!(paths, expected, "{faults:?}");
    }

    #[test]
    fn a_part_alone_reports_all_its_faults_relative_to_itself() {
        check("latency", json!({"constant": {"ms": 5}}), &[]);
        check(
            "latency",
            json!({"mixture": {"parts": [
                {"weight": 0, "latency": {"uniform": {"min_ms": 2, "max_ms": 1}}},
                {"weight": 1, "latency": {"exponential": {"mean_ms": -1}}},
            ]}}),
            &[
                "mixture.parts[0].weight",
                "mixture.parts[0].latency.uniform.max_ms",
                "mixture.parts[1].latency.exponential.mean_ms",
            ],
        );
        check("rate_limit", json!({"rate_per_s": 1, "burst": 3}), &[]);
        check(
            "rate_limit",
            json!({"rate_per_s": 0, "burst": 0}),
            &["rate_per_s", "burst"],
        );
    }
}
