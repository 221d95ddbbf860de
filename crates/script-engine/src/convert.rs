//! Conversion between script values and Rust values.

use rquickjs::atom::PredefinedAtom;
use rquickjs::{Array, ArrayBuffer, Ctx, FromJs, Object, Value, qjs};

use super::throw::{Outcome, Throw};

/// `String(value)`; lone surrogates become replacement characters. A symbol is its description, as for functions of k6.
pub fn to_text(value: &Value<'_>) -> Result<String, Throw> {
    if let Some(symbol) = value.as_symbol() {
        return Ok(symbol.description()?.get().unwrap_or_default());
    }
    let ctx = value.ctx().as_raw().as_ptr();
    let mut length: usize = 0;
    // SAFETY: the realm and the value are alive; the text is copied before it is freed.
    unsafe {
        let text = qjs::JS_ToCStringLen(ctx, &mut length, value.as_raw());
        if text.is_null() {
            return Err(Throw::Engine(rquickjs::Error::Exception));
        }
        let bytes = std::slice::from_raw_parts(text.cast::<u8>(), length);
        let owned = match std::str::from_utf8(bytes) {
            Ok(valid) => valid.to_owned(),
            Err(_) => String::from_utf8_lossy(&well_formed(bytes.to_vec())).into_owned(),
        };
        qjs::JS_FreeCString(ctx, text);
        Ok(owned)
    }
}

/// `String(value)` as UTF-8 with a replacement character for each lone surrogate.
pub fn to_well_formed(value: &Value<'_>) -> Result<Vec<u8>, Throw> {
    let ctx = value.ctx().as_raw().as_ptr();
    let mut length: usize = 0;
    // SAFETY: the realm and the value are alive; the text is copied before it is freed.
    let bytes = unsafe {
        let text = qjs::JS_ToCStringLen(ctx, &mut length, value.as_raw());
        if text.is_null() {
            return Err(Throw::Engine(rquickjs::Error::Exception));
        }
        let bytes = std::slice::from_raw_parts(text.cast::<u8>(), length).to_vec();
        qjs::JS_FreeCString(ctx, text);
        bytes
    };
    Ok(well_formed(bytes))
}

/// The engine writes a lone surrogate in the three bytes that UTF-8 forbids for it.
fn well_formed(mut bytes: Vec<u8>) -> Vec<u8> {
    let mut at = 0;
    while at + 2 < bytes.len() {
        if bytes[at] == 0xed && bytes[at + 1] >= 0xa0 {
            bytes[at..at + 3].copy_from_slice("\u{fffd}".as_bytes());
        }
        at += 1;
    }
    bytes
}

/// A script string.
pub fn string<'js>(ctx: &Ctx<'js>, text: &str) -> Outcome<'js> {
    Ok(rquickjs::String::from_str(ctx.clone(), text)?.into_value())
}

/// A script string from bytes that should be UTF-8; invalid bytes become replacement characters.
pub fn string_of_bytes<'js>(ctx: &Ctx<'js>, bytes: &[u8]) -> Outcome<'js> {
    string(ctx, &String::from_utf8_lossy(bytes))
}

/// Whether the value is truthy.
pub fn is_truthy(value: &Value<'_>) -> bool {
    // SAFETY: the realm and the value are alive.
    unsafe { qjs::JS_ToBool(value.ctx().as_raw().as_ptr(), value.as_raw()) > 0 }
}

/// Whether an object is that of a text, as `new String('a')` makes it.
pub fn is_text_object(value: &Object<'_>) -> bool {
    let ctx = value.ctx();
    let made = string(ctx, "").and_then(|text| object(&text));
    // SAFETY: live values.
    made.is_ok_and(|made| unsafe {
        qjs::JS_GetClassID(made.as_raw()) == qjs::JS_GetClassID(value.as_raw())
    })
}

/// Whether an object has the exports of a module: `import * as all`.
pub fn is_namespace(value: &Object<'_>) -> bool {
    let tag: rquickjs::Result<String> = value.get(PredefinedAtom::SymbolToStringTag);
    value.get_prototype().is_none() && tag.is_ok_and(|tag| tag == "Module")
}

/// Whether the value is an async function.
pub fn is_async_function(value: &Value<'_>) -> bool {
    // SAFETY: the value is alive.
    unsafe { qjs::JS_IsAsyncFunction(value.as_raw()) }
}

