//! Locust's measurements, read from the CSV files that it writes.

use std::path::Path;

use load_engine::system_errors::without_numbers;
use serde_json::{Value, json};

/// Columns of `_stats.csv` and their names here; all of them are Locust's own values, in milliseconds.
const COLUMNS: [(&str, &str); 12] = [
    ("Request Count", "requests"),
    ("Failure Count", "failures"),
    ("Requests/s", "requests_per_s"),
    ("Average Response Time", "average_ms"),
    ("Median Response Time", "median_ms"),
    ("Min Response Time", "min_ms"),
    ("Max Response Time", "max_ms"),
    ("90%", "p90_ms"),
    ("95%", "p95_ms"),
    ("99%", "p99_ms"),
    ("99.9%", "p99_9_ms"),
    ("100%", "p100_ms"),
];

/// `total`, `endpoints` and `errors` of the files whose names begin with `output`.
pub fn read(output: &Path) -> Result<Vec<(&'static str, Value)>, String> {
    let stats = rows(output, "_stats.csv")?;
    let (total, endpoints): (Vec<&Row>, Vec<&Row>) = stats
        .iter()
        .partition(|row| row.get("Name") == Some("Aggregated"));
    let total = total.first().ok_or("_stats.csv has no line `Aggregated`")?;
    let endpoints: Vec<Value> = endpoints.into_iter().map(endpoint).collect();
    let failures = rows(output, "_failures.csv")?;
    let errors: Vec<Value> = failures
        .iter()
        .map(|row| {
            json!({
                "method": row.get("Method"),
                "name": row.get("Name"),
                "error": row.get("Error"),
                "occurrences": row.number("Occurrences"),
            })
        })
        .collect();
    Ok(vec![
        ("total", figures(total)),
        ("endpoints", Value::Array(endpoints)),
        ("errors", Value::Array(errors)),
    ])
}

fn endpoint(row: &Row) -> Value {
    let mut endpoint = figures(row);
    endpoint["method"] = json!(row.get("Type"));
    endpoint["name"] = json!(row.get("Name"));
    endpoint
}

fn figures(row: &Row) -> Value {
    let mut figures = json!({});
    for (column, name) in COLUMNS {
        figures[name] = row.number(column);
    }
    figures
}

/// A line of a file with its header.
struct Row {
    header: csv::StringRecord,
    fields: csv::StringRecord,
}

impl Row {
    fn get(&self, column: &str) -> Option<&str> {
        let place = self.header.iter().position(|name| name == column)?;
        self.fields.get(place)
    }

    /// Whole numbers stay whole; `N/A` is null.
    fn number(&self, column: &str) -> Value {
        let text = self.get(column).unwrap_or_default();
        let whole = text.parse::<u64>().ok().map(Value::from);
        let number = whole.or_else(|| text.parse::<f64>().ok().map(Value::from));
        number.unwrap_or(Value::Null)
    }
}

fn rows(output: &Path, ending: &str) -> Result<Vec<Row>, String> {
    let mut path = output.as_os_str().to_owned();
    path.push(ending);
    let unreadable = |error: csv::Error| {
        let path = Path::new(&path).display();
        let error = without_numbers(&error.to_string());
        format!("{path} cannot be read: {error}; Locust's log beside it may say why")
    };
    let mut reader = csv::Reader::from_path(&path).map_err(unreadable)?;
    let header = reader.headers().map_err(unreadable)?.clone();
    let rows = reader.records().map(|fields| {
        Ok(Row {
            header: header.clone(),
            fields: fields.map_err(unreadable)?,
        })
    });
    rows.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const STATS: &str = "\
Type,Name,Request Count,Failure Count,Median Response Time,Average Response Time,Min Response Time,Max Response Time,Average Content Size,Requests/s,Failures/s,50%,66%,75%,80%,90%,95%,98%,99%,99.9%,99.99%,100%
GET,\"/a,b\",10,1,5,5.5,1.25,9,100.0,2.0,0.2,5,6,7,8,9,9,9,9,9,9,9
,Aggregated,10,1,5,5.5,1.25,9,100.0,2.0,0.2,5,6,7,8,9,9,9,9,N/A,9,9
";

    #[test]
    fn the_files_become_totals_endpoints_and_errors() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let output = folder.path().join("load");
        assert!(read(&output).is_err_and(|why| why.contains("load_stats.csv")));
        std::fs::write(folder.path().join("load_stats.csv"), STATS).expect("written");
        let failures = "Method,Name,Error,Occurrences\nGET,\"/a,b\",Status code: 500,1\n";
        std::fs::write(folder.path().join("load_failures.csv"), failures).expect("written");
        let found: serde_json::Map<String, Value> = read(&output)
            .expect("readable")
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value))
            .collect();
        assert_eq!(found["total"]["requests"], 10);
        assert_eq!(found["total"]["p95_ms"], 9);
        assert_eq!(found["total"]["p99_9_ms"], Value::Null);
        assert_eq!(found["endpoints"][0]["name"], "/a,b");
        assert_eq!(found["endpoints"][0]["min_ms"], 1.25);
        assert_eq!(found["errors"][0]["occurrences"], 1);
    }
}
