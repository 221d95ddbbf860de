//! Merge patches on configurations.

use serde_json::Value;

/// JSON Merge Patch (RFC 7396), but a choice is replaced as a whole when the patch names another
/// variant: `{latency: {constant: {ms: 5}}}` on a uniform latency makes it constant, where plain
/// merging would leave both keys. `choices` are the names of the fields that hold a choice: one key
/// names the variant, below it are its settings.
pub fn merge(base: &mut Value, patch: &Value, choices: &[&str]) {
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
            Some(old) if choices.contains(&name.as_str()) && other_variant(old, change) => {
                *old = change.clone();
            }
            Some(old) => merge(old, change, choices),
            None => {
                let mut new = Value::Null;
                merge(&mut new, change, choices);
                base.insert(name.clone(), new);
            }
        }
    }
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
        merge(&mut merged, &patch, &["latency"]);
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
