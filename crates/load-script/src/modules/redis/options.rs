//! The argument of `new Client(…)`: a URL, or an object.

use redis_client::Reads;
use script_engine::convert;
use script_engine::throw::{Throw, plain};
use script_engine::{Object, Value};

use super::node_options::NodeReader;
use super::place::{self, Place};
use super::settings::{Node, Settings, Together};
use super::url;
use crate::modules::tags;

/// k6's name for the type of an object.
const MAP: &str = "map[string]interface {}";

/// Reads the argument.
///
/// # Errors
/// The argument is invalid; the error is in k6's words.
pub(super) fn read(value: &Value<'_>) -> Result<Settings, Throw> {
    let kind = convert::go_type(value);
    let read = match value.as_object() {
        _ if value.is_string() => {
            let node = url::read(&convert::to_text(value)?);
            node.and_then(|node| Settings::new(vec![node], Together::Single))
        }
        Some(object) if kind == MAP => read_object(object),
        _ => {
            let why = format!("invalid options type: {kind}; expected string or object");
            return Err(plain(why));
        }
    };
    read.map_err(|throw| tags::about("invalid options; reason", throw))
}

fn read_object(object: &Object<'_>) -> Result<Settings, Throw> {
    let cluster: Value<'_> = object.get("cluster")?;
    match cluster.as_object() {
        Some(cluster) if convert::go_type(cluster.as_value()) == MAP => read_cluster(cluster),
        _ if object.contains_key("masterName")? => read_sentinels(object),
        _ => {
            let node = read_node(object, &Place::outermost("singleNodeOptions"))?;
            Settings::new(vec![node], Together::Single)
        }
    }
}

fn read_node(object: &Object<'_>, place: &Place) -> Result<Node, Throw> {
    let mut reader = NodeReader::default();
    for (key, value) in place::fields(object)? {
        if !reader.take(place, &key, &value)? {
            return Err(place::unknown(&key));
        }
    }
    reader.into_node()
}

fn read_sentinels(object: &Object<'_>) -> Result<Settings, Throw> {
    let place = Place::outermost("sentinelOptions");
    let of_node = place.embedding("singleNodeOptions");
    let mut reader = NodeReader::default();
    let (mut master, mut username, mut password) = Default::default();
    for (key, value) in place::fields(object)? {
        match key.to_ascii_lowercase().as_str() {
            "mastername" => place.set_text("masterName", &value, &mut master)?,
            "sentinelusername" => place.set_text("sentinelUsername", &value, &mut username)?,
            "sentinelpassword" => place.set_text("sentinelPassword", &value, &mut password)?,
            _ if reader.take(&of_node, &key, &value)? => {}
            _ => return Err(place::unknown(&key)),
        }
    }
    let together = Together::Sentinels {
        master,
        username,
        password,
    };
    Settings::new(vec![reader.into_node()?], together)
}

fn read_cluster(object: &Object<'_>) -> Result<Settings, Throw> {
    let nodes: Value<'_> = object.get("nodes")?;
    let kind = convert::go_type(&nodes);
    let Some(array) = nodes.as_array() else {
        return Err(plain(format!(
            "cluster nodes property must be an array; got {kind}"
        )));
    };
    let items = convert::items(array)?;
    let Some(first) = items.first() else {
        return Err(plain("cluster nodes property cannot be empty"));
    };
    let place = match convert::go_type(first) {
        MAP => Place::outermost("clusterNodesMapOptions"),
        "string" => Place::outermost("clusterNodesStringOptions"),
        kind => {
            return Err(plain(format!(
                "cluster nodes array must contain string or object elements; got {kind}"
            )));
        }
    };
    let common = place.embedding("commonClusterOptions");
    let (mut max_redirects, mut reads_replicas, mut nearest, mut random) = Default::default();
    let mut nodes = Vec::new();
    for (key, value) in place::fields(object)? {
        match key.to_ascii_lowercase().as_str() {
            "maxredirects" => common.set_integer("maxRedirects", &value, &mut max_redirects)?,
            "readonly" => common.set_flag("readOnly", &value, &mut reads_replicas)?,
            "routebylatency" => common.set_flag("routeByLatency", &value, &mut nearest)?,
            "routerandomly" => common.set_flag("routeRandomly", &value, &mut random)?,
            "nodes" if first.is_string() => nodes = urls(&place, &items)?,
            "nodes" => nodes = objects(&place, &items)?,
            _ => return Err(place::unknown(&key)),
        }
    }
    let reads = match (nearest, random, reads_replicas) {
        (true, _, _) => Reads::Nearest,
        (false, true, _) => Reads::Random,
        (false, false, true) => Reads::Replica,
        (false, false, false) => Reads::Master,
    };
    let together = Together::Cluster {
        max_redirects,
        reads,
    };
    Settings::new(nodes, together)
}

fn urls(place: &Place, items: &[Value<'_>]) -> Result<Vec<Node>, Throw> {
    let mut texts = Vec::new();
    for item in items {
        let mut text = String::new();
        place.set_text("nodes", item, &mut text)?;
        texts.push(text);
    }
    texts.iter().map(|text| url::read(text)).collect()
}

fn objects(place: &Place, items: &[Value<'_>]) -> Result<Vec<Node>, Throw> {
    let inside = place.inside("nodes", "singleNodeOptions");
    let node = |item: &Value<'_>| match place.object("nodes", item, "redis.singleNodeOptions")? {
        Some(object) => read_node(&object, &inside),
        None => Err(plain("empty socket options")),
    };
    items.iter().map(node).collect()
}
