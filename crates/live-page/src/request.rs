//! Classifies samples by their tags.

use load_metrics::Tags;

use crate::measured::Key;

/// The facts about a request in its tags.
#[derive(Debug, Clone)]
pub struct Tagged {
    pub key: Key,
    /// 0: no response.
    pub status: u16,
    /// Why, for failed requests.
    pub error: Option<String>,
}

impl Tagged {
    pub fn read(tags: &Tags) -> Self {
        let owned = |key| tags.get(key).unwrap_or_default().to_owned();
        let status = tags.get("status").and_then(|text| text.parse().ok());
        let status = status.unwrap_or(0);
        let failed = tags.get("expected_response") == Some("false");
        let said = tags.get("error").filter(|text| !text.is_empty());
        let error = || match (said, status) {
            (Some(said), 0) => said.to_owned(),
            (None, 0) => "no answer".to_owned(),
            (_, status) => format!("Status code: {status}"),
        };
        Self {
            key: Key {
                method: owned("method"),
                name: owned("name"),
                class: tags.get("class").map(str::to_owned),
            },
            status,
            error: failed.then(error),
        }
    }
}

/// Whether a sample was taken in `setup`, in `teardown`, in a warm-up or by a probe during a rest.
pub fn is_beside_the_load(tags: &Tags) -> bool {
    let group = tags.get("group").unwrap_or_default();
    tags.get("phase") == Some("warm_up")
        || is_probe(tags)
        || group == "::setup"
        || group == "::teardown"
}

/// Whether a sample was taken by a probe: a user that sends requests while the system is without load.
pub fn is_probe(tags: &Tags) -> bool {
    tags.get("phase") == Some("probe")
}