/// The time of a `Date` in milliseconds since 1970; `None` when the value is not a date.
pub fn date_millis(value: &Value<'_>) -> Option<f64> {
    // SAFETY: the value is alive.
    let is_date = unsafe { qjs::JS_IsDate(value.as_raw()) };
    let time: rquickjs::Function<'_> =
        value.as_object().filter(|_| is_date)?.get("getTime").ok()?;
    time.call((rquickjs::function::This(value.clone()),)).ok()
}

/// Whether the value is a `DataView`.
pub fn is_data_view(value: &Value<'_>) -> bool {
    // SAFETY: the value is alive.
    unsafe { qjs::JS_IsDataView(value.as_raw()) }
}

/// Whether the value is a typed array of integers that a number can hold.
pub fn is_integer_array(value: &Value<'_>) -> bool {
    // SAFETY: the value is alive.
    let kind = unsafe { qjs::JS_GetTypedArrayType(value.as_raw()) };
    let integers = [
        qjs::JSTypedArrayEnum_JS_TYPED_ARRAY_UINT8C,
        qjs::JSTypedArrayEnum_JS_TYPED_ARRAY_INT8,
        qjs::JSTypedArrayEnum_JS_TYPED_ARRAY_UINT8,
        qjs::JSTypedArrayEnum_JS_TYPED_ARRAY_INT16,
        qjs::JSTypedArrayEnum_JS_TYPED_ARRAY_UINT16,
        qjs::JSTypedArrayEnum_JS_TYPED_ARRAY_INT32,
        qjs::JSTypedArrayEnum_JS_TYPED_ARRAY_UINT32,
    ];
    let mut integers = integers.iter();
    integers.any(|integer| i64::from(*integer) == i64::from(kind))
}

/// Freezes the value and everything that it contains.
///
/// # Errors
/// When a getter throws.
pub fn freeze(value: &Value<'_>) -> Result<(), Throw> {
    let Some(object) = value.as_object() else {
        return Ok(());
    };
    for (_, inner) in entries(object)? {
        freeze(&inner)?;
    }
    // SAFETY: a live object of a live realm.
    unsafe { qjs::JS_FreezeObject(value.ctx().as_raw().as_ptr(), value.as_raw()) };
    Ok(())
}

/// `Object(value)`
///
/// # Errors
/// The value is null or undefined.
pub fn object<'js>(value: &Value<'js>) -> Outcome<'js> {
    let ctx = value.ctx();
    // SAFETY: a live value of a live realm; the object is owned by the value.
    let object = unsafe {
        let raw = qjs::JS_ToObject(ctx.as_raw().as_ptr(), value.as_raw());
        Value::from_raw(ctx.clone(), raw)
    };
    if object.is_exception() {
        return Err(Throw::Engine(rquickjs::Error::Exception));
    }
    Ok(object)
}

/// A proxy of `target` with the traps of `handler`.
///
/// # Errors
/// When there is no memory.
pub fn proxy<'js>(target: &Object<'js>, handler: &Object<'js>) -> Outcome<'js> {
    let ctx = target.ctx();
    // SAFETY: both are live objects of this realm; the proxy keeps them alive, and the value owns it.
    let proxy = unsafe {
        let raw = ctx.as_raw().as_ptr();
        Value::from_raw(
            ctx.clone(),
            qjs::JS_NewProxy(raw, target.as_raw(), handler.as_raw()),
        )
    };
    if proxy.is_exception() {
        return Err(Throw::Engine(rquickjs::Error::Exception));
    }
    Ok(proxy)
}

/// `Number(value)`.
pub fn to_number(value: &Value<'_>) -> Result<f64, Throw> {
    let mut number = 0.0;
    // SAFETY: the realm and the value are alive.
    let done =
        unsafe { qjs::JS_ToFloat64(value.ctx().as_raw().as_ptr(), &mut number, value.as_raw()) };
    if done < 0 {
        Err(Throw::Engine(rquickjs::Error::Exception))
    } else {
        Ok(number)
    }
}

/// A number, as an integer if it is one.
pub fn number<'js>(ctx: &Ctx<'js>, value: f64) -> Value<'js> {
    Value::new_number(ctx.clone(), value)
}

/// The value as JSON text; `None` when it has none (undefined, functions).
pub fn to_json(value: &Value<'_>) -> Result<Option<String>, Throw> {
    let text = value.ctx().json_stringify(value.clone())?;
    text.map(|text| to_text(text.as_value())).transpose()
}

