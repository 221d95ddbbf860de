//! From JSON to messages.

use std::collections::HashMap;

use base64::Engine;
use base64::alphabet::{STANDARD, URL_SAFE};
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use prost_reflect::{
    DynamicMessage, EnumDescriptor, ExtensionDescriptor, FieldDescriptor, Kind, MapKey,
    MessageDescriptor, Syntax, Value,
};

use super::number;
use super::tree::{Kind as Json, Name, Node, Source};
use super::well_known;

const LENIENT: GeneralPurposeConfig = GeneralPurposeConfig::new()
    .with_decode_allow_trailing_bits(true)
    .with_decode_padding_mode(DecodePaddingMode::Indifferent);
const BASE64: GeneralPurpose = GeneralPurpose::new(&STANDARD, LENIENT);
const BASE64_URL: GeneralPurpose = GeneralPurpose::new(&URL_SAFE, LENIENT);

/// The field or extension for the property `name` of a message.
enum Member {
    Field(FieldDescriptor),
    Extension(ExtensionDescriptor),
}

/// Reads a message of this type from JSON text.
///
/// # Errors
/// The first error, with its place, in the words of Protobuf's reader for Go.
pub fn decode(descriptor: &MessageDescriptor, text: &str) -> Result<DynamicMessage, String> {
    let source = Source(text);
    let tree = source.tree()?;
    message(source, descriptor, &tree)
}

/// Reads a message; a well-known type has its own notation.
pub(super) fn message(
    source: Source<'_>,
    descriptor: &MessageDescriptor,
    node: &Node<'_>,
) -> Result<DynamicMessage, String> {
    if let Some(read) = well_known::reader(descriptor.full_name()) {
        return read(source, descriptor, node);
    }
    members(source, descriptor, node, &[])
}

/// Reads a message property by property, without those to be ignored.
pub(super) fn members(
    source: Source<'_>,
    descriptor: &MessageDescriptor,
    node: &Node<'_>,
    skipped: &[&str],
) -> Result<DynamicMessage, String> {
    let Json::Object(members) = &node.kind else {
        return Err(source.unexpected(node));
    };
    let mut reading = Reading {
        source,
        message: DynamicMessage::new(descriptor.clone()),
        oneofs: Vec::new(),
    };
    let mut seen: Vec<u32> = Vec::new();
    for (name, node) in members {
        if skipped.contains(&&*name.text) {
            continue;
        }
        match member(descriptor, &name.text) {
            None => {
                let what = format!("unknown field {:?}", name.text);
                return Err(source.name_error(name, &what));
            }
            Some(Member::Extension(extension)) => {
                reading.set_extension(&extension, node)?;
            }
            Some(Member::Field(field)) => {
                if seen.contains(&field.number()) {
                    let what = format!("duplicate field {:?}", name.text);
                    return Err(source.name_error(name, &what));
                }
                seen.push(field.number());
                reading.set_field(&field, name, node)?;
            }
        }
    }
    check_required(descriptor, &reading.message)?;
    Ok(reading.message)
}

fn member(descriptor: &MessageDescriptor, name: &str) -> Option<Member> {
    if let Some(extension) = name
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
    {
        let extension = descriptor.get_extension_by_full_name(extension);
        return extension.map(Member::Extension);
    }
    // A group is named by its type.
    let group = || {
        let mut fields = descriptor.fields();
        fields.find(|field| match field.kind() {
            Kind::Message(of) if field.is_group() => of.name() == name,
            _ => false,
        })
    };
    let field = descriptor
        .get_field_by_json_name(name)
        .or_else(|| descriptor.get_field_by_name(name))
        .or_else(group);
    field.map(Member::Field)
}

fn check_required(descriptor: &MessageDescriptor, message: &DynamicMessage) -> Result<(), String> {
    if descriptor.parent_file().syntax() != Syntax::Proto2 {
        return Ok(());
    }
    let mut required = descriptor.fields().filter(FieldDescriptor::is_required);
    match required.find(|field| !message.has_field(field)) {
        Some(field) => Err(format!(
            "proto: required field {} not set",
            field.full_name()
        )),
        None => Ok(()),
    }
}

