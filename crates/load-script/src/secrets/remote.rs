//! Secrets from a server: `--secret-source=url=…`.

use std::collections::HashMap;
use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http_client::client::{Client, Request};
use http_client::coding;
use http_client::network::Network;
use http_client::url::Url;
use http_client::{Config, Environment};
use load_engine::options::duration::parse;
use script_formats::gjson;
use tokio::time::{Instant, sleep, timeout_at};

use super::SecretError;

/// The prefix of variables that are settings.
const PREFIX: &str = "K6_SECRET_SOURCE_URL_";

/// A server of secrets. Its secrets are cached.
#[derive(Debug)]
pub(super) struct Remote {
    settings: Settings,
    connections: Environment,
    kept: Mutex<HashMap<String, String>>,
    /// The number of requests that may be sent at once, and the time of that number.
    turns: Mutex<(f64, Instant)>,
}

/// The settings of requests to the server.
#[derive(Debug)]
struct Settings {
    /// The URL, with `{key}` in place of the secret's name.
    template: String,
    method: String,
    headers: Vec<(String, String)>,
    /// The path of the secret in a JSON response; if empty, the response is the secret.
    path: String,
    timeout: Duration,
    requests_per_minute: f64,
    burst: f64,
    retries: u32,
    backoff: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            template: String::new(),
            method: "GET".to_owned(),
            headers: Vec::new(),
            path: String::new(),
            timeout: Duration::from_secs(30),
            requests_per_minute: 300.0,
            burst: 10.0,
            retries: 3,
            backoff: Duration::from_secs(1),
        }
    }
}

impl Settings {
    /// In order of increasing precedence: the variables, the file in `config`, the flag's own settings.
    fn read(settings: &[&str], environment: &[(String, String)]) -> Result<Self, SecretError> {
        let mut all = Self::default();
        for (name, value) in environment {
            if let Some(name) = name.strip_prefix(PREFIX) {
                all.set(&camel_case(name), value)?;
            }
        }
        let mut own = Vec::new();
        for setting in settings.iter().filter(|setting| !setting.is_empty()) {
            match setting.split_once('=') {
                Some(("config", path)) => all.set_from_file(path)?,
                Some(pair) => own.push(pair),
                None => return Err(SecretError::Pair((*setting).to_owned())),
            }
        }
        for (name, value) in own {
            all.set(name, value)?;
        }
        if all.template.is_empty() {
            return Err(SecretError::Url("it needs urlTemplate".to_owned()));
        }
        Ok(all)
    }

    fn set_from_file(&mut self, path: &str) -> Result<(), SecretError> {
        let failed = |why: &dyn std::fmt::Display| SecretError::Url(format!("{path}: {why}"));
        let text = std::fs::read_to_string(path).map_err(|error| failed(&error))?;
        let members: serde_json::Map<String, serde_json::Value> =
            serde_json::from_str(&text).map_err(|error| failed(&error))?;
        let plain = |value: &serde_json::Value| match value {
            serde_json::Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        for (name, value) in &members {
            match value.as_object() {
                Some(headers) if name == "headers" => {
                    for (header, value) in headers {
                        self.set(&format!("headers.{header}"), &plain(value))?;
                    }
                }
                _ => self.set(name, &plain(value))?,
            }
        }
        Ok(())
    }

    fn set(&mut self, name: &str, value: &str) -> Result<(), SecretError> {
        let wrong = || SecretError::Url(format!("{name} cannot be {value:?}"));
        let number = || value.parse::<u32>().map_err(|_| wrong());
        let duration = || parse(value).map_err(|_| wrong());
        match name {
            "urlTemplate" => value.clone_into(&mut self.template),
            "method" => self.method = value.to_ascii_uppercase(),
            "responsePath" => value.clone_into(&mut self.path),
            "timeout" => self.timeout = duration()?,
            "requestsPerMinuteLimit" => self.requests_per_minute = f64::from(number()?.max(1)),
            "requestsBurst" => self.burst = f64::from(number()?.max(1)),
            "maxRetries" => self.retries = number()?,
            "retryBackoff" => self.backoff = duration()?,
            _ => {
                let header = name.strip_prefix("headers.");
                let header = header.filter(|header| !header.is_empty());
                let header = header
                    .ok_or_else(|| SecretError::Url(format!("there is no setting {name:?}")))?;
                let same = |known: &(String, String)| known.0.eq_ignore_ascii_case(header);
                self.headers.retain(|known| !same(known));
                self.headers.push((header.to_owned(), value.to_owned()));
            }
        }
        Ok(())
    }
}

/// `MAX_RETRIES` is `maxRetries`, `HEADER_X_TOKEN` is `headers.X-TOKEN`.
fn camel_case(variable: &str) -> String {
    if let Some(header) = variable.strip_prefix("HEADER_") {
        return format!("headers.{}", header.replace('_', "-"));
    }
    let mut words = variable.split('_').map(str::to_ascii_lowercase);
    let mut name = words.next().unwrap_or_default();
    for word in words {
        let (first, rest) = word.split_at(word.len().min(1));
        name.push_str(&first.to_ascii_uppercase());
        name.push_str(rest);
    }
    name
}

/// The reason why the server has not returned a secret.
enum Refusal {
    /// A retry would fail too.
    Final(String),
    /// A retry may succeed.
    Passing(String),
}

impl Remote {
    pub(super) fn new(
        settings: &[&str],
        environment: &[(String, String)],
    ) -> Result<Self, SecretError> {
        let settings = Settings::read(settings, environment)?;
        let variable = |name: &str| {
            let found = environment.iter().find(|(known, _)| known == name);
            found.map(|(_, value)| value.into())
        };
        Ok(Self {
            connections: Environment::read(variable),
            turns: Mutex::new((settings.burst, Instant::now())),
            settings,
            kept: Mutex::default(),
        })
    }

