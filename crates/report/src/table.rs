//! A table, independent of HTML and Markdown.

use std::fmt::Write as _;

use crate::escape::{escape, markdown};
use crate::number::DASH;

/// Rows under headings. Each row has as many cells as there are columns.
#[derive(Debug, Clone, Default)]
pub struct Table {
    pub caption: String,
    pub columns: Vec<Column>,
    pub rows: Vec<Row>,
    /// Number of rows that are not shown; the table states it.
    pub folded: usize,
    /// The name of the folded rows, such as `endpoints`.
    pub folded_name: &'static str,
}

#[derive(Debug, Clone)]
pub struct Column {
    pub title: String,
    /// Figures are right-aligned.
    pub is_figure: bool,
}

#[derive(Debug, Clone, Default)]
pub struct Row {
    pub cells: Vec<Cell>,
}

/// The text of a cell; on pages also a mark and a drawing.
#[derive(Debug, Clone, Default)]
pub struct Cell {
    pub text: String,
    /// A class of the style sheet.
    pub mark: Option<&'static str>,
    /// Trusted HTML after the text.
    pub drawing: Option<String>,
}

impl Table {
    /// Creates columns by title; a title that begins with `#` marks a column of figures.
    pub fn new(caption: impl Into<String>, columns: &[&str]) -> Self {
        Self {
            caption: caption.into(),
            columns: columns
                .iter()
                .map(|title| Column {
                    title: title.trim_start_matches('#').to_owned(),
                    is_figure: title.starts_with('#'),
                })
                .collect(),
            ..Self::default()
        }
    }

    pub fn row(&mut self, cells: Vec<Cell>) {
        self.rows.push(Row { cells });
    }

    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Leaves out columns in which every cell is a dash.
    #[must_use]
    pub fn without_empty_columns(mut self) -> Self {
        if self.rows.is_empty() {
            return self;
        }
        for at in (1..self.columns.len()).rev() {
            let is_empty = |row: &Row| {
                row.cells
                    .get(at)
                    .is_none_or(|cell| cell.drawing.is_none() && cell.text == DASH)
            };
            if self.rows.iter().all(is_empty) {
                self.columns.remove(at);
                for row in &mut self.rows {
                    row.cells.remove(at);
                }
            }
        }
        self
    }

    /// HTML, in a box that scrolls separately on narrow pages.
    pub fn to_html(&self) -> String {
        let caption = escape(&self.caption);
        let mut html = format!(
            "<div class=\"scroll\" tabindex=\"0\" role=\"group\" aria-label=\"{caption}\"><table>\
             <caption>{caption}</caption><thead><tr>"
        );
        for column in &self.columns {
            let class = if column.is_figure { " class=\"n\"" } else { "" };
            let _ = write!(
                html,
                "<th scope=\"col\"{class}>{}</th>",
                escape(&column.title)
            );
        }
        html.push_str("</tr></thead><tbody>\n");
        for row in &self.rows {
            self.row_html(row, &mut html);
        }
        html.push_str("</tbody></table></div>\n");
        if let Some(note) = self.fold_note() {
            let _ = writeln!(html, "<p class=\"note\">{}</p>", escape(&note));
        }
        html
    }

    fn row_html(&self, row: &Row, html: &mut String) {
        html.push_str("<tr>");
        for (at, cell) in row.cells.iter().enumerate() {
            let is_figure = self.columns.get(at).is_some_and(|column| column.is_figure);
            let class = match (is_figure, cell.mark) {
                (true, Some(mark)) => format!(" class=\"n {mark}\""),
                (true, None) => " class=\"n\"".to_owned(),
                (false, Some(mark)) => format!(" class=\"{mark}\""),
                (false, None) => String::new(),
            };
            let (open, close) = if at == 0 {
                ("th scope=\"row\"", "th")
            } else {
                ("td", "td")
            };
            let text = escape(&cell.text);
            let drawing = cell.drawing.as_deref().unwrap_or_default();
            let _ = write!(html, "<{open}{class}>{text}{drawing}</{close}>");
        }
        html.push_str("</tr>\n");
    }

    /// A table in GitHub's Markdown.
    pub fn to_markdown(&self) -> String {
        let mut text = String::from("|");
        for column in &self.columns {
            let _ = write!(text, " {} |", markdown(&column.title));
        }
        text.push_str("\n|");
        for column in &self.columns {
            text.push_str(if column.is_figure {
                " ---: |"
            } else {
                " --- |"
            });
        }
        text.push('\n');
        for row in &self.rows {
            text.push('|');
            for cell in &row.cells {
                let _ = write!(text, " {} |", markdown(&cell.text));
            }
            text.push('\n');
        }
        if let Some(note) = self.fold_note() {
            let _ = write!(text, "\n{note}\n");
        }
        text
    }

    fn fold_note(&self) -> Option<String> {
        (self.folded > 0).then(|| {
            format!(
                "{} more {} are not shown here; report.json and the CSV files have all.",
                crate::number::count(self.folded as u64),
                self.folded_name
            )
        })
    }
}

impl Cell {
    pub fn marked(text: impl Into<String>, mark: &'static str) -> Self {
        Self {
            text: text.into(),
            mark: Some(mark),
            drawing: None,
        }
    }
}

impl From<String> for Cell {
    fn from(text: String) -> Self {
        Self {
            text,
            ..Self::default()
        }
    }
}

impl From<&str> for Cell {
    fn from(text: &str) -> Self {
        Self::from(text.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        let mut table = Table::new("Endpoints", &["name", "#p95", "#never"]);
        table.row(vec!["<a|b>".into(), "1.0".into(), DASH.into()]);
        table.folded = 7;
        table.folded_name = "endpoints";
        table
    }

    #[test]
    fn cells_are_escaped_and_headings_have_a_scope() {
        let html = table().to_html();
        assert!(
            html.contains("<th scope=\"row\">&lt;a|b&gt;</th>"),
            "{html}"
        );
        assert!(
            html.contains("<th scope=\"col\" class=\"n\">p95</th>"),
            "{html}"
        );
        assert!(html.contains("7 more endpoints"), "{html}");
    }

    #[test]
    fn markdown_has_one_line_per_row() {
        let text = table().without_empty_columns().to_markdown();
        assert!(
            text.starts_with("| name | p95 |\n| --- | ---: |\n| \\<a\\|b\\> | 1.0 |\n"),
            "{text}"
        );
    }
}
