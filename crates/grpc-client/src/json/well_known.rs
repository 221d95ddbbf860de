//! Protobuf's well-known types with their own notation in JSON.

use std::collections::HashMap;

use prost::Message;
use prost_reflect::{
    DescriptorPool, DynamicMessage, FieldDescriptor, MapKey, MessageDescriptor, ReflectMessage,
    Value,
};

use super::calendar::{self, NoDuration};
use super::decode::{members, message, single};
use super::encode::Writer;
use super::rpc_errors;
use super::tree::{Kind as Json, Node, Source};

/// Reads a message from its own notation.
pub(super) type Reader =
    fn(Source<'_>, &MessageDescriptor, &Node<'_>) -> Result<DynamicMessage, String>;

/// The reader of the type with this name, if it has its own notation.
pub(super) fn reader(name: &str) -> Option<Reader> {
    Some(match name.strip_prefix("google.protobuf.")? {
        "Any" => read_any,
        "Timestamp" => read_time,
        "Duration" => read_duration,
        "FieldMask" => read_mask,
        "Struct" => read_struct,
        "Value" => read_value,
        "ListValue" => read_list,
        "DoubleValue" | "FloatValue" | "Int64Value" | "UInt64Value" | "Int32Value"
        | "UInt32Value" | "BoolValue" | "StringValue" | "BytesValue" => read_wrapper,
        _ => return None,
    })
}

/// Writes a message in its own notation.
pub(super) type Write = fn(&mut Writer, &DynamicMessage) -> Result<(), String>;

/// The writer of the type with this name, if it has its own notation.
pub(super) fn writer(name: &str) -> Option<Write> {
    Some(match name.strip_prefix("google.protobuf.")? {
        "Any" => write_any,
        "Timestamp" => write_time,
        "Duration" => write_duration,
        "FieldMask" => write_mask,
        "Struct" => write_struct,
        "Value" => write_value,
        "ListValue" => write_list,
        "DoubleValue" | "FloatValue" | "Int64Value" | "UInt64Value" | "Int32Value"
        | "UInt32Value" | "BoolValue" | "StringValue" | "BytesValue" => write_wrapper,
        _ => return None,
    })
}

fn field(descriptor: &MessageDescriptor, number: u32) -> Result<FieldDescriptor, String> {
    let name = descriptor.full_name();
    let field = descriptor.get_field(number);
    field.ok_or_else(|| format!("proto: {name} is not the type of Protobuf"))
}

/// A message with these fields, by their numbers.
fn made(
    descriptor: &MessageDescriptor,
    fields: impl IntoIterator<Item = (u32, Value)>,
) -> Result<DynamicMessage, String> {
    let mut message = DynamicMessage::new(descriptor.clone());
    for (number, value) in fields {
        let set = message.try_set_field_by_number(number, value);
        set.map_err(|_| {
            let name = descriptor.full_name();
            format!("proto: {name} is not the type of Protobuf")
        })?;
    }
    Ok(message)
}

fn read_wrapper(
    source: Source<'_>,
    descriptor: &MessageDescriptor,
    node: &Node<'_>,
) -> Result<DynamicMessage, String> {
    let kind = field(descriptor, 1)?.kind();
    let value = single(source, &kind, "value", node)?;
    made(descriptor, [(1, value)])
}

fn write_wrapper(writer: &mut Writer, message: &DynamicMessage) -> Result<(), String> {
    let field = field(&message.descriptor(), 1)?;
    writer.single(&field.kind(), &message.get_field(&field))
}

fn text_of<'a>(source: Source<'_>, node: &'a Node<'_>) -> Result<&'a str, String> {
    match &node.kind {
        Json::Text(text) => Ok(text),
        _ => Err(source.unexpected(node)),
    }
}

fn read_time(
    source: Source<'_>,
    descriptor: &MessageDescriptor,
    node: &Node<'_>,
) -> Result<DynamicMessage, String> {
    let time = calendar::read_time(text_of(source, node)?).ok_or_else(|| {
        let what = format!(
            "invalid google.protobuf.Timestamp value {}",
            source.token(node)
        );
        source.error(node, &what)
    })?;
    made(
        descriptor,
        [(1, Value::I64(time.0)), (2, Value::I32(time.1))],
    )
}

fn read_duration(
    source: Source<'_>,
    descriptor: &MessageDescriptor,
    node: &Node<'_>,
) -> Result<DynamicMessage, String> {
    let token = source.token(node);
    let read = calendar::read_duration(text_of(source, node)?);
    let (seconds, nanos) = read.map_err(|error| {
        let what = match error {
            NoDuration::Malformed => format!("invalid google.protobuf.Duration value {token}"),
            NoDuration::OutOfRange => {
                format!("google.protobuf.Duration value out of range: {token}")
            }
        };
        source.error(node, &what)
    })?;
    made(
        descriptor,
        [(1, Value::I64(seconds)), (2, Value::I32(nanos))],
    )
}

