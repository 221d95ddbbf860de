//! The implementation of `k6/experimental/csv` without the script engine: records of a file in memory, with the
//! strictness of Go's `encoding/csv` and k6's options.

use std::collections::HashMap;

/// Errors of options or a file; the texts are k6's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CsvError {
    #[error("delimiter must be a single character")]
    LongDelimiter,
    #[error("csv: invalid field or comment delimiter")]
    BadDelimiter,
    #[error("fromLine must be less than or equal to toLine")]
    LinesSwapped,
    #[error("the '{name}' option must be greater than or equal to 0; got {value}")]
    Negative { name: &'static str, value: i64 },
    #[error("the 'header' option cannot be enabled when 'skipFirstLine' is true")]
    HeaderSkipped,
    #[error(
        "the 'header' option cannot be enabled when 'fromLine' is set to a value greater than 0"
    )]
    HeaderBefore,
    #[error("failed to skip lines until line {0}; reason: EOF")]
    TooShort(u64),
    #[error("record on line {0}: wrong number of fields")]
    FieldCount(u64),
    #[error("{}parse error on line {line}, column {column}: {problem}", began(*start, *line))]
    Quote {
        start: u64,
        line: u64,
        column: usize,
        problem: &'static str,
    },
    #[error("the first record has no names")]
    NoHeader,
}

fn began(start: u64, line: u64) -> String {
    if start == line {
        String::new()
    } else {
        format!("record on line {start}; ")
    }
}

/// The options of a script.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    pub delimiter: String,
    pub skip_first_line: bool,
    /// Records are counted from 0.
    pub from_line: i64,
    /// The last record; 0 or `None` means to the end.
    pub to_line: Option<i64>,
    pub as_objects: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            delimiter: ",".to_owned(),
            skip_first_line: false,
            from_line: 0,
            to_line: None,
            as_objects: false,
        }
    }
}

/// One record as the script sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Record {
    Fields(Vec<String>),
    /// Names and values in the order of the header; for a duplicate name the last value.
    Object(Vec<(String, String)>),
}

/// Reads records one after the other.
#[derive(Debug)]
pub struct Parser<D> {
    lines: Lines<D>,
    delimiter: char,
    fields: Option<usize>,
    /// The number of the next record.
    next: u64,
    last: Option<u64>,
    header: Option<Vec<String>>,
}

impl<D: AsRef<[u8]>> Parser<D> {
    /// Checks the options and skips records accordingly.
    ///
    /// # Errors
    /// Options that contradict each other, or a file that ends before its first requested record.
    pub fn new(data: D, options: &Options) -> Result<Self, CsvError> {
        let mut letters = options.delimiter.chars();
        let (Some(delimiter), None) = (letters.next(), letters.next()) else {
            return Err(CsvError::LongDelimiter);
        };
        let last = options.to_line.filter(|line| *line != 0);
        // A single record cannot be selected: k6 refuses equal lines too.
        if last.is_some_and(|last| options.from_line >= last) {
            return Err(CsvError::LinesSwapped);
        }
        let from = natural("fromLine", options.from_line)?;
        let last = last.map(|last| natural("toLine", last)).transpose()?;
        if options.as_objects && options.skip_first_line {
            return Err(CsvError::HeaderSkipped);
        }
        if options.as_objects && from > 0 {
            return Err(CsvError::HeaderBefore);
        }
        if matches!(delimiter, '"' | '\r' | '\n' | char::REPLACEMENT_CHARACTER) {
            return Err(CsvError::BadDelimiter);
        }
        let mut parser = Self {
            lines: Lines {
                data,
                at: 0,
                number: 0,
            },
            delimiter,
            fields: None,
            next: 0,
            last,
            header: None,
        };
        let skipped = from.max(u64::from(options.skip_first_line));
        for _ in 0..skipped {
            parser.fields()?.ok_or(CsvError::TooShort(skipped))?;
        }
        if options.as_objects {
            parser.header = Some(parser.fields()?.ok_or(CsvError::NoHeader)?);
        }
        Ok(parser)
    }

    /// The next record; `None` after the last one.
    ///
    /// # Errors
    /// The file is malformed there, or a record has another number of fields than the first one.
    pub fn next_record(&mut self) -> Result<Option<Record>, CsvError> {
        if self.last.is_some_and(|last| self.next > last) {
            return Ok(None);
        }
        let Some(fields) = self.fields()? else {
            return Ok(None);
        };
        let Some(header) = &self.header else {
            return Ok(Some(Record::Fields(fields)));
        };
        let mut places: HashMap<&str, usize> = HashMap::new();
        let mut object: Vec<(String, String)> = Vec::with_capacity(fields.len());
        for (name, value) in header.iter().zip(fields) {
            match places.get(name.as_str()) {
                Some(place) => object[*place].1 = value,
                None => {
                    places.insert(name, object.len());
                    object.push((name.clone(), value));
                }
            }
        }
        Ok(Some(Record::Object(object)))
    }

