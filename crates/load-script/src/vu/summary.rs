//! The call of `handleSummary`.

use load_engine::{SummaryCall, SummaryFile};
use script_engine::convert;
use script_engine::exception;
use script_engine::raise::raise;
use script_engine::throw::Throw;
use script_engine::{Ctx, Value};

use super::run::{Exports, Failed, Returned, export, outlived, settle};
use super::state::VuState;

/// The argument as the function left it, or the reason why that is no longer JSON.
pub(crate) type Left = Option<Result<serde_json::Value, String>>;

/// The inputs of the call, and the place for the argument as the call leaves it, even when it throws.
pub(crate) struct Summing<'a> {
    pub(crate) exports: Exports,
    pub(crate) call: SummaryCall,
    pub(crate) left: &'a mut Left,
}

/// Runs `handleSummary`, if there is one.
pub(crate) fn summary(
    ctx: &Ctx<'_>,
    state: &VuState,
    summing: Summing<'_>,
) -> Result<Returned<Vec<SummaryFile>>, Failed> {
    let Summing {
        exports,
        call,
        left,
    } = summing;
    let Some(exported) = export(ctx, exports, "handleSummary")? else {
        return Ok(Ok(None));
    };
    let Some(function) = convert::function(&exported) else {
        let why = "exported identifier handleSummary must be a function";
        return Ok(Err(why.to_owned()));
    };
    let data = convert::from_json_value(ctx, &call.data)?;
    if let Some(object) = data.as_object()
        && !object.contains_key("setup_data")?
    {
        object.set("setup_data", Value::new_undefined(ctx.clone()))?;
    }
    let result = function
        .call((data.clone(),))
        .map_err(Failed::from)
        .and_then(|result| settle(ctx, state, &result))
        .map_err(|failed| outlived(ctx, state, failed));
    if call.reads_back {
        *left = Some(read_back(ctx, &data));
    }
    files(&result?)
}

/// As in k6, values without JSON are omitted, and values that JSON rejects are an error.
fn read_back<'js>(ctx: &Ctx<'js>, data: &Value<'js>) -> Result<serde_json::Value, String> {
    convert::to_json_value(data).map_err(|throw| {
        if matches!(throw, Throw::Interrupted) {
            return "it was interrupted".to_owned();
        }
        raise(ctx, throw);
        match exception::take(ctx) {
            Ok(error) => exception::headline(&error),
            Err(_) => "it was interrupted".to_owned(),
        }
    })
}

fn files(result: &Value<'_>) -> Result<Returned<Vec<SummaryFile>>, Failed> {
    if !convert::is_truthy(result) {
        return Ok(Ok(None));
    }
    let is_list = result.is_array() || convert::buffer_bytes(result).is_some();
    let Some(files) = result.as_object().filter(|_| !is_list) else {
        let why = "handleSummary() should return a map with string keys";
        return Ok(Err(why.to_owned()));
    };
    let mut out = Vec::new();
    for (destination, content) in convert::entries(files)? {
        let Some(bytes) = convert::bytes_of(&content)? else {
            let kind = convert::go_type(&content);
            return Ok(Err(format!(
                "error handling summary object {destination}: invalid type {kind}, it needs to be a string or ArrayBuffer"
            )));
        };
        out.push(SummaryFile {
            destination,
            content: bytes,
        });
    }
    Ok(Ok(Some(out)))
}
