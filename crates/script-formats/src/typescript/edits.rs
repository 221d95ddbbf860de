//! Changes to a source text, collected in any order and applied at once.

use std::collections::HashSet;

/// A list of replacements of byte ranges that do not overlap, except for blanks inside blanks.
#[derive(Debug, Default)]
pub(super) struct Edits {
    list: Vec<Edit>,
    statement_ends: HashSet<u32>,
}

#[derive(Debug)]
struct Edit {
    start: u32,
    end: u32,
    text: Option<String>,
    lead: Option<char>,
}

impl Edits {
    /// Overwrites a range with spaces; line ends stay.
    pub(super) fn blank(&mut self, start: u32, end: u32) {
        self.blank_with(start, end, None);
    }

    /// Like [`Self::blank`], with `lead` in the place of the first character.
    pub(super) fn blank_with(&mut self, start: u32, end: u32, lead: impl Into<Option<char>>) {
        if start < end {
            self.list.push(Edit {
                start,
                end,
                text: None,
                lead: lead.into(),
            });
        }
    }

    /// Replaces a range by a text, to which the line ends of the range are added.
    pub(super) fn replace(&mut self, start: u32, end: u32, text: impl Into<String>) {
        self.list.push(Edit {
            start,
            end,
            text: Some(text.into()),
            lead: None,
        });
    }

    /// Inserts a text before the byte `at`.
    pub(super) fn insert(&mut self, at: u32, text: impl Into<String>) {
        self.replace(at, at, text);
    }

    /// Records that a statement without semicolon ends at `end`. If its end is blanked, a semicolon takes its
    /// place: otherwise the next line could be read as its continuation.
    pub(super) fn statement_ends(&mut self, end: u32) {
        self.statement_ends.insert(end);
    }

    pub(super) fn apply(mut self, source: &str) -> String {
        // Insertions at an offset precede the text there.
        self.list.sort_by_key(|edit| (edit.start, edit.end));
        let mut out = String::with_capacity(source.len() + 64);
        let mut done = 0;
        for edit in &self.list {
            let (start, end) = (edit.start as usize, edit.end as usize);
            if start < done {
                continue;
            }
            out.push_str(&source[done..start]);
            let old = &source[start..end];
            match &edit.text {
                Some(text) => {
                    out.push_str(text);
                    out.extend(old.chars().filter(|c| is_line_end(*c)));
                }
                None => {
                    let guard = self.statement_ends.contains(&edit.end).then_some(';');
                    push_blank(&mut out, old, edit.lead.or(guard));
                }
            }
            done = end;
        }
        out.push_str(&source[done..]);
        out
    }
}

fn push_blank(out: &mut String, old: &str, lead: Option<char>) {
    for (index, c) in old.chars().enumerate() {
        match lead {
            Some(lead) if index == 0 => out.push(lead),
            _ if is_line_end(c) => out.push(c),
            _ => out.push(' '),
        }
    }
}

fn is_line_end(c: char) -> bool {
    matches!(c, '\n' | '\r' | '\u{2028}' | '\u{2029}')
}
