//! The admin API: that of every simulated server, and the operations of a system.

use std::borrow::Cow;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use bytes::Bytes;
use live_config::Invalid;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use simulated_server::admin::{
    CheckedQuery, Conditions, change_profile, error, no_such_method, read_json, revision_tag,
    take_in,
};

use super::{Target, ahead, show};
use crate::limits;
use crate::network::StoreReading;
use crate::system::System;
use crate::truth::{self, Asking, Load, NoTruth};

type Shared = State<Arc<Target>>;

/// Maximum number of requests in a plan.
const MOST_PLANNED: u64 = 10_000;

/// The additional operations of a system, as OpenAPI paths.
const OWN: &str = include_str!("../../admin.json");

pub(super) fn router(target: Arc<Target>) -> Router {
    let own = Router::new()
        .route("/__admin/limits", get(limits_of).patch(patch_limits))
        .route("/__admin/toggles", get(toggles).patch(patch_toggles))
        .route("/__admin/plan", get(plan))
        .route("/__admin/truth", get(truth_of))
        .route("/__admin/resources", get(resources))
        .route("/__admin/crash", post(crash))
        .route("/__admin/populate", post(populate).delete(withdraw))
        .route("/__admin/log", get(log))
        .method_not_allowed_fallback(no_such_method)
        .with_state(target.clone())
        .layer(from_fn(take_in::whole));
    let name = target.control.live().system.document.system.clone();
    simulated_server::admin::router(target)
        .merge(own)
        .merge(simulated_server::admin::described(
            &name,
            OWN,
            crate::schema(),
        ))
        .layer(from_fn(finish_only))
}

/// Requests in a system wait for its resources. No delay can be ended or drawn again by a change without
/// violating the laws of the network: requests finish as they began.
async fn finish_only(request: Request, next: Next) -> Response {
    let query = request.uri().query().unwrap_or_default();
    let other = form_urlencoded::parse(query.as_bytes())
        .find(|(name, value)| name == "in_flight" && value != "finish");
    match other {
        None => next.run(request).await,
        Some((_, value)) => {
            let message = format!(
                "in_flight={value}: requests in flight end unchanged; only `finish` is supported"
            );
            error(StatusCode::UNPROCESSABLE_ENTITY, "in_flight", message)
        }
    }
}

/// Limits of hosts and sizes of pools by name: `{"router": {"cpu_cores": 0.5}}`.
async fn patch_limits(
    State(target): Shared,
    CheckedQuery(conditions): CheckedQuery<Conditions>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    change_profile(conditions, &headers, &body, |limits, change| {
        let live = target.control.live();
        let patch = limits::patch(&live.system.document, &limits)?;
        target.control.patch(&patch, change)
    })
}

fn unknown(what: &str, name: String, known: Vec<&str>) -> Invalid {
    let message = match live_config::read::nearest(&name, known.iter().copied()) {
        Some(near) => format!("unknown {what}; did you mean `{near}`?"),
        None => format!("unknown {what}; known: {}", known.join(", ")),
    };
    Invalid::one(name, message)
}

async fn limits_of(State(target): Shared) -> Response {
    let (revision, limits) = target.clock.in_force(limits::shown);
    (revision_tag(revision), Json(limits)).into_response()
}

async fn toggles(State(target): Shared) -> Response {
    let live = target.control.live();
    let toggles: Map<String, Value> = live
        .system
        .document
        .toggles
        .iter()
        .map(|(name, toggle)| {
            let shown = json!({ "on": toggle.on, "group": toggle.group, "expect": toggle.expect });
            (name.clone(), shown)
        })
        .collect();
    (revision_tag(live.revision), Json(toggles)).into_response()
}

