//! A cookie jar with the rules of Go's, without a list of public suffixes.

use std::cell::RefCell;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::token::is_token;
use super::url::Url;

/// A cookie as a response sets it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cookie {
    pub name: String,
    pub value: String,
    pub domain: String,
    pub path: String,
    pub http_only: bool,
    pub secure: bool,
    /// Seconds; 0 is "not given", below 0 "delete".
    pub max_age: i64,
    pub expires: Option<SystemTime>,
}

#[derive(Debug, Clone)]
struct Entry {
    cookie: Cookie,
    /// Without a leading dot.
    domain: String,
    is_host_only: bool,
    path: String,
    until: Option<SystemTime>,
    /// Order of creation.
    number: u64,
}

/// The cookies of a VU.
#[derive(Debug, Default)]
pub struct Jar {
    entries: RefCell<Vec<Entry>>,
}

/// The most cookies in a jar; the oldest are removed first.
const MAX_COOKIES: usize = 3000;

impl Cookie {
    /// Reads a `Set-Cookie` value.
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split(';');
        let (name, value) = parts.next()?.trim().split_once('=')?;
        let (name, value) = (name.trim(), unquote(value));
        if !is_token(name) || !value.bytes().all(is_of_value) {
            return None;
        }
        let mut cookie = Self {
            name: name.to_owned(),
            value: value.to_owned(),
            ..Self::default()
        };
        for part in parts {
            let (key, value) = part.split_once('=').unwrap_or((part, ""));
            let value = value.trim();
            match key.trim().to_ascii_lowercase().as_str() {
                "domain" => cookie.domain = value.to_owned(),
                "path" => cookie.path = value.to_owned(),
                "httponly" => cookie.http_only = true,
                "secure" => cookie.secure = true,
                "max-age" => {
                    cookie.max_age = value
                        .parse::<i64>()
                        .map_or(0, |age| if age <= 0 { -1 } else { age });
                }
                "expires" => cookie.expires = parse_date(value),
                _ => {}
            }
        }
        Some(cookie)
    }
}

/// Whether a byte may be part of a cookie's value.
pub fn is_of_value(byte: u8) -> bool {
    (0x20..0x7f).contains(&byte) && !b"\";\\".contains(&byte)
}

fn unquote(value: &str) -> &str {
    value
        .strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'))
        .unwrap_or(value)
}

impl Jar {
    /// Whether the jar is empty.
    pub fn is_empty(&self) -> bool {
        self.entries.borrow().is_empty()
    }

    /// Stores a cookie that `url` has set.
    pub fn set(&self, url: &Url, cookie: Cookie, now: SystemTime) {
        let Some(entry) = entry_of(url, cookie, now) else {
            return;
        };
        let mut entries = self.entries.borrow_mut();
        let same = |old: &Entry| {
            (&old.cookie.name, &old.domain, &old.path)
                == (&entry.cookie.name, &entry.domain, &entry.path)
        };
        let known = entries.iter().position(same);
        let gone = entry.until.is_some_and(|until| until <= now);
        match known {
            Some(at) if gone => drop(entries.remove(at)),
            Some(at) => {
                entries[at] = Entry {
                    number: entries[at].number,
                    ..entry
                }
            }
            None if gone => {}
            None => {
                let number = entries.last().map_or(0, |last| last.number + 1);
                if entries.len() >= MAX_COOKIES {
                    entries.remove(0);
                }
                entries.push(Entry { number, ..entry });
            }
        }
    }

    /// Names and values for a request to `url`: longer paths first, then older cookies.
    pub fn matching(&self, url: &Url, now: SystemTime) -> Vec<(String, String)> {
        let entries = self.entries.borrow();
        let mut found: Vec<&Entry> = entries
            .iter()
            .filter(|entry| entry.applies(url, now))
            .collect();
        found.sort_by_key(|entry| (std::cmp::Reverse(entry.path.len()), entry.number));
        found
            .into_iter()
            .map(|entry| (entry.cookie.name.clone(), entry.cookie.value.clone()))
            .collect()
    }

    /// Removes the cookies that a request to `url` would carry; if a name is given, only those with this name.
    pub fn remove(&self, url: &Url, name: Option<&str>, now: SystemTime) {
        let goes = |entry: &Entry| {
            entry.applies(url, now) && name.is_none_or(|name| entry.cookie.name == name)
        };
        self.entries.borrow_mut().retain(|entry| !goes(entry));
    }
}

impl Entry {
    fn applies(&self, url: &Url, now: SystemTime) -> bool {
        let host = &url.host;
        let domain = *host == self.domain
            || (!self.is_host_only && host.ends_with(&format!(".{}", self.domain)));
        let path = url.path();
        let below = path == self.path
            || (path.starts_with(&self.path)
                && (self.path.ends_with('/') || path[self.path.len()..].starts_with('/')));
        domain
            && below
            && (!self.cookie.secure || url.is_tls)
            && self.until.is_none_or(|until| until > now)
    }
}

