//! Compiles the text of a module to the engine's code, by its kind.

use script_engine::convert;
use script_engine::module;
use script_engine::property::{Visible, define};
use script_engine::throw::{Throw, plain};
use script_engine::{Ctx, Exception, Value};
use script_formats::literals;
use script_formats::many;
use script_formats::shifts::Shifts;
use script_formats::twice::{self, Clash, ErrorKind};
use script_formats::typescript::strip_types;

use crate::script::Script;
use crate::source::{self, Kind, Syntax};

/// The text that k6 puts before that of a CommonJS module.
const K6S_WRAPPER: &str = "(function(module, exports){";

/// The text before that of a JSON document, which makes it a module.
const BEFORE_JSON: &str = "export default ";

/// The code of a module, in a realm.
pub(crate) enum Code<'js> {
    /// An ES module, not evaluated.
    Module(Value<'js>),
    /// A CommonJS module: a script whose value is its wrapping function.
    Common(Value<'js>),
}

/// Compiles a module with this full name and text. The script stores its large literals.
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
    let module = Unit {
        name,
        text,
        is_module: true,
        before: "",
    };
    match source::kind(name, text) {
        Kind::Json => {
            let compiled = compile_module(ctx, script, name, &format!("{BEFORE_JSON}{text};"));
            let document = Unit {
                before: BEFORE_JSON,
                ..module
            };
            compiled.map_err(|throw| syntax_error(ctx, document, throw))
        }
        Kind::Code { syntax, has_types } => {
            let compile = |text: &str| compile_code(ctx, script, name, text, syntax);
            if has_types {
                // k6 tries TypeScript only when the text is not valid JavaScript.
                if let Ok(compiled) = compile(text) {
                    return Ok(compiled);
                }
                let _ = ctx.catch();
                let stripped = strip_types(text);
                let stripped = stripped.map_err(|error| plain(format!("{name}: {error}")))?;
                let module = Unit {
                    text: &stripped,
                    ..module
                };
                return compile(&stripped).map_err(|throw| syntax_error(ctx, module, throw));
            }
            compile(text).map_err(|throw| syntax_error(ctx, module, throw))
        }
    }
}

fn compile_code<'js>(
    ctx: &Ctx<'js>,
    script: &Script,
    name: &str,
    text: &str,
    syntax: Syntax,
) -> Result<Code<'js>, Throw> {
    let is_module = syntax == Syntax::Module;
    let module = Unit {
        name,
        text,
        is_module,
        before: "",
    };
    let own_names: &[&str] = if is_module {
        &[]
    } else {
        &source::NAMES_OF_COMMON
    };
    let other = twice::check(text, is_module, own_names);
    let other = other.map_err(|clash| clash_error(ctx, module, &clash))?;
    let text = other.as_deref().unwrap_or(text);
    match syntax {
        Syntax::Module => {
            script.note_defaults(name, text);
            compile_module(ctx, script, name, text)
        }
        Syntax::Common => compile_common(ctx, script, name, text),
    }
}

/// A module that is compiled.
#[derive(Clone, Copy)]
struct Unit<'a> {
    name: &'a str,
    text: &'a str,
    is_module: bool,
    /// The text that is put before it in its first line.
    before: &'a str,
}

/// The error about a name that is declared twice.
fn clash_error(ctx: &Ctx<'_>, module: Unit<'_>, clash: &Clash) -> Throw {
    let Unit {
        name,
        text,
        is_module,
        ..
    } = module;
    let place = clash.at.map_or_else(String::new, |at| {
        let (line, column) = twice::place(text, at);
        // k6 counts the text that it puts before the first line of a CommonJS module.
        let before = match is_module || line > 1 {
            true => 0,
            false => K6S_WRAPPER.len(),
        };
        format!(" at {name}:{line}:{}", column + before)
    });
    let Clash { error, said, .. } = clash;
    match error {
        ErrorKind::Syntax => plain(format!("SyntaxError: {said}{place}")),
        ErrorKind::Type => thrown_at(ctx, said, &place),
    }
}

/// A `TypeError` with a stack of this one place.
fn thrown_at(ctx: &Ctx<'_>, said: &str, place: &str) -> Throw {
    let _ = Exception::throw_type(ctx, said);
    let error = ctx.catch();
    let stack = convert::string(
        ctx,
        &format!("TypeError: {said}\n\t{}\n", place.trim_start()),
    );
    if let (Some(object), Ok(stack)) = (error.as_object(), stack) {
        let _ = define(object, c"stack", stack, Visible::No);
    }
    Throw::Engine(ctx.throw(error))
}

/// The text of a module in the form in which it is compiled.
struct Form {
    text: String,
    /// Large literals, by their names.
    literals: Vec<(String, String)>,
    many: Option<(many::Names, Shifts)>,
}

impl Form {
    /// `None` where the text is compiled as it is.
    fn of(text: &str, is_module: bool) -> Option<Self> {
        let many = many::rewrite(text, is_module);
        let cut = literals::cut(many.as_ref().map_or(text, |many| &many.text), is_module);
        if many.is_none() && cut.is_none() {
            return None;
        }
        let (whole, many) = match many {
            Some(many) => (many.text, Some((many.names, many.shifts))),
            None => (String::new(), None),
        };
        let (text, literals) = match cut {
            Some(cut) => (cut.text, cut.literals),
            None => (whole, Vec::new()),
        };
        Some(Self {
            text,
            literals,
            many,
        })
    }

