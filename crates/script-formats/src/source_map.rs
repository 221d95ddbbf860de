//! Source maps of bundled scripts: errors name the author's file, not the bundle.

use base64::engine::general_purpose::STANDARD;
use base64::{DecodeError, Engine};
use oxc_sourcemap::SourceMap as Decoded;
use url::Url;

/// The prefix of the comment with the map's location.
const COMMENT: &str = "//# sourceMappingURL=";
const JSON: &str = "data:application/json";

/// The mapping from places of a bundle to places of sources.
pub struct SourceMap {
    /// URLs of the author's files.
    sources: Vec<String>,
    /// Marks in the order of their places in the bundle.
    marks: Vec<Mark>,
}

/// Maps a place of the bundle, and those after it, to a place of a source. Counted from zero.
struct Mark {
    bundled: (u32, u32),
    source: u32,
    original: (u32, u32),
}

/// The location of a script's map.
#[derive(Debug, PartialEq, Eq)]
pub enum Link<'a> {
    /// In the script itself.
    Inline(&'a str),
    /// At this URL, relative to the script.
    At(&'a str),
}

/// The location of the map in a script's last line; brackets that wrap a script do not count as a line.
pub fn link(text: &str) -> Option<Link<'_>> {
    let last = text
        .lines()
        .rfind(|line| !line.is_empty() && *line != "})")?;
    let address = last.strip_prefix(COMMENT)?.split_whitespace().next()?;
    Some(if address.starts_with(JSON) {
        Link::Inline(address)
    } else {
        Link::At(address)
    })
}

/// The text of an inline map.
///
/// # Errors
/// The map is not base64, or not text.
pub fn inline(address: &str) -> Result<String, String> {
    let (_, data) = address.split_once(',').ok_or("there is no data")?;
    STANDARD.decode(data).map_or_else(
        |error| {
            let at = match error {
                DecodeError::InvalidByte(at, _) | DecodeError::InvalidLastSymbol(at, _) => at,
                _ => data.len(),
            };
            Err(format!("illegal base64 data at input byte {at}"))
        },
        |bytes| String::from_utf8(bytes).map_err(|error| error.to_string()),
    )
}

/// An inline map, of which only the beginning has to be valid: its marks are parsed on first use, and an error
/// there counts as no map.
///
/// # Errors
/// The beginning is invalid; the error is in k6's words.
pub fn read_inline(address: &str, base: &str) -> Result<Option<SourceMap>, String> {
    let text = inline(address).map_err(|why| format!("Could not load source map: {why}"))?;
    let refused = |why: String| format!("Could not parse source map: {why}");
    let head: Head = serde_json::from_str(&text).map_err(|error| refused(error.to_string()))?;
    if !matches!(head.version, 0 | 3) {
        let version = head.version;
        return Err(refused(format!(
            "sourcemap: got version={version}, but only 3rd version is supported"
        )));
    }
    if head.mappings.is_empty() {
        return Err(refused("sourcemap: mappings are empty".to_owned()));
    }
    Ok(SourceMap::read(&text, base).ok())
}

/// The part of a map that is always checked.
#[derive(Default, serde::Deserialize)]
#[serde(default)]
struct Head {
    version: i64,
    mappings: String,
}

impl SourceMap {
    /// Reads a map from the URL `base`.
    ///
    /// # Errors
    /// The text is not JSON, or not a source map.
    pub fn read(text: &str, base: &str) -> Result<Self, String> {
        // Some servers put this before JSON, so that it is not run as a script.
        let text = text.trim_start_matches(")]}'");
        let decoded = Decoded::from_json_string(text).map_err(|error| error.to_string())?;
        let root = decoded.get_source_root().unwrap_or_default().to_owned();
        let sources = decoded.get_sources();
        let sources = sources
            .map(|source| place_of(base, &root, source))
            .collect();
        let mut marks: Vec<Mark> = decoded
            .get_tokens()
            .filter_map(|token| {
                Some(Mark {
                    bundled: (token.get_dst_line(), token.get_dst_col()),
                    source: token.get_source_id()?,
                    original: (token.get_src_line(), token.get_src_col()),
                })
            })
            .collect();
        marks.sort_by_key(|mark| mark.bundled);
        Ok(Self { sources, marks })
    }

