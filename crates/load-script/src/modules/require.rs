//! `require`: loads CommonJS modules, ES modules and k6's own ones.

use script_engine::convert;
use script_engine::module;
use script_engine::native::Call;
use script_engine::promise::{self, State};
use script_engine::throw::{Outcome, plain};
use script_engine::{Args, Ctx, Object, Persistent, Value};

use crate::compile::Code;
use crate::loading;
use crate::vu::state::{Caller, state};

/// `require(name)`; the wrapper of a CommonJS module adds the name of the calling module.
pub(super) fn require<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    let vu = call.vu();
    if !vu.is_init() {
        return Err(plain(
            "the \"require\" function is only available in the init stage (i.e. the global scope), see https://grafana.com/docs/k6/latest/using-k6/test-lifecycle/ for more information",
        ));
    }
    let base = match call.given(1) {
        Some(base) => convert::to_text(&base)?,
        None => vu.script.entry().to_owned(),
    };
    let name = vu
        .script
        .resolve_to_load(&base, &call.text(0)?)
        .map_err(|error| plain(error.to_string()))?;
    if let Some(known) = vu.required.borrow().get(&name) {
        return Ok(known.clone().restore(call.ctx)?);
    }
    if let Some(exports) = super::build(call.ctx, &name) {
        let exports = exports?;
        vu.required
            .borrow_mut()
            .insert(name, Persistent::save(call.ctx, exports.clone()));
        return Ok(exports);
    }
    match loading::instantiate(call.ctx, vu, &name)? {
        Code::Common(script) => evaluate(call.ctx, &name, &script),
        Code::Module(compiled) => {
            let (module, outcome) = loading::evaluate(vu, compiled)?;
            if let State::Rejected(reason) = promise::state(&outcome) {
                return Err(call.ctx.throw(reason).into());
            }
            Ok(module.namespace(call.ctx)?.into_value())
        }
    }
}

/// Runs a CommonJS module and returns its `module.exports`.
pub(crate) fn evaluate<'js>(ctx: &Ctx<'js>, name: &str, script: &Value<'js>) -> Outcome<'js> {
    let vu = state(ctx);
    let known = vu.required.borrow().get(name).cloned();
    if let Some(known) = known {
        return Ok(known.restore(ctx)?);
    }
    let wrapper = convert::function(&module::run(script)?).ok_or_else(|| plain("not a module"))?;
    let (holder, exports) = (Object::new(ctx.clone())?, Object::new(ctx.clone())?);
    holder.set("exports", exports.clone())?;
    // Registered before it runs, since modules may require each other.
    let note = |exports: Value<'js>| {
        vu.required
            .borrow_mut()
            .insert(name.to_owned(), Persistent::save(ctx, exports));
    };
    note(exports.clone().into_value());
    let literals = loading::literals(ctx, vu, name)?;
    let calls = super::calls::all(ctx)?;
    let mut arguments = Args::new(ctx.clone(), 2 + literals.len() + calls.len());
    arguments.push_args([holder.clone(), exports])?;
    arguments.push_args(literals)?;
    arguments.push_args(calls)?;
    wrapper.call_arg::<()>(arguments)?;
    let exports: Value<'js> = holder.get("exports")?;
    note(exports.clone());
    Ok(exports)
}
