//! Redirects, by Go's rules.

use std::borrow::Cow;
use std::rc::Rc;

use http_client::client::{Headers, Request};
use http_client::failure::Failure;
use http_client::header_order;
use http_client::reply::Reply;
use http_client::url::{Url, quoted};

/// The target of a redirect; `None` when the response is not one. An invalid target is an unusable URL, since
/// k6 notices it only when it sends.
pub(super) fn target(reply: &Reply, request: &Request) -> Option<Result<Url, Failure>> {
    if !matches!(reply.status, 301 | 302 | 303 | 307 | 308) {
        return None;
    }
    let location = reply.header("location").filter(|text| !text.is_empty())?;
    Some(request.url.join(&location).or_else(|error| {
        if error.code_of_sending().is_some() {
            return Ok(Url::unusable(
                location.strip_suffix("//").unwrap_or(&location),
            ));
        }
        let parsed = quoted(&location);
        let why = format!("failed to parse Location header {parsed}: parse {parsed}: {error}");
        Err(Failure::new(1000, why))
    }))
}

/// Turns the request into the next one: after 301, 302 and 303 a GET without a body (HEAD stays HEAD), after
/// 307 and 308 the same request.
pub(super) fn follow(request: &mut Request, url: Url, status: u16) {
    request.url = url;
    request.host = None;
    request.authorization = None;
    if matches!(status, 307 | 308) {
        return;
    }
    if request.method != "HEAD" {
        request.method = Cow::Borrowed("GET");
    }
    request.body.clear();
}

/// The changes of headers on a redirect.
#[derive(Debug, Default)]
pub(super) struct Hop {
    /// The URL that redirected here.
    referer: Option<String>,
    /// The host differs from the first one, so secrets for that are not sent.
    is_foreign: bool,
    has_no_body: bool,
}

impl Hop {
    /// The hop from `from` to `to` after a response with `status`.
    pub(super) fn next(&self, first: &Url, from: &Url, to: &Url, status: u16) -> Self {
        let goes_dark = from.is_tls && !to.is_tls;
        Self {
            referer: (!goes_dark).then(|| from.without_userinfo()),
            is_foreign: self.is_foreign || !is_within(&to.host, &first.host),
            has_no_body: self.has_no_body || !matches!(status, 307 | 308),
        }
    }

    /// The headers of a request as they are sent on this hop.
    pub(super) fn headers(&self, original: &Headers) -> Headers {
        if self.referer.is_none() && !self.is_foreign && !self.has_no_body {
            return Rc::clone(original);
        }
        const SECRET: [&str; 5] = [
            "Authorization",
            "Www-Authenticate",
            "Cookie",
            "Cookie2",
            "Proxy-Authorization",
        ];
        const OF_A_BODY: [&str; 4] = [
            "Content-Encoding",
            "Content-Language",
            "Content-Location",
            "Content-Type",
        ];
        let stays = |name: &str| {
            !(self.is_foreign && SECRET.contains(&name)
                || self.has_no_body && OF_A_BODY.contains(&name))
        };
        let mut headers: Vec<(String, String)> = original
            .iter()
            .filter(|(name, _)| stays(name))
            .cloned()
            .collect();
        if let Some(referer) = &self.referer
            && !headers.iter().any(|(name, _)| name == "Referer")
        {
            header_order::set(&mut headers, "Referer".to_owned(), referer.clone());
        }
        Rc::new(headers)
    }
}

/// Whether `host` is `parent` or one of its sub-domains.
fn is_within(host: &str, parent: &str) -> bool {
    let prefix = host.strip_suffix(parent);
    prefix.is_some_and(|prefix| prefix.is_empty() || prefix.ends_with('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(first: &str, from: &str, to: &str, expected: &[&str]) {
        let [first, from, to] = [first, from, to].map(|text| Url::parse(text).expect("a URL"));
        let hop = Hop::default().next(&first, &from, &to, 302);
        let headers = ["Authorization", "Content-Type", "X-Own"]
            .map(|name| (name.to_owned(), "v".to_owned()));
        let sent = hop.headers(&Rc::new(headers.to_vec()));
        let names: Vec<&str> = sent.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, expected, "{to}");
    }

    #[test]
    fn secrets_are_not_sent_to_other_hosts() {
        let first = "http://a.test/1";
        check(
            first,
            first,
            "http://a.test/2",
            &["Authorization", "Referer", "X-Own"],
        );
        check(
            first,
            first,
            "http://sub.a.test/2",
            &["Authorization", "Referer", "X-Own"],
        );
        check(first, first, "http://b.test/", &["Referer", "X-Own"]);
        check(
            first,
            "https://a.test/1",
            "http://a.test/2",
            &["Authorization", "X-Own"],
        );
    }
}
