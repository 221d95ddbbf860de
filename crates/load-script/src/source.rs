//! Names of modules and the sources of their text.

use std::path::{Component, Path, PathBuf};

use http_client::url::Url;
use load_engine::system_errors::in_words;

/// Errors of loading a module; the texts are k6's.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SourceError {
    /// A name that is neither a path nor a URL nor one of k6's own modules.
    #[error("The moduleSpecifier \"{0}\" couldn't be recognised as something k6 supports.")]
    Unknown(String),
    /// No name at all.
    #[error("require() can't be used with an empty specifier")]
    Empty,
    /// A host for which early k6 had its own short names.
    #[error(
        "{0} 'special' urls are no longer supported - please use real ones. You can get yours by going to \
         {1} and copy-pasting the full url to the actual {2}"
    )]
    Special(&'static str, &'static str, &'static str),
    /// A file that does not exist.
    #[error(
        "The moduleSpecifier \"{0}\" couldn't be found on local disk. Make sure that you've specified the right path to the file. \
         If you're running k6 using the Docker image make sure you have mounted the local directory (-v /local/path/:/inside/docker/path) containing your script and modules so that they're accessible by k6 from inside of the container, see https://grafana.com/docs/k6/latest/using-k6/modules/#use-modules-with-docker."
    )]
    Missing(String),
    /// A module that the first init code did not load.
    #[error("the module \"{0}\" was not previously resolved during initialization (__VU==0)")]
    Late(String),
    /// A file that cannot be read.
    #[error("cannot read {path}: {}", in_words(.cause))]
    Read {
        /// Its path.
        path: String,
        /// The reason.
        cause: std::io::Error,
    },
    /// Code that is not UTF-8, as k6's parser reports it.
    #[error("{name}: Line {line}:{column} Invalid UTF-8 character{}", and_more(*.more))]
    NotUtf8 {
        /// Its full name.
        name: String,
        /// Counts from one.
        line: usize,
        /// In bytes, from one.
        column: usize,
        /// The invalid bytes after this one.
        more: usize,
    },
    /// A protocol that is not supported.
    #[error("only supported schemes for imports are file and https, {url} has `{scheme}`")]
    Scheme {
        /// The whole name.
        url: String,
        /// The part before `://`.
        scheme: String,
    },
    /// A module from the network imports one from the disk.
    #[error("origin ({from}) not allowed to load local file: {wanted}")]
    Foreign {
        /// The importing module.
        from: String,
        /// The imported module.
        wanted: String,
    },
    /// A server does not return the module.
    #[error(
        "The moduleSpecifier \"{url}\" couldn't be retrieved from the resolved url \"{url}\". Error : \"{cause}\""
    )]
    Remote {
        /// The whole name.
        url: String,
        /// The reason.
        cause: String,
    },
}

/// The kind of a module's text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Code, perhaps in TypeScript.
    Code { syntax: Syntax, has_types: bool },
    /// A JSON document; it is the default export.
    Json,
}

/// The module system of code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Syntax {
    /// It has `import` or `export`.
    Module,
    /// It has neither: `module.exports` and `require`.
    Common,
}

/// The kind of a module.
pub(crate) fn kind(name: &str, text: &str) -> Kind {
    let path = name.split('?').next().unwrap_or(name);
    let extension = path.rsplit('.').next();
    if extension == Some("json") {
        return Kind::Json;
    }
    let syntax = if has_module_syntax(text) {
        Syntax::Module
    } else {
        Syntax::Common
    };
    Kind::Code {
        syntax,
        has_types: extension == Some("ts"),
    }
}

