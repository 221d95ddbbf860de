//! A unary gRPC call: one message, one status.

use http_body_util::BodyExt;
use reqwest::Client;
use reqwest::header::HeaderMap;

use crate::push::{PushError, causes};

/// Calls the method at `url` with one message; the content of the response is ignored.
pub(super) async fn call(client: &Client, url: &str, message: &[u8]) -> Result<(), PushError> {
    let failed = |error: reqwest::Error| PushError::Request(causes(&error));
    let length = u32::try_from(message.len())
        .map_err(|_| PushError::Request("the message is too long for gRPC".to_owned()))?;
    // The flag for "not compressed", the length, the message.
    let mut body = vec![0];
    body.extend(length.to_be_bytes());
    body.extend(message);
    let request = client.post(url).body(body);
    let request = request
        .header("Content-Type", "application/grpc")
        .header("TE", "trailers");
    let response = request.send().await.map_err(failed)?;
    let status = response.status().as_u16();
    if status != 200 {
        let answer = String::new();
        return Err(PushError::Status { status, answer });
    }
    // A call that fails at once has its status in the headers, others in the trailers.
    if let Some(result) = outcome(response.headers()) {
        return result;
    }
    let body = reqwest::Body::from(response).collect().await;
    let body = body.map_err(failed)?;
    let trailers = body.trailers().and_then(outcome);
    trailers.unwrap_or_else(|| Err(PushError::Request("the call has no gRPC status".to_owned())))
}

fn outcome(headers: &HeaderMap) -> Option<Result<(), PushError>> {
    let text = |name: &str| Some(headers.get(name)?.to_str().ok()?.to_owned());
    let code = text("grpc-status")?;
    if code == "0" {
        return Some(Ok(()));
    }
    let message = text("grpc-message").unwrap_or_default();
    Some(Err(PushError::Request(format!(
        "gRPC status {code}: {message}"
    ))))
}
