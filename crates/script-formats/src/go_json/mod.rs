//! Errors in JSON text, in the words of Go's scanner, which k6's errors contain.

mod tokens;

pub use tokens::token_error;

/// The context of the scanner after a value, for the error about a character that cannot follow.
const AFTER_TOP: &str = "after top-level value";
const AFTER_ITEM: &str = "after array element";
const AFTER_PAIR: &str = "after object key:value pair";
const AFTER_KEY: &str = "after object key";
const NO_VALUE: &str = "looking for beginning of value";
const NO_KEY: &str = "looking for beginning of object key string";

/// k6's message about malformed JSON. It counts lines from one, and characters up to the one after the error.
pub fn document_error(text: &[u8]) -> String {
    let mut scanner = Scanner { text, at: 0 };
    let Err(why) = scanner.document() else {
        return "cannot parse json".to_owned();
    };
    // The wrong character has been read.
    let offset = (scanner.at + 1).min(text.len());
    let (mut line, mut character) = (1, 0);
    let shown = String::from_utf8_lossy(text);
    for (at, c) in shown.char_indices() {
        if c == '\n' {
            line += 1;
            character = 0;
        }
        character += 1;
        if at == offset {
            break;
        }
    }
    format!(
        "cannot parse json due to an error at line {line}, character {character} , error: {why}"
    )
}

struct Scanner<'a> {
    text: &'a [u8],
    at: usize,
}

/// The open containers.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Open {
    Array,
    Object,
}

impl Scanner<'_> {
    fn document(&mut self) -> Result<(), String> {
        let mut open = Vec::new();
        self.value(&mut open)?;
        loop {
            let after = match open.last() {
                None => AFTER_TOP,
                Some(Open::Array) => AFTER_ITEM,
                Some(Open::Object) => AFTER_PAIR,
            };
            match (self.next(), open.last()) {
                (None, None) => return Ok(()),
                (Some(b','), Some(Open::Array)) => self.value(&mut open)?,
                (Some(b','), Some(Open::Object)) => {
                    self.key()?;
                    self.value(&mut open)?;
                }
                (Some(b']'), Some(Open::Array)) | (Some(b'}'), Some(Open::Object)) => {
                    open.pop();
                }
                (found, _) => return self.refuse(found, after),
            }
        }
    }

    /// A value, or the beginning of nested containers, down to the first value that is not one.
    fn value(&mut self, open: &mut Vec<Open>) -> Result<(), String> {
        loop {
            match self.next() {
                Some(b'{') => match self.next() {
                    Some(b'}') => return Ok(()),
                    Some(b'"') => {
                        open.push(Open::Object);
                        self.string()?;
                        self.colon()?;
                    }
                    found => return self.refuse(found, NO_KEY),
                },
                Some(b'[') => {
                    if self.peek() == Some(b']') {
                        self.next();
                        return Ok(());
                    }
                    open.push(Open::Array);
                }
                found => return self.rest_of_scalar(found),
            }
        }
    }

    /// A value that is not a container.
    fn scalar(&mut self) -> Result<(), String> {
        let first = self.next();
        self.rest_of_scalar(first)
    }

    fn rest_of_scalar(&mut self, first: Option<u8>) -> Result<(), String> {
        match first {
            Some(b'"') => self.string(),
            Some(first @ (b'-' | b'0'..=b'9')) => self.number(first),
            Some(b't') => self.literal("true"),
            Some(b'f') => self.literal("false"),
            Some(b'n') => self.literal("null"),
            found => self.refuse(found, NO_VALUE),
        }
    }

    fn key(&mut self) -> Result<(), String> {
        match self.next() {
            Some(b'"') => self.string()?,
            found => return self.refuse(found, NO_KEY),
        }
        self.colon()
    }

    fn colon(&mut self) -> Result<(), String> {
        match self.next() {
            Some(b':') => Ok(()),
            found => self.refuse(found, AFTER_KEY),
        }
    }

    /// The rest of a string.
    fn string(&mut self) -> Result<(), String> {
        loop {
            match self.take() {
                Some(b'"') => return Ok(()),
                Some(b'\\') => match self.take() {
                    Some(b'u') => {
                        for _ in 0..4 {
                            let found = self.take();
                            if !found.is_some_and(|b| b.is_ascii_hexdigit()) {
                                return self.refuse(found, "in \\u hexadecimal character escape");
                            }
                        }
                    }
                    Some(b'b' | b'f' | b'n' | b'r' | b't' | b'\\' | b'/' | b'"') => {}
                    found => return self.refuse(found, "in string escape code"),
                },
                Some(0x20..) => {}
                found => return self.refuse(found, "in string literal"),
            }
        }
    }

    fn number(&mut self, first: u8) -> Result<(), String> {
        let mut first = Some(first);
        if first == Some(b'-') {
            first = self.take();
            if !first.is_some_and(|b| b.is_ascii_digit()) {
                return self.refuse(first, "in numeric literal");
            }
        }
        if first != Some(b'0') {
            self.digits();
        }
        if self.text.get(self.at) == Some(&b'.') {
            self.at += 1;
            self.some_digits("after decimal point in numeric literal")?;
        }
        if let Some(b'e' | b'E') = self.text.get(self.at) {
            self.at += 1;
            if let Some(b'+' | b'-') = self.text.get(self.at) {
                self.at += 1;
            }
            self.some_digits("in exponent of numeric literal")?;
        }
        Ok(())
    }

    fn some_digits(&mut self, place: &str) -> Result<(), String> {
        match self.take() {
            Some(b'0'..=b'9') => self.digits(),
            found => return self.refuse(found, place),
        }
        Ok(())
    }

    fn digits(&mut self) {
        while self.text.get(self.at).is_some_and(u8::is_ascii_digit) {
            self.at += 1;
        }
    }

    fn literal(&mut self, word: &str) -> Result<(), String> {
        for expected in word.bytes().skip(1) {
            let found = self.take();
            if found != Some(expected) {
                let place = format!("in literal {word} (expecting {})", shown(expected));
                return self.refuse(found, &place);
            }
        }
        Ok(())
    }

    /// The next byte that is not whitespace.
    fn next(&mut self) -> Option<u8> {
        self.peek();
        self.take()
    }

    fn peek(&mut self) -> Option<u8> {
        while let Some(b' ' | b'\t' | b'\r' | b'\n') = self.text.get(self.at) {
            self.at += 1;
        }
        self.text.get(self.at).copied()
    }

    fn take(&mut self) -> Option<u8> {
        let found = self.text.get(self.at).copied();
        self.at += usize::from(found.is_some());
        found
    }

    /// The error about the byte that was just taken.
    fn refuse(&mut self, found: Option<u8>, place: &str) -> Result<(), String> {
        match found {
            None => Err("unexpected end of JSON input".to_owned()),
            Some(byte) => {
                self.at -= 1;
                Err(format!("invalid character {} {place}", shown(byte)))
            }
        }
    }
}

