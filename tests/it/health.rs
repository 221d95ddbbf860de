//! `sparring health`, the health check of containers.

use crate::binary::{call, sparring};
use crate::stack::Up;

const FLEET: &str = "detectors: { a: { endpoint: 'http://localhost:0/detect' } }";

#[test]
fn a_serving_orchestrator_is_healthy_and_a_closed_port_is_not() {
    let up = Up::start(FLEET);
    let well = call(["health", &format!("{}/health", up.url("orchestrator"))]);
    assert_eq!(well.code, Some(0), "{}", well.stderr);
    assert!(well.stdout.contains("healthy"), "{}", well.stdout);

    let gone = call(["health", "http://127.0.0.1:1/health"]);
    assert_eq!(gone.code, Some(1));
}

#[test]
fn a_url_may_lack_its_scheme_and_a_variable_may_be_empty() {
    let up = Up::start(FLEET);
    let address = up.url("orchestrator").trim_start_matches("http://");
    let well = call(["health", address]);
    assert_eq!(well.code, Some(0), "{}", well.stderr);
    let wrong = call(["health", "http://127.0.0.1:99999/health"]);
    assert_eq!(wrong.code, Some(1));
    assert!(wrong.stderr.contains("from 0 to 65535"), "{}", wrong.stderr);
    // An empty variable means the default URL, where another service may answer.
    let output = sparring().arg("health").env("HEALTH_URL", "").output();
    let stderr = output.expect("it runs").stderr;
    let stderr = String::from_utf8_lossy(&stderr);
    assert!(
        !stderr.contains("not a URL") && !stderr.contains("required"),
        "{stderr}"
    );
}