    fn fields(&mut self) -> Result<Option<Vec<String>>, CsvError> {
        let Some(line) = self.lines.next_filled() else {
            return Ok(None);
        };
        let start = self.lines.number;
        let fields = RecordReader {
            lines: &mut self.lines,
            delimiter: self.delimiter,
            start,
            line,
            at: 0,
        }
        .read()?;
        self.next += 1;
        if *self.fields.get_or_insert(fields.len()) != fields.len() {
            return Err(CsvError::FieldCount(start));
        }
        Ok(Some(fields))
    }
}

fn natural(name: &'static str, value: i64) -> Result<u64, CsvError> {
    u64::try_from(value).map_err(|_| CsvError::Negative { name, value })
}

#[derive(Debug)]
struct Lines<D> {
    data: D,
    at: usize,
    number: u64,
}

impl<D: AsRef<[u8]>> Lines<D> {
    /// The next line with its end, `\r\n` as `\n`.
    fn next(&mut self) -> Option<String> {
        let rest = self
            .data
            .as_ref()
            .get(self.at..)
            .filter(|rest| !rest.is_empty())?;
        let length = rest
            .iter()
            .position(|byte| *byte == b'\n')
            .map_or(rest.len(), |end| end + 1);
        let mut line = String::from_utf8_lossy(&rest[..length]).into_owned();
        if line.ends_with("\r\n") {
            line.truncate(line.len() - 2);
            line.push('\n');
        } else if self.at + length == self.data.as_ref().len() && line.ends_with('\r') {
            line.pop();
        }
        self.at += length;
        self.number += 1;
        Some(line)
    }

    fn next_filled(&mut self) -> Option<String> {
        loop {
            let line = self.next()?;
            if line != "\n" {
                return Some(line);
            }
        }
    }
}

struct RecordReader<'l, D> {
    lines: &'l mut Lines<D>,
    delimiter: char,
    start: u64,
    line: String,
    at: usize,
}