    pub(super) async fn get(&self, key: &str) -> Result<String, SecretError> {
        let kept = || self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let known = kept().get(key).cloned();
        if let Some(known) = known {
            return Ok(known);
        }
        let mut pause = self.settings.backoff;
        let mut left = self.settings.retries;
        let reason = loop {
            sleep(self.take_turn()).await;
            match self.ask(key).await {
                Ok(secret) => {
                    kept().insert(key.to_owned(), secret.clone());
                    return Ok(secret);
                }
                Err(Refusal::Passing(_)) if left > 0 => {
                    left -= 1;
                    sleep(pause).await;
                    pause = pause.saturating_mul(2);
                }
                Err(Refusal::Passing(reason) | Refusal::Final(reason)) => break reason,
            }
        };
        Err(SecretError::Remote {
            key: key.to_owned(),
            reason,
        })
    }

    /// The wait before the next request. Tokens arrive at the rate of the limit; the wait is for the token that
    /// is taken in advance.
    fn take_turn(&self) -> Duration {
        let per_second = self.settings.requests_per_minute / 60.0;
        let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let gained = now.duration_since(turns.1).as_secs_f64() * per_second;
        let tokens = (turns.0 + gained).min(self.settings.burst) - 1.0;
        *turns = (tokens, now);
        Duration::from_secs_f64((-tokens).max(0.0) / per_second)
    }

    async fn ask(&self, key: &str) -> Result<String, Refusal> {
        let settings = &self.settings;
        let url = settings.template.replace("{key}", &escaped(key));
        let url = Url::parse(&url).map_err(|error| Refusal::Final(error.to_string()))?;
        let deadline = Instant::now() + settings.timeout;
        let mut request = Request::to_get(url, crate::USER_AGENT, deadline);
        request.method = settings.method.clone().into();
        for (name, value) in &settings.headers {
            if name.eq_ignore_ascii_case("authorization") {
                request.authorization = Some(value.clone());
            } else {
                Rc::make_mut(&mut request.headers).push((name.clone(), value.clone()));
            }
        }
        let client = Client::for_modules(Arc::new(Network::new(Config {
            environment: self.connections.clone(),
            ..Config::default()
        })));
        let exchanged = timeout_at(deadline, client.send(&request)).await;
        let exchanged = exchanged.map_err(|_| Refusal::Passing("request timeout".to_owned()))?;
        let reply = exchanged
            .outcome
            .map_err(|failure| Refusal::Passing(failure.detail))?;
        match reply.status {
            200..=299 => {}
            status @ (429 | 500..) => {
                return Err(Refusal::Passing(format!("the server answered {status}")));
            }
            status => return Err(Refusal::Final(format!("the server answered {status}"))),
        }
        let coding = reply.header("content-encoding");
        let mut body = reply.body.unwrap_or_default();
        if let Some(coding) = coding {
            let decoded = coding::decode(body, &coding);
            body = decoded.map_err(|error| Refusal::Final(error.to_string()))?;
        }
        if settings.path.is_empty() {
            return Ok(String::from_utf8_lossy(&body).into_owned());
        }
        match gjson::get_text(&body, &settings.path) {
            Some(serde_json::Value::String(secret)) => Ok(secret),
            Some(other) => Ok(other.to_string()),
            None => {
                let path = &settings.path;
                Err(Refusal::Final(format!(
                    "the answer has nothing at {path:?}"
                )))
            }
        }
    }
}

/// A name as one segment of a path.
fn escaped(key: &str) -> String {
    let mut text = String::with_capacity(key.len());
    for byte in key.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~$&+=:@".contains(&byte) {
            text.push(char::from(byte));
        } else {
            text.push_str(&format!("%{byte:02X}"));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::{Remote, Settings, camel_case, escaped};

    /// Responds to requests one after another, each on its own connection. Returns the requests.
    async fn serve(listener: TcpListener, answers: &[&str]) -> Vec<String> {
        let mut asked = Vec::new();
        for answer in answers {
            let (mut stream, _) = listener.accept().await.expect("a connection");
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") {
                request.push(stream.read_u8().await.expect("a request"));
            }
            asked.push(String::from_utf8_lossy(&request).into_owned());
            stream
                .write_all(answer.as_bytes())
                .await
                .expect("it can be answered");
        }
        asked
    }

