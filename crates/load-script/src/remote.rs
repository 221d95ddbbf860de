//! Modules from the network: fetched over https, and cached on disk for times without network.
//!
//! k6 asks the server each time, first with `_k6=1` in the query, and so does this module. In addition, a
//! fetched text is cached with its hash and used with a warning when the server cannot be reached. A URL
//! that ends in `#sha256=…` is pinned: only text with that hash is ever run, and once it is cached the
//! server is not asked again.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use http_client::Config;
use http_client::client::{Client, Request};
use http_client::coding;
use http_client::network::Network;
use http_client::url::Url;
use load_engine::log::Logger;
use sha2::{Digest, Sha256};
use tokio::time::{Instant, timeout_at};

use crate::source::SourceError;
use crate::system::System;

/// The time limit of a module; k6's.
const TIMEOUT: Duration = Duration::from_secs(60);
/// The maximum of redirects.
const MAX_REDIRECTS: usize = 10;
/// The maximum size of a module.
const MAX_BYTES: usize = 64 << 20;

/// The text of the module with this full name.
///
/// # Errors
/// Neither the server nor the disk has it, or it does not match its pinned hash.
pub(crate) async fn fetch(
    name: &str,
    system: &System,
    logger: &Logger,
) -> Result<String, SourceError> {
    let failed = |cause: String| SourceError::Remote {
        url: name.to_owned(),
        cause,
    };
    let (url, pin) = match name.split_once("#sha256=") {
        Some((url, pin)) => (url, Some(pin.to_ascii_lowercase())),
        None => (name, None),
    };
    let entry = CacheEntry::of(url, system);
    if let (Some(pin), Some(text)) = (&pin, entry.read())
        && hash(&text) == *pin
    {
        return Ok(text);
    }
    let (text, is_fresh) = match load(url, system).await {
        Ok(text) => (text, true),
        Err(Refusal::Status(cause)) => return Err(failed(cause)),
        Err(Refusal::Unreachable(cause)) => {
            let text = entry.read().ok_or_else(|| failed(cause.clone()))?;
            logger.warn(&format!(
                "{url} cannot be reached ({cause}); the cached copy is used"
            ));
            (text, false)
        }
    };
    if let Some(pin) = pin {
        let found = hash(&text);
        if found != pin {
            return Err(failed(format!("its sha256 is {found}")));
        }
    }
    if is_fresh {
        entry.write(&text);
    }
    Ok(text)
}

/// The reason why a server does not return a module.
enum Refusal {
    /// It responds with an error.
    Status(String),
    /// It does not respond.
    Unreachable(String),
}

async fn load(url: &str, system: &System) -> Result<String, Refusal> {
    let joint = if url.contains('?') { '&' } else { '?' };
    match get(&format!("{url}{joint}_k6=1"), system).await {
        Ok(text) => Ok(text),
        Err(_) => get(url, system).await,
    }
}

async fn get(url: &str, system: &System) -> Result<String, Refusal> {
    let unreachable =
        |cause: &dyn std::fmt::Display| Refusal::Unreachable(format!("Get \"{url}\": {cause}"));
    let network = Arc::new(Network::new(Config {
        environment: system.connections.clone(),
        ..Config::default()
    }));
    let client = Client::for_modules(network);
    let deadline = Instant::now() + TIMEOUT;
    let mut target = Url::parse(url).map_err(|error| unreachable(&error))?;
    for _ in 0..=MAX_REDIRECTS {
        let request = Request::to_get(target, crate::USER_AGENT, deadline);
        let exchanged = timeout_at(deadline, client.send(&request)).await;
        let exchanged = exchanged.map_err(|_| unreachable(&"request timeout"))?;
        let reply = exchanged
            .outcome
            .map_err(|failure| unreachable(&failure.detail))?;
        if matches!(reply.status, 301 | 302 | 303 | 307 | 308)
            && let Some(location) = reply.header("location")
        {
            target = request
                .url
                .join(&location)
                .map_err(|error| unreachable(&error))?;
            continue;
        }
        if reply.status != 200 {
            let cause = format!("wrong status code ({}) for: {url}", reply.status);
            return Err(Refusal::Status(cause));
        }
        let coding = reply.header("content-encoding");
        let mut body = reply.body.unwrap_or_default();
        if let Some(coding) = coding {
            body = coding::decode(body, &coding).map_err(|error| unreachable(&error))?;
        }
        if body.len() > MAX_BYTES {
            return Err(unreachable(&"the module is larger than 64 MiB"));
        }
        return Ok(String::from_utf8_lossy(&body).into_owned());
    }
    Err(unreachable(&"stopped after 10 redirects"))
}

/// The cache file of a module, whose first line is the hash of the rest.
struct CacheEntry(Option<PathBuf>);

impl CacheEntry {
    fn of(url: &str, system: &System) -> Self {
        let folder = system.modules.as_ref();
        Self(folder.map(|folder| folder.join(hash(url))))
    }

    /// The text, unless it does not match its hash.
    fn read(&self) -> Option<String> {
        let whole = std::fs::read_to_string(self.0.as_ref()?).ok()?;
        let (sum, text) = whole.split_once('\n')?;
        (hash(text) == sum).then(|| text.to_owned())
    }

    /// Caches the text. On a full or read-only disk nothing is cached.
    fn write(&self, text: &str) {
        let Some(path) = &self.0 else { return };
        let Some(folder) = path.parent() else { return };
        let unfinished = path.with_extension(format!("{:016x}", rand::random::<u64>()));
        let written = std::fs::create_dir_all(folder)
            .and_then(|()| std::fs::write(&unfinished, format!("{}\n{text}", hash(text))))
            .and_then(|()| std::fs::rename(&unfinished, path));
        if written.is_err() {
            let _ = std::fs::remove_file(&unfinished);
        }
    }
}

fn hash(text: &str) -> String {
    let sum = Sha256::digest(text.as_bytes());
    sum.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_damaged_cache_file_is_ignored() {
        let folder = tempfile::tempdir().expect("a folder");
        let entry = CacheEntry(Some(folder.path().join("deep").join("name")));
        assert_eq!(entry.read(), None);
        entry.write("export default 1;\nsecond line");
        assert_eq!(
            entry.read().as_deref(),
            Some("export default 1;\nsecond line")
        );
        let path = entry.0.as_ref().expect("a path");
        let tampered = std::fs::read_to_string(path)
            .expect("there")
            .replace('1', "2");
        std::fs::write(path, tampered).expect("written");
        assert_eq!(entry.read(), None);
    }
}
