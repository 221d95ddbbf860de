//! Changes of profiles in their written form.

use serde_json::Value;

/// Fields of a profile that hold a choice, for [`live_config::merge()`].
pub const CHOICES: [&str; 8] = [
    "latency", "service", "overflow", "by", "tail", "at", "kind", "curve",
];

/// Sets the number at a path such as `latency.mixture.parts[1].weight`, which may also be written as
/// `latency.mixture.parts.1.weight`. An integer field is rounded. Returns false if there is no number.
pub(crate) fn set_number(value: &mut Value, path: &str, number: f64) -> bool {
    let names = path
        .split(['.', '['])
        .map(|name| name.trim_end_matches(']'));
    let place = names
        .into_iter()
        .try_fold(value, |value, name| match value {
            Value::Object(fields) => fields.get_mut(name),
            Value::Array(items) => items.get_mut(name.parse::<usize>().ok()?),
            _ => None,
        });
    let Some(place @ Value::Number(_)) = place else {
        return false;
    };
    *place = if place.is_f64() {
        number.into()
    } else if number < 0.0 {
        (number.round() as i64).into()
    } else {
        (number.round() as u64).into()
    };
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn numbers_are_set_where_numbers_are_and_whole_ones_stay_whole() {
        let base = json!({"a": {"list": [{"ms": 1.0}, {"ms": 2.0, "n": 7}]}, "name": "x"});
        for (path, number, expected) in [
            ("a.list[1].ms", 2.5, Some(json!(2.5))),
            ("a.list.1.ms", 3.0, Some(json!(3.0))),
            ("a.list[1].n", 2.6, Some(json!(3))),
            ("a.list[1].n", -0.6, Some(json!(-1))),
            ("a.list[2].ms", 1.0, None),
            ("a.list.x.ms", 1.0, None),
            ("name", 1.0, None),
            ("a.other", 1.0, None),
            ("", 1.0, None),
        ] {
            let mut value = base.clone();
            assert_eq!(
                set_number(&mut value, path, number),
                expected.is_some(),
                "{path}"
            );
            match expected {
                Some(expected) => {
                    let pointer = format!("/{}", path.replace(['.', '['], "/").replace(']', ""));
                    assert_eq!(value.pointer(&pointer), Some(&expected), "{path}");
                }
                None => assert_eq!(value, base, "{path}"),
            }
        }
    }
}