impl<D: AsRef<[u8]>> RecordReader<'_, D> {
    fn read(mut self) -> Result<Vec<String>, CsvError> {
        let mut fields = Vec::new();
        loop {
            let field = if self.line[self.at..].starts_with('"') {
                self.quoted()?
            } else {
                self.plain()?
            };
            fields.push(field);
            if !self.line[self.at..].starts_with(self.delimiter) {
                return Ok(fields);
            }
            self.at += self.delimiter.len_utf8();
        }
    }

    fn problem(&self, column: usize, problem: &'static str) -> CsvError {
        CsvError::Quote {
            start: self.start,
            line: self.lines.number,
            column: column + 1,
            problem,
        }
    }

    fn plain(&mut self) -> Result<String, CsvError> {
        let rest = self.line[self.at..].trim_end_matches('\n');
        let field = rest
            .split(self.delimiter)
            .next()
            .unwrap_or_default()
            .to_owned();
        if let Some(quote) = field.find('"') {
            return Err(self.problem(self.at + quote, "bare \" in non-quoted-field"));
        }
        self.at += field.len();
        Ok(field)
    }

    fn quoted(&mut self) -> Result<String, CsvError> {
        const PROBLEM: &str = "extraneous or missing \" in quoted-field";
        self.at += 1;
        let mut field = String::new();
        loop {
            let rest = &self.line[self.at..];
            let Some(quote) = rest.find('"') else {
                field.push_str(rest);
                let length = self.line.len();
                match self.lines.next() {
                    Some(line) => (self.line, self.at) = (line, 0),
                    None => return Err(self.problem(length, PROBLEM)),
                }
                continue;
            };
            field.push_str(&rest[..quote]);
            self.at += quote + 1;
            let rest = &self.line[self.at..];
            if rest.starts_with('"') {
                field.push('"');
                self.at += 1;
            } else if rest.is_empty() || rest == "\n" || rest.starts_with(self.delimiter) {
                return Ok(field);
            } else {
                return Err(self.problem(self.at - 1, PROBLEM));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{CsvError, Options, Parser, Record};

    const PEOPLE: &str =
        "name,age\nann,1\n\"b, ob\",\"2 \"\"q\"\"\"\n\ncar l, 3 \nmulti,\"a\nb\"\nlast,9";

    fn read(data: &str, options: &Options) -> Result<String, CsvError> {
        let mut parser = Parser::new(data, options)?;
        let mut records = Vec::new();
        while let Some(record) = parser.next_record()? {
            records.push(match record {
                Record::Fields(fields) => fields.join("|"),
                Record::Object(pairs) => {
                    let pairs: Vec<String> = pairs
                        .iter()
                        .map(|(name, value)| format!("{name}={value}"))
                        .collect();
                    pairs.join("|")
                }
            });
        }
        Ok(records.join(" / "))
    }

    #[track_caller]
    fn check(data: &str, options: &Options, expected: &str) {
        let text = read(data, options).unwrap_or_else(|error| error.to_string());
        assert_eq!(text, expected, "{options:?}");
    }

    #[test]
    fn records_are_those_of_k6() {
        let all = Options::default;
        let rest = "b, ob|2 \"q\" / car l| 3  / multi|a\nb / last|9";
        check(PEOPLE, &all(), &format!("name|age / ann|1 / {rest}"));
        check(
            PEOPLE,
            &Options {
                skip_first_line: true,
                ..all()
            },
            &format!("ann|1 / {rest}"),
        );
        check(
            PEOPLE,
            &Options {
                from_line: 2,
                ..all()
            },
            rest,
        );
        check(
            PEOPLE,
            &Options {
                from_line: 2,
                skip_first_line: true,
                ..all()
            },
            rest,
        );
        check(
            PEOPLE,
            &Options {
                from_line: 1,
                to_line: Some(2),
                ..all()
            },
            "ann|1 / b, ob|2 \"q\"",
        );
        check(
            PEOPLE,
            &Options {
                to_line: Some(2),
                ..all()
            },
            "name|age / ann|1 / b, ob|2 \"q\"",
        );
        check(
            PEOPLE,
            &Options {
                to_line: Some(0),
                ..all()
            },
            &format!("name|age / ann|1 / {rest}"),
        );
        let objects = Options {
            as_objects: true,
            to_line: Some(2),
            ..all()
        };
        check(PEOPLE, &objects, "name=ann|age=1 / name=b, ob|age=2 \"q\"");
        let semicolon = Options {
            delimiter: ";".to_owned(),
            ..all()
        };
        check(
            "a;b\r\n1;2\r\n3;\"x\r\ny\"\r\n",
            &semicolon,
            "a|b / 1|2 / 3|x\ny",
        );
        check("a,b\n,\n1,\n", &all(), "a|b / | / 1|");
        check("", &all(), "");
    }

    #[test]
    fn contradictory_options_are_refused_with_the_text_of_k6() {
        let all = Options::default;
        for (options, expected) in [
            (
                Options {
                    delimiter: ";;".to_owned(),
                    ..all()
                },
                "delimiter must be a single character",
            ),
            (
                Options {
                    delimiter: String::new(),
                    ..all()
                },
                "delimiter must be a single character",
            ),
            (
                Options {
                    delimiter: "\n".to_owned(),
                    ..all()
                },
                "csv: invalid field or comment delimiter",
            ),
            (
                Options {
                    from_line: 3,
                    to_line: Some(2),
                    ..all()
                },
                "fromLine must be less than or equal to toLine",
            ),
            (
                Options {
                    from_line: -1,
                    ..all()
                },
                "the 'fromLine' option must be greater than or equal to 0; got -1",
            ),
            (
                Options {
                    from_line: 99,
                    ..all()
                },
                "failed to skip lines until line 99; reason: EOF",
            ),
            (
                Options {
                    as_objects: true,
                    skip_first_line: true,
                    ..all()
                },
                "the 'header' option cannot be enabled when 'skipFirstLine' is true",
            ),
            (
                Options {
                    as_objects: true,
                    from_line: 2,
                    ..all()
                },
                "the 'header' option cannot be enabled when 'fromLine' is set to a value greater than 0",
            ),
        ] {
            check(PEOPLE, &options, expected);
        }
    }

    #[test]
    fn malformed_csv_is_reported_with_its_place() {
        for (data, expected) in [
            (
                "a,b\n1\n2,3,4\n",
                "record on line 2: wrong number of fields",
            ),
            (
                "a,b\n1,x\"y\n",
                "parse error on line 2, column 4: bare \" in non-quoted-field",
            ),
            (
                "a,b\n2,\"z\"w\n",
                "parse error on line 2, column 5: extraneous or missing \" in quoted-field",
            ),
            (
                "a\n\"x\ny",
                "record on line 2; parse error on line 3, column 2: extraneous or missing \" in quoted-field",
            ),
        ] {
            check(data, &Options::default(), expected);
        }
    }
}
