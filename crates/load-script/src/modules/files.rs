//! `k6/experimental/fs`: files that are loaded into memory once and read piece by piece.

use std::cell::Cell;
use std::ffi::CStr;
use std::sync::Arc;

use script_engine::class::{self, Class};
use script_engine::convert;
use script_engine::native::{Call, method};
use script_engine::promise::Deferred;
use script_engine::property::{Visible, define};
use script_engine::throw::{Outcome, Throw};
use script_engine::{Ctx, Object, Value};

use super::rejection;
use crate::open_error::OpenError;
use crate::vu::events::Event;
use crate::vu::state::Caller;

/// The value of a file object. The bytes are shared between VUs, the position is the object's own.
pub(super) struct File {
    path: String,
    bytes: Arc<[u8]>,
    position: Cell<usize>,
}

impl Class for File {
    const NAME: &'static CStr = c"File";

    fn prototype(_: &Object<'_>) -> script_engine::Result<()> {
        Ok(())
    }
}

impl File {
    /// The path of the file.
    pub(super) fn path(&self) -> &str {
        &self.path
    }

    /// The read position.
    pub(super) fn position(&self) -> usize {
        self.position.get()
    }

    /// All bytes of the file.
    pub(super) fn bytes(&self) -> Arc<[u8]> {
        Arc::clone(&self.bytes)
    }

    /// The end of the file is reached.
    pub(super) fn exhaust(&self) {
        self.position.set(self.bytes.len());
    }
}

/// The error of a file operation: a name and a message.
type Failure = (&'static str, String);

pub(super) fn build<'js>(ctx: &Ctx<'js>) -> Result<Object<'js>, Throw> {
    let exports = Object::new(ctx.clone())?;
    let modes = Object::new(ctx.clone())?;
    for (mode, number) in [("Start", 0), ("Current", 1), ("End", 2)] {
        modes.set(mode, number)?;
    }
    define(&exports, c"SeekMode", modes.into_value(), Visible::Yes)?;
    method(&exports, c"open", open)?;
    Ok(exports)
}

/// A promise that settles on the event loop.
fn settled<'js>(call: &Call<'_, 'js>, outcome: Result<Success, Failure>) -> Outcome<'js> {
    let (promise, deferred) = Deferred::new(call.ctx)?;
    call.vu().events.start(async move {
        let event: Event = Box::new(move |ctx| match outcome {
            Ok(success) => deferred.settle(ctx, success.into_value(ctx)),
            Err((name, message)) => deferred.reject(ctx, rejection::named(ctx, name, &message)?),
        });
        event
    });
    Ok(promise)
}

/// The result of a file operation.
enum Success {
    File(File),
    Number(usize),
    End,
    Stat(String, usize),
}

impl Success {
    fn into_value<'js>(self, ctx: &Ctx<'js>) -> Outcome<'js> {
        match self {
            Self::File(file) => object(ctx, file),
            Self::Number(number) => Ok(convert::number(ctx, number as f64)),
            Self::End => Ok(Value::new_null(ctx.clone())),
            Self::Stat(name, size) => {
                let stat = Object::new(ctx.clone())?;
                stat.set("name", name)?;
                stat.set("size", size as f64)?;
                Ok(stat.into_value())
            }
        }
    }
}

fn object<'js>(ctx: &Ctx<'js>, file: File) -> Outcome<'js> {
    let path = convert::string(ctx, &file.path)?;
    let object = class::new(ctx, file)?;
    define(&object, c"path", path, Visible::Yes)?;
    method(&object, c"read", read)?;
    method(&object, c"seek", seek)?;
    method(&object, c"stat", stat)?;
    Ok(object.into_value())
}

