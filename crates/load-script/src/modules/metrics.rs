//! `k6/metrics`: Counter, Gauge, Rate, Trend.

use std::ffi::CStr;

use load_engine::log::Level;
use load_metrics::{Contains, Kind, MetricId};
use script_engine::class::{self, Class};
use script_engine::convert;
use script_engine::native::{Call, constructor_or_function, method};
use script_engine::own_methods;
use script_engine::property::{Visible, define, define_constant};
use script_engine::throw::{Outcome, Throw, plain};
use script_engine::{Ctx, Object, Value};

use super::tags;
use crate::vu::state::{Caller, now};

/// The value of a metric object.
struct Custom {
    id: MetricId,
    name: String,
}

impl Class for Custom {
    const NAME: &'static CStr = c"Metric";

    fn prototype(prototype: &Object<'_>) -> script_engine::Result<()> {
        method(prototype, c"add", add)
    }
}

pub(super) fn build<'js>(ctx: &Ctx<'js>) -> Result<Object<'js>, Throw> {
    let exports = Object::new(ctx.clone())?;
    let prototype = class::prototype::<Custom>(ctx)?;
    let made = &prototype;
    constructor_or_function(&exports, c"Counter", counter, made)?;
    constructor_or_function(&exports, c"Gauge", gauge, made)?;
    constructor_or_function(&exports, c"Rate", rate, made)?;
    constructor_or_function(&exports, c"Trend", trend, made)?;
    Ok(exports)
}

fn counter<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    make(call, Kind::Counter)
}

fn gauge<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    make(call, Kind::Gauge)
}

fn rate<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    make(call, Kind::Rate)
}

fn trend<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    make(call, Kind::Trend)
}

fn make<'js>(call: &Call<'_, 'js>, kind: Kind) -> Outcome<'js> {
    let vu = call.vu();
    if !vu.is_init() {
        return Err(plain("metrics must be declared in the init context"));
    }
    let name = convert::go_string(&call.arg(0))?;
    let is_time = call
        .given(1)
        .is_some_and(|value| convert::is_truthy(&value));
    let contains = if is_time {
        Contains::Time
    } else {
        Contains::Default
    };
    let registered = vu.recorder.registry().register(&name, kind, contains);
    let id = registered.map_err(|error| plain(error.to_string()))?;
    let object = class::new(
        call.ctx,
        Custom {
            id,
            name: name.clone(),
        },
    )?;
    define_constant(&object, c"name", convert::string(call.ctx, &name)?)?;
    // An own property that is bound to the object, as in k6: scripts copy a metric's properties, or pass
    // `trend.add` to other functions.
    let add: Value<'js> = object.get("add")?;
    let bound = own_methods::bound(&object, &add);
    define(&object, c"add", bound, Visible::Yes)?;
    Ok(object.into_value())
}

fn add<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    let vu = call.vu();
    if vu.is_init() {
        return Err(plain(
            "Adding to metrics in the init context is not supported",
        ));
    }
    let this = call.this();
    let metric =
        class::of::<Custom>(&this).ok_or_else(|| Throw::Type("add() needs a metric".to_owned()))?;
    let Some(value) = sample(&call.arg(0))? else {
        let message = refusal(call, &metric.name)?;
        if vu.run.options().throw.unwrap_or(false) {
            return Err(plain(message));
        }
        vu.logger.log(Level::Warn, &message, &[]);
        return Ok(call.bool(false));
    };
    match call.given(1) {
        Some(extra) => {
            let what = || format!("cannot add tags for the '{}' custom metric", metric.name);
            let pairs = tags::read(&extra).map_err(|throw| tags::about(&what(), throw))?;
            let tags = vu.recorder.extend(&vu.tags(), &tags::borrowed(&pairs));
            vu.record_at(metric.id, &tags, now(), value);
        }
        None => vu.record(metric.id, value),
    }
    Ok(call.bool(true))
}

fn refusal(call: &Call<'_, '_>, name: &str) -> Result<String, Throw> {
    let value = call.arg(0);
    if call.count() == 0 {
        return Ok(format!(
            "no value was provided for metric '{name}', a number or a boolean value is expected"
        ));
    }
    let shown = convert::to_text(&value)?;
    Ok(format!(
        "'{shown}' is an invalid value for metric '{name}', a number or a boolean value is expected"
    ))
}

fn sample(value: &Value<'_>) -> Result<Option<f64>, Throw> {
    if let Some(flag) = value.as_bool() {
        return Ok(Some(f64::from(u8::from(flag))));
    }
    if let Some(number) = value.as_number() {
        return Ok((!number.is_nan()).then_some(number));
    }
    if value.is_null() || value.is_undefined() {
        return Ok(None);
    }
    let number = convert::to_number(value)?;
    Ok((!number.is_nan()).then_some(number))
}
