//! `/tasks`: the shares of the classes of users and of their tasks, as planned.

use axum::Json;
use axum::extract::State;
use serde_json::{Map, Value, json};

use crate::live_run::UserClass;
use crate::routes::Shown;

/// The shares of tasks within their class, and within all tasks. The shares of classes are the same in both.
pub(crate) async fn tasks(State(page): Shown) -> Json<Value> {
    let shown = page.board.lock();
    let all: f64 = shown.classes.iter().map(|it| it.weight).sum();
    let mut per_class = Map::new();
    let mut total = Map::new();
    for class in &shown.classes {
        let ratio = share(class.weight, all);
        per_class.insert(class.name.clone(), with_tasks(class, ratio, 1.0));
        total.insert(class.name.clone(), with_tasks(class, ratio, ratio));
    }
    Json(json!({ "per_class": per_class, "total": total }))
}

/// A class with this share; those of its tasks sum to `whole`.
fn with_tasks(class: &UserClass, ratio: f64, whole: f64) -> Value {
    let all: f64 = class.tasks.iter().map(|it| it.weight).sum();
    let tasks = class.tasks.iter().map(|task| {
        let ratio = share(task.weight, all) * whole;
        (task.name.clone(), json!({ "ratio": ratio }))
    });
    json!({ "ratio": ratio, "tasks": tasks.collect::<Map<_, _>>() })
}

fn share(weight: f64, all: f64) -> f64 {
    if all > 0.0 { weight / all } else { 0.0 }
}