/// A message while it is read.
struct Reading<'a> {
    source: Source<'a>,
    message: DynamicMessage,
    /// The names of the oneofs that are set.
    oneofs: Vec<String>,
}

impl Reading<'_> {
    fn set_field(
        &mut self,
        field: &FieldDescriptor,
        name: &Name<'_>,
        node: &Node<'_>,
    ) -> Result<(), String> {
        let kind = field.kind();
        if node.kind == Json::Null && !takes_null(&kind, field.is_list() || field.is_map()) {
            return Ok(());
        }
        if let Some(oneof) = field.containing_oneof() {
            let oneof = oneof.full_name().to_owned();
            if self.oneofs.contains(&oneof) {
                let what = format!(
                    "error parsing {:?}, oneof {oneof} is already set",
                    name.text
                );
                return Err(self.source.name_error(name, &what));
            }
            self.oneofs.push(oneof);
        }
        let value = if field.is_map() {
            map(self.source, &kind, node)?
        } else if field.is_list() {
            list(self.source, &kind, field.json_name(), node)?
        } else {
            single(self.source, &kind, field.json_name(), node)?
        };
        self.message.set_field(field, value);
        Ok(())
    }

    fn set_extension(
        &mut self,
        extension: &ExtensionDescriptor,
        node: &Node<'_>,
    ) -> Result<(), String> {
        let kind = extension.kind();
        if node.kind == Json::Null && !takes_null(&kind, extension.is_list()) {
            return Ok(());
        }
        let value = if extension.is_list() {
            list(self.source, &kind, extension.full_name(), node)?
        } else {
            single(self.source, &kind, extension.full_name(), node)?
        };
        self.message.set_extension(extension, value);
        Ok(())
    }
}

/// Whether null is a value and not the absence of one.
fn takes_null(kind: &Kind, is_repeated: bool) -> bool {
    match kind {
        _ if is_repeated => false,
        Kind::Message(of) => of.full_name() == "google.protobuf.Value",
        Kind::Enum(of) => is_null_value(of),
        _ => false,
    }
}

fn is_null_value(of: &EnumDescriptor) -> bool {
    of.full_name() == "google.protobuf.NullValue"
}

fn list(source: Source<'_>, kind: &Kind, name: &str, node: &Node<'_>) -> Result<Value, String> {
    let Json::List(items) = &node.kind else {
        return Err(source.unexpected(node));
    };
    let items = items.iter().map(|item| single(source, kind, name, item));
    items.collect::<Result<_, String>>().map(Value::List)
}

fn map(source: Source<'_>, kind: &Kind, node: &Node<'_>) -> Result<Value, String> {
    let Kind::Message(entry) = kind else {
        return Err(source.unexpected(node));
    };
    let Json::Object(members) = &node.kind else {
        return Err(source.unexpected(node));
    };
    let key_kind = entry.map_entry_key_field().kind();
    let value_kind = entry.map_entry_value_field().kind();
    let mut map = HashMap::with_capacity(members.len());
    for (name, node) in members {
        let key = map_key(&key_kind, &name.text).ok_or_else(|| {
            let what = format!(
                "invalid value for {} key: {:?}",
                kind_name(&key_kind),
                name.text
            );
            source.name_error(name, &what)
        })?;
        if map.contains_key(&key) {
            let what = format!("duplicate map key {:?}", name.text);
            return Err(source.name_error(name, &what));
        }
        map.insert(key, single(source, &value_kind, "value", node)?);
    }
    Ok(Value::Map(map))
}

fn map_key(kind: &Kind, text: &str) -> Option<MapKey> {
    let whole = || number::whole(text);
    Some(match kind {
        Kind::String => MapKey::String(text.to_owned()),
        Kind::Bool => MapKey::Bool(text.parse().ok()?),
        Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => MapKey::I32(whole()?.try_into().ok()?),
        Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 => MapKey::I64(whole()?.try_into().ok()?),
        Kind::Uint32 | Kind::Fixed32 => MapKey::U32(whole()?.try_into().ok()?),
        Kind::Uint64 | Kind::Fixed64 => MapKey::U64(whole()?.try_into().ok()?),
        _ => return None,
    })
}

