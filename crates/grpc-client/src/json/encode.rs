//! From messages to JSON.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use prost_reflect::{DynamicMessage, FieldDescriptor, Kind, MapKey, ReflectMessage, Value};

use super::well_known;

/// The treatment of fields that a message does not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unset {
    /// Absent fields are written with their default, or null without one.
    Written,
    /// Absent fields are omitted.
    Omitted,
}

/// Writes a message as JSON. Fields are in the order of their numbers, map entries in the order of their keys.
///
/// # Errors
/// A well-known type has an invalid value, or an `Any` an unknown type.
pub fn encode(message: &DynamicMessage, unset: Unset) -> Result<String, String> {
    let mut writer = Writer::new(unset);
    writer.message(message)?;
    Ok(writer.into_text())
}

/// The maximum depth of nested messages. The content of an `Any` is parsed separately, without the limit of
/// the enclosing message.
const MAX_DEPTH: usize = 200;

/// Writes the text.
pub(super) struct Writer {
    out: String,
    unset: Unset,
    depth: usize,
}

impl Writer {
    pub(super) fn new(unset: Unset) -> Self {
        Self {
            out: String::with_capacity(128),
            unset,
            depth: 0,
        }
    }

    pub(super) fn into_text(self) -> String {
        self.out
    }

    fn message(&mut self, message: &DynamicMessage) -> Result<(), String> {
        if self.depth == MAX_DEPTH {
            return Err("proto: exceeded max recursion depth".to_owned());
        }
        self.depth += 1;
        let written = self.nested(message);
        self.depth -= 1;
        written
    }

    fn nested(&mut self, message: &DynamicMessage) -> Result<(), String> {
        let descriptor = message.descriptor();
        if let Some(write) = well_known::writer(descriptor.full_name()) {
            return write(self, message);
        }
        self.out.push('{');
        let mut is_first = true;
        self.fields(message, &mut is_first)?;
        self.out.push('}');
        Ok(())
    }

    fn fields(&mut self, message: &DynamicMessage, is_first: &mut bool) -> Result<(), String> {
        let descriptor = message.descriptor();
        for field in descriptor.fields() {
            if message.has_field(&field) {
                self.name(field.json_name(), is_first);
                self.field(&field, &message.get_field(&field))?;
            } else if self.unset == Unset::Written && field.containing_oneof().is_none() {
                self.name(field.json_name(), is_first);
                self.unset(&field)?;
            }
        }
        for (extension, value) in message.extensions() {
            self.name(&format!("[{}]", extension.full_name()), is_first);
            match extension.is_list() {
                true => self.list(&extension.kind(), value)?,
                false => self.single(&extension.kind(), value)?,
            }
        }
        Ok(())
    }

    fn name(&mut self, name: &str, is_first: &mut bool) {
        if !std::mem::take(is_first) {
            self.out.push(',');
        }
        self.string(name);
        self.out.push(':');
    }

    fn field(&mut self, field: &FieldDescriptor, value: &Value) -> Result<(), String> {
        if field.is_map() {
            return self.map(field, value);
        }
        match field.is_list() {
            true => self.list(&field.kind(), value),
            false => self.single(&field.kind(), value),
        }
    }

    fn unset(&mut self, field: &FieldDescriptor) -> Result<(), String> {
        if field.is_map() {
            self.out.push_str("{}");
        } else if field.is_list() {
            self.out.push_str("[]");
        } else if field.supports_presence() {
            self.null();
        } else {
            return self.single(&field.kind(), &field.default_value());
        }
        Ok(())
    }

    pub(super) fn list(&mut self, kind: &Kind, value: &Value) -> Result<(), String> {
        self.out.push('[');
        for (at, item) in value.as_list().unwrap_or_default().iter().enumerate() {
            if at > 0 {
                self.out.push(',');
            }
            self.single(kind, item)?;
        }
        self.out.push(']');
        Ok(())
    }

