//! `GET /openapi.json` and `/docs`: the API's description, and a page to try it that needs nothing
//! from elsewhere.

use axum::response::{Html, IntoResponse, Response};
use http::{HeaderValue, header};

const OPENAPI: &str = include_str!("../../openapi.json");
const PAGE: &str = include_str!("../../docs.html");

pub async fn openapi() -> Response {
    let json = HeaderValue::from_static("application/json");
    ([(header::CONTENT_TYPE, json)], OPENAPI).into_response()
}

pub async fn page() -> Html<&'static str> {
    Html(PAGE)
}