fn entry_of(url: &Url, cookie: Cookie, now: SystemTime) -> Option<Entry> {
    let asked = cookie.domain.trim_start_matches('.').to_ascii_lowercase();
    let is_address = url.host.parse::<std::net::IpAddr>().is_ok();
    let (domain, is_host_only) = match asked.as_str() {
        "" => (url.host.clone(), true),
        asked if asked == url.host => (asked.to_owned(), is_address),
        asked if !is_address && url.host.ends_with(&format!(".{asked}")) => {
            (asked.to_owned(), false)
        }
        _ => return None,
    };
    let path = if cookie.path.starts_with('/') {
        cookie.path.clone()
    } else {
        default_path(url.path())
    };
    let until = match cookie.max_age {
        0 => cookie.expires,
        age if age < 0 => Some(UNIX_EPOCH),
        age => now.checked_add(Duration::from_secs(age.unsigned_abs())),
    };
    Some(Entry {
        cookie,
        domain,
        is_host_only,
        path,
        until,
        number: 0,
    })
}

fn default_path(path: &str) -> String {
    match path.rfind('/') {
        None | Some(0) => "/".to_owned(),
        Some(at) => path[..at].to_owned(),
    }
}

/// A date as `Mon, 02 Jan 2006 15:04:05 GMT`, also with dashes. As in Go, years of two digits are not accepted.
pub fn parse_date(text: &str) -> Option<SystemTime> {
    let text = text
        .split_once(',')
        .map_or(text, |(_, rest)| rest)
        .replace('-', " ");
    let mut parts = text.split_whitespace();
    let day: i64 = parts.next()?.parse().ok()?;
    let month = parts.next()?.get(..3)?.to_ascii_lowercase();
    let months = [
        "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
    ];
    let month = months.iter().position(|name| *name == month)? as i64 + 1;
    let year: i64 = parts.next()?.parse().ok()?;
    if year < 1000 {
        return None;
    }
    let mut clock = parts
        .next()?
        .split(':')
        .map(|part| part.parse::<i64>().ok());
    let (hour, minute, second) = (clock.next()??, clock.next()??, clock.next()??);
    let seconds = days_from_civil(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second;
    if seconds >= 0 {
        UNIX_EPOCH.checked_add(Duration::from_secs(seconds.unsigned_abs()))
    } else {
        UNIX_EPOCH.checked_sub(Duration::from_secs(seconds.unsigned_abs()))
    }
}

/// Days since 1970 of a date of the Gregorian calendar (Howard Hinnant's algorithm).
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year - era * 400;
    let day_of_year = (153 * (month + if month > 2 { -3 } else { 9 }) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        Url::parse(text).expect("a URL")
    }

    fn check(set_at: &str, cookie: &str, asked: &str, expected: bool) {
        let jar = Jar::default();
        let now = SystemTime::now();
        jar.set(&url(set_at), Cookie::parse(cookie).expect("a cookie"), now);
        assert_eq!(
            !jar.matching(&url(asked), now).is_empty(),
            expected,
            "{cookie} of {set_at} for {asked}"
        );
    }

    #[test]
    fn a_cookie_is_sent_only_to_matching_urls() {
        check("http://a.x/", "k=v", "http://a.x/p", true);
        check("http://a.x/", "k=v", "http://b.a.x/", false);
        check("http://a.x/", "k=v; Domain=a.x", "http://b.a.x/", true);
        check("http://a.x/", "k=v; Domain=other", "http://other/", false);
        check("http://a.x/p/q", "k=v", "http://a.x/p/z", true);
        check("http://a.x/p/q", "k=v", "http://a.x/", false);
        check("http://a.x/", "k=v; Path=/p", "http://a.x/pq", false);
        check("http://a.x/", "k=v; Secure", "http://a.x/", false);
        check("http://a.x/", "k=v; Secure", "https://a.x/", true);
        check("http://a.x/", "k=v; Max-Age=0", "http://a.x/", false);
        check(
            "http://a.x/",
            "k=v; Expires=Mon, 02 Jan 2006 15:04:05 GMT",
            "http://a.x/",
            false,
        );
        check(
            "http://a.x/",
            "k=v; Expires=Mon, 02 Jan 2126 15:04:05 GMT",
            "http://a.x/",
            true,
        );
    }

    #[test]
    fn a_cookie_date_is_read_in_gos_formats() {
        for text in [
            "Tue, 15-Nov-1994 08:12:31 GMT",
            "Tue, 15 Nov 1994 08:12:31 GMT",
        ] {
            let date = parse_date(text).expect("a date");
            let since = date.duration_since(UNIX_EPOCH).expect("after 1970");
            assert_eq!(since.as_secs(), 784_887_151);
        }
        assert_eq!(parse_date("Tue, 15-Nov-94 08:12:31 GMT"), None);
    }

    #[test]
    fn lines_that_go_does_not_read_set_no_cookie() {
        for line in ["a b=c", "ä=b", "a=ö", "a=b\\c", "=b", "a"] {
            assert_eq!(Cookie::parse(line), None, "{line}");
        }
        let cookie = Cookie::parse(" a = b c ").expect("a cookie");
        assert_eq!((cookie.name.as_str(), cookie.value.as_str()), ("a", " b c"));
    }
}
