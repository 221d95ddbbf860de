//! Loads a module by its full name into a realm: read, mapped, compiled, and cached.

use load_engine::log::Level;
use script_engine::code;
use script_engine::fiber;
use script_engine::isolate;
use script_engine::module::{self, Module};
use script_engine::native::{Call, Shape, function};
use script_engine::property::{Visible, define};
use script_engine::throw::{Outcome, Throw, plain};
use script_engine::{Ctx, Exception, Function, Object, This, Value, convert};
use script_formats::source_map::{self, Link, SourceMap};

use crate::compile::{Code, compile};
use crate::remote;
use crate::script::Bytecode;
use crate::source::{self, SourceError};
use crate::vu::state::{Caller, VuState};

/// The code of the module with this full name, in this realm; not evaluated.
///
/// # Errors
/// The module cannot be loaded, or is not code.
pub(crate) fn instantiate<'js>(
    ctx: &Ctx<'js>,
    vu: &VuState,
    name: &str,
) -> Result<Code<'js>, Throw> {
    if let Some(known) = vu.script.bytecode(name) {
        return read(ctx, name, &known);
    }
    if let Some(refusal) = vu.script.refusal(name) {
        return Err(refusal);
    }
    if vu.script.is_sealed() {
        return Err(plain(SourceError::Late(name.to_owned()).to_string()));
    }
    let text = text_of(vu, name)?;
    read_map(vu, name, &text)?;
    let has_meta = text.contains("import.meta");
    let compiled = compile(ctx, &vu.script, name, &text);
    let code = compiled.map_err(|throw| remember(ctx, vu, name, throw))?;
    let (compiled, is_common) = match &code {
        Code::Module(compiled) => (compiled, false),
        Code::Common(compiled) => (compiled, true),
    };
    let bytecode = Bytecode {
        code: module::write(compiled)?.into(),
        is_common,
        has_meta: has_meta && !is_common,
    };
    if bytecode.has_meta {
        add_meta(compiled, name)?;
    }
    vu.script.keep_bytecode(name, bytecode);
    Ok(code)
}

/// The values of the literals of the module `owner`, in order: shared by all VUs until they change them.
pub(crate) fn literals<'js>(
    ctx: &Ctx<'js>,
    vu: &VuState,
    owner: &str,
) -> Result<Vec<Value<'js>>, Throw> {
    let literals = vu.script.literals(owner);
    let make = || {
        let made = literals.iter().map(|code| {
            let code = module::read(ctx, code)?;
            module::run(&code)
        });
        made.collect::<Result<Vec<Value<'js>>, Throw>>()
    };
    if !vu.script.shares_literals() {
        return make();
    }
    let key = format!("literals of {owner}");
    isolate::shared_data(ctx, &key, make)
}

/// Loads the imports of a compiled module and evaluates it. The value is the promise of its end.
///
/// # Errors
/// The exception of an import or of the code.
pub(crate) fn evaluate<'js>(
    vu: &VuState,
    compiled: Value<'js>,
) -> Result<(Module, Value<'js>), Throw> {
    let ctx = compiled.ctx().clone();
    module::evaluate(compiled).map_err(|throw| missing_export(&ctx, vu, throw))
}

/// How the errors of [`missing_export`] begin.
const REQUESTED: &str = "The requested module ";

/// Whether a described exception is one of [`missing_export`]. It passes through the engine, so that nothing but its
/// text is left of it.
pub(crate) fn is_missing_export(described: &str) -> bool {
    let message = described.strip_prefix("SyntaxError: ");
    message.is_some_and(|message| message.starts_with(REQUESTED))
}

/// The longest name that the engine shows in a message.
const NAME_IN_MESSAGES: usize = 63;

/// A missing export, in the words of k6's engine. There, a name that a CommonJS module or one of k6's own lacks
/// is `undefined`, but this engine links all modules alike: such a module gets the name, and the init code
/// starts again.
fn missing_export(ctx: &Ctx<'_>, vu: &VuState, throw: Throw) -> Throw {
    if !matches!(throw, Throw::Engine(_)) || !ctx.has_exception() {
        return throw;
    }
    let error = ctx.catch();
    let message = error
        .as_object()
        .and_then(|object| object.get::<_, String>("message").ok());
    let quoted = |message: &str, begin: &str, end: &str| {
        let rest = message.strip_prefix(begin)?.strip_suffix(end)?;
        let (export, module) = rest.split_once("' in module '")?;
        Some((export.to_owned(), module.to_owned()))
    };
    let message = message.unwrap_or_default();
    if let Some((export, module)) = quoted(&message, "export '", "' is ambiguous") {
        let module = vu.script.specifier(&module);
        let text = format!(
            "{REQUESTED}\"{module}\" contains conflicting star exports for name \"{export}\""
        );
        return Throw::Engine(Exception::throw_syntax(ctx, &text));
    }
    let Some((export, module)) = quoted(&message, "Could not find export '", "'") else {
        return Throw::Engine(ctx.throw(error.clone()));
    };
    // The engine cuts long names.
    let whole =
        (module.len() >= NAME_IN_MESSAGES).then(|| vu.script.module_lacking(&module, &export));
    let module = whole.flatten().unwrap_or(module);
    if let Some(common) = vu
        .script
        .common_source(&module)
        .filter(|_| !vu.script.is_sealed())
    {
        vu.script.note_absent(&common, &export);
    }
    let module = vu.script.specifier(&module);
    let text = format!("{REQUESTED}\"{module}\" does not provide an export named \"{export}\"");
    Throw::Engine(Exception::throw_syntax(ctx, &text))
}

