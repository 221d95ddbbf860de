//! Errors of `JSON.parse` in k6: its engine reads a text token by token.

use super::{AFTER_ITEM, AFTER_KEY, AFTER_PAIR, NO_KEY, NO_VALUE, Scanner, shown};

/// The tokens that may come next.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Top,
    ArrayStart,
    ArrayValue,
    ArrayComma,
    ObjectStart,
    ObjectKey,
    ObjectColon,
    ObjectValue,
    ObjectComma,
}

use State::{
    ArrayComma, ArrayStart, ArrayValue, ObjectColon, ObjectComma, ObjectKey, ObjectStart,
    ObjectValue, Top,
};

enum Failure {
    /// The text ends between two tokens.
    End,
    /// Any other error.
    Wrong(String),
}

struct Tokens<'a> {
    scanner: Scanner<'a>,
    state: State,
    open: Vec<State>,
}

/// The message about malformed JSON; `None` for a text that is well-formed.
pub fn token_error(text: &[u8]) -> Option<String> {
    let mut tokens = Tokens {
        scanner: Scanner { text, at: 0 },
        state: Top,
        open: Vec::new(),
    };
    loop {
        match tokens.next() {
            Err(Failure::End) => return Some("Unexpected end of JSON input (EOF)".to_owned()),
            Err(Failure::Wrong(why)) => return Some(why),
            Ok(_) if tokens.open.is_empty() => break,
            Ok(_) => {}
        }
    }
    let more = match tokens.next() {
        Err(Failure::End) => return None,
        Err(Failure::Wrong(_)) | Ok("null") => "<nil>".to_owned(),
        Ok(token) => serde_json::from_str(token).unwrap_or_else(|_| token.to_owned()),
    };
    Some(format!("Unexpected token at the end: {more}"))
}

impl<'a> Tokens<'a> {
    /// The next token, as it is written.
    fn next(&mut self) -> Result<&'a str, Failure> {
        loop {
            let byte = self.scanner.peek().ok_or(Failure::End)?;
            let start = self.scanner.at;
            match (byte, self.state) {
                (b'[' | b'{', state) if state.takes_value() => {
                    self.open.push(state);
                    self.state = if byte == b'[' {
                        ArrayStart
                    } else {
                        ObjectStart
                    };
                    self.scanner.at += 1;
                }
                (b']', ArrayStart | ArrayComma) | (b'}', ObjectStart | ObjectComma) => {
                    self.state = self.open.pop().unwrap_or(Top).after_value();
                    self.scanner.at += 1;
                }
                (b':', ObjectColon) => {
                    self.skip(ObjectValue);
                    continue;
                }
                (b',', ArrayComma) => {
                    self.skip(ArrayValue);
                    continue;
                }
                (b',', ObjectComma) => {
                    self.skip(ObjectKey);
                    continue;
                }
                (b'"', ObjectStart | ObjectKey) => {
                    self.scalar()?;
                    self.state = ObjectColon;
                }
                (b'[' | b'{' | b']' | b'}' | b':' | b',', _) => return Err(self.refuse(byte)),
                (_, state) if state.takes_value() => {
                    self.scalar()?;
                    self.state = state.after_value();
                }
                _ => return Err(self.refuse(byte)),
            }
            let token = self.scanner.text.get(start..self.scanner.at);
            return Ok(token
                .and_then(|token| std::str::from_utf8(token).ok())
                .unwrap_or_default());
        }
    }

    fn skip(&mut self, state: State) {
        self.state = state;
        self.scanner.at += 1;
    }

    fn scalar(&mut self) -> Result<(), Failure> {
        let scanned = self.scanner.scalar();
        scanned.map_err(|why| match self.scanner.at == self.scanner.text.len() {
            true => Failure::Wrong("unexpected EOF".to_owned()),
            false => Failure::Wrong(why),
        })
    }

    fn refuse(&self, byte: u8) -> Failure {
        let place = self.state.place();
        let gap = if place.is_empty() { "" } else { " " };
        Failure::Wrong(format!("invalid character {}{gap}{place}", shown(byte)))
    }
}

impl State {
    fn takes_value(self) -> bool {
        matches!(self, Top | ArrayStart | ArrayValue | ObjectValue)
    }

    fn after_value(self) -> Self {
        match self {
            ArrayStart | ArrayValue => ArrayComma,
            ObjectValue => ObjectComma,
            other => other,
        }
    }

    /// The end of the message about a character that is not allowed here.
    fn place(self) -> &'static str {
        match self {
            Top | ArrayStart | ArrayValue | ObjectValue => NO_VALUE,
            ArrayComma => AFTER_ITEM,
            ObjectStart => "",
            ObjectKey => NO_KEY,
            ObjectColon => AFTER_KEY,
            ObjectComma => AFTER_PAIR,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn errors_have_the_messages_of_k6s_engine() {
        const END: &str = "Unexpected end of JSON input (EOF)";
        for (text, expected) in [
            ("", END),
            ("{", END),
            ("[1,2", END),
            ("{\"a\":\"b\"", END),
            ("nul", "unexpected EOF"),
            ("\"abc", "unexpected EOF"),
            ("1.", "unexpected EOF"),
            (
                "<html>",
                "invalid character '<' looking for beginning of value",
            ),
            (
                "undefined",
                "invalid character 'u' looking for beginning of value",
            ),
            (
                "{\"a\":}",
                "invalid character '}' looking for beginning of value",
            ),
            (
                "[1,]",
                "invalid character ']' looking for beginning of value",
            ),
            (
                "{\"a\":1,}",
                "invalid character '}' looking for beginning of object key string",
            ),
            ("{'a':1}", "invalid character '\\''"),
            ("{a:1}", "invalid character 'a'"),
            ("{\"a\" 1}", "invalid character '1' after object key"),
            (
                "{\"a\":1 \"b\"}",
                "invalid character '\"' after object key:value pair",
            ),
            ("[1 2]", "invalid character '2' after array element"),
            (
                "falsy",
                "invalid character 'y' in literal false (expecting 'e')",
            ),
            ("\"a\nb\"", "invalid character '\\n' in string literal"),
            ("é", "invalid character 'Ã' looking for beginning of value"),
            ("{\"a\":1}x", "Unexpected token at the end: <nil>"),
            ("{\"a\":1}{", "Unexpected token at the end: {"),
            ("[1]]", "Unexpected token at the end: <nil>"),
            ("01", "Unexpected token at the end: 1"),
            ("1 \"a\\n\"", "Unexpected token at the end: a\n"),
            ("1 null", "Unexpected token at the end: <nil>"),
        ] {
            assert_eq!(
                token_error(text.as_bytes()).as_deref(),
                Some(expected),
                "{text}"
            );
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(crate::fuzz_cases()))]

        #[test]
        fn an_error_is_found_in_every_malformed_text(text in "[\\[\\]{}\":,0-9a-etrufnls .\\-\\\\]{0,24}") {
            let is_json = serde_json::from_str::<serde::de::IgnoredAny>(&text).is_ok();
            prop_assert_eq!(token_error(text.as_bytes()).is_none(), is_json, "{}", text);
        }
    }
}