/// `{"caching": false}`.
async fn patch_toggles(
    State(target): Shared,
    CheckedQuery(conditions): CheckedQuery<Conditions>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    change_profile(conditions, &headers, &body, |toggles, change| {
        let Value::Object(toggles) = toggles else {
            let message = "toggles are an object such as {\"caching\": false}";
            return Err(Invalid::one("", message).into());
        };
        let live = target.control.live();
        let known = &live.system.document.toggles;
        if let Some(name) = toggles.keys().find(|name| !known.contains_key(*name)) {
            let names = known.keys().map(String::as_str).collect();
            return Err(unknown("toggle", name.clone(), names).into());
        }
        if let Some((name, _)) = toggles.iter().find(|(_, on)| !on.is_boolean()) {
            let message = "must be true or false; POST /__admin/reset restores the file's state";
            return Err(Invalid::one(name, message).into());
        }
        let states = toggles
            .into_iter()
            .map(|(name, on)| (name, json!({ "on": on })));
        let patch = json!({ "toggles": states.collect::<Map<_, _>>() });
        target.control.patch(&patch, change)
    })
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct PlanQuery {
    endpoint: Option<String>,
    n: u64,
    tenant: String,
}

impl Default for PlanQuery {
    fn default() -> Self {
        Self {
            endpoint: None,
            n: 10,
            tenant: String::new(),
        }
    }
}

/// The demands of the next requests to an endpoint that have no id.
async fn plan(State(target): Shared, CheckedQuery(query): CheckedQuery<PlanQuery>) -> Response {
    let live = target.control.live();
    let names = || live.endpoints.iter().map(|endpoint| endpoint.name.as_str());
    let place = match &query.endpoint {
        Some(name) => names().position(|known| known == name),
        None => names().next().map(|_| 0),
    };
    let Some(place) = place else {
        return no_such("endpoint", names());
    };
    if !(1..=MOST_PLANNED).contains(&query.n) {
        let message = format!("n: {} is not between 1 and {MOST_PLANNED}", query.n);
        return error(StatusCode::UNPROCESSABLE_ENTITY, "query", message);
    }
    match ahead::demands(&live.system, place, &query.tenant, query.n) {
        Ok(requests) => {
            let endpoint = &live.endpoints[place].name;
            let plan =
                json!({ "endpoint": endpoint, "revision": live.revision, "requests": requests });
            Json(plan).into_response()
        }
        Err(message) => error(StatusCode::CONFLICT, "plan", message),
    }
}

fn no_such<'a>(what: &str, known: impl Iterator<Item = &'a str>) -> Response {
    let known: Vec<&str> = known.collect();
    let message = format!("unknown {what}; known: {}", known.join(", "));
    error(StatusCode::NOT_FOUND, &format!("unknown_{what}"), message)
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct TruthQuery {
    mix: Option<String>,
    users: Option<u32>,
    think_ms: Option<f64>,
    rate_per_s: Option<f64>,
}

/// The results that a correct analysis finds; without a mix, for the first one of the document.
async fn truth_of(
    State(target): Shared,
    CheckedQuery(query): CheckedQuery<TruthQuery>,
) -> Response {
    let live = target.control.live();
    let document = &live.system.document;
    let first = || {
        document
            .mixes
            .keys()
            .chain(document.endpoints.keys())
            .next()
            .cloned()
    };
    let load = match (query.users, query.rate_per_s) {
        (Some(_), Some(_)) => {
            let message = "users and rate_per_s exclude each other; use one of them";
            return error(StatusCode::UNPROCESSABLE_ENTITY, "query", message);
        }
        (Some(users), None) => Load::Users {
            users,
            think_ms: query.think_ms.unwrap_or(0.0),
        },
        (None, Some(per_s)) => Load::Rate { per_s },
        (None, None) => Load::Unknown {
            think_ms: query.think_ms,
        },
    };
    let mix = query.mix.or_else(first).unwrap_or_default();
    let system = with_rows(&live.system, &target.clock.read().stores);
    match truth::truth(&system, &[Asking { mix, load }]) {
        Ok(truth) => Json(truth).into_response(),
        Err(none @ NoTruth::UnknownMix { .. }) => {
            error(StatusCode::NOT_FOUND, "unknown_mix", none.to_string())
        }
        Err(none) => error(StatusCode::UNPROCESSABLE_ENTITY, "truth", none.to_string()),
    }
}

/// The system with the rows that its stores have now, as if it had begun with them.
fn with_rows<'a>(system: &'a System, stores: &[StoreReading]) -> Cow<'a, System> {
    let begun = system.plan.stores.iter().map(|store| store.populate);
    let changed = stores
        .iter()
        .zip(begun)
        .filter(|(store, begun)| store.populated != *begun);
    let changed: Map<String, Value> = changed
        .map(|(store, _)| {
            (
                store.name.to_string(),
                json!({ "populate": store.populated }),
            )
        })
        .collect();
    if changed.is_empty() {
        return Cow::Borrowed(system);
    }
    let patched = system.patched(&json!({ "stores": changed }));
    patched.map_or(Cow::Borrowed(system), Cow::Owned)
}

async fn resources(State(target): Shared) -> Response {
    let reading = target.clock.read();
    Json(show::resources(&reading, target.control.revision())).into_response()
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct CrashBody {
    host: String,
    #[serde(default)]
    instance: usize,
}

async fn crash(State(target): Shared, body: Bytes) -> Response {
    let body: CrashBody = match read_json(&body) {
        Ok(body) => body,
        Err(response) => return response,
    };
    let live = target.control.live();
    let hosts = &live.system.plan.hosts;
    let Some(place) = hosts.iter().position(|host| *host.name == *body.host) else {
        return no_such("host", hosts.iter().map(|host| host.name.as_ref()));
    };
    if target.clock.crash(place, body.instance) {
        let crashed = json!({ "host": body.host, "instance": body.instance });
        return Json(json!({ "crashed": crashed })).into_response();
    }
    let message = format!("{} has no running instance {}", body.host, body.instance);
    error(StatusCode::CONFLICT, "instance", message)
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct PopulateBody {
    store: String,
    rows: usize,
}

async fn populate(State(target): Shared, body: Bytes) -> Response {
    let body: PopulateBody = match read_json(&body) {
        Ok(body) => body,
        Err(response) => return response,
    };
    let live = target.control.live();
    let stores = &live.system.plan.stores;
    let Some(place) = stores.iter().position(|store| *store.name == *body.store) else {
        return no_such("store", stores.iter().map(|store| store.name.as_ref()));
    };
    if body.rows > stores[place].capacity {
        let message = format!(
            "{} has room for {} rows",
            body.store, stores[place].capacity
        );
        return error(StatusCode::UNPROCESSABLE_ENTITY, "rows", message);
    }
    target.clock.populate(place, body.rows);
    let populated = json!({ "store": body.store, "rows": body.rows });
    Json(json!({ "populated": populated })).into_response()
}

async fn withdraw(State(target): Shared, body: Bytes) -> Response {
    let body: PopulateBody = match read_json(&body) {
        Ok(body) => body,
        Err(response) => return response,
    };
    let live = target.control.live();
    let stores = &live.system.plan.stores;
    let Some(place) = stores.iter().position(|store| *store.name == *body.store) else {
        return no_such("store", stores.iter().map(|store| store.name.as_ref()));
    };
    target.clock.withdraw(place, body.rows);
    let withdrawn = json!({ "store": body.store, "rows": body.rows });
    Json(json!({ "withdrawn": withdrawn })).into_response()
}

async fn log(State(target): Shared) -> Response {
    Json(target.clock.log()).into_response()
}
