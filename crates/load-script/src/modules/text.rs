//! The globals `TextEncoder` and `TextDecoder`, after the Encoding standard.

use std::cell::RefCell;
use std::ffi::CStr;

use encoding_rs::{CoderResult, Decoder, DecoderResult, Encoding};
use script_engine::class::{self, Class};
use script_engine::convert;
use script_engine::native::{Call, constructor, getter, method};
use script_engine::property::Visible;
use script_engine::throw::{Outcome, Throw};
use script_engine::{Object, Value};

/// The value of an encoder object: empty, since UTF-8 is the only target encoding.
struct TextEncoder;

/// The value of a decoder object.
struct TextDecoder {
    encoding: &'static Encoding,
    is_fatal: bool,
    keeps_mark: bool,
    /// The state of a partly decoded text, between calls with `stream`.
    under_way: RefCell<Option<Decoder>>,
}

impl Class for TextEncoder {
    const NAME: &'static CStr = c"TextEncoder";

    fn prototype(prototype: &Object<'_>) -> script_engine::Result<()> {
        method(prototype, c"encode", encode)?;
        method(prototype, c"encodeInto", encode_into)?;
        getter(prototype, c"encoding", encoder_encoding, Visible::Yes)
    }
}

impl Class for TextDecoder {
    const NAME: &'static CStr = c"TextDecoder";

    fn prototype(prototype: &Object<'_>) -> script_engine::Result<()> {
        method(prototype, c"decode", decode)?;
        getter(prototype, c"encoding", decoder_encoding, Visible::Yes)?;
        getter(prototype, c"fatal", fatal, Visible::Yes)?;
        getter(prototype, c"ignoreBOM", ignore_mark, Visible::Yes)
    }
}

/// Sets both globals.
pub(super) fn install(globals: &Object<'_>) -> Result<(), Throw> {
    let ctx = globals.ctx();
    let encoder = class::prototype::<TextEncoder>(ctx)?;
    constructor(globals, c"TextEncoder", make_encoder, &encoder)?;
    let decoder = class::prototype::<TextDecoder>(ctx)?;
    constructor(globals, c"TextDecoder", make_decoder, &decoder)?;
    Ok(())
}

fn make_encoder<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    Ok(class::new(call.ctx, TextEncoder)?.into_value())
}

fn encoder_encoding<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    call.string("utf-8")
}

/// The argument as UTF-8; undefined is the empty text.
fn text(value: &Value<'_>) -> Result<Vec<u8>, Throw> {
    if value.is_undefined() {
        return Ok(Vec::new());
    }
    convert::to_well_formed(value)
}

/// `encode(text)`
fn encode<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    convert::byte_array(call.ctx, text(&call.arg(0))?)
}

/// `encodeInto(text, array)`: `{read, written}`, in UTF-16 units and bytes.
fn encode_into<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    let bytes = text(&call.arg(0))?;
    let array = call.arg(1);
    let room = convert::byte_array_length(&array).ok_or_else(|| {
        Throw::Type("the second argument of encodeInto must be a Uint8Array".to_owned())
    })?;
    let text = String::from_utf8_lossy(&bytes);
    let mut end = text.len().min(room);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let piece = &text[..end];
    convert::write_buffer(&array, piece.as_bytes());
    let progress = Object::new(call.ctx.clone())?;
    progress.set("read", piece.encode_utf16().count() as f64)?;
    progress.set("written", piece.len() as f64)?;
    Ok(progress.into_value())
}

/// `new TextDecoder(label, {fatal, ignoreBOM})`
fn make_decoder<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    let label = match call.given(0) {
        Some(label) => convert::to_text(&label)?,
        None => "utf-8".to_owned(),
    };
    let encoding = Encoding::for_label_no_replacement(label.as_bytes());
    let Some(encoding) = encoding else {
        let why = format!("unsupported encoding: {label}");
        return Err(script_engine::Exception::throw_range(call.ctx, &why).into());
    };
    let options = call.given(1).and_then(Value::into_object);
    let flag = |name: &str| match &options {
        Some(options) => options
            .get::<_, Value<'_>>(name)
            .map(|flag| convert::is_truthy(&flag)),
        None => Ok(false),
    };
    let decoder = TextDecoder {
        encoding,
        is_fatal: flag("fatal")?,
        keeps_mark: flag("ignoreBOM")?,
        under_way: RefCell::default(),
    };
    Ok(class::new(call.ctx, decoder)?.into_value())
}

fn this<'a>(this: &'a Value<'_>) -> Result<&'a TextDecoder, Throw> {
    class::of::<TextDecoder>(this).ok_or_else(|| Throw::Type("this is no TextDecoder".to_owned()))
}

fn decoder_encoding<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    let name = this(&call.this())?.encoding.name().to_ascii_lowercase();
    call.string(&name)
}

fn fatal<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    Ok(call.bool(this(&call.this())?.is_fatal))
}

fn ignore_mark<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    Ok(call.bool(this(&call.this())?.keeps_mark))
}

/// `decode(buffer, {stream})`
fn decode<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    let value = call.this();
    let own = this(&value)?;
    let bytes = match call.given(0) {
        Some(buffer) => convert::buffer_bytes(&buffer).ok_or_else(|| {
            Throw::Type("decode needs an ArrayBuffer, a typed array or a DataView".to_owned())
        })?,
        None => Vec::new(),
    };
    let goes_on = match call.given(1).and_then(Value::into_object) {
        Some(options) => convert::is_truthy(&options.get::<_, Value<'_>>("stream")?),
        None => false,
    };
    let mut decoder = own.under_way.take().unwrap_or_else(|| own.start());
    let decoded = own.run(&mut decoder, &bytes, !goes_on);
    let decoded = decoded.ok_or_else(|| {
        Throw::Type(format!(
            "the data is not valid {}",
            own.encoding.name().to_ascii_lowercase()
        ))
    })?;
    if goes_on {
        *own.under_way.borrow_mut() = Some(decoder);
    }
    call.string(&decoded)
}

impl TextDecoder {
    /// A decoder at the start of a text. The byte order mark of another encoding is ignored.
    fn start(&self) -> Decoder {
        if self.keeps_mark {
            self.encoding.new_decoder_without_bom_handling()
        } else {
            self.encoding.new_decoder_with_bom_removal()
        }
    }

    /// The text of the bytes; `None` when they are invalid and `fatal` is set.
    fn run(&self, decoder: &mut Decoder, bytes: &[u8], is_last: bool) -> Option<String> {
        let mut text = String::new();
        if self.is_fatal {
            let room = decoder.max_utf8_buffer_length_without_replacement(bytes.len())?;
            text.reserve(room);
            let (result, _) =
                decoder.decode_to_string_without_replacement(bytes, &mut text, is_last);
            return (result == DecoderResult::InputEmpty).then_some(text);
        }
        text.reserve(decoder.max_utf8_buffer_length(bytes.len())?);
        let (result, _, _) = decoder.decode_to_string(bytes, &mut text, is_last);
        debug_assert_eq!(result, CoderResult::InputEmpty, "there is room for all");
        Some(text)
    }
}