/// Whether a statement begins with `import` or `export`: at the beginning of a line, or after a `;` or a brace
/// in minified text. Comments and strings may cause a wrong "yes", which is the default anyway for a text
/// without `module.exports`.
fn has_module_syntax(text: &str) -> bool {
    let is_end = |c: Option<char>| {
        c.is_none_or(|c| !c.is_alphanumeric() && c != '_' && c != '$' && c != '.' && c != ':')
    };
    for word in ["import", "export"] {
        for (at, _) in text.match_indices(word) {
            let before = text[..at].trim_end_matches([' ', '\t']);
            let after = text[at + word.len()..].chars().next();
            let begins = before.is_empty() || before.ends_with(['\n', '\r', ';', '}', '/']);
            let is_call = word == "import" && after == Some('(');
            if begins && is_end(after) && !is_call {
                return true;
            }
        }
    }
    false
}

/// The byte of a line and a column in a text. Both count from one, the column in bytes. `None` within a character.
pub(crate) fn byte_at(text: &str, line: u32, column: u32) -> Option<usize> {
    let mut lines = text.split_inclusive('\n');
    let lines_before = line.checked_sub(1)? as usize;
    let start: usize = lines.by_ref().take(lines_before).map(str::len).sum();
    lines.next()?;
    let at = start + column.checked_sub(1)? as usize;
    text.is_char_boundary(at).then_some(at)
}

/// Whether the code begins with a member of a namespace that the text imports: `import * as all`.
pub(crate) fn is_in_namespace(text: &str, code: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || c == '_' || c == '$';
    let (name, rest) = code.split_at(code.find(|c| !is_part(c)).unwrap_or(code.len()));
    let members = rest.strip_prefix('.').unwrap_or_default();
    let is_last = !members.trim_start_matches(is_part).starts_with(['.', '[']);
    let mut imports = text.split("* as ").skip(1);
    !name.is_empty()
        && rest.starts_with(['.', '['])
        && is_last
        && imports.any(|import| {
            let behind = import.strip_prefix(name);
            behind.is_some_and(|behind| !behind.starts_with(is_part))
        })
}

/// The modules from which a text imports this export: `import { export } from 'module'`.
pub(crate) fn asked_for<'t>(text: &'t str, export: &str) -> impl Iterator<Item = &'t str> {
    let lists = text
        .split('{')
        .skip(1)
        .filter_map(|rest| rest.split_once('}'));
    lists.filter_map(move |(names, after)| {
        let mut words = names.split(|c: char| !(c.is_alphanumeric() || c == '_' || c == '$'));
        let rest = after.trim_start().strip_prefix("from")?.trim_start();
        let quote = rest.chars().next().filter(|c| matches!(c, '\'' | '"'))?;
        let specifier = rest[1..].split(quote).next()?;
        words.any(|word| word == export).then_some(specifier)
    })
}

/// Whether a text may export this: the name follows an `export` in the same statement.
pub(crate) fn may_export(text: &str, export: &str) -> bool {
    let statements = text.split("export").skip(1);
    let mut names = statements.flat_map(|rest| {
        let end = rest.find([';', '=', '(']).unwrap_or(rest.len());
        rest[..end].split(|c: char| !(c.is_alphanumeric() || c == '_' || c == '$'))
    });
    names.any(|name| name == export)
}

/// The full name of a script from the standard input. Its folder is the working directory.
pub(crate) const STANDARD_INPUT: &str = "file:///-";

/// The names that a CommonJS module has besides the globals.
pub(crate) const NAMES_OF_COMMON: [&str; 2] = ["module", "exports"];

/// A CommonJS module as an expression: its wrapper function, which takes the values of its `literals`. Lines
/// keep their numbers. As in k6 its code is strict.
pub(crate) fn wrap_common(name: &str, text: &str, literals: &[&str]) -> String {
    let before = before_common(name, literals);
    format!("{before}{text}\n}}).call(exports); }})")
}

/// The text before a CommonJS module in its first line.
pub(crate) fn before_common(name: &str, literals: &[&str]) -> String {
    let name = serde_json::Value::from(name);
    let literals: String = literals.iter().map(|name| format!(", {name}")).collect();
    format!(
        "(function (module, exports{literals}) {{ const require = (name) => globalThis.require(name, {name}); (function () {{ 'use strict'; "
    )
}

