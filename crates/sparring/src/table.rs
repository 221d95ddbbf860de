//! Tables of numbers from CSV files, with errors that name their lines.

use std::fmt;
use std::io::Read;
use std::path::Path;

use thiserror::Error;

/// The number of errors that are listed; further ones are counted.
const LISTED: usize = 20;

/// A CSV file with a header: comma, semicolon or tab; lines that begin with `#` are comments.
#[derive(Debug)]
pub struct Table {
    name: String,
    headers: Vec<String>,
    /// Each row, with the number of its line, counted from 1.
    rows: Vec<(u64, Vec<String>)>,
}

/// A column, by its index and its name in the header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    index: usize,
    pub name: String,
}

#[derive(Debug, Error)]
pub enum TableError {
    #[error("cannot read {name}")]
    Unreadable {
        name: String,
        source: std::io::Error,
    },
    #[error("{name} is not a CSV file")]
    NotCsv { name: String, source: csv::Error },
    #[error("{name} has no rows; a header and at least one row of numbers are expected")]
    Empty { name: String },
    #[error("{name} has no column {wanted}; it has {present}")]
    NoColumn {
        name: String,
        wanted: String,
        present: String,
    },
    #[error("{name} has {} {}{errors}", errors.0.len(), if errors.0.len() == 1 { "error" } else { "errors" })]
    Cells { name: String, errors: Errors },
}

/// The errors in cells, by line.
#[derive(Debug)]
pub struct Errors(Vec<(u64, String)>);

impl fmt::Display for Errors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (line, error) in self.0.iter().take(LISTED) {
            write!(f, "\n  line {line}: {error}")?;
        }
        match self.0.len().checked_sub(LISTED) {
            Some(more) if more > 0 => write!(f, "\n  and {more} more"),
            _ => Ok(()),
        }
    }
}

impl Table {
    /// Reads a file, or standard input for `-`.
    pub fn read(path: &Path) -> Result<Self, TableError> {
        let name = path.display().to_string();
        let text = if name == "-" {
            let mut text = String::new();
            let read = std::io::stdin().read_to_string(&mut text);
            read.map(|_| text).map_err(live_config::read::explained)
        } else {
            live_config::read::file(path)
        };
        match text {
            Ok(text) => Self::parse(name, &text),
            Err(source) => Err(TableError::Unreadable { name, source }),
        }
    }

    pub fn parse(name: String, text: &str) -> Result<Self, TableError> {
        // Spreadsheets begin their exports with a byte order mark.
        let text = text.trim_start_matches('\u{feff}');
        let mut reader = csv::ReaderBuilder::new()
            .delimiter(delimiter(text))
            .comment(Some(b'#'))
            .has_headers(false)
            .flexible(true)
            .trim(csv::Trim::All)
            .from_reader(text.as_bytes());
        let mut rows = Vec::new();
        for record in reader.records() {
            let record = record.map_err(|source| TableError::NotCsv {
                name: name.clone(),
                source,
            })?;
            let line = record.position().map_or(0, |place| first_line(text, place));
            rows.push((line, record.iter().map(str::to_owned).collect::<Vec<_>>()));
        }
        let headers = match rows.first() {
            // A first row of numbers is data.
            Some((_, first)) if first.iter().all(|cell| cell.parse::<f64>().is_ok()) => {
                (1..=first.len()).map(|i| format!("column {i}")).collect()
            }
            Some(_) => rows.remove(0).1,
            None => return Err(TableError::Empty { name }),
        };
        if rows.is_empty() {
            return Err(TableError::Empty { name });
        }
        let table = Self {
            name,
            headers,
            rows,
        };
        table.check_widths()?;
        Ok(table)
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn rows(&self) -> usize {
        self.rows.len()
    }

    /// The line of a row. Lines are counted from 1, rows from the first after the header.
    pub fn line(&self, row: usize) -> u64 {
        self.rows[row].0
    }

    pub fn columns(&self) -> impl Iterator<Item = Column> + '_ {
        self.headers.iter().enumerate().map(|(index, name)| Column {
            index,
            name: name.clone(),
        })
    }

    /// The column with the given name, or the first with one of the usual names.
    pub fn find(&self, given: Option<&str>, usual: &[&str]) -> Result<Option<Column>, TableError> {
        let named = |name: &str| {
            self.columns()
                .find(|column| column.name.eq_ignore_ascii_case(name))
        };
        match given {
            None => Ok(usual.iter().find_map(|name| named(name))),
            Some(name) => named(name).map(Some).ok_or_else(|| self.missing(name)),
        }
    }

    /// As [`Table::find`]; in a file without column names, it is the column at index `place`.
    pub fn require(
        &self,
        given: Option<&str>,
        usual: &[&str],
        place: usize,
    ) -> Result<Column, TableError> {
        if let Some(column) = self.find(given, usual)? {
            return Ok(column);
        }
        let nameless = self.headers[0] == "column 1";
        self.columns()
            .nth(place)
            .filter(|_| nameless)
            .ok_or_else(|| self.missing(&usual.join(", ")))
    }

    /// The numbers of some columns, or the errors of all their cells.
    pub fn numbers(&self, columns: &[&Column]) -> Result<Vec<Vec<f64>>, TableError> {
        let mut errors = Vec::new();
        let mut numbers = vec![Vec::with_capacity(self.rows.len()); columns.len()];
        for (line, cells) in &self.rows {
            for (column, numbers) in columns.iter().zip(&mut numbers) {
                match number(&cells[column.index]) {
                    Ok(number) => numbers.push(number),
                    Err(error) => errors.push((*line, format!("{}: {error}", column.name))),
                }
            }
        }
        if errors.is_empty() {
            Ok(numbers)
        } else {
            Err(self.cells(errors))
        }
    }

