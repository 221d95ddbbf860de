//! The virtual user as the host of the script engine.

use script_engine::host::{Absent, ErrorOrigin, Host, Loaded};
use script_engine::throw::{Throw, plain};
use script_engine::{Ctx, Object, Value};
use script_formats::{literals, many};

use super::state::VuState;
use crate::compile::Code;
use crate::loading;
use crate::modules;
use crate::wording;

impl Host for VuState {
    fn resolve(&self, base: &str, name: &str) -> Result<String, Throw> {
        if literals::owner(name).is_some() || name == many::MODULE {
            return Ok(name.to_owned());
        }
        let resolved = self.script.resolve_to_load(base, name);
        resolved.map_err(|error| plain(error.to_string()))
    }

    fn instantiate<'js>(&self, ctx: &Ctx<'js>, name: &str) -> Result<Loaded<'js>, Throw> {
        if let Some(owner) = literals::owner(name) {
            return literal_exports(ctx, self, owner).map(Loaded::Exports);
        }
        if name == many::MODULE {
            return modules::calls::build(ctx).map(Loaded::Exports);
        }
        if let Some(exports) = modules::build(ctx, name) {
            return exports.map(Loaded::Exports);
        }
        match loading::instantiate(ctx, self, name)? {
            Code::Module(compiled) => Ok(Loaded::Code(compiled)),
            Code::Common(script) => {
                modules::require::evaluate(ctx, name, &script).map(Loaded::Exports)
            }
        }
    }

    fn absent(&self, module: &str) -> Absent {
        let absent = self.script.absent(module).into_iter();
        let (defaults, names): (Vec<_>, Vec<_>) = absent.partition(|name| name == "default");
        Absent {
            names,
            are_null: modules::gives_null(module),
            has_default: !defaults.is_empty(),
        }
    }

    fn original_place(&self, file: &str, line: u32, column: u32) -> (String, u32, u32) {
        self.script.original(file, line, column)
    }

    fn reworded(&self, message: &str, origin: &dyn Fn() -> ErrorOrigin) -> Option<String> {
        wording::of(message, origin, |(file, line, column)| {
            self.script.code_at(&file, line, column)
        })
    }

    fn is_interrupted(&self) -> bool {
        VuState::is_interrupted(self)
    }

    fn note_rejection(&self, promise: usize, reason: Value<'_>, is_handled: bool) {
        self.events.note_rejection(promise, reason, is_handled);
    }
}

/// The literals of the module `owner` as the properties `l0`, `l1`, … of an object.
fn literal_exports<'js>(ctx: &Ctx<'js>, vu: &VuState, owner: &str) -> Result<Value<'js>, Throw> {
    let exports = Object::new(ctx.clone())?;
    for (number, value) in loading::literals(ctx, vu, owner)?.into_iter().enumerate() {
        exports.set(format!("l{number}"), value)?;
    }
    Ok(exports.into_value())
}
