//! JSON text as a tree with the place of each value.

use std::borrow::Cow;

/// The maximum depth of nested values; Protobuf's own readers have the same limit for messages.
const MAX_DEPTH: usize = 100;

/// A value and its place.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Node<'a> {
    /// The offsets of the first and the last byte in the text.
    begin: usize,
    end: usize,
    pub(super) kind: Kind<'a>,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Kind<'a> {
    Null,
    Bool(bool),
    Number(&'a str),
    Text(Cow<'a, str>),
    List(Vec<Node<'a>>),
    Object(Vec<(Name<'a>, Node<'a>)>),
}

/// The name of a property, and its place.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Name<'a> {
    pub(super) text: Cow<'a, str>,
    begin: usize,
}

/// The text with its tree, from which errors are made.
#[derive(Debug, Clone, Copy)]
pub(super) struct Source<'a>(pub(super) &'a str);

impl<'a> Source<'a> {
    /// Reads the tree.
    ///
    /// # Errors
    /// The text is not JSON, or nests too deeply.
    pub(super) fn tree(self) -> Result<Node<'a>, String> {
        let mut reader = Reader {
            text: self.0,
            at: 0,
            depth: 0,
        };
        let node = reader.value()?;
        reader.skip_blanks();
        match reader.peek() {
            None => Ok(node),
            Some(_) => Err(reader.unexpected()),
        }
    }

    /// An error at a place of the text.
    pub(super) fn error_at(self, begin: usize, what: &str) -> String {
        format!("proto: {}: {what}", self.place(begin))
    }

    /// An error about a value.
    pub(super) fn error(self, node: &Node<'_>, what: &str) -> String {
        self.error_at(node.begin, what)
    }

    /// An error about a name.
    pub(super) fn name_error(self, name: &Name<'_>, what: &str) -> String {
        self.error_at(name.begin, what)
    }

    /// The error for a value of the wrong kind.
    pub(super) fn unexpected(self, node: &Node<'_>) -> String {
        format!(
            "proto: syntax error {}: unexpected token {}",
            self.place(node.begin),
            self.token(node)
        )
    }

    /// A value as written in the text; of lists and objects only the beginning.
    pub(super) fn token(self, node: &Node<'_>) -> &'a str {
        match node.kind {
            Kind::List(_) => "[",
            Kind::Object(_) => "{",
            _ => &self.0[node.begin..node.end],
        }
    }

    fn place(self, begin: usize) -> String {
        let before = &self.0[..begin];
        let line = before.matches('\n').count() + 1;
        let last = before.rsplit('\n').next().unwrap_or_default();
        format!("(line {line}:{})", last.chars().count() + 1)
    }
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
    depth: usize,
}

impl<'a> Reader<'a> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn skip_blanks(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    /// Consumes a byte if it is the next one.
    fn takes(&mut self, byte: u8) -> bool {
        self.skip_blanks();
        let is_next = self.peek() == Some(byte);
        self.at += usize::from(is_next);
        is_next
    }

    fn unexpected(&self) -> String {
        let source = Source(self.text);
        match self.text[self.at..].chars().next() {
            None => "proto: unexpected EOF".to_owned(),
            Some(c) => format!(
                "proto: syntax error {}: unexpected token {c}",
                source.place(self.at)
            ),
        }
    }

    fn value(&mut self) -> Result<Node<'a>, String> {
        self.skip_blanks();
        let begin = self.at;
        let kind = match self.peek() {
            Some(b'{') => self.nested(Self::object)?,
            Some(b'[') => self.nested(Self::list)?,
            Some(b'"') => Kind::Text(self.string()?),
            Some(b'-' | b'0'..=b'9') => Kind::Number(self.number()?),
            _ => self.word()?,
        };
        Ok(Node {
            begin,
            end: self.at,
            kind,
        })
    }

    fn nested(
        &mut self,
        read: fn(&mut Self) -> Result<Kind<'a>, String>,
    ) -> Result<Kind<'a>, String> {
        if self.depth == MAX_DEPTH {
            return Err("proto: exceeded max recursion depth".to_owned());
        }
        self.depth += 1;
        self.at += 1;
        let kind = read(self);
        self.depth -= 1;
        kind
    }

    fn object(&mut self) -> Result<Kind<'a>, String> {
        let mut members = Vec::new();
        if self.takes(b'}') {
            return Ok(Kind::Object(members));
        }
        loop {
            self.skip_blanks();
            let begin = self.at;
            if self.peek() != Some(b'"') {
                return Err(self.unexpected());
            }
            let text = self.string()?;
            if !self.takes(b':') {
                return Err(self.unexpected());
            }
            let value = self.value()?;
            members.push((Name { text, begin }, value));
            if self.takes(b'}') {
                return Ok(Kind::Object(members));
            }
            if !self.takes(b',') {
                return Err(self.unexpected());
            }
        }
    }

    fn list(&mut self) -> Result<Kind<'a>, String> {
        let mut items = Vec::new();
        if self.takes(b']') {
            return Ok(Kind::List(items));
        }
        loop {
            items.push(self.value()?);
            if self.takes(b']') {
                return Ok(Kind::List(items));
            }
            if !self.takes(b',') {
                return Err(self.unexpected());
            }
        }
    }

    fn word(&mut self) -> Result<Kind<'a>, String> {
        let rest = &self.text[self.at..];
        for (word, kind) in [
            ("null", Kind::Null),
            ("true", Kind::Bool(true)),
            ("false", Kind::Bool(false)),
        ] {
            if rest.starts_with(word) {
                self.at += word.len();
                return Ok(kind);
            }
        }
        Err(self.unexpected())
    }

    fn number(&mut self) -> Result<&'a str, String> {
        let rest = &self.text[self.at..];
        let end = rest.find(|c: char| !c.is_ascii_digit() && !"+-.eE".contains(c));
        let text = &rest[..end.unwrap_or(rest.len())];
        if !super::number::is_number(text) {
            return Err(self.unexpected());
        }
        self.at += text.len();
        Ok(text)
    }

    fn string(&mut self) -> Result<Cow<'a, str>, String> {
        self.at += 1;
        let begin = self.at;
        let mut unescaped: Option<String> = None;
        loop {
            let rest = &self.text[self.at..];
            let Some(length) = rest.find(['"', '\\']) else {
                self.at = self.text.len();
                return Err(self.unexpected());
            };
            let piece = &rest[..length];
            if let Some(text) = &mut unescaped {
                text.push_str(piece);
            }
            self.at += length;
            if self.peek() == Some(b'"') {
                let whole = &self.text[begin..self.at];
                self.at += 1;
                return Ok(unescaped.map_or(Cow::Borrowed(whole), Cow::Owned));
            }
            let text = unescaped.get_or_insert_with(|| self.text[begin..self.at].to_owned());
            self.at += 1;
            let escaped = Self::escape(&self.text[self.at..]);
            let (c, length) = escaped.ok_or_else(|| self.unexpected())?;
            text.push(c);
            self.at += length;
        }
    }

    /// The character of an escape, and its number of bytes after the backslash.
    fn escape(rest: &str) -> Option<(char, usize)> {
        let c = match rest.bytes().next()? {
            b'"' => '"',
            b'\\' => '\\',
            b'/' => '/',
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => return Self::unicode(rest),
            _ => return None,
        };
        Some((c, 1))
    }

    /// One escape, or two that are surrogates of one character. A lone surrogate becomes a replacement character.
    fn unicode(rest: &str) -> Option<(char, usize)> {
        let unit = |at: usize| {
            let digits = rest.get(at..at + 4)?;
            let are_hex = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
            are_hex
                .then(|| u32::from_str_radix(digits, 16).ok())
                .flatten()
        };
        let first = unit(1)?;
        if let Some(c) = char::from_u32(first) {
            return Some((c, 5));
        }
        let second = match rest.get(5..7) {
            Some("\\u") => unit(7),
            _ => None,
        };
        let whole = second.filter(|second| (0xdc00..0xe000).contains(second) && first < 0xdc00);
        match whole {
            Some(second) => {
                let both = 0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00);
                Some((char::from_u32(both)?, 11))
            }
            None => Some((char::REPLACEMENT_CHARACTER, 5)),
        }
    }
}
