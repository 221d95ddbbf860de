//! Converts TypeScript to JavaScript by removing types and leaving everything else in its place.
//!
//! Types are overwritten with spaces, so line and column of what remains are those of the author's file and
//! errors need no source map. Other additions of TypeScript (enums, namespaces, parameter properties,
//! `import x = require()`) are rewritten within their own lines: the lines stay exact, and columns after
//! such a construct on the same line shift.
//!
//! Nothing is checked. An import that no value uses is dropped, as TypeScript does, because
//! `import { Options } from 'k6/options'` names a module that exists for the type checker only.

mod edits;
mod names;
mod rewrite;
mod strip;

use oxc_allocator::Allocator;
use oxc_ast_visit::Visit;
use oxc_parser::Parser;
use oxc_span::SourceType;

/// The reason why a source could not be turned into JavaScript. Lines and columns count from 1 and refer to
/// the TypeScript source; columns count characters.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TypeScriptError {
    #[error("Line {line}:{column} {message}")]
    Syntax {
        line: usize,
        column: usize,
        message: String,
    },
    #[error("Line {line}:{column} {what} is not supported; write it as plain JavaScript")]
    Unsupported {
        line: usize,
        column: usize,
        what: &'static str,
    },
}

/// Returns `source` as JavaScript with every remaining token in its place.
///
/// # Errors
/// A syntax error, or a TypeScript construct that has no JavaScript form within its own lines (dotted
/// namespaces, destructuring exports of namespaces).
pub fn strip_types(source: &str) -> Result<String, TypeScriptError> {
    let allocator = Allocator::default();
    let source_type = SourceType::ts();
    let parsed = Parser::new(&allocator, source, source_type).parse();
    if let Some(error) = parsed.diagnostics.errors().next() {
        let offset = error
            .labels
            .first()
            .map_or(0, |label| label.offset() as usize);
        let (line, column) = line_and_column(source, offset);
        return Err(TypeScriptError::Syntax {
            line,
            column,
            message: error.message.to_string(),
        });
    }
    let names = names::Names::of(&parsed.program);
    let mut stripper = strip::Stripper::new(source, names);
    stripper.visit_program(&parsed.program);
    let (edits, unsupported) = stripper.finish();
    if let Some((offset, what)) = unsupported {
        let (line, column) = line_and_column(source, offset as usize);
        return Err(TypeScriptError::Unsupported { line, column, what });
    }
    Ok(edits.apply(source))
}
fn line_and_column(source: &str, offset: usize) -> (usize, usize) {
    let before = source.get(..offset).unwrap_or(source);
    let line_start = before.rfind('\n').map_or(0, |index| index + 1);
    (
        before.matches('\n').count() + 1,
        before[line_start..].chars().count() + 1,
    )
}

#[cfg(test)]
mod tests;
