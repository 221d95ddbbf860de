//! JSON without duplicate keys. Parsers differ in which of two values they use, so that one program could check
//! one value and the next apply the other; here any duplicate is an error.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;

use foldhash::fast::RandomState;
use serde::Deserialize;
use serde::de::{
    DeserializeOwned, DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor,
};
use serde_json::value::RawValue;

/// The error of a text.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// The path of a duplicate key, such as `metadata.tags[2].name`.
    #[error("{0} is duplicated in its object; keep one")]
    Twice(String),
    /// The text is not JSON, is nested too deeply, or has another type than expected.
    #[error("{0}")]
    Syntax(serde_json::Error),
}

/// Reads a whole text.
///
/// # Errors
/// A key is duplicated, or the text is not the JSON of a `T`.
pub fn read<T: DeserializeOwned>(json: &[u8]) -> Result<T, Fault> {
    check(json)?;
    serde_json::from_slice(json).map_err(Fault::Syntax)
}

/// Checks a whole text.
///
/// # Errors
/// A key is duplicated, or the text is not JSON.
pub fn check(json: &[u8]) -> Result<(), Fault> {
    let mut twice = None;
    let mut reader = serde_json::Deserializer::from_slice(json);
    let walked = Walk { twice: &mut twice }.deserialize(&mut reader);
    match (walked.and_then(|()| reader.end()), twice) {
        (Ok(()), _) => Ok(()),
        (Err(_), Some(path)) => Err(Fault::Twice(path)),
        (Err(error), None) => Err(Fault::Syntax(error)),
    }
}

/// Checks a value. The path of a duplicate key is built on the way back, so that a valid text costs no memory.
struct Walk<'a> {
    twice: &'a mut Option<String>,
}

impl<'de> DeserializeSeed<'de> for Walk<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, value: D) -> Result<(), D::Error> {
        value.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Walk<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        let mut place = 0_usize;
        loop {
            let item = items.next_element_seed(Walk { twice: self.twice });
            match item {
                Ok(Some(())) => place += 1,
                Ok(None) => return Ok(()),
                Err(error) => {
                    if let Some(inner) = self.twice {
                        let dot = if inner.starts_with('[') { "" } else { "." };
                        inner.insert_str(0, &format!("[{place}]{dot}"));
                    }
                    return Err(error);
                }
            }
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<(), A::Error> {
        let mut seen = Seen::default();
        while let Some(Key(key)) = fields.next_key()? {
            if seen.has(&key) {
                *self.twice = Some(key.into_owned());
                return Err(A::Error::custom("a key is duplicated"));
            }
            if let Err(error) = fields.next_value_seed(Walk { twice: self.twice }) {
                if let Some(inner) = self.twice {
                    let dot = if inner.starts_with('[') { "" } else { "." };
                    inner.insert_str(0, &format!("{key}{dot}"));
                }
                return Err(error);
            }
            seen.add(key);
        }
        Ok(())
    }
}

/// The number of keys up to which a linear search is used.
const FEW: usize = 16;

/// The keys of one object so far.
#[derive(Default)]
struct Seen<'de> {
    few: Vec<Cow<'de, str>>,
    many: HashSet<Cow<'de, str>, RandomState>,
}

impl<'de> Seen<'de> {
    fn has(&self, key: &str) -> bool {
        self.few.iter().any(|known| known == key) || self.many.contains(key)
    }

    fn add(&mut self, key: Cow<'de, str>) {
        if self.few.len() < FEW {
            self.few.push(key);
        } else {
            self.many.insert(key);
        }
    }
}

/// A key, borrowed where it has no escapes.
#[derive(Deserialize)]
struct Key<'a>(#[serde(borrow)] Cow<'a, str>);

/// An object whose values are not parsed yet.
pub struct Object<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'a> Object<'a> {
    /// The value of a key.
    ///
    /// # Errors
    /// Returns a duplicate key, if there is one.
    pub fn get(&self, wanted: &str) -> Result<Option<&'a RawValue>, Fault> {
        let mut seen = Seen::default();
        for (key, _) in &self.0 {
            if seen.has(key) {
                return Err(Fault::Twice(key.clone().into_owned()));
            }
            seen.add(Cow::Borrowed(key));
        }
        let found = self.0.iter().find(|(key, _)| key == wanted);
        Ok(found.map(|(_, value)| *value))
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Object<'a> {
    fn deserialize<D: Deserializer<'de>>(value: D) -> Result<Self, D::Error> {
        struct Fields;

