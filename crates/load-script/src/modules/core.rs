//! `k6`: check, fail, group, randomSeed, sleep.

use std::time::{Duration, Instant};

use load_metrics::{SystemTag, builtin};
use rand::SeedableRng;
use script_engine::convert;
use script_engine::native::{Call, method};
use script_engine::throw::{Outcome, Throw, plain};
use script_engine::{Ctx, Object, Value};

use super::tags;
use crate::vu::state::{Caller, now};

/// The separator of the names of nested groups.
const SEPARATOR: &str = "::";
/// The maximum depth of groups: every level adds to the tags of its samples and to the summary.
const DEEPEST_GROUP: usize = 250;
/// The longest `sleep` that the clock can express.
const LONGEST_SLEEP_S: f64 = 3e8;

pub(super) fn build<'js>(ctx: &Ctx<'js>) -> Result<Object<'js>, Throw> {
    let exports = Object::new(ctx.clone())?;
    method(&exports, c"check", check)?;
    method(&exports, c"fail", fail)?;
    method(&exports, c"group", group)?;
    method(&exports, c"randomSeed", random_seed)?;
    method(&exports, c"sleep", sleep)?;
    Ok(exports)
}

fn check<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    if call.vu().is_init() {
        return Err(plain("Using check() in the init context is not supported"));
    }
    if call.count() < 2 {
        return Err(plain("no checks provided to `check`"));
    }
    let vu = call.vu();
    let base = match call.given(2) {
        Some(extra) => vu
            .recorder
            .extend(&vu.tags(), &tags::borrowed(&tags::read(&extra)?)),
        None => vu.tags(),
    };
    let at = now();
    let mut all = true;
    let subject = call.arg(0);
    let sets = call.arg(1);
    if sets.is_null() || sets.is_undefined() {
        let why = "Cannot convert undefined or null to object";
        return Err(Throw::Type(why.to_owned()));
    }
    let sets = match sets.as_object() {
        Some(sets) => convert::entries(sets)?,
        None if sets.is_string() => convert::characters(&sets)?
            .into_iter()
            .map(|(name, c)| Ok((name, convert::string(call.ctx, &c)?)))
            .collect::<Result<_, Throw>>()?,
        None => Vec::new(),
    };
    for (name, wanted) in sets {
        if name.contains(SEPARATOR) {
            return Err(plain(format!(
                "group and check names may not contain '{SEPARATOR}'"
            )));
        }
        refuse_async(&wanted)?;
        let outcome = judge(&subject, &wanted);
        let passed = matches!(outcome, Ok(true));
        let tags = if vu.recorder.wants(SystemTag::Check) {
            vu.recorder.extend(&base, &[("check", &name)])
        } else {
            base.clone()
        };
        vu.record_at(builtin::CHECKS, &tags, at, f64::from(u8::from(passed)));
        all &= outcome?;
    }
    Ok(call.bool(all))
}

fn refuse_async(wanted: &Value<'_>) -> Result<(), Throw> {
    if convert::is_async_function(wanted) {
        return Err(plain(
            "the built-in check() does not support async functions as arguments. Use the JavaScript utils library as a replacement. Refer to https://grafana.com/docs/k6/latest/javascript-api/jslib/utils/check/ for more info",
        ));
    }
    Ok(())
}

fn judge<'js>(subject: &Value<'js>, wanted: &Value<'js>) -> Result<bool, Throw> {
    let Some(function) = convert::function(wanted) else {
        return Ok(convert::is_truthy(wanted));
    };
    let verdict: Value<'js> = function.call((subject.clone(),))?;
    Ok(convert::is_truthy(&verdict))
}

fn fail<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    Err(plain(convert::go_string(&call.arg(0))?))
}

fn group<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    let vu = call.vu();
    if vu.is_init() {
        return Err(plain("Using group() in the init context is not supported"));
    }
    let name = convert::go_string(&call.arg(0))?;
    let body = call.arg(1);
    let Some(function) = convert::function(&body) else {
        return Err(plain("group() requires a callback as a second argument"));
    };
    if convert::is_async_function(&body) {
        return Err(plain(
            "group() does not support async functions as arguments, please see https://grafana.com/docs/k6/latest/javascript-api/k6/group/ for more info",
        ));
    }
    if name.contains(SEPARATOR) {
        return Err(plain(format!(
            "group and check names may not contain '{SEPARATOR}'"
        )));
    }
    let outer = vu.group();
    if outer.matches(SEPARATOR).count() >= DEEPEST_GROUP {
        return Err(plain(format!(
            "groups cannot be nested deeper than {DEEPEST_GROUP}"
        )));
    }
    // Only the root cannot have a child group without a name.
    let inner = match name.is_empty() && outer.is_empty() {
        true => String::new(),
        false => format!("{outer}{SEPARATOR}{name}"),
    };
    vu.enter_group(inner);
    let begin = Instant::now();
    let result = function.call::<_, Value<'js>>(());
    vu.record(
        builtin::GROUP_DURATION,
        begin.elapsed().as_secs_f64() * 1000.0,
    );
    vu.enter_group(outer);
    Ok(result?)
}

fn random_seed<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    let seed = convert::to_number(&call.arg(0))? as i64;
    *call.vu().random.borrow_mut() = Some(rand::rngs::StdRng::seed_from_u64(seed.cast_unsigned()));
    Ok(call.undefined())
}

fn sleep<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    let seconds = convert::to_number(&call.arg(0))?;
    if seconds > 0.0 {
        let time = Duration::from_secs_f64(seconds.min(LONGEST_SLEEP_S));
        call.vu().wait(tokio::time::sleep(time))?;
    }
    Ok(call.undefined())
}
