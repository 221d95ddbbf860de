//! The result of `parseHTML` and `response.html()`.

use std::ffi::CStr;
use std::sync::Arc;

use script_engine::class::{self, Class, Exotic};
use script_engine::native::{Call, method};
use script_engine::own_methods;
use script_engine::property::{Visible, define};
use script_engine::raise::raise;
use script_engine::throw::{Outcome, Throw, plain};
use script_engine::{Array, Ctx, Function, Object, Value};
use script_engine::{convert, exception};
use script_formats::html::{FormValue, NodeId, Query, Selection, Walk};

use super::element::{self, Element};

/// The value of a selection object.
struct Selected {
    selection: Selection,
    /// The URL of the page; empty when it was parsed from a text.
    url: String,
}

impl Class for Selected {
    const NAME: &'static CStr = c"Selection";

    fn exotic() -> Exotic {
        own_methods::by_name()
    }

    fn prototype(prototype: &Object<'_>) -> script_engine::Result<()> {
        narrowing(prototype)?;
        reading(prototype)?;
        method(prototype, c"each", each)?;
        method(prototype, c"map", map)?;
        method(prototype, c"get", get)?;
        method(prototype, c"toArray", to_array)
    }
}

fn narrowing(prototype: &Object<'_>) -> script_engine::Result<()> {
    method(prototype, c"add", add)?;
    method(prototype, c"children", children)?;
    method(prototype, c"closest", closest)?;
    method(prototype, c"contents", contents)?;
    method(prototype, c"end", end)?;
    method(prototype, c"eq", eq)?;
    method(prototype, c"filter", filter)?;
    method(prototype, c"find", find)?;
    method(prototype, c"first", first)?;
    method(prototype, c"has", has)?;
    method(prototype, c"last", last)?;
    method(prototype, c"next", next)?;
    method(prototype, c"nextAll", next_all)?;
    method(prototype, c"nextUntil", next_until)?;
    method(prototype, c"not", not)?;
    method(prototype, c"parent", parent)?;
    method(prototype, c"parents", parents)?;
    method(prototype, c"parentsUntil", parents_until)?;
    method(prototype, c"prev", previous)?;
    method(prototype, c"prevAll", previous_all)?;
    method(prototype, c"prevUntil", previous_until)?;
    method(prototype, c"siblings", siblings)?;
    method(prototype, c"single", single)?;
    method(prototype, c"slice", slice)
}

fn reading(prototype: &Object<'_>) -> script_engine::Result<()> {
    method(prototype, c"attr", attribute)?;
    method(prototype, c"data", data)?;
    method(prototype, c"html", html)?;
    method(prototype, c"index", index)?;
    method(prototype, c"is", is)?;
    method(prototype, c"serialize", serialize)?;
    method(prototype, c"serializeArray", serialize_array)?;
    method(prototype, c"serializeObject", serialize_object)?;
    method(prototype, c"size", size)?;
    method(prototype, c"text", text)?;
    method(prototype, c"val", value)
}

/// A selection of a page that came from `url`.
pub(in crate::modules) fn object<'js>(
    ctx: &Ctx<'js>,
    selection: Selection,
    url: &str,
) -> Outcome<'js> {
    let url = url.to_owned();
    let shown = convert::string(ctx, &url)?;
    let object = class::new(ctx, Selected { selection, url })?;
    define(&object, c"url", shown, Visible::Yes)?;
    Ok(object.into_value())
}

fn this<R>(
    call: &Call<'_, '_>,
    read: impl FnOnce(&Selected) -> Result<R, Throw>,
) -> Result<R, Throw> {
    let value = call.this();
    let selected = class::of::<Selected>(&value);
    read(selected.ok_or_else(|| Throw::Type("this is not a selection".to_owned()))?)
}

/// A selection made from this one.
fn derive<'js>(
    call: &Call<'_, 'js>,
    step: impl FnOnce(&Selection) -> Result<Selection, Throw>,
) -> Outcome<'js> {
    let (made, url) = this(call, |selected| {
        Ok((step(&selected.selection)?, selected.url.clone()))
    })?;
    object(call.ctx, made, &url)
}

