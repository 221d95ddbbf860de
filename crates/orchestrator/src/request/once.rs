//! Headers that identify a request and its tenant. A duplicate with different values is ambiguous: a proxy may
//! have used the other one.

use http::{HeaderMap, HeaderValue};

use crate::error::ApiError;

/// The value of a header.
///
/// # Errors
/// INVALID_REQUEST: it appears more than once with different values.
pub fn single<'a>(headers: &'a HeaderMap, name: &str) -> Result<Option<&'a HeaderValue>, ApiError> {
    let mut values = headers.get_all(name).iter();
    let first = values.next();
    if values.any(|value| Some(value) != first) {
        let message = "occurs more than once with different values; send one";
        return Err(ApiError::invalid(name, message));
    }
    Ok(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repeated_header_is_accepted_only_with_the_same_value() {
        for (values, expected) in [
            (&[][..], Ok(None)),
            (&["a"], Ok(Some("a"))),
            (&["a", "a"], Ok(Some("a"))),
            (&["a", "b"], Err(())),
            (&["a", "a", "b"], Err(())),
            (&["a", ""], Err(())),
        ] {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append("x-tenant-id", HeaderValue::from_static(value));
            }
            let found = single(&headers, "X-Tenant-ID");
            let found = found.map(|value| value.map(|it| it.to_str().expect("ASCII")));
            assert_eq!(found.map_err(drop), expected, "{values:?}");
        }
    }
}
