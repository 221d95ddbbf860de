//! Parses text to a [`Selector`].

use regex::Regex;

use super::{AttributeTest, Combinator, Complex, Compound, Selector, SelectorError, Simple};

/// How deep `:not(:not(…))` may nest.
const MAX_DEPTH: usize = 16;

pub(super) fn parse(text: &str) -> Result<Selector, SelectorError> {
    let mut parser = Parser {
        text,
        at: 0,
        depth: 0,
    };
    let selector = parser.group()?;
    if parser.at < text.len() {
        return Err(parser.error("unexpected text"));
    }
    Ok(selector)
}

struct Parser<'t> {
    text: &'t str,
    at: usize,
    depth: usize,
}

impl Parser<'_> {
    fn error(&self, problem: &'static str) -> SelectorError {
        SelectorError {
            offset: self.at,
            problem,
        }
    }

    fn rest(&self) -> &str {
        &self.text[self.at..]
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn take(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.at += c.len_utf8();
        Some(c)
    }

    fn take_if(&mut self, text: &str) -> bool {
        let found = self.rest().starts_with(text);
        if found {
            self.at += text.len();
        }
        found
    }

    /// Skips white space and comments. Returns whether there were any.
    fn skip_space(&mut self) -> bool {
        let start = self.at;
        loop {
            let rest = self.rest();
            let trimmed = rest.trim_start_matches([' ', '\t', '\r', '\n', '\u{c}']);
            let mut skipped = rest.len() - trimmed.len();
            if trimmed.starts_with("/*")
                && let Some(end) = trimmed.find("*/")
            {
                skipped += end + 2;
            }
            if skipped == 0 {
                return self.at > start;
            }
            self.at += skipped;
        }
    }

    fn group(&mut self) -> Result<Selector, SelectorError> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(self.error("the selector nests too deep"));
        }
        let mut alternatives = vec![self.complex()?];
        while self.take_if(",") {
            alternatives.push(self.complex()?);
        }
        self.depth -= 1;
        Ok(Selector { alternatives })
    }

    fn complex(&mut self) -> Result<Complex, SelectorError> {
        self.skip_space();
        let mut subject = self.compound()?;
        let mut context = Vec::new();
        loop {
            let space = self.skip_space();
            let combinator = match self.peek() {
                Some('>') => Combinator::Child,
                Some('+') => Combinator::NextSibling,
                Some('~') => Combinator::LaterSibling,
                None | Some(',' | ')') => break,
                Some(_) if space => Combinator::Descendant,
                Some(_) => return Err(self.error("unexpected text")),
            };
            if combinator != Combinator::Descendant {
                self.at += 1;
                self.skip_space();
            }
            let before = std::mem::replace(&mut subject, self.compound()?);
            context.push((combinator, before));
        }
        context.reverse();
        Ok(Complex { subject, context })
    }

    fn compound(&mut self) -> Result<Compound, SelectorError> {
        let start = self.at;
        let mut parts = Vec::new();
        match self.peek() {
            Some('*') => self.at += 1,
            Some('#' | '.' | '[' | ':') => {}
            Some(_) => parts.push(Simple::Tag(self.identifier()?.to_ascii_lowercase())),
            None => return Err(self.error("expected a selector")),
        }
        loop {
            let part = match self.peek() {
                Some('#') => {
                    self.at += 1;
                    Simple::Id(self.name()?)
                }
                Some('.') => {
                    self.at += 1;
                    Simple::Class(self.identifier()?)
                }
                Some('[') => self.attribute()?,
                Some(':') => self.pseudo()?,
                _ if self.at == start => return Err(self.error("expected a selector")),
                _ => return Ok(parts),
            };
            parts.push(part);
        }
    }

    fn identifier(&mut self) -> Result<String, SelectorError> {
        let dashes = self.rest().len() - self.rest().trim_start_matches('-').len();
        match self.text[self.at + dashes..].chars().next() {
            Some(c) if is_name_start(c) || c == '\\' => {}
            _ => return Err(self.error("expected an identifier")),
        }
        self.at += dashes;
        Ok("-".repeat(dashes) + &self.name()?)
    }

    fn name(&mut self) -> Result<String, SelectorError> {
        let mut name = String::new();
        while let Some(c) = self.peek() {
            if is_name_start(c) || c == '-' || c.is_ascii_digit() {
                self.at += c.len_utf8();
                name.push(c);
            } else if c == '\\' {
                name.push(self.escape()?);
            } else {
                break;
            }
        }
        if name.is_empty() {
            Err(self.error("expected a name"))
        } else {
            Ok(name)
        }
    }

    fn escape(&mut self) -> Result<char, SelectorError> {
        self.at += 1;
        let hex: String = self
            .rest()
            .chars()
            .take(6)
            .take_while(char::is_ascii_hexdigit)
            .collect();
        if !hex.is_empty() {
            self.at += hex.len();
            if !self.take_if("\r\n") && self.peek().is_some_and(|c| c.is_ascii_whitespace()) {
                self.at += 1;
            }
            let code = u32::from_str_radix(&hex, 16).unwrap_or(0);
            return Ok(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER));
        }
        match self.peek() {
            None | Some('\r' | '\n' | '\u{c}') => Err(self.error("an escape without a character")),
            Some(_) => Ok(self.take().unwrap_or_default()),
        }
    }

    fn string(&mut self) -> Result<String, SelectorError> {
        let quote = self.take();
        let mut text = String::new();
        loop {
            match self.peek() {
                None | Some('\r' | '\n' | '\u{c}') => {
                    return Err(self.error("a string without an end"));
                }
                Some('\\') => {
                    let line_end = ["\\\r\n", "\\\n", "\\\r", "\\\u{c}"]
                        .iter()
                        .find(|end| self.rest().starts_with(**end));
                    match line_end {
                        Some(end) => self.at += end.len(),
                        None => text.push(self.escape()?),
                    }
                }
                c if c == quote => {
                    self.at += 1;
                    return Ok(text);
                }
                Some(c) => {
                    self.at += c.len_utf8();
                    text.push(c);
                }
            }
        }
    }

    fn string_or_identifier(&mut self) -> Result<String, SelectorError> {
        match self.peek() {
            Some('"' | '\'') => self.string(),
            _ => self.identifier(),
        }
    }

    /// A regular expression up to the bracket that closes the selector.
    fn regex(&mut self) -> Result<Regex, SelectorError> {
        let mut open = 0;
        let end = self.rest().char_indices().find_map(|(index, c)| {
            match c {
                '(' | '[' => open += 1,
                ')' | ']' if open == 0 => return Some(index),
                ')' | ']' => open -= 1,
                _ => {}
            }
            None
        });
        let Some(end) = end else {
            return Err(self.error("a regular expression without an end"));
        };
        let regex =
            Regex::new(&self.rest()[..end]).map_err(|_| self.error("not a regular expression"))?;
        self.at += end;
        Ok(regex)
    }

    fn attribute(&mut self) -> Result<Simple, SelectorError> {
        self.at += 1;
        self.skip_space();
        let name = self.identifier()?.to_ascii_lowercase();
        self.skip_space();
        let mut ignore_case = false;
        let test = if self.peek() == Some(']') {
            AttributeTest::Exists
        } else {
            self.attribute_test(&mut ignore_case)?
        };
        if !self.take_if("]") {
            return Err(self.error("expected ]"));
        }
        Ok(Simple::Attribute {
            name,
            test,
            ignore_case,
        })
    }

    fn attribute_test(&mut self, ignore_case: &mut bool) -> Result<AttributeTest, SelectorError> {
        let operators = ["=", "!=", "~=", "|=", "^=", "$=", "*=", "#="];
        let Some(operator) = operators
            .into_iter()
            .find(|operator| self.take_if(operator))
        else {
            return Err(self.error("expected an operator such as ="));
        };
        self.skip_space();
        let test = if operator == "#=" {
            AttributeTest::Matches(self.regex()?)
        } else {
            let value = self.string_or_identifier()?;
            match operator {
                "=" => AttributeTest::Is(value),
                "!=" => AttributeTest::IsNot(value),
                "~=" => AttributeTest::HasWord(value),
                "|=" => AttributeTest::IsOrBeginsWithDash(value),
                "^=" => AttributeTest::BeginsWith(value),
                "$=" => AttributeTest::EndsWith(value),
                _ => AttributeTest::Contains(value),
            }
        };
        self.skip_space();
        *ignore_case = self.take_if("i") || self.take_if("I");
        self.skip_space();
        Ok(test)
    }

    fn pseudo(&mut self) -> Result<Simple, SelectorError> {
        self.at += 1;
        let name = self.identifier()?.to_ascii_lowercase();
        Ok(match name.as_str() {
            "not" => Simple::Not(self.in_parentheses(Self::group)?),
            "has" => Simple::Has(self.in_parentheses(Self::group)?),
            "haschild" => Simple::HasChild(self.in_parentheses(Self::group)?),
            "contains" | "containsown" => {
                let text = self
                    .in_parentheses(Self::string_or_identifier)?
                    .to_lowercase();
                Simple::Contains {
                    text,
                    own: name == "containsown",
                }
            }
            "matches" | "matchesown" => Simple::Matches {
                regex: self.in_parentheses(Self::regex)?,
                own: name == "matchesown",
            },
            "nth-child" | "nth-last-child" | "nth-of-type" | "nth-last-of-type" => {
                let (step, offset) = self.in_parentheses(Self::nth)?;
                Simple::Nth {
                    step,
                    offset,
                    last: name.contains("last"),
                    of_type: name.ends_with("type"),
                }
            }
            "first-child" | "last-child" | "first-of-type" | "last-of-type" => Simple::Nth {
                step: 0,
                offset: 1,
                last: name.starts_with("last"),
                of_type: name.ends_with("type"),
            },
            "only-child" | "only-of-type" => Simple::Only {
                of_type: name.ends_with("type"),
            },
            "lang" => Simple::Language(self.in_parentheses(Self::identifier)?.to_lowercase()),
            "input" => Simple::Input,
            "empty" => Simple::Empty,
            "root" => Simple::Root,
            "link" => Simple::Link,
            "enabled" => Simple::Enabled,
            "disabled" => Simple::Disabled,
            "checked" => Simple::Checked,
            "visited" | "hover" | "active" | "focus" | "target" => Simple::Never,
            _ => return Err(self.error("an unknown pseudo-class")),
        })
    }

    fn in_parentheses<T>(
        &mut self,
        inner: impl FnOnce(&mut Self) -> Result<T, SelectorError>,
    ) -> Result<T, SelectorError> {
        if !self.take_if("(") {
            return Err(self.error("expected ("));
        }
        self.skip_space();
        let value = inner(self)?;
        self.skip_space();
        if self.take_if(")") {
            Ok(value)
        } else {
            Err(self.error("expected )"))
        }
    }

    /// `odd`, `even`, `3`, `2n`, `-n + 4`: step and offset.
    fn nth(&mut self) -> Result<(i64, i64), SelectorError> {
        let end = self.rest().find(')').unwrap_or(self.rest().len());
        let text = self.rest()[..end].trim().to_ascii_lowercase();
        self.at += end;
        parse_nth(&text).ok_or_else(|| self.error("expected odd, even or a formula such as 2n+1"))
    }
}

fn parse_nth(text: &str) -> Option<(i64, i64)> {
    match text {
        "odd" => return Some((2, 1)),
        "even" => return Some((2, 0)),
        _ => {}
    }
    let Some((step, offset)) = text.split_once('n') else {
        return Some((0, text.parse().ok()?));
    };
    let step = match step {
        "" | "+" => 1,
        "-" => -1,
        number => number.parse().ok()?,
    };
    let offset = offset.trim();
    let Some(sign) = offset.chars().next() else {
        return Some((step, 0));
    };
    let number = offset.strip_prefix(['+', '-'])?.trim_start();
    let number: i64 = number
        .chars()
        .all(|c| c.is_ascii_digit())
        .then(|| number.parse().ok())??;
    Some((step, if sign == '-' { -number } else { number }))
}

fn is_name_start(c: char) -> bool {
    c.is_ascii_alphabetic() || c == '_' || !c.is_ascii()
}
