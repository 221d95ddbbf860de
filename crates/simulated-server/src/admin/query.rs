//! The query of a request to the admin API.

use axum::extract::{FromRequestParts, Query};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::Response;
use serde::de::DeserializeOwned;

use super::error;

/// A query of a request. An invalid query is answered with 422, the parameter and a hint.
#[derive(Debug, Clone, Copy)]
pub struct CheckedQuery<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for CheckedQuery<T> {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Response> {
        match Query::try_from_uri(&parts.uri) {
            Ok(Query(query)) => Ok(Self(query)),
            Err(rejection) => {
                let query = parts.uri.query().unwrap_or_default();
                let message = told(&rejection.body_text(), query);
                Err(error(StatusCode::UNPROCESSABLE_ENTITY, "query", message))
            }
        }
    }
}

/// The number parser's message, and its replacement.
const NUMBERS: [(&str, &str); 6] = [
    (
        "invalid digit found in string",
        "use a whole number of at least 0",
    ),
    (
        "cannot parse integer from empty string",
        "use a whole number of at least 0",
    ),
    (
        "number too large to fit in target type",
        "the number is too large",
    ),
    ("invalid float literal", "use a number"),
    ("cannot parse float from empty string", "use a number"),
    (
        "provided string was not `true` or `false`",
        "use true or false",
    ),
];

/// The parser's message, rephrased for people who write queries.
fn told(message: &str, query: &str) -> String {
    let message = message
        .strip_prefix("Failed to deserialize query string: ")
        .unwrap_or(message);
    if let Some(rest) = message.split("unknown field ").nth(1) {
        let mut names = rest.split('`').skip(1).step_by(2);
        let unknown = names.next().unwrap_or_default();
        let known: Vec<&str> = names.collect();
        let known = known.join(", ");
        return format!("unknown parameter `{unknown}`; known here: {known}");
    }
    let Some((name, error)) = message.split_once(": ") else {
        return message.to_owned();
    };
    let mut given = url_pairs(query).filter(|(known, _)| known == name);
    let given = given.next().map_or_else(String::new, |(_, value)| value);
    let hint = NUMBERS.iter().find(|(said, _)| error.contains(said));
    match hint {
        Some((_, hint)) => format!("{name}: `{given}`: {hint}"),
        None => format!("{name}: {error}"),
    }
}

fn url_pairs(query: &str) -> impl Iterator<Item = (String, String)> {
    query.split('&').map(|pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        (name.to_owned(), value.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Default, Deserialize)]
    #[serde(deny_unknown_fields, default)]
    struct Wanted {
        n: u64,
        share: f64,
        on: bool,
    }

    #[test]
    fn a_wrong_query_is_told_with_its_parameter_and_a_hint() {
        for (query, expected) in [
            ("n=abc", "n: `abc`: use a whole number of at least 0"),
            ("n=-1", "n: `-1`: use a whole number of at least 0"),
            ("n=1.5", "n: `1.5`: use a whole number of at least 0"),
            ("n=", "n: ``: use a whole number of at least 0"),
            (
                "n=99999999999999999999999",
                "n: `99999999999999999999999`: the number is too large",
            ),
            ("share=half", "share: `half`: use a number"),
            ("on=maybe", "on: `maybe`: use true or false"),
            ("m=1", "unknown parameter `m`; known here: n, share, on"),
        ] {
            let uri = format!("/?{query}").parse().expect("a URI");
            let rejection = Query::<Wanted>::try_from_uri(&uri).expect_err(query);
            assert_eq!(told(&rejection.body_text(), query), expected);
        }
    }
}