/// The full name of a file.
pub(crate) fn url_of(path: &Path) -> String {
    format!("file://{}", normalize(path).display())
}

/// The full name of the module that `base` imports as `name`.
pub(crate) fn resolve(base: &str, name: &str) -> Result<String, SourceError> {
    if name.is_empty() {
        return Err(SourceError::Empty);
    }
    if name == "k6" || name.starts_with("k6/") {
        return Ok(name.to_owned());
    }
    let is_remote = base.starts_with("https://");
    if let Some((scheme, rest)) = name.split_once("://") {
        return match scheme {
            "file" if is_remote => Err(SourceError::Foreign {
                from: base.to_owned(),
                wanted: name.to_owned(),
            }),
            "file" => Ok(url_of(Path::new(rest))),
            "https" => Ok(name.to_owned()),
            other => Err(SourceError::Scheme {
                url: name.to_owned(),
                scheme: other.to_owned(),
            }),
        };
    }
    if !name.starts_with('/') && !name.starts_with("./") && !name.starts_with("../") {
        return Err(match name.split('/').next() {
            Some("github.com") => {
                SourceError::Special("github.com", "github", "raw JavaScript file")
            }
            Some("cdnjs.com") => SourceError::Special("cdnjs.com", "cdnjs", "JavaScript file"),
            _ => SourceError::Unknown(name.to_owned()),
        });
    }
    if is_remote {
        let joined = Url::parse(base).and_then(|base| base.join(name));
        return joined
            .map(|url| url.to_string())
            .map_err(|cause| SourceError::Remote {
                url: name.to_owned(),
                cause: cause.to_string(),
            });
    }
    if name.starts_with('/') {
        return Ok(url_of(Path::new(name)));
    }
    let base = base.strip_prefix("file://").unwrap_or(base);
    let directory = Path::new(base).parent().unwrap_or_else(|| Path::new("/"));
    Ok(url_of(&directory.join(name)))
}

fn and_more(count: usize) -> String {
    match count {
        0 => String::new(),
        count => format!(" (and {count} more errors)"),
    }
}

/// The text of a module on the disk. `specifier` is its name in the script.
pub(crate) fn read(name: &str, specifier: &str) -> Result<String, SourceError> {
    let path = name.strip_prefix("file://").unwrap_or(name);
    let bytes = std::fs::read(path).map_err(|cause| match cause.kind() {
        std::io::ErrorKind::NotFound => SourceError::Missing(specifier.to_owned()),
        _ => SourceError::Read {
            path: path.to_owned(),
            cause,
        },
    })?;
    text_of(name, &bytes)
}

/// The content of the file with this full name as text. As in k6, JavaScript has to be UTF-8, including its comments; in
/// TypeScript, JSON and source maps, invalid bytes are replaced.
///
/// # Errors
/// JavaScript that is not UTF-8.
pub(crate) fn text_of(name: &str, bytes: &[u8]) -> Result<String, SourceError> {
    let path = name.split('?').next().unwrap_or(name);
    let is_replaced = [".ts", ".json", ".map"]
        .iter()
        .any(|ending| path.ends_with(ending));
    match std::str::from_utf8(bytes) {
        Ok(text) => Ok(text.to_owned()),
        Err(_) if is_replaced => Ok(String::from_utf8_lossy(bytes).into_owned()),
        Err(error) => {
            let before = &bytes[..error.valid_up_to()];
            let line_start = before.iter().rposition(|byte| *byte == b'\n');
            let invalid = bytes.utf8_chunks().map(|chunk| chunk.invalid().len());
            Err(SourceError::NotUtf8 {
                name: name.to_owned(),
                line: before.iter().filter(|byte| **byte == b'\n').count() + 1,
                column: before.len() - line_start.map_or(0, |at| at + 1) + 1,
                more: invalid.sum::<usize>().saturating_sub(1),
            })
        }
    }
}