    /// The source of a place in the bundle: URL, line and column, counted from one.
    pub fn original(&self, line: u32, column: u32) -> Option<(&str, u32, u32)> {
        let wanted = (line.checked_sub(1)?, column.checked_sub(1)?);
        let behind = self.marks.partition_point(|mark| mark.bundled <= wanted);
        let mark = self.marks.get(behind.checked_sub(1)?)?;
        // Code before the first mark of a line has no source.
        if mark.bundled.0 != wanted.0 {
            return None;
        }
        let source = self.sources.get(mark.source as usize)?;
        Some((source, mark.original.0 + 1, mark.original.1 + 1))
    }
}

/// The URL of a source, relative to its map.
fn place_of(base: &str, root: &str, source: &str) -> String {
    let relative = match root.trim_end_matches('/') {
        "" => source.to_owned(),
        root => format!("{root}/{source}"),
    };
    let joined = Url::parse(source).or_else(|_| Url::parse(base)?.join(&relative));
    joined.map_or(relative, |url| url.to_string())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// `a` at 1:1 comes from line 1, column 1 of the first source; at 2:5 from 3:3 of the second.
    const MAP: &str = r#"{"version":3,"sources":["src/a.ts","webpack:///./b.ts"],"names":[],"mappings":"AAAA;ICEE"}"#;

    #[test]
    fn the_last_comment_counts() {
        let check = |text: &str, expected| assert_eq!(link(text), expected, "{text}");
        check("let a", None);
        check(
            "a\n//# sourceMappingURL=a.js.map\n",
            Some(Link::At("a.js.map")),
        );
        check(
            "//# sourceMappingURL=a.map\n//# sourceMappingURL=b.map",
            Some(Link::At("b.map")),
        );
        check("//@ sourceMappingURL=a.map", None);
        check("//# sourceMappingURL=a.map\nlet a", None);
        check("'//# sourceMappingURL=a.map'", None);
        check(
            "//# sourceMappingURL=a.map\n})\n\n",
            Some(Link::At("a.map")),
        );
        let inline = "data:application/json;charset=utf-8;base64,e30=";
        check(
            &format!("//# sourceMappingURL={inline}"),
            Some(Link::Inline(inline)),
        );
    }

    #[test]
    fn a_map_can_be_in_the_script() {
        assert_eq!(
            inline("data:application/json;base64,eyJhIjoxfQ==").as_deref(),
            Ok("{\"a\":1}")
        );
        assert!(inline("data:application/json,{}").is_err());
        let check = |json: &str, why: Option<&str>| {
            let address = format!("data:application/json;base64,{}", STANDARD.encode(json));
            let read = read_inline(&address, "file:///a.js").map(drop);
            let expected = why.map_or(Ok(()), |why| {
                Err(format!("Could not parse source map: {why}"))
            });
            assert_eq!(read, expected, "{json}");
        };
        check(MAP, None);
        check("{\"version\":3,\"mappings\":\"!!!\"}", None);
        check("{}", Some("sourcemap: mappings are empty"));
        check(
            "{\"version\":2,\"mappings\":\"A\"}",
            Some("sourcemap: got version=2, but only 3rd version is supported"),
        );
        assert!(inline("data:application/json;base64,%").is_err());
    }

    #[test]
    fn places_are_mapped_to_the_source() {
        let map = SourceMap::read(MAP, "file:///x/dist/a.js").expect("a map");
        let check = |line, column, expected| {
            assert_eq!(map.original(line, column), expected, "{line}:{column}");
        };
        check(1, 1, Some(("file:///x/dist/src/a.ts", 1, 1)));
        check(1, 900, Some(("file:///x/dist/src/a.ts", 1, 1)));
        check(2, 4, None);
        check(2, 5, Some(("webpack:///b.ts", 3, 3)));
        check(3, 1, None);
        check(0, 0, None);
    }

    #[test]
    fn a_malformed_map_is_an_error() {
        for text in ["", "{", "[]", "{}", "{\"version\":3}", "nonsense"] {
            assert!(SourceMap::read(text, "file:///a.js").is_err(), "{text}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(crate::fuzz_cases()))]

        #[test]
        fn no_map_panics(mappings in "[A-Za-z0-9+/;,]{0,40}", line in 0..9_u32, column in 0..99_u32) {
            let text = format!(r#"{{"version":3,"sources":["a"],"names":["n"],"mappings":"{mappings}"}}"#);
            if let Ok(map) = SourceMap::read(&text, "file:///a.js") {
                map.original(line, column);
            }
        }
    }
}