        impl<'de> Visitor<'de> for Fields {
            type Value = Object<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Object<'de>, A::Error> {
                let mut all = Vec::new();
                while let Some((Key(key), value)) = fields.next_entry()? {
                    all.push((key, value));
                }
                Ok(Object(all))
            }
        }

        value.deserialize_map(Fields)
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    fn twice(json: &str) -> Option<String> {
        match check(json.as_bytes()) {
            Ok(()) => None,
            Err(Fault::Twice(path)) => Some(path),
            Err(Fault::Syntax(error)) => panic!("{json}: {error}"),
        }
    }

    #[test]
    fn a_duplicate_key_is_reported_with_its_path() {
        for (json, path) in [
            (r#"{"a": 1, "b": 2}"#, None),
            (r#"[{"a": 1}, {"a": 2}]"#, None),
            (
                r#"{"a": {"a": {"a": [1.5, -1, null, true, "a", "a"]}}}"#,
                None,
            ),
            (r#"{"a": 1, "b": 2, "a": 1}"#, Some("a")),
            (r#"{"x": {"y": [0, {"z": 1, "z": 2}]}}"#, Some("x.y[1].z")),
            (r#"[[], [{"z": 1, "z": 2}]]"#, Some("[1][0].z")),
            ("{\"a\": 1, \"\\u0061\": 2}", Some("a")),
        ] {
            assert_eq!(twice(json).as_deref(), path, "{json}");
        }
    }

    #[test]
    fn a_value_that_is_read_has_no_duplicate_keys() {
        let read = |json: &str| read::<Value>(json.as_bytes()).map_err(|error| error.to_string());
        assert_eq!(
            read(r#"{"a": {"b": 1}}"#),
            Ok(serde_json::json!({"a": {"b": 1}}))
        );
        let told = "a.b is duplicated in its object; keep one".to_owned();
        assert_eq!(read(r#"{"a": {"b": 1, "b": 2}}"#), Err(told));
    }

    #[test]
    fn malformed_json_is_refused_here_too() {
        let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
        for json in ["", "{", "{\"a\": }", "{} {}", "[1,]", &deep] {
            let found = check(json.as_bytes());
            assert!(matches!(found, Err(Fault::Syntax(_))), "{json:.20}");
        }
    }

    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            ".{0,4}".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 64, 24, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
                proptest::collection::btree_map(".{0,3}", inner, 0..24)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    /// Writes a value; the object at `target` (counted in the order of writing) repeats its key at `which`, and
    /// its path is returned.
    struct Writer {
        target: usize,
        which: usize,
        objects: usize,
        out: String,
        path: Option<String>,
    }

    impl Writer {
        fn write(&mut self, value: &Value, path: &str) {
            match value {
                Value::Array(items) => {
                    self.out.push('[');
                    for (place, item) in items.iter().enumerate() {
                        self.out.push_str(if place > 0 { "," } else { "" });
                        self.write(item, &format!("{path}[{place}]"));
                    }
                    self.out.push(']');
                }
                Value::Object(fields) => {
                    let is_target = self.objects == self.target && !fields.is_empty();
                    self.objects += 1;
                    self.out.push('{');
                    for (place, (key, item)) in fields.iter().enumerate() {
                        self.out.push_str(if place > 0 { "," } else { "" });
                        write!(self.out, "{}:", Value::from(key.as_str())).expect("a string");
                        let dot = if path.is_empty() { "" } else { "." };
                        self.write(item, &format!("{path}{dot}{key}"));
                    }
                    if is_target {
                        let keys: Vec<&String> = fields.keys().collect();
                        let key = keys[self.which % keys.len()];
                        write!(self.out, ",{}:0", Value::from(key.as_str())).expect("a string");
                        let dot = if path.is_empty() { "" } else { "." };
                        self.path = Some(format!("{path}{dot}{key}"));
                    }
                    self.out.push('}');
                }
                leaf => write!(self.out, "{leaf}").expect("a string"),
            }
        }
    }

    proptest! {
        #[test]
        fn a_duplicate_key_is_found_anywhere(
            value in value(), target in 0_usize..12, which in any::<usize>(),
        ) {
            let mut writer = Writer {
                target, which, objects: 0, out: String::new(), path: None,
            };
            writer.write(&value, "");
            prop_assert_eq!(twice(&writer.out).is_some(), writer.path.is_some(), "{}", writer.out);
            // Names that look like places, and empty ones, make paths ambiguous.
            let has_empty = writer.out.contains("\"\":");
            let is_clear = |it: &String| !has_empty && !it.contains("..") && !it.contains("]");
            if let Some(path) = writer.path.filter(is_clear) {
                let found = twice(&writer.out);
                prop_assert!(
                    found.as_deref() == Some(path.as_str()) || path.contains(['.', '[']),
                    "{:?} {}", found, writer.out
                );
            }
        }
    }
}
