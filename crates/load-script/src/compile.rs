//! Compiles the text of a module to the engine's code, by its kind.

use script_engine::convert;
use script_engine::module;
use script_engine::throw::{Throw, plain};
use script_engine::{Ctx, Value};
use script_formats::literals::{self, Cut};
use script_formats::typescript::strip_types;

use crate::script::Script;
use crate::source::{self, Kind, Syntax};

/// The code of a module, in a realm.
pub(crate) enum Code<'js> {
    /// An ES module, not evaluated.
    Module(Value<'js>),
    /// A CommonJS module: a script whose value is its wrapping function.
    Common(Value<'js>),
}

/// Compiles a module with this full name and text. The script keeps its large literals.
///
/// # Errors
/// A syntax error in k6's words, or an import that cannot be loaded.
pub(crate) fn compile<'js>(
    ctx: &Ctx<'js>,
    script: &Script,
    name: &str,
    text: &str,
) -> Result<Code<'js>, Throw> {
    // Editors put a byte order mark before the text.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    match source::kind(name, text) {
        Kind::Json => compile_module(ctx, script, name, &format!("export default {text};")),
        Kind::Code { syntax, has_types } => {
            let compile = match syntax {
                Syntax::Module => compile_module,
                Syntax::Common => compile_common,
            };
            if has_types {
                // k6 tries TypeScript only when the text is not valid JavaScript.
                if let Ok(compiled) = compile(ctx, script, name, text) {
                    return Ok(compiled);
                }
                let _ = ctx.catch();
                let stripped = strip_types(text);
                let stripped = stripped.map_err(|error| plain(format!("{name}: {error}")))?;
                return compile(ctx, script, name, &stripped)
                    .map_err(|throw| syntax_error(ctx, name, throw));
            }
            compile(ctx, script, name, text).map_err(|throw| syntax_error(ctx, name, throw))
        }
    }
}

fn compile_module<'js>(
    ctx: &Ctx<'js>,
    script: &Script,
    name: &str,
    text: &str,
) -> Result<Code<'js>, Throw> {
    if let Some(cut) = literals::cut(text, true) {
        keep(ctx, script, name, &cut)?;
        let names: Vec<&str> = cut.literals.iter().map(|(name, _)| name.as_str()).collect();
        // Appended at the end, it does not move any code.
        let import = literals::import(name, &names);
        let compiled = module::compile(ctx, name, &format!("{}\n{import}", cut.text));
        if let Ok(compiled) = compiled {
            return Ok(Code::Module(compiled));
        }
        // Errors are reported for the original text.
        let _ = ctx.catch();
    }
    module::compile(ctx, name, text).map(Code::Module)
}

fn compile_common<'js>(
    ctx: &Ctx<'js>,
    script: &Script,
    name: &str,
    text: &str,
) -> Result<Code<'js>, Throw> {
    if let Some(cut) = literals::cut(text, false) {
        keep(ctx, script, name, &cut)?;
        let names: Vec<&str> = cut.literals.iter().map(|(name, _)| name.as_str()).collect();
        let wrapped = source::wrap_common(name, &cut.text, &names);
        let compiled = module::compile_classic(ctx, name, &wrapped);
        if let Ok(compiled) = compiled {
            script.note_wrapping(name, &source::before_common(name, &names));
            return Ok(Code::Common(compiled));
        }
        let _ = ctx.catch();
        script.keep_literals(name, std::sync::Arc::default());
    }
    let wrapped = source::wrap_common(name, text, &[]);
    script.note_wrapping(name, &source::before_common(name, &[]));
    module::compile_classic(ctx, name, &wrapped).map(Code::Common)
}

/// Compiles the literals of a module separately.
fn keep(ctx: &Ctx<'_>, script: &Script, name: &str, cut: &Cut) -> Result<(), Throw> {
    let code = cut.literals.iter().map(|(_, literal)| {
        let code = module::compile_classic(ctx, name, &format!("({literal})"))?;
        module::write(&code).map(Vec::into_boxed_slice)
    });
    let code: Vec<Box<[u8]>> = code.collect::<Result<_, Throw>>()?;
    script.keep_literals(name, code.into());
    Ok(())
}

/// k6 puts the place in the file before the message; the engine puts it in the stack.
fn syntax_error(ctx: &Ctx<'_>, name: &str, throw: Throw) -> Throw {
    if !matches!(throw, Throw::Engine(_)) || !ctx.has_exception() {
        return throw;
    }
    let error = ctx.catch();
    let part = |key: &str| -> Option<String> {
        let value: Value<'_> = error.as_object()?.get(key).ok()?;
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
