//! Partial answers that can be completed: what was answered is kept for a while under a token, so
//! that only what was missing is asked again.

use std::sync::Arc;
use std::time::Duration;

use detector_api::detect::ContentType;
use detector_api::orchestrate::{Priority, ProcessingMode};
use quick_cache::sync::Cache as QuickCache;
use sha2::{Digest, Sha256};
use tokio::time::Instant;

use crate::call::Called;
use crate::error::ApiError;
use crate::intake::Accepted;
use crate::select::{Plan, Rules};

/// Partial answers kept at most; the least useful is forgotten.
const KEPT: usize = 1_000;
/// How long one can be completed.
const LIFETIME: Duration = Duration::from_secs(300);

/// The partial answers of one orchestrator.
pub struct Partials {
    kept: QuickCache<String, Arc<Partial>>,
}

/// One partial answer. The content itself is not kept, only its hash.
pub struct Partial {
    tenant: String,
    content_hash: [u8; 32],
    content_type: ContentType,
    bundle: Arc<str>,
    /// Answers made under another version are not mixed with new ones.
    pub version: u64,
    priority: Priority,
    required: Vec<String>,
    excluded: Vec<String>,
    answered: Vec<(Arc<str>, Called)>,
    since: Instant,
}

impl Default for Partials {
    fn default() -> Self {
        Self {
            kept: QuickCache::new(KEPT),
        }
    }
}

impl Partials {
    /// Keeps what was answered, under `token` if it has one already, and says under which.
    pub fn keep(
        &self,
        token: Option<String>,
        request: &Accepted,
        rules: &Rules,
        plan: &Plan,
        called: &[Called],
    ) -> String {
        let token = token.unwrap_or_else(|| uuid::Uuid::new_v4().simple().to_string());
        let answered = plan
            .selected
            .iter()
            .zip(called)
            .filter(|(_, call)| call.outcome.is_ok());
        let partial = Partial {
            tenant: request.tenant.clone(),
            content_hash: hash(&request.content),
            content_type: request.content_type,
            bundle: rules.bundle.clone(),
            version: rules.version,
            priority: request.priority,
            required: request.required.clone(),
            excluded: request.excluded.clone(),
            answered: answered
                .map(|(one, call)| (one.name.clone(), call.clone()))
                .collect(),
            since: Instant::now(),
        };
        self.kept.insert(token.clone(), Arc::new(partial));
        token
    }

    /// The partial answer of this token, for this tenant and this content.
    ///
    /// # Errors
    /// INVALID_REQUEST: the token is unknown, expired or another tenant's (which looks the same),
    /// or the content is another one.
    pub fn find(&self, token: &str, tenant: &str, content: &str) -> Result<Arc<Partial>, ApiError> {
        let found = self.kept.get(token);
        let usable = |it: &Arc<Partial>| it.tenant == tenant && it.since.elapsed() < LIFETIME;
        let Some(partial) = found.filter(usable) else {
            let message = "unknown or expired; send the whole request again";
            return Err(ApiError::invalid("resume_token", message));
        };
        if partial.content_hash != hash(content) {
            let message = "is not the content that the partial answer is about";
            return Err(ApiError::invalid("content", message));
        }
        Ok(partial)
    }
}

impl Partial {
    /// The request that completes it.
    pub fn request(&self, content: Arc<str>) -> Accepted {
        Accepted {
            content,
            content_type: self.content_type,
            tenant: self.tenant.clone(),
            bundle: self.bundle.as_ref().to_owned(),
            mode: ProcessingMode::Sync,
            priority: self.priority,
            required: self.required.clone(),
            excluded: self.excluded.clone(),
        }
    }

    /// What is known, by place in `plan`.
    pub fn known(&self, plan: &Plan) -> Vec<Option<Called>> {
        let find = |name: &Arc<str>| self.answered.iter().find(|(known, _)| known == name);
        plan.selected
            .iter()
            .map(|one| find(&one.name).map(|(_, call)| call.clone()))
            .collect()
    }
}

fn hash(content: &str) -> [u8; 32] {
    Sha256::digest(content.as_bytes()).into()
}
