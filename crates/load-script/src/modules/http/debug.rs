//! The option `httpDebug`: requests and responses in the log.

use http_client::client::Request;
use http_client::failure::Failure;
use http_client::reply::{Reply, canonical};
use load_engine::log::Level;

use super::agent::Agent;
use super::prepare::Prepared;

/// Logs one exchange, unless the option is off.
pub(super) struct Dump<'a>(Option<Open<'a>>);

struct Open<'a> {
    agent: &'a Agent,
    group: String,
    scenario: String,
    request_id: String,
    shows_bodies: bool,
}

impl<'a> Dump<'a> {
    /// Logs the request.
    pub(super) fn begin(agent: &'a Agent, prepared: &Prepared, request: &Request) -> Self {
        let option = agent.run.options().http_debug.as_deref().unwrap_or("");
        if option.is_empty() {
            return Self(None);
        }
        let tag = |name: &str| prepared.tags.get(name).unwrap_or_default().to_owned();
        let open = Open {
            agent,
            group: tag("group"),
            scenario: tag("scenario"),
            request_id: random_id(),
            shows_bodies: option == "full",
        };
        open.say("Request", &head(request), &request.body);
        Self(Some(open))
    }

    /// Logs the response, if there is one.
    pub(super) fn end(self, outcome: &Result<Reply, Failure>) {
        let (Some(open), Ok(reply)) = (self.0, outcome) else {
            return;
        };
        let lines = reply.lines().map(|(name, value)| (canonical(name), value));
        let mut lines: Vec<_> = lines.collect();
        // Go's order: by name, except for the length, which is first, or last if it is zero.
        lines.sort_by_key(|(name, value)| match name.as_str() {
            "Content-Length" if value == "0" => (2, String::new()),
            "Content-Length" => (0, String::new()),
            name => (1, name.to_owned()),
        });
        let mut text = format!("{} {}\r\n", reply.proto, reply.status_text());
        for (name, value) in lines {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
        open.say("Response", &text, reply.body.as_deref().unwrap_or_default());
    }
}

impl Open<'_> {
    fn say(&self, what: &str, head: &str, body: &[u8]) {
        let head = head.replace("\r\n", "\n");
        let body = if self.shows_bodies { body } else { &[] };
        let text = format!("{what}:\n{head}\n{}\n", String::from_utf8_lossy(body));
        let (vu, iteration) = self.agent.place;
        let (vu, iteration) = (vu.to_string(), iteration.to_string());
        let fields = [
            ("group", self.group.as_str()),
            ("iter", iteration.as_str()),
            ("request_id", self.request_id.as_str()),
            ("scenario", self.scenario.as_str()),
            ("source", "http-debug"),
            ("vu", vu.as_str()),
        ];
        self.agent.logger.log(Level::Info, &text, &fields);
    }
}

fn head(request: &Request) -> String {
    let host = request.host.as_deref().unwrap_or(&request.url.authority);
    let mut text = format!(
        "{} {} HTTP/1.1\r\nHost: {host}\r\n",
        request.method, request.url.target
    );
    let mut headers = request.sent_headers().peekable();
    let mut line = |name: &str, value: &str| text.push_str(&format!("{name}: {value}\r\n"));
    if let Some((name, value)) = headers.next_if(|(name, _)| *name == "User-Agent") {
        line(name, value);
    }
    if let Some(length) = request.announced_bytes() {
        line("Content-Length", &length.to_string());
    }
    headers.for_each(|(name, value)| line(name, value));
    // k6 shows a header that Go would add by default, though it is not sent.
    text.push_str("Accept-Encoding: gzip\r\n");
    text
}

/// A random UUID.
fn random_id() -> String {
    let random = rand::random::<u128>();
    let versioned = random & !(0xf << 76) & !(0x3 << 62) | (0x4 << 76) | (0x2 << 62);
    let hex = format!("{versioned:032x}");
    let parts = [
        &hex[..8],
        &hex[8..12],
        &hex[12..16],
        &hex[16..20],
        &hex[20..],
    ];
    parts.join("-")
}

#[cfg(test)]
mod tests {
    use super::random_id;

    #[test]
    fn ids_are_uuids_of_version_4() {
        let id = random_id();
        let parts: Vec<usize> = id.split('-').map(str::len).collect();
        assert_eq!(parts, [8, 4, 4, 4, 12]);
        assert!(id[14..15] == *"4" && "89ab".contains(&id[19..20]), "{id}");
    }
}