/// The code of a module that was compiled before.
fn read<'js>(ctx: &Ctx<'js>, name: &str, known: &Bytecode) -> Result<Code<'js>, Throw> {
    let read = || module::read(ctx, &known.code);
    if known.is_common {
        return code::shared_script(ctx, name, read).map(Code::Common);
    }
    let module = read()?;
    code::share_module(ctx, name, &module);
    if known.has_meta {
        add_meta(&module, name)?;
    }
    Ok(Code::Module(module))
}

/// Stores a native error that occurred while a module was compiled: that of one of its imports.
fn remember(ctx: &Ctx<'_>, vu: &VuState, name: &str, throw: Throw) -> Throw {
    if let Throw::Plain(why) = throw {
        return vu.script.refuse(name, why);
    }
    if !matches!(throw, Throw::Engine(_)) || !ctx.has_exception() {
        return throw;
    }
    let error = ctx.catch();
    let text = |key: &str| {
        error
            .as_object()
            .and_then(|object| object.get::<_, String>(key).ok())
    };
    match (text("name").as_deref(), text("message")) {
        (Some("GoError"), Some(why)) => vu.script.refuse(name, why),
        _ => Throw::Engine(ctx.throw(error.clone())),
    }
}

/// The text of a module, which is also stored for archives.
fn text_of(vu: &VuState, name: &str) -> Result<String, Throw> {
    let refused = |error: SourceError| vu.script.refuse(name, error.to_string());
    let text = match vu.script.given(name).map_err(refused)? {
        Some(text) => text,
        None if name.starts_with("https://") => vu
            .wait(fiber::apart(|| {
                remote::fetch(name, vu.script.system(), &vu.logger)
            }))?
            .map_err(refused)?,
        None => source::read(name, &vu.script.specifier(name)).map_err(refused)?,
    };
    vu.script.keep_text(name, &text);
    Ok(text)
}

/// Looks for the source map of a module. Without one, places in the module itself are reported.
///
/// # Errors
/// The source map is inline and malformed.
fn read_map(vu: &VuState, name: &str, text: &str) -> Result<(), Throw> {
    let read = match source_map::link(text) {
        None => return Ok(()),
        Some(Link::Inline(address)) => {
            let line = text.matches('\n').count() + 1;
            let read = source_map::read_inline(address, name)
                .map_err(|why| plain(format!("{name}: Line {line}:1 {why}")))?;
            match read {
                None => return Ok(()),
                Some(map) => Ok(map),
            }
        }
        Some(Link::At(address)) => linked_map(vu, name, address),
    };
    match read {
        Ok(map) => vu.script.keep_map(name, map),
        Err(why) => {
            let message = format!("Couldn't load source map for {name}");
            vu.logger.log(Level::Warn, &message, &[("error", &why)]);
        }
    }
    Ok(())
}

fn linked_map(vu: &VuState, name: &str, address: &str) -> Result<SourceMap, String> {
    let joined = url::Url::parse(name).and_then(|base| base.join(address));
    let url = joined.map_err(|error| error.to_string())?.to_string();
    let text = match vu.script.archived_map(&url) {
        Some(text) => text,
        None if url.starts_with("https://") => {
            let fetched = vu.wait(fiber::apart(|| {
                remote::fetch(&url, vu.script.system(), &vu.logger)
            }));
            fetched.map_err(|_| "it was interrupted".to_owned())?
        }
        None => source::read(&url, &url),
    };
    let text = text.map_err(|error| error.to_string())?;
    let map = SourceMap::read(&text, &url);
    vu.script.keep_text(&url, &text);
    map
}

/// Gives a compiled module its `import.meta`, which can only resolve names.
fn add_meta(compiled: &Value<'_>, name: &str) -> Result<(), Throw> {
    let ctx = compiled.ctx();
    let meta: Object<'_> = module::meta(compiled)?;
    let resolve = function(ctx, resolve, c"resolve", Shape::Function)?;
    let bind: Function<'_> = resolve.get("bind")?;
    let base = convert::string(ctx, name)?;
    let undefined = Value::new_undefined(ctx.clone());
    let bound: Value<'_> = bind.call((This(resolve), undefined, base))?;
    define(&meta, c"resolve", bound, Visible::Yes)?;
    Ok(())
}

/// `import.meta.resolve(name)`; the first argument is the name of the calling module.
fn resolve<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    let name = call.text(1)?;
    let resolved = call.vu().script.resolve(&call.text(0)?, &name);
    match resolved {
        Ok(resolved) if resolved.contains("://") => call.string(&resolved),
        // k6's own modules have no URL.
        Ok(_) => Err(plain(SourceError::Unknown(name).to_string())),
        Err(error) => Err(plain(error.to_string())),
    }
}
