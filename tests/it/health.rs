//! `sparring health`, the health check of containers.

use crate::binary::call;
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
