//! Requirements of the operator and the policy hold for every request, on every endpoint.

use http::Method;
use orchestrator::config::{DetectorSettings, OnFailure};
use serde_json::{Value, json};

use crate::detector::{Act, Detector};
use crate::service::{Response, Service, config, request, settings, start};

const EVIL: Act = Act::Find("evil", 0.9);
const FMS: &str = "/api/v2/text/detection/content";

/// `guard`, which the operator requires, and `listed` have findings; `other` never has.
async fn three() -> [Detector; 3] {
    [
        Detector::start(EVIL).await,
        Detector::start(EVIL).await,
        Detector::start(Act::Clean).await,
    ]
}

fn named([guard, listed, other]: &[Detector; 3]) -> Vec<DetectorSettings> {
    let mut needed = settings("guard", guard);
    needed.required = true;
    needed.aliases = vec!["llama-guard".to_owned()];
    let mut more = settings("listed", listed);
    more.aliases = vec!["regex-pii".to_owned()];
    vec![needed, more, settings("other", other)]
}

async fn policy(service: &Service, body: Value) {
    let put = service
        .send(Method::PUT, "/policies/t/p", &[], body.to_string())
        .await;
    assert_eq!(put.status, 200, "{}", put.text);
}

fn reasons(answer: &Response) -> String {
    answer.json["verdict_reasons"].to_string()
}

#[tokio::test]
async fn required_detectors_cannot_be_excluded_on_any_endpoint() {
    let all = three().await;
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut config = config(named(&all));
    config.store = Some(job_store::Config::new(folder.path().join("jobs.redb")));
    let service = start(config).await;
    policy(&service, json!({"required_detectors": ["regex-pii"]})).await;
    for (excluded, bundle, named) in [
        ("guard", "default", "guard"),
        ("llama-guard", "default", "guard"),
        ("guard", "p", "guard"),
        ("listed", "p", "listed"),
        ("regex-pii", "p", "listed"),
    ] {
        let body = request(json!({
            "excluded_detectors": ["nobody", excluded], "policy_bundle": bundle,
        }));
        let mut later = body.clone();
        later["processing_mode"] = json!("async");
        let alone = service.post("/orchestrate", &body).await;
        let planned = service.post("/orchestrate/plan", &body).await;
        let job = service.post("/orchestrate", &later).await;
        for answer in [&alone, &planned, &job] {
            assert_eq!(answer.status, 400, "{excluded} {bundle}: {}", answer.text);
            assert_eq!(answer.json["details"]["field"], "excluded_detectors");
            let message = answer.json["message"].as_str().expect("a message");
            assert!(message.contains(&format!("`{named}`")), "{message}");
        }
        let batch = service
            .post("/orchestrate/batch", &json!([body, request(json!({}))]))
            .await;
        assert_eq!(batch.json["errors"][0]["error_code"], "INVALID_REQUEST");
        assert_eq!(batch.json["errors"][0]["message"], alone.json["message"]);
        assert_eq!(batch.json["results"][1]["verdict"], "block");
    }
}

#[tokio::test]
async fn naming_detectors_adds_to_the_choice_of_the_policy() {
    let all = three().await;
    let mut detectors = named(&all);
    detectors[0].required = false;
    detectors[1].capabilities = vec!["pii".to_owned()];
    let service = start(config(detectors)).await;
    for choice in [
        json!({"detectors": ["listed"]}),
        json!({"capabilities": ["pii"]}),
        json!({"required_detectors": ["listed"]}),
    ] {
        policy(&service, choice.clone()).await;
        let answer = service
            .orchestrate(json!({"policy_bundle": "p", "required_detectors": ["other"]}))
            .await;
        let selected = &answer.json["routing_decision"]["selected_detectors"];
        assert_eq!(*selected, json!(["other", "listed"]), "{choice}");
        assert_eq!(answer.json["verdict"], "block", "{choice}");
    }
}

#[tokio::test]
async fn a_detector_required_by_the_operator_is_asked_under_every_policy() {
    let all = three().await;
    let service = start(config(named(&all))).await;
    for choice in [
        json!({"detectors": ["other"]}),
        json!({"capabilities": ["nobody has it"], "required_detectors": ["other"]}),
    ] {
        policy(&service, choice.clone()).await;
        let answer = service.orchestrate(json!({"policy_bundle": "p"})).await;
        let selected = &answer.json["routing_decision"]["selected_detectors"];
        assert_eq!(*selected, json!(["other", "guard"]), "{choice}");
        assert_eq!(answer.json["verdict"], "block", "{choice}");
    }
}

#[tokio::test]
async fn a_request_that_asks_fewer_detectors_does_not_pass_and_lists_those_left_out() {
    let clean = [
        Detector::start(Act::Clean).await,
        Detector::start(Act::Clean).await,
        Detector::start(Act::Clean).await,
    ];
    let mut detectors = named(&clean);
    detectors[0].required = false;
    let service = start(config(detectors)).await;
    for (wish, verdict, missing) in [
        (json!({}), "pass", ""),
        (
            json!({"required_detectors": ["guard", "regex-pii", "other"]}),
            "pass",
            "",
        ),
        (
            json!({"required_detectors": ["other", "guard"]}),
            "degraded",
            "listed",
        ),
        (
            json!({"excluded_detectors": ["regex-pii"]}),
            "degraded",
            "listed",
        ),
        (json!({"excluded_detectors": ["nobody"]}), "pass", ""),
        (
            json!({"required_detectors": ["guard", "listed", "other"],
                "excluded_detectors": ["llama-guard"]}),
            "degraded",
            "guard",
        ),
        (
            json!({"required_detectors": ["guard", "listed", "other", "ghost"],
                "excluded_detectors": ["ghost"]}),
            "degraded",
            "ghost",
        ),
    ] {
        let answer = service.orchestrate(wish.clone()).await;
        assert_eq!(answer.status, 200, "{wish}: {}", answer.text);
        assert_eq!(answer.json["verdict"], verdict, "{wish}");
        let told = format!("the request excluded detector {missing}");
        assert_eq!(
            reasons(&answer).contains(&told),
            !missing.is_empty(),
            "{wish}"
        );
        // The repeated request is answered from the cache, with the same answer.
        let again = service.orchestrate(wish.clone()).await;
        assert_eq!(again.header("x-cache"), "hit", "{wish}");
        assert_eq!(again.json["verdict"], verdict, "{wish}");
    }
}

