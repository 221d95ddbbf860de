//! Bodies of the admin API: read completely, or refused so that the client receives the error, however it sends
//! them.

use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use axum::extract::Request;
use axum::http::{StatusCode, header};
use axum::middleware::Next;
use axum::response::Response;
use http_body_util::{BodyExt, LengthLimitError, Limited};

/// The longest body that is read.
pub const MOST_BYTES: usize = 2 << 20;
/// The maximum number of bytes of an overlong body that are read and discarded, since a client that sends the
/// body at once reads no response before it has sent everything.
const THROWN_AWAY_BYTES: u64 = 64 << 20;
const THROWN_AWAY_FOR: Duration = Duration::from_secs(10);

/// Reads the body before the request continues. A body that is announced as too long is not read.
pub async fn whole(request: Request, next: Next) -> Response {
    let (parts, mut body) = request.into_parts();
    let announced = body.size_hint().lower() > MOST_BYTES as u64;
    if announced && parts.headers.contains_key(header::EXPECT) {
        return too_long();
    }
    if announced {
        throw_away(&mut body).await;
        return too_long();
    }
    match Limited::new(&mut body, MOST_BYTES).collect().await {
        Ok(read) => {
            let request = Request::from_parts(parts, Body::from(read.to_bytes()));
            next.run(request).await
        }
        Err(error) if error.is::<LengthLimitError>() => {
            throw_away(&mut body).await;
            too_long()
        }
        Err(error) => {
            let message = format!("the body could not be read completely: {error}");
            super::error(StatusCode::BAD_REQUEST, "body", message)
        }
    }
}

/// Discards the rest, within bounds, so that the client can finish sending.
pub async fn throw_away<B: HttpBody<Data = Bytes> + Unpin>(body: &mut B) {
    let reading = async {
        let mut bytes = 0;
        while bytes < THROWN_AWAY_BYTES
            && let Some(Ok(frame)) = body.frame().await
        {
            bytes += frame.data_ref().map_or(0, Bytes::len) as u64;
        }
    };
    drop(tokio::time::timeout(THROWN_AWAY_FOR, reading).await);
}

/// The response to a body that is longer than [`MOST_BYTES`].
pub fn too_long() -> Response {
    let message = format!("the body is longer than {MOST_BYTES} bytes");
    super::error(StatusCode::PAYLOAD_TOO_LARGE, "too_long", message)
}
