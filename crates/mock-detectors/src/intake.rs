//! Request bodies: read completely, or refused so that the client receives the error.

use std::error::Error;
use std::io::{self, ErrorKind};

use bytes::Bytes;
use http_body::Body;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper::http::request::Parts;
use hyper::{HeaderMap, header};
use simulated_server::admin::take_in::throw_away;

/// The result of reading a body.
pub(crate) enum BodyResult {
    Whole(Bytes),
    TooLong,
    /// Its framing is malformed.
    Malformed(String),
}

/// Reads a body of up to `most` bytes. A body that is announced as longer is not read.
///
/// # Errors
/// The connection broke.
pub(crate) async fn take_in(
    parts: &Parts,
    mut body: Incoming,
    most: usize,
) -> Result<BodyResult, Box<dyn Error + Send + Sync>> {
    if is_announced_longer(&parts.headers, &body, most) {
        return Ok(BodyResult::TooLong);
    }
    match Limited::new(&mut body, most).collect().await {
        Ok(body) => Ok(BodyResult::Whole(body.to_bytes())),
        Err(error) if error.is::<LengthLimitError>() => {
            throw_away(&mut body).await;
            Ok(BodyResult::TooLong)
        }
        Err(error) => match malformed(error.as_ref()) {
            Some(why) => Ok(BodyResult::Malformed(why)),
            None => Err(error),
        },
    }
}

/// Whether the client waits for `100 Continue` before a body that is too long. Not reading it declines.
fn is_announced_longer(headers: &HeaderMap, body: &Incoming, most: usize) -> bool {
    let waits = headers
        .get(header::EXPECT)
        .is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"100-continue"));
    waits && body.size_hint().lower() > most as u64
}

/// The framing error, if it is one and not an error of the connection.
fn malformed(error: &(dyn Error + 'static)) -> Option<String> {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref::<io::Error>()
            && matches!(
                error.kind(),
                ErrorKind::InvalidInput | ErrorKind::InvalidData
            )
        {
            return Some(error.to_string());
        }
        cause = error.source();
    }
    None
}
