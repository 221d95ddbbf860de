//! Maps places in a text with insertions back to the original text.

/// The insertions into a text, within its lines.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Shifts {
    /// In the order of their places.
    list: Vec<Shift>,
}

/// An insertion. Line and column count from one, the column in bytes, as the engine counts.
#[derive(Debug, PartialEq, Eq)]
struct Shift {
    line: u32,
    /// The column of the insertion, in the text with all earlier insertions.
    column: u32,
    bytes: u32,
}

impl Shifts {
    /// The same with more text before all of it, in its first line.
    #[must_use]
    pub fn behind(mut self, before: &str) -> Self {
        let bytes = size(before);
        for shift in self.list.iter_mut().take_while(|shift| shift.line == 1) {
            shift.column += bytes;
        }
        let first = Shift {
            line: 1,
            column: 1,
            bytes,
        };
        self.list.insert(0, first);
        self
    }

    /// The column, before anything was inserted, of a place in the text.
    pub fn original(&self, line: u32, column: u32) -> u32 {
        let first = self.list.partition_point(|shift| shift.line < line);
        let before = self.list[first..]
            .iter()
            .take_while(|shift| shift.line == line && shift.column < column);
        let taken: u32 = before
            .map(|shift| shift.bytes.min(column - shift.column))
            .sum();
        column - taken
    }
}

/// A replacement of a range of bytes by a text without line ends that is at least as long.
pub(crate) struct Edit {
    pub(crate) start: usize,
    pub(crate) end: usize,
    pub(crate) text: String,
}

/// The text with the edits; insertions at one place stay in their order, before what replaces the text there. `None` if
/// edits overlap.
pub(crate) fn apply(text: &str, mut edits: Vec<Edit>) -> Option<(String, Shifts)> {
    edits.sort_by_key(|edit| (edit.start, edit.start < edit.end));
    let mut out = String::with_capacity(text.len() + 32 * edits.len());
    let mut shifts = Shifts::default();
    let (mut line, mut column, mut done) = (1, 1, 0);
    for edit in edits {
        let kept = text.get(done..edit.start)?;
        line += u32::try_from(kept.matches('\n').count()).unwrap_or(u32::MAX);
        match kept.rsplit_once('\n') {
            Some((_, last)) => column = 1 + size(last),
            None => column += size(kept),
        }
        let (old, new) = (edit.end - edit.start, size(&edit.text));
        out.push_str(kept);
        out.push_str(&edit.text);
        shifts.list.push(Shift {
            line,
            column,
            bytes: new.saturating_sub(u32::try_from(old).unwrap_or(0)),
        });
        column += new;
        done = edit.end;
    }
    out.push_str(&text[done..]);
    Some((out, shifts))
}

fn size(text: &str) -> u32 {
    u32::try_from(text.len()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_those_of_the_text_before_the_edits() {
        let edit = |start, end, text: &str| Edit {
            start,
            end,
            text: text.to_owned(),
        };
        let (text, shifts) = apply("ab\ncdéf\ng", vec![edit(7, 8, "(("), edit(3, 3, "xyz")])
            .expect("they do not overlap");
        assert_eq!(text, "ab\nxyzcdé((\ng");
        let columns = |line: u32| {
            (1..10)
                .map(|column| shifts.original(line, column))
                .collect::<Vec<_>>()
        };
        assert_eq!(columns(1), [1, 2, 3, 4, 5, 6, 7, 8, 9]);
        assert_eq!(columns(2), [1, 1, 1, 1, 2, 3, 4, 5, 5]);
        assert_eq!(columns(3), columns(1));
    }

    #[test]
    fn insertions_come_before_a_replacement_at_their_place() {
        let edit = |start, end, text: &str| Edit {
            start,
            end,
            text: text.to_owned(),
        };
        let edits = vec![edit(1, 2, "BB"), edit(1, 1, "x"), edit(1, 1, "y")];
        let applied = apply("abc", edits).map(|(text, _)| text);
        assert_eq!(applied.as_deref(), Some("axyBBc"));
        let overlapping = vec![edit(0, 2, "AB"), edit(1, 3, "BC")];
        assert!(apply("abc", overlapping).is_none());
    }

    #[test]
    fn a_text_can_stand_behind_another() {
        let edit = Edit {
            start: 1,
            end: 1,
            text: "xy".to_owned(),
        };
        let (text, shifts) = apply("abc", vec![edit]).expect("it is one");
        assert_eq!(text, "axybc");
        let shifts = shifts.behind("12");
        let columns = (1..9).map(|column| shifts.original(1, column));
        assert_eq!(columns.collect::<Vec<_>>(), [1, 1, 1, 2, 2, 2, 3, 4]);
        assert_eq!(shifts.original(2, 5), 5);
    }
}
