//! The syntax tree of a script.

use oxc_allocator::Allocator;
use oxc_ast::ast::Program;
use oxc_parser::Parser;
use oxc_span::SourceType;

/// Longer text is not parsed.
const MOST_BYTES: usize = 64 << 20;
/// Stack of the thread that parses the text; only touched pages take memory.
const STACK_BYTES: usize = 256 << 20;
/// More consecutive marks like these may nest too deeply for the parser's stack.
const MOST_NESTED: usize = 4096;

/// The result of `read` for the syntax tree of a script or module. `None` when the text cannot be parsed.
pub(crate) fn with_tree<R: Send>(
    text: &str,
    is_module: bool,
    read: impl FnOnce(&Program<'_>) -> R + Send,
) -> Option<R> {
    with_sound_tree(text, is_module, false, read)
}

/// The same, also for a text with errors from which the parser can recover.
pub(crate) fn with_any_tree<R: Send>(
    text: &str,
    is_module: bool,
    read: impl FnOnce(&Program<'_>) -> R + Send,
) -> Option<R> {
    with_sound_tree(text, is_module, true, read)
}

fn with_sound_tree<R: Send>(
    text: &str,
    is_module: bool,
    with_mistakes: bool,
    read: impl FnOnce(&Program<'_>) -> R + Send,
) -> Option<R> {
    if text.len() >= MOST_BYTES || is_deep(text) {
        return None;
    }
    // The parser recurses, and the caller runs on the small stack of a VU.
    std::thread::scope(|scope| {
        let reader = std::thread::Builder::new().stack_size(STACK_BYTES);
        let reading = reader.spawn_scoped(scope, || parse(text, is_module, with_mistakes, read));
        reading.ok()?.join().ok()?
    })
}

fn parse<R>(
    text: &str,
    is_module: bool,
    with_mistakes: bool,
    read: impl FnOnce(&Program<'_>) -> R,
) -> Option<R> {
    let allocator = Allocator::default();
    let kind = if is_module {
        SourceType::mjs()
    } else {
        SourceType::cjs()
    };
    let parsed = Parser::new(&allocator, text, kind).parse();
    let has_mistakes = parsed.diagnostics.errors().next().is_some();
    let is_wrong = parsed.panicked || (has_mistakes && !with_mistakes);
    (!is_wrong).then(|| read(&parsed.program))
}

fn is_deep(text: &str) -> bool {
    let opens = |byte: &u8| b"([{!~+- \n\t".contains(byte);
    let runs = text.as_bytes().split(|byte| !opens(byte));
    runs.map(|run| run.iter().filter(|b| !b.is_ascii_whitespace()).count())
        .any(|length| length > MOST_NESTED)
}
