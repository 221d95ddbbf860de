//! The shared secret of a run on several machines.

use axum::extract::Request;
use axum::http::{StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

/// The variable that holds it.
pub const TOKEN_VARIABLE: &str = "SPARRING_TOKEN";

/// Passes on requests with the token.
pub async fn check(expected: String, request: Request, next: Next) -> Response {
    let given = request.headers().get(header::AUTHORIZATION);
    let given = given.and_then(|value| value.as_bytes().strip_prefix(b"Bearer "));
    if given.is_some_and(|given| is_equal(given, expected.as_bytes())) {
        return next.run(request).await;
    }
    let text = format!("the token of {TOKEN_VARIABLE} is missing or wrong");
    (StatusCode::UNAUTHORIZED, text).into_response()
}

/// Constant-time comparison.
fn is_equal(a: &[u8], b: &[u8]) -> bool {
    let differ = a.iter().zip(b).fold(0, |differ, (a, b)| differ | (a ^ b));
    a.len() == b.len() && std::hint::black_box(differ) == 0
}

#[cfg(test)]
mod tests {
    use super::is_equal;

    #[test]
    fn only_the_same_token_is_equal() {
        assert!(is_equal(b"abc", b"abc"));
        for other in [&b"abd"[..], b"ab", b"abcd", b""] {
            assert!(!is_equal(other, b"abc"), "{other:?}");
        }
    }
}
