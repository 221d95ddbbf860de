//! Globals that scripts have without an import.

use load_engine::go_text::escape_json;
use load_engine::log::Level;
use rand::RngExt;
use script_engine::convert;
use script_engine::exception::{self, Caller as Calling};
use script_engine::native::{Call, Shape, function, method};
use script_engine::property::{Visible, define};
use script_engine::raise::raise;
use script_engine::throw::{Outcome, Throw, plain};
use script_engine::{Ctx, Object, Value};

use super::{calls, collation, dates, functions, json, text, timers, webcrypto};
use crate::source;
use crate::vu::state::{Caller, VuState};

/// Built-ins of the engine that k6's engine does not have. Scripts test for them to choose polyfills.
const ABSENT: &[&str] = &[
    "queueMicrotask",
    "SharedArrayBuffer",
    "Atomics",
    "performance",
    "navigator",
    "Iterator",
    "gc",
];

/// The same for `Error`: they would also be one setting for all VUs of a realm.
const ABSENT_FROM_ERROR: &[&str] = &[
    "stackTraceLimit",
    "prepareStackTrace",
    "captureStackTrace",
    "isError",
];

/// Sets up the global object of a new realm. The objects that are made here may be shared by many VUs.
pub(crate) fn install(ctx: &Ctx<'_>) -> Result<(), Throw> {
    let globals = ctx.globals();
    for name in ABSENT {
        globals.remove(*name)?;
    }
    exception::install(ctx)?;
    let error: Object<'_> = globals.get("Error")?;
    for name in ABSENT_FROM_ERROR {
        error.remove(*name)?;
    }
    // Every VU sets its own values; defining them here gives the objects of all VUs one shape.
    for name in [c"__ENV", c"__VU"] {
        define(&globals, name, super::undefined(ctx), Visible::Yes)?;
    }
    define(
        &globals,
        c"global",
        globals.clone().into_value(),
        Visible::Yes,
    )?;
    let console = Object::new(ctx.clone())?;
    method(&console, c"log", log_info)?;
    method(&console, c"info", log_info)?;
    method(&console, c"debug", log_debug)?;
    method(&console, c"warn", log_warn)?;
    method(&console, c"error", log_error)?;
    define(&globals, c"console", console.into_value(), Visible::Yes)?;
    method(&globals, c"open", open)?;
    method(&globals, c"require", super::require::require)?;
    timers::install(&globals)?;
    webcrypto::install(&globals)?;
    text::install(&globals)?;
    dates::install(&globals)?;
    collation::install(&globals)?;
    calls::install(&globals)?;
    json::install(ctx)?;
    functions::install(ctx)?;
    let math: Object<'_> = globals.get("Math")?;
    let random = function(ctx, random, c"random", Shape::Function)?;
    define(&math, c"random", random.into_value(), Visible::No)?;
    Ok(())
}

fn log_info<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    log(call, Level::Info)
}

fn log_debug<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    log(call, Level::Debug)
}

fn log_warn<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    log(call, Level::Warn)
}

fn log_error<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    log(call, Level::Error)
}

fn log<'js>(call: &Call<'_, 'js>, level: Level) -> Outcome<'js> {
    let mut line = String::new();
    for index in 0..call.count() {
        if index > 0 {
            line.push(' ');
        }
        line.push_str(&shown(&call.arg(index))?);
    }
    call.vu().logger.log(level, &line, &[("source", "console")]);
    Ok(call.undefined())
}

/// Objects are shown as JSON; values without JSON (functions) as null; values whose conversion fails or throws
/// by `String(…)`; text unchanged.
fn shown(value: &Value<'_>) -> Result<String, Throw> {
    if let Some(symbol) = value.as_symbol() {
        return Ok(symbol.description()?.get().unwrap_or_default());
    }
    if !value.is_object() {
        return convert::to_text(value);
    }
    match convert::to_json(value) {
        Ok(Some(json)) => Ok(escape_json(&json)),
        Ok(None) if value.is_error() => Ok(String::new()),
        Ok(None) => Ok("null".to_owned()),
        Err(Throw::Interrupted) => Err(Throw::Interrupted),
        Err(throw) => {
            raise(value.ctx(), throw);
            exception::take(value.ctx()).map_err(|_| Throw::Interrupted)?;
            convert::to_text(value)
        }
    }
}

fn open<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    let vu = call.vu();
    if !vu.is_init() {
        return Err(plain(
            "the \"open\" function is only available in the init stage (i.e. the global scope), see https://grafana.com/docs/k6/latest/using-k6/test-lifecycle/ for more information",
        ));
    }
    let path = match call.given(0) {
        Some(_) => call.text(0)?,
        None => String::new(),
    };
    if path.is_empty() {
        return Err(plain("open() can't be used with an empty filename"));
    }
    let path = place_to_open(vu, call.ctx, path);
    let bytes = vu.script.open(&path)?;
    let is_binary = call
        .given(1)
        .is_some_and(|mode| convert::to_text(&mode).is_ok_and(|mode| mode == "b"));
    if is_binary {
        convert::array_buffer(call.ctx, bytes.to_vec())
    } else {
        convert::string_of_bytes(call.ctx, &bytes)
    }
}

/// A relative path of `open` with its folder. The folder is that of the module whose top-level code runs. If
/// the call is written in another module, there is a warning, as in k6.
fn place_to_open(vu: &VuState, ctx: &Ctx<'_>, path: String) -> String {
    if path.starts_with(['/', '\\']) || path.contains("://") {
        return path;
    }
    let callers = exception::callers(ctx);
    let of_module = callers.into_iter().take_while(|caller| match caller {
        Calling::Native(name) => name != "require",
        Calling::File(_) => true,
    });
    let mut files = of_module.filter_map(|caller| match caller {
        Calling::File(file) => Some(file),
        Calling::Native(_) => None,
    });
    let Some(written) = files.next() else {
        return path;
    };
    let running = files.last().unwrap_or_else(|| written.clone());
    let Some(folder) = vu.script.folder_of(&running) else {
        return path;
    };
    if !vu.script.is_sealed() && vu.script.folder_of(&written).as_ref() != Some(&folder) {
        let folder = source::url_of(&folder);
        vu.logger.warn(&format!(
            "open() was used and is currently relative to '{folder}/', but in the future it will be aligned with how `require` and imports work and will be relative to '{written}'. This means that in the future open will open relative path relative to the module/file it is written in. You can future proof this by using `import.meta.resolve()` to get relative paths to the file it is written in the current k6 version."
        ));
    }
    folder.join(path).display().to_string()
}

/// `Math.random`, which `randomSeed` makes repeatable.
fn random<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    let mut seeded = call.vu().random.borrow_mut();
    let value: f64 = match seeded.as_mut() {
        Some(generator) => generator.random(),
        None => rand::random(),
    };
    Ok(script_engine::Value::new_float(call.ctx.clone(), value))
}
