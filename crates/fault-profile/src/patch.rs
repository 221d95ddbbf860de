//! Merge patches on profiles.

use serde_json::Value;

/// Fields that hold a choice: one key names the variant, below it are its settings.
const CHOICES: [&str; 8] = [
    "latency", "service", "overflow", "by", "tail", "at", "kind", "curve",
];

/// JSON Merge Patch (RFC 7396), but a choice is replaced as a whole when the patch names another
/// variant: `{latency: {constant: {ms: 5}}}` on a uniform latency makes it constant, where plain
/// merging would leave both keys.
pub fn merge(base: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        *base = patch.clone();
        return;
    };
    if !base.is_object() {
        *base = Value::Object(serde_json::Map::new());
    }
    let Value::Object(base) = base else { return };
    for (name, change) in patch {
        match base.get_mut(name) {
            _ if change.is_null() => {
                base.shift_remove(name);
            }
            Some(old) if CHOICES.contains(&name.as_str()) && other_variant(old, change) => {
                *old = change.clone();
            }
            Some(old) => merge(old, change),
            None => {
                let mut new = Value::Null;
                merge(&mut new, change);
                base.insert(name.clone(), new);
            }
        }
    }
}

/// Sets the number at a path such as `latency.mixture.parts[1].weight` or, the same,
/// `latency.mixture.parts.1.weight`, rounded where whole numbers belong. False: there is no number.
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

fn other_variant(old: &Value, new: &Value) -> bool {
    match (old.as_object(), new.as_object()) {
        (Some(old), Some(new)) => !new.keys().all(|name| old.contains_key(name)),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn check(base: Value, patch: Value, expected: Value) {
        let mut merged = base;
        merge(&mut merged, &patch);
        assert_eq!(merged, expected);
    }

    #[test]
    fn values_are_replaced_nulls_remove_and_objects_merge() {
        check(
            json!({"a": 1, "b": 2}),
            json!({"a": 3}),
            json!({"a": 3, "b": 2}),
        );
        check(json!({"a": 1, "b": 2}), json!({"b": null}), json!({"a": 1}));
        check(
            json!({"a": {"b": 1}}),
            json!({"a": {"c": 2}}),
            json!({"a": {"b": 1, "c": 2}}),
        );
        check(json!({"a": [1, 2]}), json!({"a": [3]}), json!({"a": [3]}));
    }

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

    #[test]
    fn another_variant_replaces_a_choice_and_the_same_one_merges() {
        let uniform = json!({"latency": {"uniform": {"min_ms": 1, "max_ms": 2}}});
        check(
            uniform.clone(),
            json!({"latency": {"constant": {"ms": 5}}}),
            json!({"latency": {"constant": {"ms": 5}}}),
        );
        check(
            uniform,
            json!({"latency": {"uniform": {"max_ms": 9}}}),
            json!({"latency": {"uniform": {"min_ms": 1, "max_ms": 9}}}),
        );
    }
}
