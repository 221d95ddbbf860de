use serde_json::json;

use crate::probe::Probe;
use crate::secure::detect;

#[tokio::test]
async fn faults_below_http_work_the_same_over_tls() {
    let kinds = [
        (json!({"reset": {"at": {"body_bytes": 9}}}), 9, true),
        (json!({"close": {"at": "after_head"}}), 0, false),
        (json!({"truncate": {"fraction": 0.0}}), 0, false),
    ];
    let probe = Probe::secure(json!({"success_rate": 0}), false).await;
    for (kind, sent, reset) in kinds {
        probe.patch(json!({"failures": [{"kind": kind}]}));
        let (bytes, end) = detect(&probe).await;
        let head = bytes
            .windows(4)
            .position(|window| window == b"\r\n\r\n")
            .expect("a head")
            + 4;
        assert_eq!(bytes.len() - head, sent, "{kind}");
        assert_eq!(end.is_err(), reset, "{kind}: {end:?}");
    }
    probe.stop().await;
}