/// A selector, a selection or an element.
fn query(value: &Value<'_>) -> Result<Query, Throw> {
    if value.is_string() {
        return Ok(Query::selector(&convert::to_text(value)?));
    }
    if let Some(selected) = class::of::<Selected>(value) {
        return Ok(Query::from(&selected.selection));
    }
    if let Some(element) = class::of::<Element>(value) {
        return Ok(Query::Nodes(vec![element.node]));
    }
    Err(plain(format!(
        "invalid argument, cannot use a '{}' as a selector",
        convert::go_type(value)
    )))
}

fn optional(call: &Call<'_, '_>, index: usize) -> Result<Option<Query>, Throw> {
    call.given(index).as_ref().map(query).transpose()
}

/// The selector of a function that accepts any value.
fn selector(call: &Call<'_, '_>) -> Result<Option<Query>, Throw> {
    if call.count() == 0 {
        return Ok(None);
    }
    Ok(Some(Query::selector(&call.text(0)?)))
}

/// A selector or a selection.
fn no_element(value: &Value<'_>) -> Result<Query, Throw> {
    if class::of::<Element>(value).is_some() {
        let why = "invalid argument, cannot use a 'html.Element' as a selector";
        return Err(plain(why));
    }
    query(value)
}

/// The nodes for which a script function returns true, or that match a query.
fn matching<'js>(
    call: &Call<'_, 'js>,
    query: impl FnOnce(&Value<'js>) -> Result<Query, Throw>,
) -> Result<(Selection, Vec<NodeId>), Throw> {
    let (selection, url) = this(call, |selected| {
        Ok((selected.selection.clone(), selected.url.clone()))
    })?;
    let argument = call.arg(0);
    let Some(function) = convert::function(&argument) else {
        let kept = selection.filter(&query(&argument)?).nodes().to_vec();
        return Ok((selection, kept));
    };
    let mut kept = Vec::new();
    for (index, node) in selection.nodes().iter().enumerate() {
        let one = Selection::of(Arc::clone(selection.document()), *node);
        let one = object(call.ctx, one, &url)?;
        let answer: Value<'js> = function.call((index as f64, one))?;
        if convert::is_truthy(&answer) {
            kept.push(*node);
        }
    }
    Ok((selection, kept))
}

/// The query of a method that also takes a function, but no elements.
fn or_function(name: &str, value: &Value<'_>) -> Result<Query, Throw> {
    no_element(value).map_err(|_| {
        plain(format!(
            "the argument to {name}() must be a function, a selector or a selection"
        ))
    })
}

fn filter<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    let (_, kept) = matching(call, |value| or_function("filter", value))?;
    derive(call, |selection| Ok(selection.with_nodes(kept)))
}

fn not<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    let (_, kept) = matching(call, query)?;
    derive(call, |selection| Ok(selection.not(&Query::Nodes(kept))))
}

fn is<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    let (_, kept) = matching(call, |value| or_function("is", value))?;
    Ok(call.bool(!kept.is_empty()))
}

fn add<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    derive(call, |selection| Ok(selection.add(&query(&call.arg(0))?)))
}

fn find<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    derive(call, |selection| Ok(selection.find(&query(&call.arg(0))?)))
}

fn closest<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    derive(call, |selection| {
        Ok(selection.closest(&query(&call.arg(0))?))
    })
}

fn has<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    derive(call, |selection| Ok(selection.has(&query(&call.arg(0))?)))
}

fn children<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    derive(call, |selection| {
        Ok(selection.children(selector(call)?.as_ref()))
    })
}

fn siblings<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    derive(call, |selection| {
        Ok(selection.siblings(selector(call)?.as_ref()))
    })
}

fn contents<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    derive(call, |selection| Ok(selection.contents()))
}

fn end<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    derive(call, |selection| Ok(selection.end()))
}

fn integer(call: &Call<'_, '_>, at: usize) -> Result<i64, Throw> {
    call.given(at)
        .map_or(Ok(0), |value| Ok(convert::to_number(&value)? as i64))
}

