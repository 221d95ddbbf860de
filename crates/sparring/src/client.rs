//! Small HTTP calls of the commands themselves.

use std::error::Error;
use std::time::Duration;

use http_body_util::{BodyExt, Full, Limited};
use hyper::Request;
use hyper::body::Bytes;
use hyper_util::client::legacy::{self, Client};
use hyper_util::rt::TokioExecutor;

use crate::terminal;

/// The maximum size of a response.
const MOST_BYTES: usize = 16 * 1024 * 1024;
const PATIENCE: Duration = Duration::from_secs(5);

/// The body of a successful `GET`.
///
/// # Errors
/// There is no connection or no response within 5 s, or the response is an error, too long, or not UTF-8.
pub async fn get_text(url: &str) -> Result<String, Box<dyn Error + Send + Sync>> {
    call(Request::get(url).body(Full::default())?).await
}

async fn call(request: Request<Full<Bytes>>) -> Result<String, Box<dyn Error + Send + Sync>> {
    let client = Client::builder(TokioExecutor::new()).build_http();
    let url = request.uri().clone();
    let call = async {
        let unreachable = |error: legacy::Error| {
            format!(
                "{url} cannot be reached; is it running? ({})",
                cause(&error)
            )
        };
        let response = client.request(request).await.map_err(unreachable)?;
        let status = response.status();
        let body = Limited::new(response.into_body(), MOST_BYTES)
            .collect()
            .await?
            .to_bytes();
        let text = String::from_utf8(body.to_vec())?;
        if !status.is_success() {
            return Err(format!("{url} answered {status}: {}", text.trim()).into());
        }
        Ok(text)
    };
    let late = |_| format!("{url} did not answer within {} s", PATIENCE.as_secs());
    tokio::time::timeout(PATIENCE, call).await.map_err(late)?
}

/// The system's message if the error concerns the connection, otherwise the innermost message.
fn cause(error: &(dyn Error + 'static)) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    let system = innermost.downcast_ref::<std::io::Error>();
    system.map_or_else(|| innermost.to_string(), terminal::plain)
}