/// Seconds and nanoseconds.
fn time_parts(message: &DynamicMessage) -> (i64, i32) {
    let seconds = message.get_field_by_number(1);
    let nanos = message.get_field_by_number(2);
    (
        seconds.and_then(|value| value.as_i64()).unwrap_or_default(),
        nanos.and_then(|value| value.as_i32()).unwrap_or_default(),
    )
}

fn write_time(writer: &mut Writer, message: &DynamicMessage) -> Result<(), String> {
    let (seconds, nanos) = time_parts(message);
    let text = calendar::write_time(seconds, nanos);
    let text = text.ok_or("proto: google.protobuf.Timestamp: out of range")?;
    writer.string(&text);
    Ok(())
}

fn write_duration(writer: &mut Writer, message: &DynamicMessage) -> Result<(), String> {
    let (seconds, nanos) = time_parts(message);
    let text = calendar::write_duration(seconds, nanos);
    let text = text.ok_or("proto: google.protobuf.Duration: out of range")?;
    writer.string(&text);
    Ok(())
}

fn read_mask(
    source: Source<'_>,
    descriptor: &MessageDescriptor,
    node: &Node<'_>,
) -> Result<DynamicMessage, String> {
    let text = text_of(source, node)?.trim();
    let mut paths = Vec::new();
    for path in text.split(',').filter(|_| !text.is_empty()) {
        let path = path.trim();
        let is_valid = |c: char| c.is_ascii_alphanumeric() || c == '.';
        if path.is_empty() || !path.chars().all(is_valid) {
            let what = format!("google.protobuf.FieldMask.paths contains invalid path: {path:?}");
            return Err(source.error(node, &what));
        }
        paths.push(Value::String(snake_case(path)));
    }
    made(descriptor, [(1, Value::List(paths))])
}

fn write_mask(writer: &mut Writer, message: &DynamicMessage) -> Result<(), String> {
    let paths = message.get_field_by_number(1);
    let paths = paths
        .as_deref()
        .and_then(Value::as_list)
        .unwrap_or_default();
    let paths: Vec<String> = paths
        .iter()
        .filter_map(Value::as_str)
        .map(camel_case)
        .collect();
    writer.string(&paths.join(","));
    Ok(())
}

fn snake_case(path: &str) -> String {
    let mut out = String::new();
    for c in path.chars() {
        if c.is_ascii_uppercase() {
            out.push('_');
        }
        out.push(c.to_ascii_lowercase());
    }
    out
}

fn camel_case(path: &str) -> String {
    let mut out = String::new();
    let mut is_after = false;
    for c in path.chars() {
        if c == '_' {
            is_after = true;
            continue;
        }
        out.push(if is_after { c.to_ascii_uppercase() } else { c });
        is_after = false;
    }
    out
}

fn read_struct(
    source: Source<'_>,
    descriptor: &MessageDescriptor,
    node: &Node<'_>,
) -> Result<DynamicMessage, String> {
    let Json::Object(members) = &node.kind else {
        return Err(source.unexpected(node));
    };
    let entry = field(descriptor, 1)?.kind();
    let entry = entry.as_message().filter(|entry| entry.is_map_entry());
    let value = entry.map(|entry| entry.map_entry_value_field().kind());
    let Some(value) = value else {
        return Err("proto: google.protobuf.Struct is not the type of Protobuf".to_owned());
    };
    let mut fields = HashMap::with_capacity(members.len());
    for (name, node) in members {
        let key = MapKey::String(name.text.clone().into_owned());
        fields.insert(key, single(source, &value, "value", node)?);
    }
    made(descriptor, [(1, Value::Map(fields))])
}

fn write_struct(writer: &mut Writer, message: &DynamicMessage) -> Result<(), String> {
    let field = field(&message.descriptor(), 1)?;
    writer.map(&field, &message.get_field(&field))
}

fn read_value(
    source: Source<'_>,
    descriptor: &MessageDescriptor,
    node: &Node<'_>,
) -> Result<DynamicMessage, String> {
    let inner = |number: u32| {
        let kind = field(descriptor, number)?.kind();
        single(source, &kind, "value", node)
    };
    let (number, value) = match &node.kind {
        Json::Null => (1, Value::EnumNumber(0)),
        Json::Number(_) => (2, inner(2)?),
        Json::Text(text) => (3, Value::String(text.clone().into_owned())),
        Json::Bool(flag) => (4, Value::Bool(*flag)),
        Json::Object(_) => (5, inner(5)?),
        Json::List(_) => (6, inner(6)?),
    };
    made(descriptor, [(number, value)])
}

