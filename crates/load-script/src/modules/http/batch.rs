//! `http.batch`: many requests at the same time.

use std::collections::HashMap;
use std::rc::Rc;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use http_client::url::quoted;
use load_engine::log::Level;
use script_engine::convert;
use script_engine::fiber;
use script_engine::native::Call;
use script_engine::throw::{Outcome, Throw, plain};
use script_engine::{Array, Object, Value};
use tokio::sync::Semaphore;

use super::agent::Agent;
use super::perform::{Finished, perform};
use super::prepare::{self, PrepareError, Prepared};
use super::response;
use crate::vu::state::{Caller, VuState};

/// The concurrent requests of one batch, in total and to one host; k6's defaults.
const LIMITS: (i64, i64) = (20, 6);

/// `http.batch(requests)`
pub(super) fn batch<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    let vu = call.vu();
    prepare::refuse_in_init(vu)?;
    let requests = call.arg(0);
    if call.count() == 0 {
        return Err(plain("no argument was provided to http.batch()"));
    }
    let (keys, items) = split(&requests)?;
    let mut finished: Vec<Option<Finished>> = Vec::new();
    match prepare_all(vu, &items) {
        Ok(prepared) => finished = vu.wait(fiber::apart(|| run_all(vu, prepared)))?,
        // None is sent when one is invalid.
        Err((index, error)) => {
            let (code, message) = error.into_failure()?;
            if vu.run.options().throw.unwrap_or(false) {
                return Err(plain(message));
            }
            let fields = [("error", message.as_str())];
            vu.logger
                .log(Level::Warn, "A batch request failed", &fields);
            finished.resize_with(index, || Some(Finished::nothing()));
            finished.push(Some(Finished::refused(code, message)));
        }
    }
    finished.resize_with(items.len(), || None);
    let responses = finished.into_iter().map(|finished| match finished {
        Some(finished) => match finished.thrown() {
            Some(message) => Err(plain(message)),
            None => response::object(call.ctx, finished),
        },
        None => Ok(call.null()),
    });
    let responses: Vec<Value<'js>> = responses.collect::<Result<_, Throw>>()?;
    assemble(call, keys, responses)
}

type Keys = Option<Vec<String>>;

fn split<'js>(requests: &Value<'js>) -> Result<(Keys, Vec<Value<'js>>), Throw> {
    if let Some(array) = requests.as_array() {
        return Ok((None, convert::items(array)?));
    }
    let object = requests
        .as_object()
        .filter(|_| !requests.is_function())
        .ok_or_else(|| {
            let kind = convert::go_type(requests);
            plain(format!("invalid http.batch() argument type {kind}"))
        })?;
    let (keys, items) = convert::entries(object)?.into_iter().unzip();
    Ok((Some(keys), items))
}

/// All requests; or the invalid one, with its error.
fn prepare_all(vu: &VuState, items: &[Value<'_>]) -> Result<Vec<Prepared>, (usize, PrepareError)> {
    let prepare = |(index, item)| {
        let prepared = prepare::from_item(vu, item, index);
        let checked = prepared.and_then(|prepared: Prepared| match &prepared.url {
            Ok(_) => Ok(prepared),
            Err(error) if error.code_of_sending().is_some() => Ok(prepared),
            Err(error) => {
                let text = quoted(&prepared.url_text);
                let why = format!("invalid URL: parse {text}: {error}");
                Err(PrepareError::Url(why))
            }
        });
        checked.map_err(|error| (index, error))
    };
    items.iter().enumerate().map(prepare).collect()
}

async fn run_all(vu: &VuState, prepared: Vec<Prepared>) -> Vec<Option<Finished>> {
    let options = vu.run.options();
    let permits = |limit: Option<i64>, default: i64| {
        usize::try_from(limit.unwrap_or(default))
            .ok()
            .filter(|n| *n > 0)
            .unwrap_or(Semaphore::MAX_PERMITS)
    };
    let total = Rc::new(Semaphore::new(permits(options.batch, LIMITS.0)));
    let per_host = permits(options.batch_per_host, LIMITS.1);
    let mut hosts: HashMap<String, Rc<Semaphore>> = HashMap::new();
    let mut running = FuturesUnordered::new();
    let mut results: Vec<Option<Finished>> = prepared.iter().map(|_| None).collect();
    for (index, prepared) in prepared.into_iter().enumerate() {
        let host = prepared
            .url
            .as_ref()
            .map_or_else(|_| String::new(), |url| url.host.clone());
        let host = Rc::clone(
            hosts
                .entry(host)
                .or_insert_with(|| Rc::new(Semaphore::new(per_host))),
        );
        let (total, agent) = (Rc::clone(&total), Agent::of(vu));
        running.push(async move {
            let _total = total.acquire().await;
            let _host = host.acquire().await;
            (index, perform(agent, Box::new(prepared)).await)
        });
    }
    while let Some((index, finished)) = running.next().await {
        results[index] = Some(finished);
    }
    results
}

fn assemble<'js>(call: &Call<'_, 'js>, keys: Keys, responses: Vec<Value<'js>>) -> Outcome<'js> {
    let Some(keys) = keys else {
        let array = Array::new(call.ctx.clone())?;
        for (index, response) in responses.into_iter().enumerate() {
            array.set(index, response)?;
        }
        return Ok(array.into_value());
    };
    let object = Object::new(call.ctx.clone())?;
    for (key, response) in keys.into_iter().zip(responses) {
        object.set(key, response)?;
    }
    Ok(object.into_value())
}
