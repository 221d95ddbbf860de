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

pub(crate) async fn exceptions(page: Shown) -> Response {
    file(page, "_exceptions.csv", "exceptions.csv")
}

/// One of Locust's files, of the test in progress or the last one.
fn file(State(page): Shown, of_export: &str, name: &str) -> Response {
    let (run, test) = (record(&page.board), current(&page.board));
    let files = report::export::locust(&run, &test, "locust");
    let found = files
        .into_iter()
        .find(|file| file.name.ends_with(of_export));
    let headers = [
        (header::CONTENT_TYPE, "text/csv".to_owned()),
        (
            header::CONTENT_DISPOSITION,
            format!("attachment; filename={name}"),
        ),
    ];
    let bytes = found.map(|file| file.bytes).unwrap_or_default();
    (headers, bytes).into_response()
}
