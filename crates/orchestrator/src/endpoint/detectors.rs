//! The registry at run time.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, Request, StatusCode};
use axum::response::{IntoResponse, Response};
use detector_api::detect::ContentType;
use detector_api::orchestrate::ErrorCode;
use live_config::{ConfigError, ConfigErrors};
use serde::Deserialize;
use serde_json::{Value, json};

use super::breakers::unknown;
use super::{read, respond};
use crate::app::App;
use crate::ask::network::is_allowed;
use crate::ask::registry::{Detector, Registry};
use crate::ask::trust::RegistrationSource;
use crate::config::{DetectorSettings, Dialect, Network, OnFailure};
use crate::error::ApiError;
use crate::request::auth::{self, REGISTRY_READ, REGISTRY_WRITE};
use crate::request::intake;

const BODY_BYTES: usize = 64 * 1024;
const MAX_DETECTORS: usize = 1_000;
const MAX_LIST: usize = 100;

/// A detector in a registration. Absent fields have the contract's defaults.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Registration {
    /// Optional if the path has it.
    name: Option<String>,
    endpoint: String,
    #[serde(default)]
    endpoints: Vec<String>,
    timeout_ms: Option<u64>,
    max_retries: Option<u32>,
    health_check_path: Option<String>,
    #[serde(default)]
    capabilities: Vec<String>,
    #[serde(default)]
    content_types: Vec<ContentType>,
    #[serde(default)]
    dialect: Dialect,
    #[serde(default)]
    aliases: Vec<String>,
    weight: Option<f64>,
    #[serde(default)]
    on_failure: OnFailure,
    #[serde(default)]
    required: bool,
    #[serde(default)]
    bulkhead: resilience::bulkhead::Config,
    #[serde(default)]
    retry: resilience::retry::Config,
    #[serde(default)]
    breaker: resilience::breaker::Config,
    #[serde(default)]
    hedge: resilience::hedge::Config,
    #[serde(default)]
    limit: resilience::limit::Config,
    #[serde(default)]
    outlier: resilience::outlier::Config,
    shadow_of: Option<String>,
}

pub async fn list(State(app): State<Arc<App>>, headers: HeaderMap) -> Response {
    let result = allow(&app, &headers, REGISTRY_READ).map(|()| {
        let registry = app.catalog.registry.load();
        let detectors: Vec<Value> = registry.iter().map(|it| describe(it)).collect();
        Json(json!({ "detectors": detectors }))
    });
    respond(result, &headers)
}

pub async fn get(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
    headers: HeaderMap,
) -> Response {
    let result = allow(&app, &headers, REGISTRY_READ)
        .and_then(|()| {
            app.catalog
                .registry
                .load()
                .find(&name)
                .map(|it| describe(it))
                .ok_or_else(unknown)
        })
        .map(Json);
    respond(result, &headers)
}

/// 201, or 409 when the name is taken or a policy or a shadow would lose a detector.
pub async fn post(State(app): State<Arc<App>>, request: Request<Body>) -> Response {
    let headers = request.headers().clone();
    let result = async {
        let settings = registration(&app, None, request).await?;
        let name = settings.name.clone();
        if !app.catalog.register(settings, false).await? {
            let message = "a detector of this name is already registered; use PUT to replace it";
            return Err(ApiError::new(ErrorCode::Conflict, message));
        }
        Ok((StatusCode::CREATED, current(&app, &name)?))
    };
    respond(result.await, &headers)
}

pub async fn put(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
    request: Request<Body>,
) -> Response {
    let headers = request.headers().clone();
    let result = async {
        let settings = registration(&app, Some(&name), request).await?;
        app.catalog.register(settings, true).await?;
        current(&app, &name)
    };
    respond(result.await, &headers)
}

pub async fn delete(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
    headers: HeaderMap,
) -> Response {
    let result = async {
        allow(&app, &headers, REGISTRY_WRITE)?;
        let removed = app.catalog.unregister(&name).await?;
        let removed = removed.ok_or_else(|| not_removed(&app, &name))?;
        Ok(Json(json!({ "detector": removed, "deleted": true })).into_response())
    };
    respond(result.await, &headers)
}

/// An alias does not remove a detector: a repeated request could remove another one that it then means.
fn not_removed(app: &App, name: &str) -> ApiError {
    match app.catalog.registry.load().find(name) {
        Some(meant) => {
            let message = format!(
                "this is an alias of `{0}`; use DELETE /detectors/{0}",
                meant.name()
            );
            ApiError::new(unknown().code, message)
        }
        None => unknown(),
    }
}

