//! Small HTTP calls of the commands themselves.

use std::error::Error;
use std::time::Duration;

use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::Bytes;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;

/// Longer answers are refused.
const MOST_BYTES: usize = 16 * 1024 * 1024;
const PATIENCE: Duration = Duration::from_secs(5);

/// The body of a successful `GET`.
///
/// # Errors
/// No connection, no success, no UTF-8, too long, or nothing within 5 s.
pub async fn get_text(url: &str) -> Result<String, Box<dyn Error + Send + Sync>> {
    let client = Client::builder(TokioExecutor::new()).build_http::<Empty<Bytes>>();
    let call = async {
        let response = client.get(url.parse()?).await?;
        let status = response.status();
        let body = Limited::new(response.into_body(), MOST_BYTES)
            .collect()
            .await?
            .to_bytes();
        if !status.is_success() {
            return Err(format!("{url} answered {status}").into());
        }
        Ok(String::from_utf8(body.to_vec())?)
    };
    tokio::time::timeout(PATIENCE, call).await?
}