    const BUSY: &str = "HTTP/1.1 503 No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    const SECRET: &str = "HTTP/1.1 200 OK\r\nContent-Length: 31\r\nConnection: close\r\n\r\n{\"data\":{\"value\":\"tiger lily\"}}";
    const MISSING: &str = "HTTP/1.1 404 No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";

    #[tokio::test]
    async fn a_secret_is_retried_until_it_arrives_and_then_cached() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let template = format!("urlTemplate=http://{address}/s/{{key}}/get");
        let settings = [
            &*template,
            "responsePath=data.value",
            "headers.X-Mine=1",
            "headers.Authorization=Bearer x",
            "retryBackoff=1ms",
        ];
        let remote = Remote::new(&settings, &[]).expect("settings");
        let answers = [BUSY, BUSY, SECRET, MISSING];
        let both = async {
            let first = remote.get("a/b").await;
            let again = remote.get("a/b").await;
            let missing = remote.get("c").await;
            (first, again, missing)
        };
        let (asked, (first, again, missing)) = tokio::join!(serve(listener, &answers), both);
        assert_eq!(first.expect("a secret"), "tiger lily");
        assert_eq!(again.expect("a secret"), "tiger lily");
        let missing = missing.expect_err("there is none").to_string();
        assert!(missing.contains("the server answered 404"), "{missing}");
        assert_eq!(asked.len(), 4);
        assert!(
            asked[2].starts_with("GET /s/a%2Fb/get HTTP/1.1\r\n"),
            "{}",
            asked[2]
        );
        assert!(asked[2].contains("X-Mine: 1\r\n"), "{}", asked[2]);
        assert!(
            asked[2].contains("Authorization: Bearer x\r\n"),
            "{}",
            asked[2]
        );
    }

    #[tokio::test(start_paused = true)]
    async fn requests_do_not_exceed_the_rate_limit() {
        let settings = [
            "urlTemplate=http://x/",
            "requestsPerMinuteLimit=60",
            "requestsBurst=2",
        ];
        let remote = Remote::new(&settings, &[]).expect("settings");
        let waits: Vec<Duration> = (0..4).map(|_| remote.take_turn()).collect();
        let seconds = Duration::from_secs;
        assert_eq!(waits, [seconds(0), seconds(0), seconds(1), seconds(2)]);
        tokio::time::advance(seconds(10)).await;
        assert_eq!(remote.take_turn(), seconds(0));
    }

    #[tokio::test]
    async fn settings_come_from_variables_a_file_and_the_flag() {
        let file = tempfile::NamedTempFile::new().expect("a file");
        let json = r#"{"method": "post", "maxRetries": 5, "timeout": "9s", "headers": {"A": "file", "B": "b"}}"#;
        std::fs::write(file.path(), json).expect("written");
        let config = format!("config={}", file.path().display());
        let variables = [
            ("K6_SECRET_SOURCE_URL_URL_TEMPLATE", "http://x/{key}"),
            ("K6_SECRET_SOURCE_URL_MAX_RETRIES", "7"),
            ("K6_SECRET_SOURCE_URL_HEADER_X_TOKEN", "t"),
        ];
        let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let read = Settings::read(&["timeout=1s", &config, "headers.A=flag"], &variables);
        let read = read.expect("settings");
        assert_eq!(
            (read.template.as_str(), read.method.as_str()),
            ("http://x/{key}", "POST")
        );
        assert_eq!((read.retries, read.timeout), (5, Duration::from_secs(1)));
        let headers: Vec<String> = read
            .headers
            .iter()
            .map(|(k, v)| format!("{k}={v}"))
            .collect();
        assert_eq!(headers, ["X-TOKEN=t", "B=b", "A=flag"]);
        for wrong in [
            "timeout=x",
            "maxRetries=-1",
            "other=1",
            "headers.=1",
            "word",
        ] {
            let settings = ["urlTemplate=http://x/", wrong];
            assert!(Settings::read(&settings, &[]).is_err(), "{wrong}");
        }
    }

    #[test]
    fn names_of_variables_become_names_of_settings() {
        assert_eq!(
            camel_case("REQUESTS_PER_MINUTE_LIMIT"),
            "requestsPerMinuteLimit"
        );
        assert_eq!(camel_case("HEADER_AUTHORIZATION"), "headers.AUTHORIZATION");
        assert_eq!(escaped("a b/ä"), "a%20b%2F%C3%A4");
    }
}