/// The value as a JSON tree; values without JSON become null.
pub fn to_json_value(value: &Value<'_>) -> Result<serde_json::Value, Throw> {
    let text = to_json(value)?.unwrap_or_else(|| "null".to_owned());
    let text = well_formed_json(&text);
    serde_json::from_str(&text).map_err(|error| Throw::Plain(error.to_string()))
}

/// The reason why Go cannot write a value as JSON: functions or some numbers in it, or cycles.
///
/// # Errors
/// When a getter throws.
pub fn unwritable(value: &Value<'_>) -> Result<Option<String>, Throw> {
    unwritable_in(value, &mut Vec::new())
}

fn unwritable_in<'js>(
    value: &Value<'js>,
    outer: &mut Vec<Object<'js>>,
) -> Result<Option<String>, Throw> {
    if let Some(number) = value.as_number() {
        let unsupported = |number: &str| Some(format!("unsupported value: {number}"));
        return Ok(match number {
            _ if number.is_nan() => unsupported("NaN"),
            f64::INFINITY => unsupported("+Inf"),
            f64::NEG_INFINITY => unsupported("-Inf"),
            _ => None,
        });
    }
    let Some(object) = value.as_object() else {
        return Ok(None);
    };
    if value.is_function() {
        let kind = "unsupported type: func(sobek.FunctionCall) sobek.Value";
        return Ok(Some(kind.to_owned()));
    }
    if outer.contains(object) {
        let what = "unsupported value: encountered a cycle via map[string]interface {}";
        return Ok(Some(what.to_owned()));
    }
    outer.push(object.clone());
    for (_, inner) in entries(object)? {
        if let Some(why) = unwritable_in(&inner, outer)? {
            return Ok(Some(why));
        }
    }
    outer.pop();
    Ok(None)
}

/// The engine's JSON with U+FFFD in place of lone surrogates, which the engine writes as escapes.
pub fn well_formed_json(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    let mut rest = json;
    while let Some(at) = rest.find('\\') {
        let escape = rest.get(at..at + 6).unwrap_or_default();
        let is_half = escape.starts_with("\\ud") && !matches!(escape.as_bytes()[3], b'0'..=b'7');
        let end = if is_half {
            at + 6
        } else {
            (at + 2).min(rest.len())
        };
        out.push_str(if is_half { &rest[..at] } else { &rest[..end] });
        if is_half {
            out.push('\u{fffd}');
        }
        rest = &rest[end..];
    }
    out + rest
}

/// A script value from JSON text.
pub fn from_json<'js>(ctx: &Ctx<'js>, json: &str) -> Outcome<'js> {
    Ok(ctx.json_parse(json)?)
}

/// A script value from a JSON tree.
pub fn from_json_value<'js>(ctx: &Ctx<'js>, json: &serde_json::Value) -> Outcome<'js> {
    use serde_json::Value as Json;
    Ok(match json {
        Json::Null => Value::new_null(ctx.clone()),
        Json::Bool(flag) => Value::new_bool(ctx.clone(), *flag),
        Json::Number(n) => number(ctx, n.as_f64().unwrap_or(f64::NAN)),
        Json::String(text) => string(ctx, text)?,
        Json::Array(_) | Json::Object(_) => from_json(ctx, &json.to_string())?,
    })
}

/// An `ArrayBuffer` that owns these bytes.
pub fn array_buffer<'js>(ctx: &Ctx<'js>, bytes: Vec<u8>) -> Outcome<'js> {
    // A copy in the engine's memory, where it is charged to the VU.
    Ok(ArrayBuffer::new_copy(ctx.clone(), bytes)?.into_value())
}

/// A `Uint8Array` that owns these bytes.
pub fn byte_array<'js>(ctx: &Ctx<'js>, bytes: Vec<u8>) -> Outcome<'js> {
    Ok(rquickjs::TypedArray::<u8>::new_copy(ctx.clone(), bytes)?.into_value())
}

/// Whether the value is an `ArrayBuffer`. Requesting the bytes of another value would leave an exception pending.
pub fn is_array_buffer(value: &Value<'_>) -> bool {
    // SAFETY: the value is alive.
    unsafe { qjs::JS_IsArrayBuffer(value.as_raw()) }
}