/// Reads a value that is neither a list nor a map; `name` is that of its field.
pub(super) fn single(
    source: Source<'_>,
    kind: &Kind,
    name: &str,
    node: &Node<'_>,
) -> Result<Value, String> {
    if let Kind::Message(descriptor) = kind {
        return message(source, descriptor, node).map(Value::Message);
    }
    scalar(kind, node).ok_or_else(|| {
        let what = format!(
            "invalid value for {} field {name}: {}",
            kind_name(kind),
            source.token(node)
        );
        source.error(node, &what)
    })
}

fn scalar(kind: &Kind, node: &Node<'_>) -> Option<Value> {
    let text = match &node.kind {
        Json::Text(text) => Some(&**text),
        _ => None,
    };
    let number = match &node.kind {
        Json::Number(text) => Some(*text),
        _ => text,
    };
    let whole = || number::whole(number?);
    Some(match kind {
        Kind::Bool => match node.kind {
            Json::Bool(flag) => Value::Bool(flag),
            _ => return None,
        },
        Kind::String => Value::String(text?.to_owned()),
        Kind::Bytes => Value::Bytes(bytes(text?)?.into()),
        Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => Value::I32(whole()?.try_into().ok()?),
        Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 => Value::I64(whole()?.try_into().ok()?),
        Kind::Uint32 | Kind::Fixed32 => Value::U32(whole()?.try_into().ok()?),
        Kind::Uint64 | Kind::Fixed64 => Value::U64(whole()?.try_into().ok()?),
        Kind::Float => Value::F32(match float(number?, text.is_some())? {
            Float::Special(value) => value as f32,
            Float::Text(text) => finite(text.parse::<f32>().ok()?.into())? as f32,
        }),
        Kind::Double => Value::F64(match float(number?, text.is_some())? {
            Float::Special(value) => value,
            Float::Text(text) => finite(text.parse().ok()?)?,
        }),
        Kind::Enum(of) => Value::EnumNumber(match &node.kind {
            Json::Null if is_null_value(of) => 0,
            Json::Text(name) => of.get_value_by_name(name)?.number(),
            Json::Number(text) => number::whole(text)?.try_into().ok()?,
            _ => return None,
        }),
        Kind::Message(_) => return None,
    })
}

enum Float<'a> {
    Special(f64),
    Text(&'a str),
}

fn float(text: &str, is_quoted: bool) -> Option<Float<'_>> {
    let special = match text {
        "NaN" => Some(f64::NAN),
        "Infinity" => Some(f64::INFINITY),
        "-Infinity" => Some(f64::NEG_INFINITY),
        _ => None,
    };
    match special {
        Some(value) if is_quoted => Some(Float::Special(value)),
        _ => number::is_number(text).then_some(Float::Text(text)),
    }
}

fn finite(number: f64) -> Option<f64> {
    number.is_finite().then_some(number)
}

fn bytes(text: &str) -> Option<Vec<u8>> {
    let engine = match text.contains(['-', '_']) {
        true => &BASE64_URL,
        false => &BASE64,
    };
    engine.decode(text).ok()
}

/// The name of a kind in a file.
fn kind_name(kind: &Kind) -> &'static str {
    match kind {
        Kind::Double => "double",
        Kind::Float => "float",
        Kind::Int32 => "int32",
        Kind::Int64 => "int64",
        Kind::Uint32 => "uint32",
        Kind::Uint64 => "uint64",
        Kind::Sint32 => "sint32",
        Kind::Sint64 => "sint64",
        Kind::Fixed32 => "fixed32",
        Kind::Fixed64 => "fixed64",
        Kind::Sfixed32 => "sfixed32",
        Kind::Sfixed64 => "sfixed64",
        Kind::Bool => "bool",
        Kind::String => "string",
        Kind::Bytes => "bytes",
        Kind::Message(_) => "message",
        Kind::Enum(_) => "enum",
    }
}