    pub(super) fn map(&mut self, field: &FieldDescriptor, value: &Value) -> Result<(), String> {
        let Kind::Message(entry) = field.kind() else {
            return Ok(());
        };
        let kind = entry.map_entry_value_field().kind();
        let mut entries: Vec<(&MapKey, &Value)> = value.as_map().into_iter().flatten().collect();
        entries.sort_by(|a, b| a.0.cmp(b.0));
        self.out.push('{');
        let mut is_first = true;
        for (key, value) in entries {
            let name = match key {
                MapKey::Bool(flag) => flag.to_string(),
                MapKey::I32(number) => number.to_string(),
                MapKey::I64(number) => number.to_string(),
                MapKey::U32(number) => number.to_string(),
                MapKey::U64(number) => number.to_string(),
                MapKey::String(text) => text.clone(),
            };
            self.name(&name, &mut is_first);
            self.single(&kind, value)?;
        }
        self.out.push('}');
        Ok(())
    }

    pub(super) fn single(&mut self, kind: &Kind, value: &Value) -> Result<(), String> {
        match value {
            Value::Bool(flag) => self.out.push_str(if *flag { "true" } else { "false" }),
            Value::I32(number) => self.out.push_str(&number.to_string()),
            Value::U32(number) => self.out.push_str(&number.to_string()),
            // Script numbers cannot represent all of these.
            Value::I64(number) => self.string(&number.to_string()),
            Value::U64(number) => self.string(&number.to_string()),
            Value::F32(number) => self.float(f64::from(*number), &format!("{number:?}")),
            Value::F64(number) => self.float(*number, &format!("{number:?}")),
            Value::String(text) => self.string(text),
            Value::Bytes(bytes) => self.string(&STANDARD.encode(bytes)),
            Value::EnumNumber(number) => self.enumeration(kind, *number),
            Value::Message(message) => self.message(message)?,
            Value::List(_) | Value::Map(_) => {}
        }
        Ok(())
    }

    fn enumeration(&mut self, kind: &Kind, number: i32) {
        let Kind::Enum(of) = kind else { return };
        match of.get_value(number) {
            _ if of.full_name() == "google.protobuf.NullValue" => self.null(),
            Some(value) => self.string(value.name()),
            None => self.out.push_str(&number.to_string()),
        }
    }

    fn float(&mut self, number: f64, shown: &str) {
        match number {
            _ if number.is_finite() => self.out.push_str(shown),
            _ if number.is_nan() => self.string("NaN"),
            _ if number > 0.0 => self.string("Infinity"),
            _ => self.string("-Infinity"),
        }
    }

    pub(super) fn null(&mut self) {
        self.out.push_str("null");
    }

    pub(super) fn empty_object(&mut self) {
        self.out.push_str("{}");
    }

    /// The content of an `Any` whose type has a notation of its own.
    pub(super) fn typed_value(
        &mut self,
        url: &str,
        write: impl FnOnce(&mut Self) -> Result<(), String>,
    ) -> Result<(), String> {
        self.out.push_str("{\"@type\":");
        self.string(url);
        self.out.push_str(",\"value\":");
        self.depth += 1;
        if self.depth >= MAX_DEPTH {
            return Err("proto: exceeded max recursion depth".to_owned());
        }
        write(self)?;
        self.depth -= 1;
        self.out.push('}');
        Ok(())
    }

    /// The content of an `Any`.
    pub(super) fn typed(&mut self, url: &str, message: &DynamicMessage) -> Result<(), String> {
        self.out.push_str("{\"@type\":");
        self.string(url);
        // The fields of the `Any` are those of the message, which limits its own depth.
        self.fields(message, &mut false)?;
        self.out.push('}');
        Ok(())
    }

    pub(super) fn string(&mut self, text: &str) {
        self.out.push('"');
        for c in text.chars() {
            match c {
                '"' => self.out.push_str("\\\""),
                '\\' => self.out.push_str("\\\\"),
                '\n' => self.out.push_str("\\n"),
                '\r' => self.out.push_str("\\r"),
                '\t' => self.out.push_str("\\t"),
                c if c < ' ' => self.out.push_str(&format!("\\u{:04x}", u32::from(c))),
                c => self.out.push(c),
            }
        }
        self.out.push('"');
    }
}
