//! Escapes external text for the format in which it is used.

/// Text for HTML and XML, in elements and in quoted attributes.
///
/// Characters that XML does not allow, and those that change the direction of text, become U+FFFD: names
/// come from services under test.
pub fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len() + 8);
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(visible(other)),
        }
    }
    escaped
}

/// The character, or U+FFFD if it must not be shown.
pub fn visible(character: char) -> char {
    match character {
        '\t' | '\n' | '\r' => character,
        '\u{0}'..='\u{1f}' | '\u{7f}'..='\u{9f}' | '\u{fffe}' | '\u{ffff}' => '\u{fffd}',
        '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}' => '\u{fffd}',
        other => other,
    }
}

/// Text for one line of Markdown, in a paragraph or in a cell of a table.
pub fn markdown(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len() + 8);
    for character in text.chars() {
        match character {
            '\\' | '`' | '*' | '_' | '[' | ']' | '<' | '>' | '|' | '#' | '~' | '&' => {
                escaped.push('\\');
                escaped.push(character);
            }
            '\n' | '\r' | '\t' => escaped.push(' '),
            other => escaped.push(visible(other)),
        }
    }
    escaped
}

/// At most `limit` characters; a cut is marked.
pub fn clipped(text: &str, limit: usize) -> String {
    match text.char_indices().nth(limit) {
        None => text.to_owned(),
        Some((at, _)) => format!("{}…", &text[..at]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn external_text_cannot_end_an_element_or_an_attribute() {
        assert_eq!(
            escape("</td><script>alert(\"x\" + 'y')</script>&"),
            "&lt;/td&gt;&lt;script&gt;alert(&quot;x&quot; + &#39;y&#39;)&lt;/script&gt;&amp;"
        );
        assert_eq!(escape("a\u{0}b\u{202e}c"), "a\u{fffd}b\u{fffd}c");
    }

    #[test]
    fn a_cell_of_markdown_stays_one_cell() {
        assert_eq!(markdown("a|b\n<b> _x_"), "a\\|b \\<b\\> \\_x\\_");
    }

    #[test]
    fn cutting_keeps_whole_characters() {
        assert_eq!(clipped("äöü", 3), "äöü");
        assert_eq!(clipped("äöü", 2), "äö…");
    }
}
