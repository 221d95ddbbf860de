//! CSS selectors in the dialect of Go's cascadia, which k6 scripts use.
//!
//! Beyond CSS 3 it supports `:contains()`, `:containsOwn()`, `:matches()`, `:matchesOwn()`, `:haschild()`,
//! `:has()`, `:input`, `[a!=v]` and `[a#=regex]`; it lacks `:is()`, `:where()`, `:nth-child(… of …)` and
//! selectors that begin with a combinator.

mod matching;
mod parse;

use regex::Regex;

use super::document::{Document, NodeId};

/// The error of an invalid selector.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{problem} at byte {offset} of the selector")]
pub struct SelectorError {
    pub offset: usize,
    pub problem: &'static str,
}

/// A parsed list of selectors.
#[derive(Debug, Clone)]
pub struct Selector {
    alternatives: Vec<Complex>,
}

impl Selector {
    /// # Errors
    /// The text is not in the dialect.
    pub fn parse(text: &str) -> Result<Self, SelectorError> {
        parse::parse(text)
    }

    /// Whether the element `id` matches; other nodes never do.
    #[must_use]
    pub fn matches(&self, document: &Document, id: NodeId) -> bool {
        document.is_element(id)
            && self
                .alternatives
                .iter()
                .any(|complex| complex.matches(document, id))
    }

    /// All matching elements below `id`, in document order.
    pub fn find<'s>(
        &'s self,
        document: &'s Document,
        id: NodeId,
    ) -> impl Iterator<Item = NodeId> + 's {
        document
            .descendants(id)
            .filter(|node| self.matches(document, *node))
    }
}

/// Compounds from right to left: the subject, then the required siblings or ancestors.
#[derive(Debug, Clone)]
struct Complex {
    subject: Compound,
    context: Vec<(Combinator, Compound)>,
}

type Compound = Vec<Simple>;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Combinator {
    Descendant,
    Child,
    NextSibling,
    LaterSibling,
}

#[derive(Debug, Clone)]
enum Simple {
    Tag(String),
    Id(String),
    Class(String),
    Attribute {
        name: String,
        test: AttributeTest,
        ignore_case: bool,
    },
    Not(Selector),
    Has(Selector),
    HasChild(Selector),
    Contains {
        text: String,
        own: bool,
    },
    Matches {
        regex: Regex,
        own: bool,
    },
    Nth {
        step: i64,
        offset: i64,
        last: bool,
        of_type: bool,
    },
    Only {
        of_type: bool,
    },
    Language(String),
    Input,
    Empty,
    Root,
    Link,
    Enabled,
    Disabled,
    Checked,
    /// `:hover` and other states that a static page never has.
    Never,
}

#[derive(Debug, Clone)]
enum AttributeTest {
    Exists,
    Is(String),
    IsNot(String),
    HasWord(String),
    IsOrBeginsWithDash(String),
    BeginsWith(String),
    EndsWith(String),
    Contains(String),
    Matches(Regex),
}
