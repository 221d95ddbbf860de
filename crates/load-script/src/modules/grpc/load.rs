//! `client.load` and `client.loadProtoset`: schemas are made once for all VUs.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use grpc_client::schema::MethodDescriptor;
use grpc_client::schema::{Schema, SchemaError};
use script_engine::convert;
use script_engine::native::Call;
use script_engine::throw::{Outcome, Throw, plain};
use script_engine::{Array, Ctx, Object, Value};

use super::client;
use crate::script::Script;
use crate::vu::state::Caller;

/// `client.load(importPaths, ...files)`
pub(super) fn load<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    let client = client::this(call)?;
    require_init(call)?;
    let paths = import_paths(&call.arg(0))?;
    let files = (1..call.count()).map(|at| call.text(at));
    let files = files.collect::<Result<Vec<String>, Throw>>()?;
    let script = &call.vu().script;
    let key = format!("{}\0\0{}", paths.join("\0"), files.join("\0"));
    let schema = once(script, key, || {
        let script = Arc::clone(script);
        let open = move |name: &str| open(&script, &paths, name);
        Schema::compile(Arc::new(open), &files).map_err(|error| error.to_string())
    })?;
    client.learn(&schema)?;
    infos(call.ctx, &schema)
}

/// `client.loadProtoset(path)`
pub(super) fn load_protoset<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    let client = client::this(call)?;
    require_init(call)?;
    let path = call.text(0)?;
    let script = &call.vu().script;
    let schema = once(script, format!("\0{path}"), || {
        let opened = script.open(&path);
        let bytes = opened.map_err(|error| format!("couldn't open protoset: {error}"))?;
        Schema::from_protoset(&bytes).map_err(|error| match error {
            SchemaError::Wire => format!("couldn't unmarshal protoset file {path}: {error}"),
            SchemaError::File(why) => why,
        })
    })?;
    client.learn(&schema)?;
    infos(call.ctx, &schema)
}

fn require_init(call: &Call<'_, '_>) -> Result<(), Throw> {
    match call.vu().is_init() {
        true => Ok(()),
        false => Err(plain("load must be called in the init context")),
    }
}

fn import_paths(value: &Value<'_>) -> Result<Vec<String>, Throw> {
    if value.is_undefined() || value.is_null() {
        return Ok(Vec::new());
    }
    let Some(array) = value.as_array() else {
        let shown = convert::to_text(value)?;
        return Err(Throw::Type(format!(
            "could not convert function call parameter 0: could not convert {shown} to []string"
        )));
    };
    convert::items(array)?
        .iter()
        .map(convert::to_text)
        .collect()
}

/// The schema that was made earlier from the same inputs, or a new one.
fn once(
    script: &Script,
    key: String,
    make: impl FnOnce() -> Result<Schema, String>,
) -> Result<Schema, Throw> {
    let known = |script: &Script| {
        let all: &Mutex<HashMap<String, Schema>> = &script.schemas;
        all.lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&key)
            .cloned()
    };
    if let Some(schema) = known(script) {
        return Ok(schema);
    }
    let schema = make().map_err(plain)?;
    let mut all = script
        .schemas
        .lock()
        .unwrap_or_else(PoisonError::into_inner);
    Ok(all.entry(key).or_insert(schema).clone())
}

/// The text of a file, searched for in the import paths, or beside the script if there are none.
fn open(script: &Script, paths: &[String], name: &str) -> Result<String, String> {
    let mut why = String::new();
    let places = paths.iter().map(|path| Path::new(path).join(name));
    let beside = paths.is_empty().then(|| Path::new(name).to_path_buf());
    for place in places.chain(beside) {
        match script.open(&place.to_string_lossy()) {
            Ok(bytes) => return Ok(String::from_utf8_lossy(&bytes).into_owned()),
            Err(error) => why = error.to_string(),
        }
    }
    Err(why)
}

/// The result of `load`: the available methods.
fn infos<'js>(ctx: &Ctx<'js>, schema: &Schema) -> Outcome<'js> {
    let infos = Array::new(ctx.clone())?;
    for (at, method) in schema.methods().iter().enumerate() {
        infos.set(at, info(ctx, method)?)?;
    }
    Ok(infos.into_value())
}

fn info<'js>(ctx: &Ctx<'js>, method: &MethodDescriptor) -> Result<Object<'js>, Throw> {
    let service = method.parent_service();
    let info = Object::new(ctx.clone())?;
    info.set("package", service.package_name())?;
    info.set("service", service.name())?;
    let path = format!("/{}/{}", service.full_name(), method.name());
    info.set("full_method", path)?;
    info.set("name", method.name())?;
    info.set("is_client_stream", method.is_client_streaming())?;
    info.set("is_server_stream", method.is_server_streaming())?;
    Ok(info)
}