    /// The statements that declare its names in a module. They come first: in a circle of modules, functions may be
    /// called before the imports behind them are evaluated.
    fn declarations(&self, module: &str) -> String {
        let mut text = String::new();
        if !self.literals.is_empty() {
            let names: Vec<&str> = self
                .literals
                .iter()
                .map(|(name, _)| name.as_str())
                .collect();
            text.push_str(&literals::import(module, &names));
        }
        if let Some((names, _)) = &self.many {
            text.push_str(&names.declaration());
        }
        text
    }

    /// The parameters of the function that wraps a CommonJS module.
    fn parameters(&self) -> Vec<&str> {
        let literals = self.literals.iter().map(|(name, _)| name.as_str());
        let many = self.many.iter().flat_map(|(names, _)| names.all());
        literals.chain(many).collect()
    }

    fn shifts(self) -> Shifts {
        self.many.map(|(_, shifts)| shifts).unwrap_or_default()
    }

    /// Compiles the literals separately; the script stores them.
    fn keep_literals(&self, ctx: &Ctx<'_>, script: &Script, name: &str) -> Result<(), Throw> {
        if self.literals.is_empty() {
            return Ok(());
        }
        let code = self.literals.iter().map(|(_, literal)| {
            let code = module::compile_classic(ctx, name, &format!("({literal})"))?;
            module::write(&code).map(Vec::into_boxed_slice)
        });
        let code: Vec<Box<[u8]>> = code.collect::<Result<_, Throw>>()?;
        script.keep_literals(name, code.into());
        Ok(())
    }
}

fn compile_module<'js>(
    ctx: &Ctx<'js>,
    script: &Script,
    name: &str,
    text: &str,
) -> Result<Code<'js>, Throw> {
    if let Some(form) = Form::of(text, true) {
        form.keep_literals(ctx, script, name)?;
        let before = form.declarations(name);
        let whole = format!("{before}{}", form.text);
        if let Ok(compiled) = module::compile(ctx, name, &whole) {
            script.keep_shifts(name, form.shifts().behind(&before));
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
    if let Some(form) = Form::of(text, false) {
        form.keep_literals(ctx, script, name)?;
        let parameters = form.parameters();
        let wrapped = source::wrap_common(name, &form.text, &parameters);
        if let Ok(compiled) = module::compile_classic(ctx, name, &wrapped) {
            let before = source::before_common(name, &parameters);
            script.keep_shifts(name, form.shifts().behind(&before));
            return Ok(Code::Common(compiled));
        }
        let _ = ctx.catch();
        script.keep_literals(name, std::sync::Arc::default());
    }
    let wrapped = source::wrap_common(name, text, &[]);
    let before = source::before_common(name, &[]);
    script.keep_shifts(name, Shifts::default().behind(&before));
    module::compile_classic(ctx, name, &wrapped).map(Code::Common)
}

/// k6 puts the place in the file before the message; the engine puts it in the stack.
fn syntax_error(ctx: &Ctx<'_>, module: Unit<'_>, throw: Throw) -> Throw {
    let Unit {
        name, text, before, ..
    } = module;
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
        let (line, column): (usize, usize) = (line.parse().ok()?, column.parse().ok()?);
        let shift = if line == 1 { before.len() } else { 0 };
        Some(format!("Line {line}:{} ", column.saturating_sub(shift)))
    });
    let token = message
        .strip_prefix("unexpected token in expression: '")
        .and_then(|rest| rest.strip_suffix('\''));
    let unknown = message
        .strip_prefix("exported variable '")
        .and_then(|rest| rest.strip_suffix("' does not exist"));
    if let Some(unknown) = unknown {
        return plain(format!(
            "SyntaxError: exporting unknown binding: \"{unknown}\" at {name}:1:2"
        ));
    }
    let message = match token {
        // It is put behind a JSON document.
        Some(";") if !before.is_empty() => "Unexpected end of input".to_owned(),
        Some(token) => format!("Unexpected token {token}"),
        None if message == "duplicate label name" => {
            format!(
                "Label '{}' already exists",
                name_at(text, place.as_deref()).unwrap_or_default()
            )
        }
        None => message,
    };
    plain(format!("{name}: {}{message}", place.unwrap_or_default()))
}

/// The name at `Line 3:5 ` in the text.
fn name_at<'t>(text: &'t str, place: Option<&str>) -> Option<&'t str> {
    let (line, column) = place?.trim().strip_prefix("Line ")?.split_once(':')?;
    let (line, column): (usize, usize) = (line.parse().ok()?, column.parse().ok()?);
    let line = text.lines().nth(line.checked_sub(1)?)?;
    let (start, _) = line.char_indices().nth(column.checked_sub(1)?)?;
    let rest = &line[start..];
    let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_' && c != '$');
    Some(&rest[..end.unwrap_or(rest.len())])
}