#[tokio::test]
async fn a_fail_closed_detector_that_is_left_out_blocks() {
    let all = three().await;
    let mut detectors = named(&all);
    detectors[0].required = false;
    detectors[0].on_failure = OnFailure::Closed;
    let service = start(config(detectors)).await;
    let answer = service
        .orchestrate(json!({"required_detectors": ["other"]}))
        .await;
    assert_eq!(answer.json["verdict"], "block", "{}", answer.text);
}

#[tokio::test]
async fn detectors_that_a_request_adds_do_not_outvote_others_or_add_coverage() {
    let (found, sure, broken) = (
        Detector::start(Act::Find("evil", 0.6)).await,
        Detector::start(Act::Clean).await,
        Detector::start(Act::Reset).await,
    );
    let mut away = settings("away", &broken);
    away.on_failure = OnFailure::Open;
    let service = start(config(vec![
        settings("found", &found),
        settings("sure", &sure),
        away,
    ]))
    .await;
    let highest = json!({"detectors": ["found"], "conflict_method": "highest_confidence"});
    policy(&service, highest).await;
    let ask = |required: Value| {
        service.orchestrate(json!({"policy_bundle": "p", "required_detectors": required}))
    };
    assert_eq!(ask(json!([])).await.json["verdict"], "block");
    let answer = ask(json!(["sure"])).await;
    assert_eq!(answer.json["detectors_succeeded"], 2);
    assert_eq!(answer.json["verdict"], "block", "0.9 for clean is surer");
    assert!(reasons(&answer).contains("the additions of the request"));

    let lenient = json!({"detectors": ["away", "sure"], "min_coverage": 0.6});
    policy(&service, lenient).await;
    assert_eq!(
        ask(json!([])).await.json["verdict"],
        "degraded",
        "half of it is missing"
    );
    for adding in [json!(["found", "sure"]), json!(["sure"])] {
        let answer = ask(adding.clone()).await;
        assert_ne!(answer.json["verdict"], "pass", "{adding}");
        assert_eq!(answer.json["coverage_achieved"], 0.5, "{adding}");
    }
    let required = json!({
        "detectors": ["away", "sure"], "coverage_method": "required_set", "min_coverage": 0.6,
    });
    policy(&service, required).await;
    assert_eq!(ask(json!(["sure"])).await.json["verdict"], "degraded");
}

#[tokio::test]
async fn a_short_deadline_does_not_make_a_fail_open_detector_pass() {
    let (a, b) = (
        Detector::start(Act::Clean).await,
        Detector::start(Act::Status(500, None)).await,
    );
    let mut open = settings("b", &b);
    open.on_failure = OnFailure::Open;
    let mut config = config(vec![settings("a", &a), open]);
    config.partial_coverage_threshold = 0.0;
    let service = start(config).await;
    for (priority, verdict) in [
        ("normal", "pass"),
        ("high", "pass"),
        ("low", "pass"),
        ("critical", "degraded"),
    ] {
        let answer = service.orchestrate(json!({ "priority": priority })).await;
        assert_eq!(answer.json["verdict"], verdict, "{priority}");
    }
}

#[tokio::test]
async fn the_fms_endpoint_returns_required_findings_and_hides_none_that_block() {
    let all = three().await;
    let service = start(config(named(&all))).await;
    let ask = |detectors: Value| {
        let body = json!({"content": "hello", "detectors": detectors});
        let service = &service;
        async move { service.post(FMS, &body).await }
    };
    let found = |answer: &Response| -> Vec<String> {
        let list = answer.json["detections"].as_array().expect("a list");
        let ids = list
            .iter()
            .map(|it| it["detector_id"].as_str().expect("a name"));
        ids.map(str::to_owned).collect()
    };
    let unasked = ask(json!({"other": {}})).await;
    assert_eq!(found(&unasked), ["guard"], "{}", unasked.text);
    let hidden = ask(json!({"llama-guard": {"threshold": 0.95}, "other": {}})).await;
    assert_eq!(found(&hidden), ["llama-guard"], "{}", hidden.text);
    let own = ask(json!({"listed": {"threshold": 0.95}})).await;
    assert_eq!(found(&own), ["guard"], "{}", own.text);
    all[0].act(Act::Status(500, None));
    let missing = ask(json!({"other": {"threshold": 0.1}})).await;
    assert_eq!(missing.status, 503, "{}", missing.text);
    assert!(missing.text.contains("`guard`"), "{}", missing.text);
}

#[tokio::test]
async fn the_plan_lists_the_detectors_that_the_request_leaves_out() {
    let all = three().await;
    let service = start(config(named(&all))).await;
    let body = request(json!({"required_detectors": ["other"]}));
    let plan = service.post("/orchestrate/plan", &body).await;
    assert_eq!(plan.json["left_out"], json!(["listed"]), "{}", plan.text);
    let names: Vec<&Value> = plan.json["detectors"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|it| &it["detector"])
        .collect();
    assert_eq!(names, ["other", "guard"]);
}