/// The bytes of an `ArrayBuffer`, typed array or `DataView`.
pub fn buffer_bytes(value: &Value<'_>) -> Option<Vec<u8>> {
    let object = value.as_object()?;
    if is_array_buffer(value)
        && let Some(buffer) = object.as_array_buffer()
    {
        // SAFETY: copied at once, before any script code can detach it.
        return unsafe { buffer.as_bytes() }.map(<[u8]>::to_vec);
    }
    // SAFETY: the value is alive.
    let is_view = unsafe {
        qjs::JS_GetTypedArrayType(value.as_raw()) >= 0 || qjs::JS_IsDataView(value.as_raw())
    };
    if !is_view {
        return None;
    }
    let buffer: Object<'_> = object.get("buffer").ok()?;
    let (offset, length): (usize, usize) = (
        object.get("byteOffset").ok()?,
        object.get("byteLength").ok()?,
    );
    // SAFETY: copied at once.
    let bytes = unsafe { buffer.as_array_buffer()?.as_bytes() }?;
    bytes
        .get(offset..offset.checked_add(length)?)
        .map(<[u8]>::to_vec)
}

/// The length in bytes of an `ArrayBuffer`, typed array or `DataView`.
pub fn buffer_length(value: &Value<'_>) -> Option<usize> {
    value.as_object()?.get("byteLength").ok()
}

/// The length of a `Uint8Array`.
pub fn byte_array_length(value: &Value<'_>) -> Option<usize> {
    // SAFETY: the value is alive.
    let kind = unsafe { qjs::JS_GetTypedArrayType(value.as_raw()) };
    let is_bytes = i64::from(kind) == i64::from(qjs::JSTypedArrayEnum_JS_TYPED_ARRAY_UINT8);
    is_bytes.then(|| buffer_length(value)).flatten()
}

/// Writes into a typed array, from its start; bytes that do not fit are left out.
pub fn write_buffer(array: &Value<'_>, bytes: &[u8]) {
    let parts = array.as_object().and_then(|object| {
        let buffer: Object<'_> = object.get("buffer").ok()?;
        let offset: usize = object.get("byteOffset").ok()?;
        Some((buffer, offset, buffer_length(array)?))
    });
    let Some((buffer, offset, length)) = parts else {
        return;
    };
    let mut size: qjs::size_t = 0;
    // SAFETY: the buffer is alive, and no script code runs until the bytes are copied.
    unsafe {
        let start =
            qjs::JS_GetArrayBuffer(array.ctx().as_raw().as_ptr(), &mut size, buffer.as_raw());
        let room = (size as usize).saturating_sub(offset).min(length);
        if !start.is_null() {
            std::ptr::copy_nonoverlapping(bytes.as_ptr(), start.add(offset), bytes.len().min(room));
        }
    }
}

/// The bytes of a string (UTF-8) or of a buffer.
pub fn bytes_of(value: &Value<'_>) -> Result<Option<Vec<u8>>, Throw> {
    if value.is_string() {
        return to_text(value).map(|text| Some(text.into_bytes()));
    }
    Ok(buffer_bytes(value))
}

/// The own enumerable string-keyed properties, in order.
pub fn entries<'js>(object: &Object<'js>) -> Result<Vec<(String, Value<'js>)>, Throw> {
    let mut entries = Vec::new();
    for key in object.keys::<rquickjs::Atom<'js>>() {
        let key = key?;
        let value = object.get(key.clone())?;
        entries.push((to_text(&key.to_value()?)?, value));
    }
    Ok(entries)
}

/// The items of an array.
pub fn items<'js>(array: &Array<'js>) -> Result<Vec<Value<'js>>, Throw> {
    array.iter::<Value<'js>>().map(|item| Ok(item?)).collect()
}

/// The property, unless it is missing, undefined or null.
pub fn given<'js>(object: &Object<'js>, key: &str) -> Result<Option<Value<'js>>, Throw> {
    let value: Value<'js> = object.get(key)?;
    Ok((!value.is_undefined() && !value.is_null()).then_some(value))
}

/// A function, if it is one.
pub fn function<'js>(value: &Value<'js>) -> Option<rquickjs::Function<'js>> {
    rquickjs::Function::from_js(value.ctx(), value.clone()).ok()
}

/// From here on, k6's engine stores whole numbers as floating-point ones.
const MOST_EXACT: f64 = 9_007_199_254_740_992.0;

