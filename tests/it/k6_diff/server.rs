//! A small server with the responses that the scripts request.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, Query};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get};
use serde_json::json;

use job_store::testing::redis_server::Server as Redis;

use super::keys::Keys;
use super::{grpc, raw, secure, socket};

/// A server that lives as long as this.
pub struct Server {
    /// Variables for `__ENV` of scripts: the addresses of the server's endpoints, `BASE` and others.
    pub variables: Vec<(String, String)>,
    /// Variables for the environment of the drivers.
    pub environment: Vec<(String, String)>,
    redis: Option<Redis>,
    _keys: Keys,
    _runtime: tokio::runtime::Runtime,
}

impl Server {
    /// `http://127.0.0.1:port`
    pub fn base(&self) -> &str {
        &self.variables[0].1
    }

    /// Whether there is a Redis server.
    pub fn has_redis(&self) -> bool {
        self.redis.is_some()
    }

    /// The text with `{BASE}` and the like replaced by the server's addresses.
    pub fn fill(&self, text: &str) -> String {
        let fill = |text: String, (name, value): &(String, String)| {
            text.replace(&format!("{{{name}}}"), value)
        };
        self.variables.iter().fold(text.to_owned(), fill)
    }
}

pub fn start() -> Server {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .expect("a runtime");
    let listener = runtime
        .block_on(tokio::net::TcpListener::bind("127.0.0.1:0"))
        .expect("a port");
    let base = format!("http://{}", listener.local_addr().expect("it is bound"));
    runtime.spawn(async move { axum::serve(listener, router()).await });
    let keys = Keys::new();
    let mut variables = vec![("BASE".to_owned(), base), ("RAW".to_owned(), raw::start())];
    variables.push(("SOCKET".to_owned(), socket::start()));
    variables.extend(runtime.block_on(secure::start(&keys, &router())));
    variables.extend(runtime.block_on(grpc::start(&keys)));
    let folder = keys.folder().display().to_string();
    variables.push(("KEYS".to_owned(), folder));
    let redis = Redis::start_as(false);
    let address = redis
        .as_ref()
        .map(|redis| ("REDIS".to_owned(), redis.url()));
    variables.extend(address);
    let root = keys.root_file().display().to_string();
    Server {
        variables,
        environment: vec![("SSL_CERT_FILE".to_owned(), root)],
        redis,
        _keys: keys,
        _runtime: runtime,
    }
}

/// A page with links and forms.
const PAGE: &str = "<html><body><h1>Title</h1><a href='/json'>one</a><a id='second' href='echo?x=1'>two</a>\
    <form id='post' action='/echo' method='post'><input name='t' value='v'><select name='s'><option value='1' selected>o</option></select>\
    <input type='submit' name='go' value='Go'></form><form id='get' action='/json'><input name='q' value='a b'></form></body></html>";

fn router() -> Router {
    Router::new()
        .route(
            "/json",
            get(|| async { axum::Json(json!({"name": "echo", "list": [1, 2]})) }),
        )
        .route("/status/{code}", any(status))
        .route("/redirect/{left}", any(redirect))
        .route("/delay/{millis}", any(delay))
        .route(
            "/cookie",
            any(|| async { ([(header::SET_COOKIE, "taste=sweet; Path=/")], "ok") }),
        )
        .route("/echo", any(echo))
        .route("/page", get(|| async { axum::response::Html(PAGE) }))
        .route(
            "/trailer",
            get(|| async { ([(header::TRAILER, "X-Told")], "ok") }),
        )
        .route("/back", any(|body: Bytes| async { body }))
        .route("/encoded/{coding}", any(encoded))
        .route("/to", any(to))
        .route("/set", any(set_cookie))
        .route("/module/{name}", get(module))
        .route("/script/{*path}", get(script))
}

async fn status(Path(code): Path<u16>) -> StatusCode {
    StatusCode::from_u16(code).unwrap_or(StatusCode::BAD_REQUEST)
}

async fn redirect(Path(left): Path<u32>) -> Response {
    let target = if left <= 1 {
        "/json".to_owned()
    } else {
        format!("/redirect/{}", left - 1)
    };
    (StatusCode::FOUND, [(header::LOCATION, target)]).into_response()
}

async fn delay(Path(millis): Path<u64>) -> &'static str {
    tokio::time::sleep(Duration::from_millis(millis)).await;
    "late"
}

async fn echo(method: Method, headers: HeaderMap, body: Bytes) -> Response {
    let text = |value: &header::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let headers: BTreeMap<String, String> = headers
        .iter()
        .map(|(name, value)| (name.to_string(), text(value)))
        .collect();
    let body = String::from_utf8_lossy(&body);
    axum::Json(json!({"method": method.as_str(), "headers": headers, "body": body})).into_response()
}

/// A short text in a content coding.
async fn encoded(Path(coding): Path<String>) -> Response {
    let packed = pack(b"unpacked", &coding);
    ([(header::CONTENT_ENCODING, coding)], packed).into_response()
}

fn pack(text: &[u8], coding: &str) -> Vec<u8> {
    use std::io::Write;
    let level = flate2::Compression::default();
    let packed = match coding {
        "gzip" => {
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), level);
            encoder.write_all(text).and_then(|()| encoder.finish())
        }
        "deflate" => {
            let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), level);
            encoder.write_all(text).and_then(|()| encoder.finish())
        }
        _ => Ok(text.to_vec()),
    };
    packed.expect("memory")
}

/// `?code=307&url=…`: a redirect.
async fn to(Query(query): Query<BTreeMap<String, String>>) -> Response {
    let code = query.get("code").and_then(|code| code.parse().ok());
    let status = StatusCode::from_u16(code.unwrap_or(302)).unwrap_or(StatusCode::FOUND);
    let url = query.get("url").cloned().unwrap_or_default();
    (status, [(header::LOCATION, url)]).into_response()
}

/// `?cookie=…`: sets this cookie.
async fn set_cookie(Query(query): Query<BTreeMap<String, String>>) -> Response {
    let cookie = query.get("cookie").cloned().unwrap_or_default();
    ([(header::SET_COOKIE, cookie)], "set").into_response()
}

/// Modules to import, and the scripts themselves, as on a server of scripts.
async fn script(Path(path): Path<String>) -> Response {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/k6-diff");
    match std::fs::read(std::path::Path::new(folder).join(path)) {
        Ok(text) => text.into_response(),
        Err(_) => StatusCode::NOT_FOUND.into_response(),
    }
}

async fn module(
    Path(name): Path<String>,
    Query(query): Query<BTreeMap<String, String>>,
) -> Response {
    let text = match name.as_str() {
        "plain.js" => "export const value = 'plain'; export { default } from './inner.js';",
        "inner.js" => "export default 'inner';",
        "asks.js" => match query.get("_k6").map(String::as_str) {
            Some("1") => "export default 'for k6';",
            _ => "export default 'for everybody';",
        },
        "shy.js" if query.contains_key("_k6") => return StatusCode::NOT_FOUND.into_response(),
        "shy.js" => "export default 'without a query';",
        "local.js" => "import 'file:///etc/hostname';",
        "common.js" => "module.exports = { kind: 'common', inner: require('./inner.js').default };",
        _ => return StatusCode::NOT_FOUND.into_response(),
    };
    ([(header::CONTENT_TYPE, "text/javascript")], text).into_response()
}