fn allow(app: &App, headers: &HeaderMap, scope: &str) -> Result<(), ApiError> {
    auth::identify(&app.config.auth, headers)?.require(scope)
}

fn current(app: &App, name: &str) -> Result<Json<Value>, ApiError> {
    app.catalog
        .registry
        .load()
        .find(name)
        .map(|it| Json(describe(it)))
        .ok_or_else(unknown)
}

async fn registration(
    app: &App,
    path_name: Option<&str>,
    request: Request<Body>,
) -> Result<DetectorSettings, ApiError> {
    allow(app, request.headers(), REGISTRY_WRITE)?;
    let (parts, body) = request.into_parts();
    let body = read(&parts.headers, body, BODY_BYTES).await?;
    let given: Registration = intake::parse(&body)?;
    let settings = settings(given, path_name)?;
    let registry = app.catalog.registry.load();
    if registry.count() >= MAX_DETECTORS && !registry.has(&settings.name) {
        return Err(ApiError::invalid(
            "name",
            "the limit of 1000 registered detectors is reached; remove one first",
        ));
    }
    for (place, alias) in settings.aliases.iter().enumerate() {
        if *alias == settings.name || settings.aliases[..place].contains(alias) {
            let message = "contains a duplicate, or the detector's own name";
            return Err(ApiError::invalid("aliases", message));
        }
        if registry
            .find(alias)
            .is_some_and(|other| other.name() != settings.name)
        {
            return Err(ApiError::invalid(
                "aliases",
                "contains the name of another detector",
            ));
        }
    }
    check_shadow(&settings, &registry)?;
    check_network(&settings, &app.config.registry_networks).await?;
    Ok(settings)
}

/// As in the file: a shadow belongs to a detector that is not a shadow itself.
fn check_shadow(settings: &DetectorSettings, registry: &Registry) -> Result<(), ApiError> {
    let Some(spelled) = settings.shadow_of.as_deref() else {
        return Ok(());
    };
    let is_own = spelled == settings.name || settings.aliases.iter().any(|alias| alias == spelled);
    match registry.find(spelled) {
        _ if is_own => Err(ApiError::invalid("shadow_of", "is the detector itself")),
        None => Err(ApiError::invalid("shadow_of", "no detector has this name")),
        Some(live) if live.name() == settings.name => {
            Err(ApiError::invalid("shadow_of", "is the detector itself"))
        }
        Some(live) if live.settings.shadow_of.is_some() => {
            let message = "is itself a shadow; name a live detector";
            Err(ApiError::invalid("shadow_of", message))
        }
        Some(_) => check_own_shadows(settings, registry),
    }
}

/// A detector that has shadows cannot become one: its shadows would never be asked.
fn check_own_shadows(settings: &DetectorSettings, registry: &Registry) -> Result<(), ApiError> {
    let own = registry.find(&settings.name);
    let own = own.filter(|it| it.name() == settings.name);
    let shadow = own.and_then(|it| registry.shadows_of(&it.name).next());
    match shadow {
        None => Ok(()),
        Some(shadow) => {
            let message = format!("`{}` is a shadow of this detector", shadow.name());
            Err(ApiError::invalid("shadow_of", &message))
        }
    }
}

fn settings(given: Registration, path_name: Option<&str>) -> Result<DetectorSettings, ApiError> {
    let name = match (path_name, given.name) {
        (Some(path), Some(body)) if path != body => {
            return Err(ApiError::invalid(
                "name",
                "differs from the path; leave it out",
            ));
        }
        (Some(path), _) => path.to_owned(),
        (None, Some(body)) => body,
        (None, None) => return Err(ApiError::invalid("name", "missing")),
    };
    let usable = |name: &String| fleet::is_name(name);
    if !usable(&name) {
        return Err(ApiError::invalid("name", fleet::NO_NAME));
    }
    for (field, list) in [
        ("aliases", &given.aliases),
        ("capabilities", &given.capabilities),
    ] {
        if list.len() > MAX_LIST || !list.iter().all(usable) {
            return Err(ApiError::invalid(
                field,
                "must hold at most 100 plain names",
            ));
        }
    }
    if given.endpoints.len() > MAX_LIST {
        return Err(ApiError::invalid("endpoints", "must be at most 100"));
    }
    let own = DetectorSettings::new(&name, &given.endpoint)
        .map_err(|_| ApiError::invalid("endpoint", "must be http://host:port/path"))?
        .with_replicas(&given.endpoints)
        .map_err(|_| ApiError::invalid("endpoints", "must all be http://host:port/path"))?;
    let settings = DetectorSettings {
        timeout: given.timeout_ms.map_or(own.timeout, Duration::from_millis),
        max_retries: given.max_retries.unwrap_or(own.max_retries),
        health_check_path: given.health_check_path.unwrap_or(own.health_check_path),
        capabilities: given.capabilities,
        content_types: given.content_types,
        dialect: given.dialect,
        aliases: given.aliases,
        weight: given.weight.unwrap_or(own.weight),
        on_failure: given.on_failure,
        required: given.required,
        bulkhead: given.bulkhead,
        retry: given.retry,
        breaker: given.breaker,
        hedge: given.hedge,
        limit: given.limit,
        outlier: given.outlier,
        shadow_of: given.shadow_of,
        ..own
    };
    check(&settings)?;
    Ok(settings)
}