fn write_value(writer: &mut Writer, message: &DynamicMessage) -> Result<(), String> {
    let mut fields = message.fields();
    match fields.next() {
        None => Err("proto: google.protobuf.Value: none of the oneof fields is set".to_owned()),
        Some((field, _)) if field.number() == 1 => {
            writer.null();
            Ok(())
        }
        Some((_, Value::F64(number))) if !number.is_finite() => Err(format!(
            "proto: google.protobuf.Value.number_value: invalid {number} value"
        )),
        Some((field, value)) => writer.single(&field.kind(), value),
    }
}

fn read_list(
    source: Source<'_>,
    descriptor: &MessageDescriptor,
    node: &Node<'_>,
) -> Result<DynamicMessage, String> {
    let Json::List(items) = &node.kind else {
        return Err(source.unexpected(node));
    };
    let kind = field(descriptor, 1)?.kind();
    let items = items
        .iter()
        .map(|item| single(source, &kind, "value", item));
    let items = items.collect::<Result<Vec<Value>, String>>()?;
    made(descriptor, [(1, Value::List(items))])
}

fn write_list(writer: &mut Writer, message: &DynamicMessage) -> Result<(), String> {
    let field = field(&message.descriptor(), 1)?;
    writer.list(&field.kind(), &message.get_field(&field))
}

/// The type that an `Any` names; the part before the last slash is its origin.
fn named(pool: &DescriptorPool, url: &str) -> Option<MessageDescriptor> {
    let name = url.rsplit('/').next().unwrap_or(url);
    let own = || DescriptorPool::global().get_message_by_name(name);
    let is_error = name.starts_with("google.rpc.");
    let of_errors = || {
        rpc_errors::pool()
            .get_message_by_name(name)
            .filter(|_| is_error)
    };
    pool.get_message_by_name(name)
        .or_else(own)
        .or_else(of_errors)
}

fn read_any(
    source: Source<'_>,
    descriptor: &MessageDescriptor,
    node: &Node<'_>,
) -> Result<DynamicMessage, String> {
    let Json::Object(all) = &node.kind else {
        return Err(source.unexpected(node));
    };
    if all.is_empty() {
        return Ok(DynamicMessage::new(descriptor.clone()));
    }
    let kind = all.iter().find(|(name, _)| name.text == "@type");
    let Some((_, kind)) = kind else {
        return Err(source.error(node, "missing \"@type\" field"));
    };
    let url = match &kind.kind {
        Json::Text(url) if !url.is_empty() => url,
        _ => {
            let what = format!("@type field value is not valid: {}", source.token(kind));
            return Err(source.error(kind, &what));
        }
    };
    let inner = named(descriptor.parent_pool(), url)
        .ok_or_else(|| source.error(kind, &format!("unable to resolve {url:?}: \"not found\"")))?;
    let is_empty = inner.full_name() == "google.protobuf.Empty";
    let inner = if is_empty || reader(inner.full_name()).is_some() {
        let value = all.iter().find(|(name, _)| name.text == "value");
        match value {
            Some((_, value)) => message(source, &inner, value)?,
            None if is_empty => DynamicMessage::new(inner),
            None => return Err(source.error(node, "missing \"value\" field")),
        }
    } else {
        members(source, &inner, node, &["@type"])?
    };
    let url = Value::String(url.clone().into_owned());
    let bytes = Value::Bytes(inner.encode_to_vec().into());
    made(descriptor, [(1, url), (2, bytes)])
}

fn write_any(writer: &mut Writer, message: &DynamicMessage) -> Result<(), String> {
    let descriptor = message.descriptor();
    let url = message.get_field_by_number(1);
    let url = url.as_deref().and_then(Value::as_str).unwrap_or_default();
    let bytes = message.get_field_by_number(2);
    let bytes = bytes.as_deref().and_then(Value::as_bytes);
    let bytes = bytes.map(|bytes| &bytes[..]).unwrap_or_default();
    write_packed(writer, descriptor.parent_pool(), url, bytes)
}

/// Writes the content of an `Any` with this type and these bytes.
pub(super) fn write_packed(
    writer: &mut Writer,
    pool: &DescriptorPool,
    url: &str,
    bytes: &[u8],
) -> Result<(), String> {
    if url.is_empty() {
        writer.empty_object();
        return Ok(());
    }
    let inner = named(pool, url).ok_or_else(|| {
        format!("proto: google.protobuf.Any: unable to resolve {url:?}: \"not found\"")
    })?;
    let inner = DynamicMessage::decode(inner, bytes).map_err(|error| {
        format!("proto: google.protobuf.Any: unable to unmarshal {url:?}: {error}")
    })?;
    let name = inner.descriptor().full_name().to_owned();
    match self::writer(&name) {
        Some(write) => writer.typed_value(url, |writer| write(writer, &inner)),
        None if name == "google.protobuf.Empty" => writer.typed_value(url, |writer| {
            writer.empty_object();
            Ok(())
        }),
        None => writer.typed(url, &inner),
    }
}
