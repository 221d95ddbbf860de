//! Responses for everything else: unknown paths and wrong methods.

use axum::extract::Request;
use axum::response::Response;
use detector_api::orchestrate::ErrorCode;

use super::request_id;
use crate::error::ApiError;

pub async fn not_found(request: Request) -> Response {
    let error = ApiError::new(ErrorCode::NotFound, "no such path; see the API description");
    error.into_response(&request_id(request.headers()))
}

pub async fn method_not_allowed(request: Request) -> Response {
    let message = "this path does not support the method; see the Allow header";
    let error = ApiError::new(ErrorCode::MethodNotAllowed, message);
    error.into_response(&request_id(request.headers()))
}