fn eq<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    derive(call, |selection| Ok(selection.eq(integer(call, 0)?)))
}

fn first<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    derive(call, |selection| Ok(selection.eq(0)))
}

fn last<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    derive(call, |selection| Ok(selection.eq(-1)))
}

/// `single(selector)`: the first match only (k6 2.1).
fn single<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    derive(call, |selection| {
        Ok(selection.find(&query(&call.arg(0))?).eq(0))
    })
}

fn slice<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    let until = call.given(1).map(|_| integer(call, 1)).transpose()?;
    derive(call, |selection| {
        Ok(selection.slice(integer(call, 0)?, until))
    })
}

fn step<'js>(call: &Call<'_, 'js>, walk: Walk) -> Outcome<'js> {
    derive(call, |selection| {
        Ok(selection.step(walk, selector(call)?.as_ref()))
    })
}

fn all<'js>(call: &Call<'_, 'js>, walk: Walk) -> Outcome<'js> {
    derive(call, |selection| {
        Ok(selection.walk(walk, None, selector(call)?.as_ref()))
    })
}

fn until<'js>(call: &Call<'_, 'js>, walk: Walk) -> Outcome<'js> {
    derive(call, |selection| {
        let until = call.given(0).as_ref().map(no_element).transpose()?;
        let filter = optional(call, 1)?;
        Ok(selection.walk(walk, until.as_ref(), filter.as_ref()))
    })
}

fn next<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    step(call, Walk::NextSiblings)
}

fn previous<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    step(call, Walk::PreviousSiblings)
}

fn parent<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    step(call, Walk::Parents)
}

fn next_all<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    all(call, Walk::NextSiblings)
}

fn previous_all<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    all(call, Walk::PreviousSiblings)
}

fn parents<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    all(call, Walk::Parents)
}

fn next_until<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    until(call, Walk::NextSiblings)
}

fn previous_until<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    until(call, Walk::PreviousSiblings)
}

fn parents_until<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    until(call, Walk::Parents)
}

fn attribute<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    let name = call.text(0)?;
    let found = this(call, |selected| {
        Ok(selected.selection.attribute(&name).map(str::to_owned))
    })?;
    match found {
        Some(value) => call.string(&value),
        None => Ok(call.arg(1)),
    }
}

fn data<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    if call.count() > 0 {
        let key = call.text(0)?;
        let found = this(call, |selected| Ok(selected.selection.data(&key)))?;
        return match found {
            Some(value) => convert::from_json_value(call.ctx, &value),
            None => Ok(call.undefined()),
        };
    }
    let Some(all) = this(call, |selected| Ok(selected.selection.all_data()))? else {
        return Ok(call.undefined());
    };
    let object = Object::new(call.ctx.clone())?;
    for (key, value) in all {
        let value = match value {
            Some(value) => convert::from_json_value(call.ctx, &value)?,
            None => call.undefined(),
        };
        object.set(key, value)?;
    }
    Ok(object.into_value())
}

fn html<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    let html = this(call, |selected| Ok(selected.selection.html()))?;
    call.string(&html)
}

fn text<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    let text = this(call, |selected| Ok(selected.selection.text()))?;
    call.string(&text)
}

fn size<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    let size = this(call, |selected| Ok(selected.selection.size()))?;
    Ok(convert::number(call.ctx, size as f64))
}

fn index<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    let query = match call.count() {
        0 => None,
        // An invalid selector matches nothing.
        _ => Some(query(&call.arg(0)).unwrap_or_else(|_| Query::Nodes(Vec::new()))),
    };
    let index = this(call, |selected| {
        let selection = &selected.selection;
        Ok(query
            .as_ref()
            .map_or_else(|| selection.index(), |query| selection.index_of(query)))
    })?;
    Ok(convert::number(call.ctx, index as f64))
}

fn value<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    let value = this(call, |selected| Ok(selected.selection.value()))?;
    value.map_or(Ok(call.undefined()), |value| form_value(call.ctx, value))
}

