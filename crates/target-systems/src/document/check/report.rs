//! Collects the errors of a document, each with its path.

use live_config::read::nearest;
use live_config::{ConfigError, ConfigErrors};

/// Maximum time in a file: a year.
const MOST_MS: f64 = 31_536_000_000.0;

/// The errors found so far.
#[derive(Debug, Default)]
pub(super) struct Report {
    errors: ConfigErrors,
}

impl Report {
    pub fn add(&mut self, path: &str, message: impl Into<String>) {
        self.errors.add(path, message);
    }

    pub fn add_below(&mut self, path: &str, part: Vec<ConfigError>) {
        self.errors.add_below(path, part);
    }

    pub fn into_errors(self) -> Vec<live_config::ConfigError> {
        self.errors.into_vec()
    }

    /// A share of something: 0 to 1.
    pub fn share(&mut self, path: &str, value: f64) {
        if !(0.0..=1.0).contains(&value) {
            self.add(
                path,
                format!("{value} is not between 0 and 1; write 0.05 for 5 %"),
            );
        }
    }

    /// A share above 0, up to 1.
    pub fn share_above_0(&mut self, path: &str, value: f64) {
        self.above_up_to(path, value, 1.0);
    }

    /// A number above zero, up to a limit.
    pub fn above_up_to(&mut self, path: &str, value: f64, most: f64) {
        if !(value > 0.0 && value <= most) {
            self.add(path, format!("{value} is not above 0 and up to {most}"));
        }
    }

    /// A number within bounds.
    pub fn between(&mut self, path: &str, value: f64, bounds: std::ops::RangeInclusive<f64>) {
        if !bounds.contains(&value) {
            let (least, most) = bounds.into_inner();
            self.add(path, format!("{value} is not between {least} and {most}"));
        }
    }

    /// A finite number of at least zero.
    pub fn not_negative(&mut self, path: &str, value: f64) {
        if !value.is_finite() || value < 0.0 {
            self.add(path, format!("{value} must be 0 or more"));
        }
    }

    /// A finite number above zero, if there is one.
    pub fn positive(&mut self, path: &str, value: Option<f64>) {
        if let Some(value) = value
            && (!value.is_finite() || value <= 0.0)
        {
            self.add(
                path,
                format!("{value} must be more than 0; leave it out for no limit"),
            );
        }
    }

    /// A time: finite, 0 or more, at most a year.
    pub fn ms(&mut self, path: &str, value: f64) {
        self.not_negative(path, value);
        if value > MOST_MS {
            self.add(path, format!("{value} ms is more than a year"));
        }
    }

    /// A time with this minimum in milliseconds, at most a year.
    pub fn ms_at_least(&mut self, path: &str, value: f64, least: f64) {
        self.between(path, value, least..=MOST_MS);
    }

    /// A whole number within bounds that keep memory bounded.
    pub fn count(&mut self, path: &str, value: u64, bounds: std::ops::RangeInclusive<u64>) {
        if !bounds.contains(&value) {
            self.add(
                path,
                format!(
                    "{value} is not between {} and {}",
                    bounds.start(),
                    bounds.end()
                ),
            );
        }
    }

    /// A status of a failed response.
    pub fn failure_status(&mut self, path: &str, status: u16) {
        if !(400..=599).contains(&status) {
            self.add(path, format!("{status} is not a status from 400 to 599"));
        }
    }

    /// A status of a successful response.
    pub fn answer_status(&mut self, path: &str, status: u16) {
        if !(200..=399).contains(&status) {
            let hint = "is not a status from 200 to 399; failures are steps";
            self.add(path, format!("{status} {hint}"));
        }
    }

    /// A name that has to be one of these; returns false otherwise.
    pub fn known<'a>(
        &mut self,
        path: &str,
        what: &str,
        name: &str,
        names: impl IntoIterator<Item = &'a String>,
    ) -> bool {
        let names: Vec<&str> = names.into_iter().map(String::as_str).collect();
        if names.contains(&name) {
            return true;
        }
        let hint = match nearest(name, names.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None if names.is_empty() => "none is declared".to_owned(),
            None => format!("known here: {}", names.join(", ")),
        };
        self.add(path, format!("unknown {what} `{name}`; {hint}"));
        false
    }

    /// A name for use in paths, metrics and labels.
    pub fn name(&mut self, path: &str, name: &str) {
        if !super::super::expression::is_name(name) || name.len() > 64 {
            self.add(
                path,
                "a name has 1 to 64 letters, digits, `_` or `-`".to_owned(),
            );
        }
    }
}