    /// Whether every cell of a column is a number.
    pub fn is_numeric(&self, column: &Column) -> bool {
        self.rows
            .iter()
            .all(|(_, cells)| number(&cells[column.index]).is_ok())
    }

    /// The cells of a column as text.
    pub fn texts(&self, column: &Column) -> Vec<&str> {
        self.rows
            .iter()
            .map(|(_, cells)| cells[column.index].as_str())
            .collect()
    }

    fn check_widths(&self) -> Result<(), TableError> {
        let width = self.headers.len();
        let errors: Vec<(u64, String)> = self
            .rows
            .iter()
            .filter(|(_, cells)| cells.len() != width)
            .map(|(line, cells)| {
                (
                    *line,
                    format!(
                        "the number of cells is {}, the header has {width}",
                        cells.len()
                    ),
                )
            })
            .collect();
        if errors.is_empty() {
            Ok(())
        } else {
            Err(self.cells(errors))
        }
    }

    fn missing(&self, wanted: &str) -> TableError {
        TableError::NoColumn {
            name: self.name.clone(),
            wanted: wanted.to_owned(),
            present: self.headers.join(", "),
        }
    }

    fn cells(&self, errors: Vec<(u64, String)>) -> TableError {
        TableError::Cells {
            name: self.name.clone(),
            errors: Errors(errors),
        }
    }
}

fn number(cell: &str) -> Result<f64, String> {
    match cell.parse::<f64>() {
        Ok(number) if number.is_finite() => Ok(number),
        _ if cell.is_empty() => Err("the cell is empty; a number is expected".to_owned()),
        _ => Err(format!("`{cell}` is not a finite number")),
    }
}

/// The line at which a record begins. The reader's position is before the comments and empty lines that it has
/// skipped.
fn first_line(text: &str, place: &csv::Position) -> u64 {
    let rest = &text[place.byte() as usize..];
    let skipped = rest
        .lines()
        .take_while(|line| line.is_empty() || line.starts_with('#'));
    place.line() + skipped.count() as u64
}

/// The most frequent separator in the first line with data.
fn delimiter(text: &str) -> u8 {
    let first = text
        .lines()
        .find(|line| !line.starts_with('#') && !line.trim().is_empty())
        .unwrap_or_default();
    let count = |candidate: u8| first.bytes().filter(|byte| *byte == candidate).count();
    [b';', b'\t']
        .into_iter()
        .filter(|candidate| count(*candidate) > count(b','))
        .max_by_key(|candidate| count(*candidate))
        .unwrap_or(b',')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Table, TableError> {
        Table::parse("data.csv".to_owned(), text)
    }

    fn check(text: &str, expected: &[(f64, f64)]) {
        let table = parse(text).expect("a table");
        let x = table.require(None, &["users"], 0).expect("a first column");
        let y = table.require(None, &["rate"], 1).expect("a second column");
        let numbers = table.numbers(&[&x, &y]).expect("numbers");
        let found: Vec<(f64, f64)> = numbers[0]
            .iter()
            .copied()
            .zip(numbers[1].iter().copied())
            .collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn every_usual_form_is_read() {
        let expected = [(1.0, 20.0), (4.0, 78.5)];
        check("users,rate\n1,20\n4,78.5\n", &expected);
        check("rate;Users\n20;1\n78.5;4\n", &expected);
        check("users\trate\n1\t20\n4\t78.5", &expected);
        check(
            "\u{feff}# from a spreadsheet\r\nusers , rate\r\n1 , 20\r\n\r\n4 , 78.5\r\n",
            &expected,
        );
        check("1,20\n4,78.5\n", &expected);
    }

    #[test]
    fn all_errors_are_reported_with_their_lines() {
        let text = "users,rate\n1,20\n# a comment\n2,fast\n\n,NaN\n";
        for text in [text.to_owned(), text.replace('\n', "\r\n")] {
            let table = parse(&text).expect("a table");
            let columns: Vec<Column> = table.columns().collect();
            let error = table
                .numbers(&[&columns[0], &columns[1]])
                .expect_err("three cells are not numbers");
            assert_eq!(
                error.to_string(),
                "data.csv has 3 errors\n  line 4: rate: `fast` is not a finite number\n  \
                 line 6: users: the cell is empty; a number is expected\n  \
                 line 6: rate: `NaN` is not a finite number"
            );
        }
        let error = parse("users,rate\n1,20\n2\n").expect_err("a short line");
        assert_eq!(
            error.to_string(),
            "data.csv has 1 error\n  line 3: the number of cells is 1, the header has 2"
        );
    }

    #[test]
    fn a_missing_column_is_named_beside_those_that_are_there() {
        let table = parse("n,rate\n1,20\n").expect("a table");
        let error = table.require(None, &["users", "load"], 0).expect_err("n");
        assert_eq!(
            error.to_string(),
            "data.csv has no column users, load; it has n, rate"
        );
        assert!(table.find(Some("rps"), &[]).is_err());
    }

    #[test]
    fn a_file_without_rows_is_refused() {
        for text in ["", "users,rate\n", "# nothing\n"] {
            assert!(
                matches!(parse(text), Err(TableError::Empty { .. })),
                "{text:?}"
            );
        }
    }
}
