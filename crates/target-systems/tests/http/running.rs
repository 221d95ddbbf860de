//! A system that changes at run time: the parts that cannot change, and the revision in force.

use serde_json::{Value, json};

use crate::served::{Response, Served};

const KEEPS: &str = r#"
system: keeps
hosts:
  front: { cpu_cores: 2 }
components:
  work: { kind: service, host: front, slots: 10, operations: { run: { service_ms: 60000 }, make: { cpu_ms: 1 } } }
stores:
  things: { capacity: 100 }
metrics:
  - { name: things, kind: gauge, of: store.entries }
toggles:
  spare: { on: true, off: { components: { spare: { kind: service, operations: { run: { cpu_ms: 1 } } } } }, expect: a component more }
endpoints:
  slow: { route: GET /slow, flow: [{ visit: work.run }] }
  make: { route: POST /things, flow: [{ visit: work.make }, { state: { create: things } }], answer: { body: { id: $id } } }
  look: { route: "GET /things/{id}", flow: [{ state: { require: things, id: path.id } }] }
"#;

async fn patch(system: &Served, path: &str, body: &Value) -> Response {
    system
        .send("PATCH", path, Some(&body.to_string()), &[])
        .await
}

fn lines(answer: &Response) -> Vec<String> {
    let faults = answer.body["errors"].as_array().into_iter().flatten();
    let line = |fault: &Value| {
        let part = |name: &str| fault[name].as_str().unwrap_or_default().to_owned();
        format!("{}: {}", part("path"), part("message"))
    };
    faults.map(line).collect()
}

#[tokio::test]
async fn changes_that_need_a_restart_are_rejected_and_requests_and_stores_stay() {
    let system = Served::of(KEEPS).await;
    let made = system.post("/things", &json!({})).await;
    let thing = format!("/things/{}", made.body["id"].as_str().expect("an id"));
    let slow = async {
        let answer = system.get("/slow").await;
        assert_eq!(
            answer.status, 502,
            "it ends with the crash: {}",
            answer.text
        );
    };
    let changing = async {
        system
            .until("/__admin", |state| state["in_flight"] == 1)
            .await;
        let spare = json!({ "kind": "service", "operations": { "run": { "cpu_ms": 1 } } });
        for (path, body, expected) in [
            (
                "/__admin/profile",
                json!({ "hosts": { "extra": {} } }),
                vec!["hosts: extra would be new"],
            ),
            (
                "/__admin/profile",
                json!({ "components": { "extra": spare } }),
                vec![
                    "hosts: extra would be new",
                    "components: extra would be new",
                ],
            ),
            (
                "/__admin/profile",
                json!({ "stores": { "more": { "capacity": 1 } } }),
                vec!["stores: more would be new"],
            ),
            (
                "/__admin/profile",
                json!({ "stores": { "things": { "populate": 5 } } }),
                vec![
                    "stores.things.populate: is read only at the start; POST /__admin/populate adds rows",
                ],
            ),
            (
                "/__admin/profile",
                json!({ "metrics": [] }),
                vec!["metrics: is read only at the start"],
            ),
            (
                "/__admin/toggles",
                json!({ "spare": false }),
                vec![
                    "hosts: spare would be new",
                    "components: spare would be new",
                ],
            ),
        ] {
            let refused = patch(&system, path, &body).await;
            assert_eq!(refused.status, 409, "{body}: {}", refused.text);
            assert_eq!(refused.body["error"], "not_while_running");
            assert_eq!(lines(&refused), expected, "{body}");
        }
        let changed = patch(
            &system,
            "/__admin/limits",
            &json!({ "front": { "cpu_cores": 4 } }),
        )
        .await;
        assert_eq!(
            (changed.status, &changed.body["revision"]),
            (200, &json!(2))
        );
        let wider = json!({ "components": { "work": { "slots": 20 } }, "stores": { "things": { "capacity": 7 } } });
        assert_eq!(patch(&system, "/__admin/profile", &wider).await.status, 200);
        let state = system.get("/__admin").await.body;
        assert_eq!(state["in_flight"], 1, "{state}");
        assert_eq!(state["stores"]["things"]["capacity"], 7, "{state}");
        assert_eq!(system.get(&thing).await.status, 200);
        let crashed = system
            .post("/__admin/crash", &json!({ "host": "front" }))
            .await;
        assert_eq!(crashed.status, 200, "{}", crashed.text);
    };
    tokio::join!(slow, changing);
}

