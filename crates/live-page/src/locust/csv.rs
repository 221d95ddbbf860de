//! The files for download in Locust's page.

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};

use crate::record::{current, record};
use crate::routes::Shown;

pub(crate) async fn requests(page: Shown) -> Response {
    file(page, "_stats.csv", "requests.csv")
}

pub(crate) async fn history(page: Shown) -> Response {
    file(page, "_stats_history.csv", "requests_full_history.csv")
}

pub(crate) async fn failures(page: Shown) -> Response {
    file(page, "_failures.csv", "failures.csv")
}

pub(crate) async fn exceptions(State(page): Shown) -> Response {
    let mut text = "Count,Message,Traceback,Nodes\r\n".to_owned();
    for (message, count) in &page.board.lock().exceptions {
        text.push_str(&format!(
            "{count},\"{}\",,local\r\n",
            message.replace('"', "\"\"")
        ));
    }
    download("exceptions.csv", text.into_bytes())
}

/// One of Locust's files, of the test in progress or the last one.
fn file(State(page): Shown, of_export: &str, name: &str) -> Response {
    let (run, test) = (record(&page.board), current(&page.board));
    let files = report::export::locust(&run, &test, "locust");
    let found = files
        .into_iter()
        .find(|file| file.name.ends_with(of_export));
    download(name, found.map(|file| file.bytes).unwrap_or_default())
}

fn download(name: &str, bytes: Vec<u8>) -> Response {
    let disposition = format!("attachment; filename={name}");
    let headers = [
        (header::CONTENT_TYPE, "text/csv".to_owned()),
        (header::CONTENT_DISPOSITION, disposition),
    ];
    (headers, bytes).into_response()
}
