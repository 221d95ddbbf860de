//! `Blob`: immutable bytes with a type.

use std::ffi::CStr;
use std::rc::Rc;

use script_engine::class::{self, Class, Exotic};
use script_engine::convert;
use script_engine::native::{Call, Shape, function, method};
use script_engine::own_methods;
use script_engine::promise::Deferred;
use script_engine::property::{Visible, define};
use script_engine::throw::{Outcome, Throw, plain};
use script_engine::{Array, Ctx, Function, Object, Value};
use script_engine::{Constructor, This};

use crate::modules::streams;

/// The value of a blob object.
pub(super) struct Blob {
    pub(super) bytes: Rc<[u8]>,
}

impl Class for Blob {
    const NAME: &'static CStr = c"Blob";

    fn exotic() -> Exotic {
        own_methods::as_defined()
    }

    fn prototype(prototype: &Object<'_>) -> script_engine::Result<()> {
        method(prototype, c"arrayBuffer", array_buffer)?;
        method(prototype, c"bytes", bytes)?;
        method(prototype, c"slice", slice)?;
        method(prototype, c"text", text)?;
        method(prototype, c"stream", stream)?;
        let name = function(prototype.ctx(), to_string, c"toString", Shape::Function)?;
        define(prototype, c"toString", name.into_value(), Visible::No)
    }
}

/// A blob of these bytes.
pub(super) fn object<'js>(ctx: &Ctx<'js>, bytes: Vec<u8>, kind: &str) -> Outcome<'js> {
    let size = convert::number(ctx, bytes.len() as f64);
    let blob = Blob {
        bytes: bytes.into(),
    };
    let object = class::new(ctx, blob)?;
    define(&object, c"size", size, Visible::Yes)?;
    define(&object, c"type", convert::string(ctx, kind)?, Visible::Yes)?;
    Ok(object.into_value())
}

/// `new Blob(parts, {type})`
pub(super) fn construct<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    let mut bytes = Vec::new();
    if let Some(parts) = call.given(0) {
        let Some(parts) = parts.as_array() else {
            let shown = convert::to_text(&parts)?;
            let why = if parts.is_object() {
                format!("cannot convert {shown} to []interface {{}}: not an array or iterable")
            } else {
                format!("could not convert {shown} to []interface {{}}")
            };
            return Err(plain(format!("failed to process [blobParts]: {why}")));
        };
        for part in convert::items(parts)? {
            bytes.extend(bytes_of(&part)?.ok_or_else(|| {
                plain(format!(
                    "failed to process [blobParts]: unsupported type: {}",
                    convert::go_type(&part)
                ))
            })?);
        }
    }
    let options = call.arg(1);
    if !options.is_undefined() && !options.is_object() {
        return Err(plain("[options] must be an object"));
    }
    let options = options.into_object();
    let kind = match options {
        Some(options) => convert::given(&options, "type")?,
        None => None,
    };
    let kind = kind.map_or(Ok(String::new()), |kind| convert::to_text(&kind))?;
    object(call.ctx, bytes, &kind)
}

/// The bytes of a text, a buffer or a blob.
pub(super) fn bytes_of(value: &Value<'_>) -> Result<Option<Vec<u8>>, Throw> {
    match class::of::<Blob>(value) {
        Some(blob) => Ok(Some(blob.bytes.to_vec())),
        None => convert::bytes_of(value),
    }
}

fn this(call: &Call<'_, '_>) -> Result<Rc<[u8]>, Throw> {
    class::of::<Blob>(&call.this())
        .map(|blob| Rc::clone(&blob.bytes))
        .ok_or_else(|| Throw::Type("this is not a blob".to_owned()))
}

fn resolved<'js>(call: &Call<'_, 'js>, value: impl FnOnce(&[u8]) -> Outcome<'js>) -> Outcome<'js> {
    let bytes = this(call)?;
    let (promise, deferred) = Deferred::new(call.ctx)?;
    deferred.settle(call.ctx, value(&bytes))?;
    Ok(promise)
}

fn text<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    resolved(call, |bytes| convert::string_of_bytes(call.ctx, bytes))
}

fn array_buffer<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    resolved(call, |bytes| {
        convert::array_buffer(call.ctx, bytes.to_vec())
    })
}

fn bytes<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    resolved(call, |bytes| convert::byte_array(call.ctx, bytes.to_vec()))
}

fn slice<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    let bytes = this(call)?;
    let index = |at: usize, default: usize| -> Result<usize, Throw> {
        let Some(value) = call.given(at) else {
            return Ok(default);
        };
        let number = convert::to_number(&value)?;
        let from_end = if number < 0.0 {
            bytes.len() as f64 + number
        } else {
            number
        };
        Ok(from_end.clamp(0.0, bytes.len() as f64) as usize)
    };
    let (begin, end) = (index(0, 0)?, index(1, bytes.len())?);
    let part = bytes.get(begin..end.max(begin)).unwrap_or_default();
    let kind = call
        .given(2)
        .map_or(Ok(String::new()), |kind| convert::to_text(&kind))?;
    object(call.ctx, part.to_vec(), &kind)
}

/// `stream()`: its text in pieces, with an empty one at the end as in k6.
fn stream<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    const PIECE_BYTES: usize = 1024;
    let bytes = this(call)?;
    let streams = streams::build(call.ctx)?;
    let make: Constructor<'js> = streams.get("ReadableStream")?;
    let source = Object::new(call.ctx.clone())?;
    let pieces = Array::new(call.ctx.clone())?;
    for (index, piece) in bytes.chunks(PIECE_BYTES).chain([&[][..]]).enumerate() {
        pieces.set(index, convert::string_of_bytes(call.ctx, piece)?)?;
    }
    define(&source, PIECES, pieces.into_value(), Visible::No)?;
    method(&source, c"start", start)?;
    Ok(make.construct((source,))?)
}

/// The property of a blob's source that holds its content.
const PIECES: &CStr = c"\x01pieces";

/// `start(controller)` of a blob's source: enqueues all of it.
fn start<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    let (source, controller) = (call.this(), call.arg(0));
    let (Some(source), Some(controller)) = (source.as_object(), controller.as_object()) else {
        return Err(Throw::Type("this is not a source of a stream".to_owned()));
    };
    let pieces: Array<'js> = source.get("\x01pieces")?;
    let enqueue: Function<'js> = controller.get("enqueue")?;
    for piece in convert::items(&pieces)? {
        enqueue.call::<_, ()>((This(controller.clone()), piece))?;
    }
    let close: Function<'js> = controller.get("close")?;
    close.call::<_, ()>((This(controller.clone()),))?;
    Ok(call.undefined())
}

fn to_string<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    call.string("[object Blob]")
}