#[tokio::test]
async fn endpoints_may_come_and_go_while_requests_are_under_way() {
    let system = Served::of(KEEPS).await;
    let fewer = json!({
        "endpoints": { "slow": null, "look": null },
        "components": { "work": { "operations": { "make": { "cpu_ms": 2 }, "run": null } } },
    });
    let slow = async { system.get("/slow").await };
    let changing = async {
        system
            .until("/__admin", |state| state["in_flight"] == 1)
            .await;
        let changed = patch(&system, "/__admin/profile", &fewer).await;
        assert_eq!(changed.status, 200, "{}", changed.text);
        assert_eq!(system.get("/slow").await.status, 404);
        assert_eq!(system.post("/things", &json!({})).await.status, 200);
        let state = system.get("/__admin").await.body;
        assert_eq!(state["in_flight"], 1, "{state}");
        system
            .post("/__admin/crash", &json!({ "host": "front" }))
            .await;
    };
    let (answer, ()) = tokio::join!(slow, changing);
    assert_eq!(answer.status, 502, "{}", answer.text);
}

const PLANNED: &str = r#"
system: planned
hosts:
  front: { cpu_cores: 4 }
components:
  work: { kind: service, host: front, slots: 10, operations: { run: { cpu_ms: 1 } } }
timeline:
  - { at_ms: 1, set: { hosts: { front: { cpu_cores: 2 } } } }
endpoints:
  run: { route: GET /run, flow: [{ visit: work.run }] }
"#;

#[tokio::test]
async fn active_changes_of_a_timeline_are_shown_as_in_force() {
    let system = Served::of(PLANNED).await;
    system
        .until("/__admin/limits", |limits| {
            limits["front"]["cpu_cores"] == 2.0
        })
        .await;
    let limits = system.get("/__admin/limits").await;
    assert_eq!(limits.header("etag"), "\"2\"");
    let resources = system.get("/__admin/resources").await.body;
    assert_eq!(resources["hosts"]["front"]["cpu_cores"], 2.0, "{resources}");
    assert_eq!(resources["revision"], 2, "{resources}");
    assert_eq!(system.get("/__admin").await.body["revision"], 2);
    assert_eq!(system.metric("sparring_target_revision").await, Some(2.0));
    let decision = |answer: &Response| answer.header("x-sparring-decision").to_owned();
    assert!(decision(&system.get("/run").await).starts_with("rev=2;"));
    // Another change does not end the active changes of the timeline, and the revision continues.
    let stale = [("if-match", "\"1\"")];
    let slots = "{\"work\": {\"slots\": 5}}";
    let refused = system
        .send("PATCH", "/__admin/limits", Some(slots), &stale)
        .await;
    assert_eq!(refused.status, 412, "{}", refused.text);
    let known = [("if-match", "\"2\"")];
    let changed = system
        .send("PATCH", "/__admin/limits", Some(slots), &known)
        .await;
    assert_eq!(
        (changed.status, &changed.body["revision"]),
        (200, &json!(3))
    );
    let limits = system.get("/__admin/limits").await;
    assert_eq!(limits.header("etag"), "\"3\"");
    let cores = |limits: &Response| limits.body["front"]["cpu_cores"].clone();
    assert_eq!(
        (cores(&limits), &limits.body["work"]["slots"]),
        (json!(2.0), &json!(5))
    );
    assert!(decision(&system.get("/run").await).starts_with("rev=3;"));
    assert_eq!(
        system.get("/__admin/log").await.body["inputs"][1]["input"],
        "change"
    );
}
