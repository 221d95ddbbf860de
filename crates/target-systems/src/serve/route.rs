//! Finds the endpoint of a method and a path.

use std::collections::BTreeMap;

use percent_encoding::percent_decode_str;

use crate::document::Document;

/// The routes of a document in its order.
#[derive(Debug)]
pub(super) struct Routes(Vec<Route>);

#[derive(Debug)]
struct Route {
    method: String,
    segments: Vec<Segment>,
}

#[derive(Debug)]
enum Segment {
    Fixed(String),
    Parameter(String),
}

/// The result of matching a path.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// Index of the endpoint, and the parameters of the path.
    Endpoint(usize, BTreeMap<String, String>),
    /// The path exists with these methods.
    OtherMethods(Vec<String>),
    Nothing,
}

impl Routes {
    pub(super) fn new(document: &Document) -> Self {
        let route = |text: &String| {
            let (method, path) = text.split_once(' ').unwrap_or(("GET", text));
            Route {
                method: method.to_owned(),
                segments: pieces(path).map(Segment::new).collect(),
            }
        };
        Self(
            document
                .endpoints
                .values()
                .map(|endpoint| route(&endpoint.route))
                .collect(),
        )
    }

    /// A fixed segment takes precedence over a parameter if both match.
    pub(super) fn find(&self, method: &str, path: &str) -> Found {
        // A HEAD is a GET whose response has no body.
        let method = if method == "HEAD" { "GET" } else { method };
        let given: Vec<&str> = pieces(path).collect();
        let mut fitting: Vec<(usize, &Route)> = self
            .0
            .iter()
            .enumerate()
            .filter(|(_, route)| route.fits(&given))
            .collect();
        fitting.sort_by_key(|(_, route)| route.parameters());
        if let Some((place, route)) = fitting.iter().find(|(_, route)| route.method == method) {
            return Found::Endpoint(*place, route.values(&given));
        }
        let mut methods: Vec<String> = fitting
            .iter()
            .map(|(_, route)| route.method.clone())
            .collect();
        if methods.iter().any(|method| method == "GET") {
            methods.push("HEAD".to_owned());
        }
        methods.sort();
        methods.dedup();
        if methods.is_empty() {
            Found::Nothing
        } else {
            Found::OtherMethods(methods)
        }
    }
}

fn pieces(path: &str) -> impl Iterator<Item = &str> {
    path.strip_prefix('/').unwrap_or(path).split('/')
}

impl Segment {
    fn new(text: &str) -> Self {
        match text
            .strip_prefix('{')
            .and_then(|rest| rest.strip_suffix('}'))
        {
            Some(name) => Self::Parameter(name.to_owned()),
            None => Self::Fixed(text.to_owned()),
        }
    }
}

impl Route {
    fn fits(&self, given: &[&str]) -> bool {
        let same = |(segment, text): (&Segment, &&str)| match segment {
            Segment::Fixed(fixed) => fixed == text,
            Segment::Parameter(_) => !text.is_empty(),
        };
        self.segments.len() == given.len() && self.segments.iter().zip(given).all(same)
    }

    fn parameters(&self) -> usize {
        self.segments
            .iter()
            .filter(|one| matches!(one, Segment::Parameter(_)))
            .count()
    }

    fn values(&self, given: &[&str]) -> BTreeMap<String, String> {
        let value = |(segment, text): (&Segment, &&str)| match segment {
            Segment::Parameter(name) => Some((
                name.clone(),
                percent_decode_str(text).decode_utf8_lossy().into_owned(),
            )),
            Segment::Fixed(_) => None,
        };
        self.segments.iter().zip(given).filter_map(value).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn routes() -> Routes {
        let route = |method: &str, path: &str| Route {
            method: method.to_owned(),
            segments: pieces(path).map(Segment::new).collect(),
        };
        Routes(vec![
            route("POST", "/workflow/{id}/step"),
            route("POST", "/workflow/init"),
            route("GET", "/jobs/{id}"),
            route("GET", "/jobs/all"),
        ])
    }

    /// The endpoint with its parameters, or the methods that are offered.
    type Expected<'a> = Result<(usize, &'a [(&'a str, &'a str)]), &'a [&'a str]>;

    fn check(method: &str, path: &str, expected: Expected<'_>) {
        let found = routes().find(method, path);
        let expected = match expected {
            Ok((place, values)) => Found::Endpoint(
                place,
                values
                    .iter()
                    .map(|(n, v)| ((*n).to_owned(), (*v).to_owned()))
                    .collect(),
            ),
            Err([]) => Found::Nothing,
            Err(methods) => Found::OtherMethods(methods.iter().map(ToString::to_string).collect()),
        };
        assert_eq!(found, expected, "{method} {path}");
    }

    #[test]
    fn a_path_means_the_endpoint_with_the_fewest_parameters() {
        check("POST", "/workflow/7/step", Ok((0, &[("id", "7")])));
        check("POST", "/workflow/init", Ok((1, &[])));
        check("GET", "/jobs/all", Ok((3, &[])));
        check("HEAD", "/jobs/a%20b", Ok((2, &[("id", "a b")])));
        check("DELETE", "/jobs/all", Err(&["GET", "HEAD"]));
        check("GET", "/workflow/init", Err(&["POST"]));
        check("GET", "/jobs/", Err(&[]));
        check("GET", "/jobs/1/2", Err(&[]));
        check("GET", "/jobs/%FF", Ok((2, &[("id", "\u{FFFD}")])));
    }
}
