//! The page on which people try an API: Swagger UI, whose script and style are in the binary.

use std::fmt::Write;

use axum::Router;
use axum::response::Html;
use axum::routing::get;
use swagger_ui_dist::{ApiDefinition, OpenApiSource};

/// A page at `page` that shows the description at `description`, both with their paths on this server.
/// Script and style are below `page`; nothing comes from elsewhere.
pub fn routes<S: Clone + Send + Sync + 'static>(
    title: &str,
    page: &str,
    description: &str,
) -> Router<S> {
    let assets = format!("{page}/ui");
    let html = html(title, &assets, description);
    let html = get(|| async move { Html(html) });
    let shipped = shipped(assets, title, description);
    shipped.route(page, html).with_state(())
}

/// Script and style. Not generic, since they would be in the binary again for every state of a router, 4 MB each time.
#[inline(never)]
fn shipped(assets: String, title: &str, description: &str) -> Router {
    swagger_ui_dist::generate_routes(ApiDefinition {
        uri_prefix: assets,
        api_definition: OpenApiSource::Uri(description.to_owned()),
        title: Some(title.to_owned()),
    })
}

/// Swagger UI's default validator is on the internet.
fn html(title: &str, assets: &str, description: &str) -> String {
    let title = escaped(title);
    format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"><title>{title}</title>\
         <link rel=\"icon\" href=\"data:,\"><link rel=\"stylesheet\" href=\"{assets}/swagger-ui.css\"></head>\
         <body><noscript><h1>{title}</h1><p>This page needs JavaScript. The description itself: \
         <a href=\"{description}\">{description}</a></p></noscript><div id=\"swagger-ui\"></div>\
         <script src=\"{assets}/swagger-ui-bundle.js\"></script><script>\
         window.ui = SwaggerUIBundle({{ url: '{description}', dom_id: '#swagger-ui', deepLinking: true, \
         validatorUrl: null, persistAuthorization: true }});</script></body></html>"
    )
}

/// A page about the running service, with links: `rows` are paths and their purposes.
pub fn index(title: &str, about: &str, rows: &[(&str, &str)]) -> Html<String> {
    let (title, about) = (escaped(title), escaped(about));
    let mut page = format!("{HEAD}<title>{title}</title><h1>{title}</h1><p>{about}</p><table>");
    for (path, purpose) in rows {
        let (path, purpose) = (escaped(path), escaped(purpose));
        write!(
            page,
            "<tr><td><a href=\"{path}\"><code>{path}</code></a></td><td>{purpose}</td></tr>"
        )
        .expect("a string takes any text");
    }
    page.push_str("</table>");
    Html(page)
}

/// The beginning of a page without scripts, up to its title.
pub const HEAD: &str = "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\">\
<meta name=\"viewport\" content=\"width=device-width\"><style>\
:root{color-scheme:light dark}body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}\
table{border-collapse:collapse;width:100%}td{padding:.3rem .6rem;border-top:1px solid #8884;vertical-align:top}\
code{overflow-wrap:anywhere}</style>";

/// A text in a page.
pub fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::{Body, to_bytes};
    use axum::http::{Request, StatusCode};
    use tower::ServiceExt;

    async fn asked(path: &str) -> (StatusCode, String) {
        let router: Router = routes("A <title>", "/docs", "/openapi.json");
        let request = Request::get(path).body(Body::empty()).expect("a request");
        let answer = router.oneshot(request).await.expect("it answers");
        let status = answer.status();
        let body = to_bytes(answer.into_body(), usize::MAX)
            .await
            .expect("a body");
        (status, String::from_utf8_lossy(&body).into_owned())
    }

    #[tokio::test]
    async fn all_that_the_page_loads_is_there() {
        let (status, page) = asked("/docs").await;
        assert_eq!(status, StatusCode::OK);
        assert!(
            page.contains("A &lt;title&gt;") && !page.contains("://"),
            "{page}"
        );
        let quoted = page.split('"').filter(|part| part.starts_with("/docs/"));
        let loaded: Vec<&str> = quoted.collect();
        assert_eq!(loaded.len(), 2, "{page}");
        for path in loaded {
            let (status, text) = asked(path).await;
            assert_eq!(status, StatusCode::OK, "{path}");
            assert!(text.len() > 100_000, "{path}");
        }
    }

    #[test]
    fn an_index_links_to_its_rows() {
        let page = index("it", "what it is", &[("/docs", "the API")]).0;
        assert!(
            page.contains("<a href=\"/docs\"><code>/docs</code></a></td><td>the API"),
            "{page}"
        );
    }
}
