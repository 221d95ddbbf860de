//! The line protocol of InfluxDB.

use std::fmt::Write;

use load_engine::go_text::parse_bool;
use load_metrics::Sample;

use super::config::{Config, FieldType};

/// Writes samples as lines.
#[derive(Debug)]
pub(super) struct Lines {
    /// Fields in order of their names; the sample's value has no type.
    fields: Vec<(String, Option<FieldType>)>,
    nanos: i64,
}

/// The field of the sample's value.
const VALUE: &str = "value";

impl Lines {
    pub(super) fn new(config: &Config) -> Self {
        let tags = config.fields.iter().filter(|(name, _)| name != VALUE);
        let mut fields: Vec<_> = tags
            .map(|(name, kind)| (name.clone(), Some(*kind)))
            .collect();
        fields.push((VALUE.to_owned(), None));
        fields.sort_by(|(a, _), (b, _)| a.cmp(b));
        Self {
            fields,
            nanos: config.precision.nanos,
        }
    }

    /// Appends one sample of the metric `name`. A value that is not a number cannot be written: nothing is appended,
    /// and the result is false.
    pub(super) fn push(&self, out: &mut String, name: &str, sample: &Sample) -> bool {
        if !sample.value.is_finite() {
            return false;
        }
        push_escaped(out, name, &[',', ' ']);
        for (key, value) in sample.tags.iter() {
            let is_field = self
                .fields
                .iter()
                .any(|(field, kind)| field == key && kind.is_some());
            if !is_field && !value.is_empty() {
                out.push(',');
                push_escaped(out, key, &[',', '=', ' ']);
                out.push('=');
                push_escaped(out, value, &[',', '=', ' ']);
            }
        }
        let mut separator = ' ';
        for (key, kind) in &self.fields {
            match (kind, sample.tags.get(key)) {
                // Writing to a string cannot fail.
                (None, _) => _ = write!(out, "{separator}{VALUE}={}", sample.value),
                (Some(_), None) => continue,
                (Some(kind), Some(text)) => {
                    out.push(separator);
                    push_escaped(out, key, &[',', '=', ' ']);
                    out.push('=');
                    push_field(out, *kind, text);
                }
            }
            separator = ',';
        }
        let _ = writeln!(out, " {}", sample.at.0.div_euclid(self.nanos));
        true
    }
}

/// Appends a name or the value of a tag. The protocol cannot express a line break there, nor a backslash at the end,
/// which would escape the next character.
fn push_escaped(out: &mut String, text: &str, special: &[char]) {
    for c in text.trim_end_matches('\\').chars() {
        match c {
            '\n' => out.push_str("\\n"),
            '\r' => {}
            _ => {
                if special.contains(&c) {
                    out.push('\\');
                }
                out.push(c);
            }
        }
    }
}

/// Appends a tag as a typed field; text that is not of the type becomes a string.
fn push_field(out: &mut String, kind: FieldType, text: &str) {
    let typed = match kind {
        FieldType::String => None,
        FieldType::Int => text.parse::<i64>().ok().map(|number| format!("{number}i")),
        FieldType::Float => {
            let number = text.parse::<f64>().ok().filter(|number| number.is_finite());
            number.map(|number| number.to_string())
        }
        FieldType::Bool => parse_bool(text).map(|truth| truth.to_string()),
    };
    if let Some(typed) = typed {
        out.push_str(&typed);
        return;
    }
    out.push('"');
    for c in text.chars() {
        if matches!(c, '"' | '\\') {
            out.push('\\');
        }
        out.push(c);
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use load_metrics::{Tags, UnixNanos, builtin};

    use super::*;
    use crate::output::Environment;

    fn sample(tags: &[(&str, &str)], value: f64) -> Sample {
        Sample {
            metric: builtin::ITERATIONS,
            at: UnixNanos(1_796_077_636_713_629_590),
            value,
            tags: Arc::new(tags.iter().copied().collect::<Tags>()),
            metadata: None,
        }
    }

    fn line(fields: &str, precision: &str, sample: &Sample) -> (bool, String) {
        let settings = [
            ("K6_INFLUXDB_TAGS_AS_FIELDS", fields),
            ("K6_INFLUXDB_PRECISION", precision),
        ];
        let settings = settings.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let config = Config::read("", &Environment::from(settings)).unwrap();
        let mut line = String::new();
        let written = Lines::new(&config).push(&mut line, "m", sample);
        (written, line)
    }

    fn check(fields: &str, tags: &[(&str, &str)], wanted: &str) {
        let (written, line) = line(fields, "ns", &sample(tags, 1.5));
        assert!(written);
        assert_eq!(line, format!("m{wanted} 1796077636713629590\n"));
    }

    #[test]
    fn tags_stand_before_the_value_and_are_escaped() {
        check("", &[], " value=1.5");
        check("", &[("b", "2"), ("a", "1")], ",a=1,b=2 value=1.5");
        check("", &[("empty", "")], " value=1.5");
        check(
            "",
            &[("a b,c=d", "x y,z=")],
            ",a\\ b\\,c\\=d=x\\ y\\,z\\= value=1.5",
        );
        check("", &[("q", "\"é\"\\x")], ",q=\"é\"\\x value=1.5");
    }

    #[test]
    fn what_the_protocol_cannot_say_does_not_spoil_the_line() {
        check(
            "",
            &[("a", "x\r\ny"), ("b", "z\\")],
            ",a=x\\ny,b=z value=1.5",
        );
    }

    #[test]
    fn fields_have_types_and_stand_in_order() {
        check(
            "",
            &[("vu", "7"), ("url", "http://h/?a=1,2")],
            " url=\"http://h/?a=1,2\",value=1.5,vu=7i",
        );
        check("", &[("vu", "x")], " value=1.5,vu=\"x\"");
        check(
            "b1:bool,b2:bool,f1:float,f2:float,f3:float,i1:int,i2:int,s",
            &[
                ("b1", "T"),
                ("b2", "yes"),
                ("f1", "1e3"),
                ("f2", "NaN"),
                ("f3", "x"),
                ("i1", "007"),
                ("i2", "1.5"),
                ("s", "a \"b\" \\"),
            ],
            " b1=true,b2=\"yes\",f1=1000,f2=\"NaN\",f3=\"x\",i1=7i,i2=\"1.5\",s=\"a \\\"b\\\" \\\\\",value=1.5",
        );
        check("e", &[("e", "")], " e=\"\",value=1.5");
        check("value", &[("value", "3")], ",value=3 value=1.5");
    }

    fn check_value(precision: &str, value: f64, wanted: &str) {
        assert_eq!(
            line("", precision, &sample(&[], value)),
            (true, format!("m value={wanted}\n"))
        );
    }

    #[test]
    fn numbers_have_no_exponent_and_times_the_unit() {
        check_value("ns", 1e21, "1000000000000000000000 1796077636713629590");
        check_value("u", 1e-7, "0.0000001 1796077636713629");
        check_value("ms", -0.0, "-0 1796077636713");
        check_value("s", 123_456_789.123, "123456789.123 1796077636");
        check_value("m", 1.0, "1 29934627");
        check_value("h", 1.0, "1 498910");
    }

    #[test]
    fn a_value_that_is_not_a_number_is_not_written() {
        let (written, line) = line("", "ns", &sample(&[], f64::NAN));
        assert_eq!((written, line.as_str()), (false, ""));
    }
}
