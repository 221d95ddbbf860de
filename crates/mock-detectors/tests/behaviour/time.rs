use serde_json::json;

use crate::client::{Client, start};

/// No test asserts wall-clock speed; the assertion is that the mock reports it correctly: an answer is never
/// early, and its reported delay is never below the plan.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_answer_is_early_and_every_answer_reports_its_lateness() {
    let fleet = start(json!({"latency": {"uniform": {"min_ms": 1, "max_ms": 40}}})).await;
    let mut tasks = Vec::new();
    for worker in 0..20 {
        let mut client = Client::to(&fleet).await;
        tasks.push(tokio::spawn(async move {
            for n in 0..10 {
                let begun = std::time::Instant::now();
                let answer = client.detect(&format!("{worker}-{n}")).await;
                let (planned, actual) = (answer.decided("planned_us"), answer.decided("actual_us"));
                assert!(actual >= planned, "{planned} {actual}");
                assert!(begun.elapsed().as_micros() as u64 >= planned);
            }
        }));
    }
    for task in tasks {
        task.await.expect("no panic");
    }
    let metrics = Client::to(&fleet)
        .await
        .get("/metrics")
        .await
        .body
        .to_string();
    assert!(metrics.contains(r#"sparring_mock_delay_error_seconds_count{detector=\"mock\"} 200"#));
    fleet.stop().await;
}
