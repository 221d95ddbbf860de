//! Brackets, quotes and escapes in paths.

/// Whether quotes outside brackets count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Quotes {
    Everywhere,
    InBrackets,
}

/// The characters of a text that are not in quotes and not escaped, each with its offset and the depth of
/// brackets after it.
pub(super) fn marks(text: &str, quotes: Quotes) -> impl Iterator<Item = (usize, char, u32)> {
    let (mut depth, mut is_quoted, mut is_escaped) = (0_u32, false, false);
    text.char_indices().filter_map(move |(at, c)| {
        match c {
            _ if is_escaped => {
                is_escaped = false;
                return None;
            }
            '\\' => {
                is_escaped = true;
                return None;
            }
            '"' if quotes == Quotes::Everywhere || depth > 0 => {
                is_quoted = !is_quoted;
                return None;
            }
            _ if is_quoted => return None,
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        Some((at, c, depth))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, quotes: Quotes, expected: &str) {
        let top: String = marks(text, quotes)
            .filter(|(_, _, depth)| *depth == 0)
            .map(|(_, c, _)| c)
            .collect();
        assert_eq!(top, expected, "{text}");
    }

    #[test]
    fn characters_in_brackets_and_quotes_and_escaped_ones_are_skipped() {
        check("a.#(b.c)d", Quotes::Everywhere, "a.#)d");
        check("a\\.b.c", Quotes::Everywhere, "ab.c");
        check("\"a.b\".c", Quotes::Everywhere, ".c");
        check("\"a.b\".c", Quotes::InBrackets, "\"a.b\".c");
        check("[\"]\",a].c", Quotes::InBrackets, "].c");
        check(")a", Quotes::Everywhere, ")a");
    }
}
