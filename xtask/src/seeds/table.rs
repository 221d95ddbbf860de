//! The table of ids: comma-separated, with quotes around fields that contain a comma.

use std::fmt;
use std::path::Path;

/// One requirement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Row {
    pub id: String,
    pub kind: Kind,
    pub says: String,
    /// References beyond the tests that name the id themselves.
    pub held: Vec<Held>,
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

/// A reference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Held {
    Test { file: String, name: String },
    Place { file: String, text: String },
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
            return Err(format!(
                "table.csv:{}: {} is there twice",
                place + 1,
                row.id
            ));
        }
        rows.push(row);
    }
    Ok(rows)
}

fn row(line: &str) -> Option<Row> {
    let [id, kind, says, held] = <[String; 4]>::try_from(fields(line)).ok()?;
    let held: Option<Vec<Held>> = held.split_whitespace().map(Held::parse).collect();
    Some(Row {
        id,
        kind: Kind::parse(&kind)?,
        says,
        held: held?,
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

impl Held {
    fn parse(text: &str) -> Option<Self> {
        if let Some((file, name)) = text.split_once("::") {
            let (file, name) = (file.to_owned(), name.to_owned());
            return Some(Self::Test { file, name });
        }
        let (file, text) = text.split_once('#')?;
        // A field with blanks is a list.
        let (file, text) = (file.to_owned(), text.replace('_', " "));
        Some(Self::Place { file, text })
    }

    /// Whether the file has the test or the text.
    ///
    /// # Errors
    /// The test or the text is missing.
    pub(super) fn check(&self, root: &Path) -> Result<(), String> {
        let (Self::Test { file, .. } | Self::Place { file, .. }) = self;
        let content =
            std::fs::read_to_string(root.join(file)).map_err(|error| format!("{file}: {error}"))?;
        let found = match self {
            Self::Test { name, .. } if file.ends_with(".rs") => {
                content.contains(&format!("fn {name}("))
            }
            Self::Test { name, .. } => content.contains(name.as_str()),
            Self::Place { text, .. } => unwrapped(&content).contains(&text.to_lowercase()),
        };
        if found {
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

impl fmt::Display for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Test { file, name } => write!(f, "{file}::{name}"),
            Self::Place { file, text } => write!(f, "{file}#{}", text.replace(' ', "_")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_read_and_bad_ones_named() {
        let text = "id,kind,says,held\nDET-01,feature,\"a, b\",a.rs::t README.md#start_small\n";
        let rows = read(text).expect("rows");
        assert_eq!((rows[0].says.as_str(), rows[0].held.len()), ("a, b", 2));
        assert_eq!(rows[0].held[1].to_string(), "README.md#start_small");
        for wrong in [
            "x\nDET-01,feature,a",
            "x\nDET-01,thing,a,",
            "x\nDET-01,feature,a,b",
        ] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
        assert!(read("x\nDET-01,feature,a,\nDET-01,feature,a,").is_err());
    }
}