/// `open(path)`
fn open<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    let failed = |why: &str| format!("open() failed; reason: {why}");
    if !call.vu().is_init() {
        let why = failed("opening a file is allowed only in the Init context");
        return settled(call, Err(("ForbiddenError", why)));
    }
    let Some(path) = call.given(0) else {
        let why = failed("path cannot be null or undefined");
        return settled(call, Err(("TypeError", why)));
    };
    let path = convert::to_text(&path)?;
    if path.is_empty() {
        let why = failed("path cannot be empty");
        return settled(call, Err(("TypeError", why)));
    }
    let script = &call.vu().script;
    let full = script.full_path(&path);
    let shown = full.display().to_string();
    let outcome = match script.open(&path) {
        Ok(bytes) => Ok(Success::File(File {
            path: shown,
            bytes,
            position: Cell::new(0),
        })),
        Err(_) if full.is_dir() => {
            let why = format!("cannot open {shown:?}: opening a directory is not supported");
            Err(("InvalidResourceError", why))
        }
        Err(OpenError::Missing(_)) => {
            let why = format!("no such file or directory {shown:?}");
            Err(("NotFoundError", why))
        }
        Err(OpenError::Other(why)) => Err(("ForbiddenError", failed(&why))),
    };
    settled(call, outcome)
}

fn this<'a>(this: &'a Value<'_>) -> Result<&'a File, Throw> {
    class::of::<File>(this).ok_or_else(|| Throw::Type("this is not a file".to_owned()))
}

/// `file.stat()`
fn stat<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    let value = call.this();
    let file = this(&value)?;
    let name = file.path.rsplit('/').next().unwrap_or_default();
    settled(call, Ok(Success::Stat(name.to_owned(), file.bytes.len())))
}

/// `file.read(buffer)`: the number of bytes read, null at the end.
fn read<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    let value = call.this();
    let file = this(&value)?;
    let refused = |why: &str| {
        let why = format!("read() failed; reason: into argument {why}");
        settled(call, Err(("TypeError", why)))
    };
    let Some(buffer) = call.given(0) else {
        return refused("cannot be null or undefined");
    };
    let Some(length) = convert::byte_array_length(&buffer) else {
        return refused("must be a Uint8Array");
    };
    let rest = &file.bytes[file.position.get()..];
    if rest.is_empty() {
        return settled(call, Ok(Success::End));
    }
    let piece = &rest[..length.min(rest.len())];
    convert::write_buffer(&buffer, piece);
    file.position.set(file.position.get() + piece.len());
    settled(call, Ok(Success::Number(piece.len())))
}

/// `file.seek(offset, mode)`: the new position.
fn seek<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    let value = call.this();
    let file = this(&value)?;
    let outcome = target(call, file).map(|position| {
        file.position.set(position);
        Success::Number(position)
    });
    settled(call, outcome.map_err(|why| ("TypeError", why)))
}

fn target(call: &Call<'_, '_>, file: &File) -> Result<usize, String> {
    let failed = |why: &str| Err(format!("seek() failed; reason: the {why}"));
    let Some(offset) = call.given(0) else {
        return failed("offset argument cannot be null or undefined");
    };
    let Some(mode) = call.given(1) else {
        return failed("whence argument cannot be null or undefined");
    };
    let whole = |value: &Value<'_>| value.as_number().filter(|number| number.fract() == 0.0);
    let Some(offset) = whole(&offset) else {
        return failed("offset argument must be a number");
    };
    let start = match whole(&mode) {
        Some(0.0) if offset < 0.0 => {
            return Err("offset cannot be negative when using SeekModeStart".to_owned());
        }
        Some(0.0) => 0,
        Some(1.0) => file.position.get(),
        Some(2.0) if offset > 0.0 => {
            return Err("offset cannot be positive when using SeekModeEnd".to_owned());
        }
        // As in k6, the end is the last byte, not the position after it.
        Some(2.0) => file.bytes.len().saturating_sub(1),
        _ => return failed("whence argument must be a SeekMode"),
    };
    let position = start as f64 + offset;
    if position < 0.0 {
        return Err("seeking before start of file".to_owned());
    }
    if position > file.bytes.len() as f64 {
        return Err("seeking beyond end of file".to_owned());
    }
    Ok(position as usize)
}