/// All errors at once.
fn check(settings: &DetectorSettings) -> Result<(), ApiError> {
    let mut faults = ConfigErrors::default();
    let mut nested = |name: &str, validate: &dyn Fn(&mut Vec<ConfigError>)| {
        let mut inner = Vec::new();
        validate(&mut inner);
        faults.add_below(name, inner);
    };
    nested("bulkhead", &|faults| settings.bulkhead.validate(faults));
    nested("retry", &|faults| settings.retry.validate(faults));
    nested("breaker", &|faults| settings.breaker.validate(faults));
    nested("hedge", &|faults| settings.hedge.validate(faults));
    nested("limit", &|faults| settings.limit.validate(faults));
    nested("outlier", &|faults| settings.outlier.validate(faults));
    let mut fault = |path: &str, text: &str| faults.add(path, text);
    if !(settings.weight.is_finite() && settings.weight >= 0.0) {
        fault("weight", "must be a number of at least 0");
    }
    if !(1..=600_000).contains(&settings.timeout.as_millis()) {
        fault("timeout_ms", "must be 1 to 600000");
    }
    if settings.max_retries > 10 {
        fault("max_retries", "must be at most 10");
    }
    if settings.required && settings.shadow_of.is_some() {
        let text = "a shadow does not affect responses, so it cannot be required";
        fault("required", text);
    }
    if !fleet::is_path(&settings.health_check_path) {
        fault("health_check_path", fleet::NO_PATH);
    }
    let faults = faults.into_vec();
    match faults.first() {
        None => Ok(()),
        Some(ConfigError { path, message, .. }) => {
            let all: Vec<Value> = faults
                .iter()
                .map(|fault| json!({ "field": fault.path, "message": fault.message }))
                .collect();
            Err(ApiError::invalid(path, message)
                .with_details(json!({ "field": path, "errors": all })))
        }
    }
}

async fn check_network(settings: &DetectorSettings, networks: &[Network]) -> Result<(), ApiError> {
    for endpoint in settings.endpoints() {
        let read = fleet::Endpoint::parse(&endpoint.to_string());
        let allowed = match &read {
            Ok(read) => is_allowed(&read.host, read.port, networks).await,
            Err(_) => Ok(false),
        };
        let problem = match allowed {
            Ok(true) => continue,
            Ok(false) => "the host is outside the networks where detectors may be registered",
            Err(_) => "the host's name cannot be resolved",
        };
        let field = if *endpoint == settings.endpoint {
            "endpoint"
        } else {
            "endpoints"
        };
        return Err(ApiError::invalid(field, problem));
    }
    Ok(())
}

fn describe(detector: &Detector) -> Value {
    let settings = &detector.settings;
    json!({
        "name": settings.name,
        "endpoint": settings.endpoint.to_string(),
        "endpoints": settings.endpoints().map(ToString::to_string).collect::<Vec<_>>(),
        "timeout_ms": u64::try_from(settings.timeout.as_millis()).unwrap_or(u64::MAX),
        "max_retries": settings.max_retries,
        "health_check_path": settings.health_check_path,
        "capabilities": settings.capabilities,
        "content_types": settings.content_types,
        "dialect": settings.dialect,
        "aliases": settings.aliases,
        "weight": settings.weight,
        "on_failure": settings.on_failure,
        "required": settings.required,
        "bulkhead": settings.bulkhead,
        "retry": settings.retry,
        "breaker": settings.breaker,
        "hedge": settings.hedge,
        "limit": settings.limit,
        "outlier": settings.outlier,
        "shadow_of": settings.shadow_of,
        "registered_by": match detector.origin { RegistrationSource::File => "file", RegistrationSource::Api => "api" },
        "healthy": detector.is_in_rotation(),
        "circuit_breaker": detector.replicas.state().name(),
    })
}
