//! From the text of a module to the engine's code, by its kind.

use rquickjs::Ctx;

use crate::js::convert;
use crate::js::module::{self, Loaded};
use crate::js::native::{Throw, plain};
use crate::literals::{self, Cut};
use crate::script::Script;
use crate::source::{self, Kind};
use crate::typescript::strip_types;

/// Compiles a module of that full name and text. Its large literals are kept by the script.
///
/// # Errors
/// A syntax error as k6 says it, or an import that cannot be had.
pub(crate) fn compile<'js>(
    ctx: &Ctx<'js>,
    script: &Script,
    module: (&str, String),
) -> Result<Loaded<'js>, Throw> {
    let (name, text) = module;
    match source::kind(name, &text) {
        Kind::Json => compile_module(ctx, script, (name, &format!("export default {text};"))),
        Kind::Common => compile_common(ctx, script, (name, &text))
            .map_err(|throw| syntax_error(ctx, name, throw)),
        Kind::Module => compile_module(ctx, script, (name, &text))
            .map_err(|throw| syntax_error(ctx, name, throw)),
        Kind::TypeScript => {
            // k6 looks for types only where plain JavaScript does not do.
            if let Ok(compiled) = compile_module(ctx, script, (name, &text)) {
                return Ok(compiled);
            }
            let _ = ctx.catch();
            let stripped = strip_types(&text);
            let stripped = stripped.map_err(|error| plain(format!("{name}: {error}")))?;
            compile_module(ctx, script, (name, &stripped))
                .map_err(|throw| syntax_error(ctx, name, throw))
        }
    }
}

fn compile_module<'js>(
    ctx: &Ctx<'js>,
    script: &Script,
    module: (&str, &str),
) -> Result<Loaded<'js>, Throw> {
    let (name, text) = module;
    if let Some(cut) = literals::cut(text, true) {
        keep(ctx, script, (name, &cut))?;
        let names: Vec<&str> = cut.literals.iter().map(|(name, _)| name.as_str()).collect();
        // At the end nothing changes its place.
        let import = literals::import(name, &names);
        let compiled = module::compile(ctx, name, &format!("{}\n{import}", cut.text));
        if let Ok(compiled) = compiled {
            return Ok(Loaded::Module(compiled));
        }
        // What is wrong is said of the text as it was.
        let _ = ctx.catch();
    }
    module::compile(ctx, name, text).map(Loaded::Module)
}

fn compile_common<'js>(
    ctx: &Ctx<'js>,
    script: &Script,
    module: (&str, &str),
) -> Result<Loaded<'js>, Throw> {
    let (name, text) = module;
    if let Some(cut) = literals::cut(text, false) {
        keep(ctx, script, (name, &cut))?;
        let names: Vec<&str> = cut.literals.iter().map(|(name, _)| name.as_str()).collect();
        let wrapped = source::wrap_common(name, &cut.text, &names);
        let compiled = module::compile_classic(ctx, name, &wrapped);
        if let Ok(compiled) = compiled {
            script.note_wrapping(name, &source::before_common(name, &names));
            return Ok(Loaded::Common(compiled));
        }
        let _ = ctx.catch();
        script.keep_literals(name, std::sync::Arc::default());
    }
    let wrapped = source::wrap_common(name, text, &[]);
    script.note_wrapping(name, &source::before_common(name, &[]));
    module::compile_classic(ctx, name, &wrapped).map(Loaded::Common)
}

/// Compiles the literals of a module, each for itself.
fn keep(ctx: &Ctx<'_>, script: &Script, module: (&str, &Cut)) -> Result<(), Throw> {
    let (name, cut) = module;
    let code = cut.literals.iter().map(|(_, literal)| {
        let code = module::compile_classic(ctx, name, &format!("({literal})"))?;
        module::write(&code).map(Vec::into_boxed_slice)
    });
    let code: Vec<Box<[u8]>> = code.collect::<Result<_, Throw>>()?;
    script.keep_literals(name, code.into());
    Ok(())
}

/// k6 says where in the file, then what, as an error of its own; the engine says it in its stack.
fn syntax_error(ctx: &Ctx<'_>, name: &str, throw: Throw) -> Throw {
    if !matches!(throw, Throw::Engine(_)) || !ctx.has_exception() {
        return throw;
    }
    let error = ctx.catch();
    let part = |key: &str| -> Option<String> {
        let value: rquickjs::Value<'_> = error.as_object()?.get(key).ok()?;
        convert::to_text(&value).ok()
    };
    let (message, stack) = (part("message"), part("stack").unwrap_or_default());
    let (Some(message), "SyntaxError") = (message, part("name").unwrap_or_default().as_str())
    else {
        return Throw::Engine(ctx.throw(error.clone()));
    };
    let first = stack.lines().find(|line| line.trim().starts_with("at "));
    let place = first.and_then(|line| {
        let mut numbers = line.trim_end_matches(')').rsplit(':');
        let (column, line) = (numbers.next()?, numbers.next()?);
        let is_number = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
        (is_number(column) && is_number(line)).then(|| format!("Line {line}:{column} "))
    });
    let token = message
        .strip_prefix("unexpected token in expression: '")
        .and_then(|rest| rest.strip_suffix('\''));
    let message = token.map_or(message.clone(), |token| format!("Unexpected token {token}"));
    plain(format!("{name}: {}{message}", place.unwrap_or_default()))
}