/// The path without `.` and `..`, without asking the file system.
pub(crate) fn normalize(path: &Path) -> PathBuf {
    let mut clean = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => {
                clean.pop();
            }
            other => clean.push(other),
        }
    }
    clean
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_that_is_not_utf8_is_refused_in_the_words_of_k6() {
        for (name, bytes, said) in [
            (
                "a.js",
                b"// caf\xe9".as_slice(),
                Some("Line 1:7 Invalid UTF-8 character"),
            ),
            (
                "a.js",
                b"\n\n\"\xe2\x82\"; /* \xff\xfe\n \xe9 */",
                Some("Line 3:2 Invalid UTF-8 character (and 4 more errors)"),
            ),
            // Columns count bytes.
            (
                "a.js",
                b"'\xc3\xa9\xe9\xe9'",
                Some("Line 1:4 Invalid UTF-8 character (and 1 more errors)"),
            ),
            ("a.js", b"'\xc3\xa9'", None),
            ("a.ts", b"// caf\xe9", None),
            ("a.json", b"\"caf\xe9\"", None),
        ] {
            let read = text_of(name, bytes).map_err(|error| error.to_string());
            let expected = said.map(|said| format!("{name}: {said}"));
            assert_eq!(read.err(), expected, "{bytes:?}");
        }
    }

    #[test]
    fn the_kind_of_a_module_is_detected() {
        let check = |name: &str, text: &str, expected| {
            assert_eq!(kind(name, text), expected, "{name} {text}");
        };
        let code = |syntax, has_types| Kind::Code { syntax, has_types };
        let (module, common) = (code(Syntax::Module, false), code(Syntax::Common, false));
        check("a.js", "import x from 'k6'", module);
        check("a.js", "var a;export default a", module);
        check("a.js", "// c\nexport{a}", module);
        check(
            "a.js",
            "exports.default = 1; const exported = 2; importer()",
            common,
        );
        check("a.js", "module.exports = import('x')", common);
        let typed = code(Syntax::Module, true);
        check("a.ts", "export let a: number = 1", typed);
        check("https://h/a.ts?v=1", "import a from './a.ts'", typed);
        check("a.ts", "let a: number = 1", code(Syntax::Common, true));
        check("a.json", "{}", Kind::Json);
    }

    #[test]
    fn who_asks_for_an_export_is_found() {
        let text =
            "import { a,\n b as c } from \"./x.js\"; import d from './y.js'; export { e } from'z'";
        let asked = |name| asked_for(text, name).collect::<Vec<_>>();
        assert_eq!(asked("b"), ["./x.js"]);
        assert_eq!(asked("e"), ["z"]);
        assert!(asked("d").is_empty());
        for (text, may) in [
            ("export const a = b;", true),
            ("export { b as a };", true),
            ("export function a() {}", true),
            ("export const b = a;", false),
            ("const a = 1;", false),
        ] {
            assert_eq!(may_export(text, "a"), may, "{text}");
        }
    }

    #[test]
    fn names_are_resolved_against_their_importer() {
        let check = |name: &str, expected: Option<&str>| {
            assert_eq!(
                resolve("file:///a/b.js", name).ok().as_deref(),
                expected,
                "{name}"
            );
        };
        check("./c.js", Some("file:///a/c.js"));
        check("../c.js", Some("file:///c.js"));
        check("/x/./y.js", Some("file:///x/y.js"));
        check("k6/http", Some("k6/http"));
        check("lodash", None);
        check("", None);
        check("https://h/x.js", Some("https://h/x.js"));
        check("http://h/x.js", None);
        check("github.com/x/y", None);
    }

    #[test]
    fn network_modules_cannot_import_files() {
        let base = "https://h:1/a/b.js?v=1";
        let check = |name: &str, expected: Option<&str>| {
            assert_eq!(resolve(base, name).ok().as_deref(), expected, "{name}");
        };
        check("./c.js", Some("https://h:1/a/c.js"));
        check("/c.js", Some("https://h:1/c.js"));
        check("../c.js", Some("https://h:1/c.js"));
        check("k6/http", Some("k6/http"));
        check("file:///etc/passwd", None);
    }
}