fn form_value<'js>(ctx: &Ctx<'js>, value: FormValue) -> Outcome<'js> {
    match value {
        FormValue::Text(text) => convert::string(ctx, &text),
        FormValue::List(list) => element::texts(ctx, list.iter().map(String::as_str)),
    }
}

fn serialize<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    let text = this(call, |selected| Ok(selected.selection.serialize()))?;
    call.string(&text)
}

fn serialize_array<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    let fields = this(call, |selected| Ok(selected.selection.fields()))?;
    let array = Array::new(call.ctx.clone())?;
    for (index, (name, value)) in fields.into_iter().enumerate() {
        let field = Object::new(call.ctx.clone())?;
        field.set("name", name)?;
        field.set("value", form_value(call.ctx, value)?)?;
        array.set(index, field)?;
    }
    Ok(array.into_value())
}

fn serialize_object<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    let fields = this(call, |selected| Ok(selected.selection.fields()))?;
    let object = Object::new(call.ctx.clone())?;
    for (name, value) in fields {
        object.set(name, form_value(call.ctx, value)?)?;
    }
    Ok(object.into_value())
}

fn callback<'js>(call: &Call<'_, 'js>, name: &str) -> Result<Function<'js>, Throw> {
    convert::function(&call.arg(0))
        .ok_or_else(|| plain(format!("the argument to {name}() must be a function")))
}

fn each<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    let function = callback(call, "each")?;
    let selection = this(call, |selected| Ok(selected.selection.clone()))?;
    for (index, node) in selection.nodes().iter().enumerate() {
        let one = element::object(call.ctx, selection.document(), *node)?;
        let done = function.call::<_, Value<'js>>((index as f64, one));
        if let Err(error) = done {
            return Err(failed_in(call.ctx, "each", error));
        }
    }
    Ok(call.this())
}

fn map<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    let function = callback(call, "map")?;
    let array = Array::new(call.ctx.clone())?;
    for (index, one) in singles(call)?.into_iter().enumerate() {
        match function.call::<_, Value<'js>>((index as f64, one)) {
            Ok(mapped) => array.set(array.len(), mapped)?,
            // k6 leaves out elements whose callback fails, and continues.
            Err(error) => {
                raise(call.ctx, error.into());
                exception::take(call.ctx).map_err(|_| Throw::Interrupted)?;
            }
        }
    }
    Ok(array.into_value())
}

/// k6's message for a script function that threw, with its place.
fn failed_in(ctx: &Ctx<'_>, name: &str, error: script_engine::Error) -> Throw {
    raise(ctx, error.into());
    let Ok(thrown) = exception::take(ctx) else {
        return Throw::Interrupted;
    };
    let text = exception::describe(&thrown);
    let mut lines = text.trim_end().lines();
    let said = lines.next().unwrap_or_default();
    let place = lines
        .next()
        .map(|line| line.trim().trim_start_matches("at "));
    let place = place.map_or_else(String::new, |place| format!(" at {place}"));
    plain(format!(
        "the function passed to {name}() failed: {said}{place}"
    ))
}

fn to_array<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    let array = Array::new(call.ctx.clone())?;
    for (index, one) in singles(call)?.into_iter().enumerate() {
        array.set(index, one)?;
    }
    Ok(array.into_value())
}

/// A selection for each node.
fn singles<'js>(call: &Call<'_, 'js>) -> Result<Vec<Value<'js>>, Throw> {
    let (selection, url) = this(call, |selected| {
        Ok((selected.selection.clone(), selected.url.clone()))
    })?;
    let nodes = selection.nodes().iter();
    nodes
        .map(|node| {
            let one = Selection::of(Arc::clone(selection.document()), *node);
            object(call.ctx, one, &url)
        })
        .collect()
}

fn get<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    let selection = this(call, |selected| Ok(selected.selection.clone()))?;
    if call.count() == 0 {
        return element::list(call.ctx, selection.document(), selection.nodes());
    }
    match selection.get(integer(call, 0)?) {
        Some(node) => element::object(call.ctx, selection.document(), node),
        None => Ok(call.undefined()),
    }
}
