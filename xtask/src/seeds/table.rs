//! The table of ids: comma-separated, with quotes around fields that contain a comma.

use std::fmt;
use std::path::Path;

/// One requirement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Row {
    pub id: String,
    pub kind: Kind,
    pub says: String,
    pub places: Vec<Place>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Feature,
    Number,
    Command,
    Variable,
    Output,
    /// Advice for users, which a text fulfils.
    Practice,
}

/// The place that serves a requirement: `FILE#TEXT`, with underscores for the blanks of the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    pub file: String,
    pub text: String,
}

/// Reads the table.
///
/// # Errors
/// A line is not a row; the message has its number.
pub(super) fn read(text: &str) -> Result<Vec<Row>, String> {
    let lines = text.lines().enumerate().skip(1);
    let mut rows: Vec<Row> = Vec::new();
    for (place, line) in lines {
        let row = row(line).ok_or_else(|| format!("table.csv:{}: not a row: {line}", place + 1))?;
        if rows.iter().any(|known| known.id == row.id) {
            return Err(format!("table.csv:{}: {} is duplicated", place + 1, row.id));
        }
        rows.push(row);
    }
    Ok(rows)
}

fn row(line: &str) -> Option<Row> {
    let [id, kind, says, places] = <[String; 4]>::try_from(fields(line)).ok()?;
    let places: Option<Vec<Place>> = places.split_whitespace().map(Place::parse).collect();
    Some(Row {
        id,
        kind: Kind::parse(&kind)?,
        says,
        places: places?,
    })
}

fn fields(line: &str) -> Vec<String> {
    let mut fields = vec![String::new()];
    let mut quoted = false;
    for c in line.chars() {
        match c {
            '"' => quoted = !quoted,
            ',' if !quoted => fields.push(String::new()),
            c => {
                if let Some(last) = fields.last_mut() {
                    last.push(c);
                }
            }
        }
    }
    fields
}

impl Kind {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Feature => "feature",
            Self::Number => "number",
            Self::Command => "command",
            Self::Variable => "variable",
            Self::Output => "output",
            Self::Practice => "practice",
        }
    }

    fn parse(name: &str) -> Option<Self> {
        let all = [
            Self::Feature,
            Self::Number,
            Self::Command,
            Self::Variable,
            Self::Output,
            Self::Practice,
        ];
        all.into_iter().find(|kind| kind.name() == name)
    }
}

impl Place {
    /// A test is not a place: it names the id itself.
    fn parse(text: &str) -> Option<Self> {
        let (file, text) = text
            .split_once('#')
            .filter(|(file, _)| !file.contains("::"))?;
        Some(Self {
            file: file.to_owned(),
            text: text.replace('_', " "),
        })
    }

    /// Whether the file has the text.
    ///
    /// # Errors
    /// The test or the text is missing.
    pub(super) fn check(&self, root: &Path) -> Result<(), String> {
        let file = &self.file;
        let content =
            std::fs::read_to_string(root.join(file)).map_err(|error| format!("{file}: {error}"))?;
        if unwrapped(&content).contains(&self.text.to_lowercase()) {
            Ok(())
        } else {
            Err(format!("{self} does not exist"))
        }
    }
}

/// Text without line ends and emphasis, in lower case, so that line breaks do not matter.
fn unwrapped(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    words.join(" ").to_lowercase()
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}#{}", self.file, self.text.replace(' ', "_"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_read_and_bad_ones_named() {
        let text = "id,kind,says,places\nDET-01,practice,\"a, b\",a.md#t README.md#start_small\n";
        let rows = read(text).expect("rows");
        assert_eq!((rows[0].says.as_str(), rows[0].places.len()), ("a, b", 2));
        assert_eq!(rows[0].places[1].to_string(), "README.md#start_small");
        for wrong in [
            "x\nDET-01,feature,a",
            "x\nDET-01,thing,a,",
            "x\nDET-01,feature,a,b",
            // A test that does not name the id does not hold it.
            "x\nDET-01,feature,a,a.rs::a_test",
            "x\nDET-01,feature,a,a.rs::a_test#text",
        ] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
        assert!(read("x\nDET-01,feature,a,\nDET-01,feature,a,").is_err());
    }
}