/// The Go name of a value's type, which k6's messages contain.
pub fn go_type(value: &Value<'_>) -> &'static str {
    if value.is_undefined() || value.is_null() {
        return "<nil>";
    }
    match value.as_number() {
        Some(number) if number.fract() == 0.0 && number.abs() < MOST_EXACT => "int64",
        Some(_) => "float64",
        None if value.is_string() || value.is_symbol() => "string",
        None if value.is_bool() => "bool",
        None if value.is_array() => "[]interface {}",
        None if value.is_function() => "func(sobek.FunctionCall) sobek.Value",
        None if value.is_promise() => "*sobek.Promise",
        None => go_class(value),
    }
}

/// Whether an object has one of these constructors.
pub fn is_made_by(value: &Value<'_>, names: &[&str]) -> bool {
    maker(value).is_some_and(|maker| names.contains(&maker.as_str()))
}

/// The name of an object's constructor.
fn maker(value: &Value<'_>) -> Option<String> {
    let maker: Option<Object<'_>> = value.as_object()?.get("constructor").ok();
    let name = maker.and_then(|maker| maker.get("name").ok());
    if name.is_none() {
        let _ = value.ctx().catch();
    }
    name
}

/// The characters of a text as properties of an object: `{0: 'a', 1: 'b'}`.
pub fn characters(value: &Value<'_>) -> Result<Vec<(String, String)>, Throw> {
    let text = to_text(value)?;
    let pairs = text.chars().enumerate();
    Ok(pairs
        .map(|(at, c)| (at.to_string(), c.to_string()))
        .collect())
}

/// The same for objects, by their constructors.
fn go_class(value: &Value<'_>) -> &'static str {
    if !value.is_object() {
        return "*big.Int";
    }
    match maker(value).as_deref() {
        Some("Date") => "time.Time",
        Some("Map") => "[][2]interface {}",
        Some("Set") => "[]interface {}",
        Some("Uint8Array" | "Uint8ClampedArray") => "[]uint8",
        Some("Int8Array") => "[]int8",
        Some("Uint16Array") => "[]uint16",
        Some("Int16Array") => "[]int16",
        Some("Uint32Array") => "[]uint32",
        Some("Int32Array") => "[]int32",
        Some("Float32Array") => "[]float32",
        Some("Float64Array") => "[]float64",
        _ => "map[string]interface {}",
    }
}

/// The depth to which values are converted, since a script's values may contain themselves.
const MAX_DEPTH: usize = 32;

/// A value as Go prints it: `map[a:1]`, `[1 2]`, `<nil>`.
///
/// # Errors
/// The value nests too deeply, or one of its properties throws.
pub fn go_text(value: &Value<'_>) -> Result<String, Throw> {
    go_text_within(value, MAX_DEPTH)
}

fn go_text_within(value: &Value<'_>, depth: usize) -> Result<String, Throw> {
    if value.is_undefined() || value.is_null() {
        return Ok("<nil>".to_owned());
    }
    if let Some(symbol) = value.as_symbol() {
        return Ok(symbol.description()?.get().unwrap_or_default());
    }
    let Some(object) = value.as_object().filter(|_| !value.is_function()) else {
        return to_text(value);
    };
    let Some(depth) = depth.checked_sub(1) else {
        return Err(Throw::Plain("the value nests too deep".to_owned()));
    };
    if is_made_by(value, &["String"]) {
        return Ok("map[]".to_owned());
    }
    if let Some(array) = value.as_array() {
        let texts = items(array)?;
        let texts = texts.iter().map(|item| go_text_within(item, depth));
        return Ok(format!(
            "[{}]",
            texts.collect::<Result<Vec<_>, Throw>>()?.join(" ")
        ));
    }
    let mut pairs = entries(object)?;
    pairs.sort_by(|a, b| a.0.cmp(&b.0));
    let pairs = pairs
        .iter()
        .map(|(name, value)| Ok(format!("{name}:{}", go_text_within(value, depth)?)));
    Ok(format!(
        "map[{}]",
        pairs.collect::<Result<Vec<_>, Throw>>()?.join(" ")
    ))
}

/// A value where k6's own functions expect a string; a missing one is the empty string.
pub fn go_string(value: &Value<'_>) -> Result<String, Throw> {
    if value.is_undefined() || value.is_null() {
        return Ok(String::new());
    }
    to_text(value)
}
