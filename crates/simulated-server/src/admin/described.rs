//! The admin API's own description, and the page to try it.

use std::sync::Arc;

use axum::routing::get;
use axum::{Json, Router};
use serde_json::Value;
use service_runtime::api_page;

/// What every simulated server offers, as OpenAPI.
const COMMON: &str = include_str!("../../admin.json");

/// `/__admin/openapi.json` and `/__admin/docs` for a server called `name`, whose own operations are
/// `paths`, an object of OpenAPI paths as JSON.
///
/// # Panics
/// `paths` is not such an object, which a test of each server rules out.
pub fn described(name: &str, paths: &str) -> Router {
    let document = Arc::new(document(name, paths));
    let show = get(move || {
        let document = document.clone();
        async move { Json(document.as_ref().clone()) }
    });
    let title = format!("{name}: admin API");
    Router::new()
        .route("/__admin/openapi.json", show)
        .merge(api_page::routes::<()>(
            &title,
            "/__admin/docs",
            "/__admin/openapi.json",
        ))
}

fn document(name: &str, paths: &str) -> Value {
    let mut document: Value = serde_json::from_str(COMMON).expect("it is JSON");
    document["info"]["title"] = format!("{name}: admin API").into();
    let own: Value = serde_json::from_str(paths).expect("the server's own paths are JSON");
    for (path, operations) in own.as_object().expect("paths are an object") {
        document["paths"][path] = operations.clone();
    }
    document
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reference_of_the_description_is_there() {
        let document = document("it", "{}");
        let text = document.to_string();
        let references = text.split("\"$ref\":\"#").skip(1);
        let references: Vec<&str> = references
            .filter_map(|rest| rest.split('"').next())
            .collect();
        assert!(references.len() > 10, "{references:?}");
        for reference in references {
            assert!(document.pointer(reference).is_some(), "{reference}");
        }
    }
}