/// A byte as Go quotes a character.
fn shown(byte: u8) -> String {
    match byte {
        b'\'' => "'\\''".to_owned(),
        b'"' => "'\"'".to_owned(),
        b'\\' => "'\\\\'".to_owned(),
        b'\n' => "'\\n'".to_owned(),
        b'\r' => "'\\r'".to_owned(),
        b'\t' => "'\\t'".to_owned(),
        0x20..=0x7e | 0xa1.. => format!("'{}'", char::from(byte)),
        0x7f..=0xa0 => format!("'\\u{byte:04x}'"),
        _ => format!("'\\x{byte:02x}'"),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn fault(text: &str) -> String {
        let mut scanner = Scanner {
            text: text.as_bytes(),
            at: 0,
        };
        scanner.document().err().unwrap_or_default()
    }

    #[test]
    fn errors_have_the_messages_of_go() {
        for (text, expected) in [
            ("", "unexpected end of JSON input"),
            (
                "<html>",
                "invalid character '<' looking for beginning of value",
            ),
            (
                "{a}",
                "invalid character 'a' looking for beginning of object key string",
            ),
            ("{\"a\" 1}", "invalid character '1' after object key"),
            (
                "{\"a\":1 2}",
                "invalid character '2' after object key:value pair",
            ),
            (
                "{\"a\":1,}",
                "invalid character '}' looking for beginning of object key string",
            ),
            ("[1 2]", "invalid character '2' after array element"),
            (
                "[1,]",
                "invalid character ']' looking for beginning of value",
            ),
            ("1 2", "invalid character '2' after top-level value"),
            ("tru", "unexpected end of JSON input"),
            (
                "trx",
                "invalid character 'x' in literal true (expecting 'u')",
            ),
            ("\"\n\"", "invalid character '\\n' in string literal"),
            ("\"\\x\"", "invalid character 'x' in string escape code"),
            (
                "\"\\u00g\"",
                "invalid character 'g' in \\u hexadecimal character escape",
            ),
            ("-a", "invalid character 'a' in numeric literal"),
            (
                "1.a",
                "invalid character 'a' after decimal point in numeric literal",
            ),
            (
                "1e+a",
                "invalid character 'a' in exponent of numeric literal",
            ),
            ("01", "invalid character '1' after top-level value"),
        ] {
            assert_eq!(fault(text), expected, "{text}");
        }
        for text in [
            "{}",
            "[]",
            "[[],{\"a\":[1,{}]}]",
            " -0.5e+7 ",
            "\"\\u00e4\\n\"",
            "null",
        ] {
            assert_eq!(fault(text), "", "{text}");
        }
    }

    #[test]
    fn the_place_is_the_one_of_k6() {
        let check = |text: &str, expected: &str| {
            let message = document_error(text.as_bytes());
            assert!(message.contains(expected), "{message}");
        };
        check("<html>", "at line 1, character 2 ,");
        check("{\n  a", "at line 2, character 4 ,");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(crate::fuzz_cases()))]

        #[test]
        fn an_error_is_found_in_every_malformed_text(text in "[\\[\\]{}\":,0-9a-etrufnls .\\-\\\\]{0,24}") {
            let is_json = serde_json::from_str::<serde::de::IgnoredAny>(&text).is_ok();
            prop_assert_eq!(fault(&text).is_empty(), is_json, "{}", text);
        }
    }
}
