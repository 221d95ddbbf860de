//! The results of `getAttributeNode` and `attributes`.

use script_engine::native::{Call, method};
use script_engine::throw::{Outcome, Throw};
use script_engine::{Ctx, Object};
use script_formats::html::Attribute;

use super::element::{self, Element};

/// `element.attributes()`: all of them by name.
pub(super) fn all<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    let objects = element::this(call, |element| {
        let data = element.document.element(element.node);
        let attributes = data.into_iter().flat_map(|data| &data.attributes);
        attributes
            .map(|attribute| {
                let object = object(call.ctx, element, attribute)?;
                Ok((attribute.name.clone(), object))
            })
            .collect::<Result<Vec<_>, Throw>>()
    })?;
    let all = Object::new(call.ctx.clone())?;
    for (name, object) in objects {
        all.set(name, object)?;
    }
    Ok(all.into_value())
}

/// `element.getAttributeNode(name)`
pub(super) fn node<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    let name = call.text(0)?;
    let found = element::this(call, |element| {
        let data = element.document.element(element.node);
        let attribute = data.and_then(|data| data.attributes.iter().find(|a| a.name == name));
        attribute
            .map(|attribute| object(call.ctx, element, attribute))
            .transpose()
    })?;
    Ok(found.map_or_else(|| call.undefined(), Object::into_value))
}

fn object<'js>(
    ctx: &Ctx<'js>,
    element: &Element,
    attribute: &Attribute,
) -> Result<Object<'js>, Throw> {
    let object = Object::new(ctx.clone())?;
    let owner = element::object(ctx, &element.document, element.node)?;
    object.set("owner_element", owner)?;
    object.set("name", attribute.name.as_str())?;
    object.set("value", attribute.value.as_str())?;
    method(&object, c"localName", local_name)?;
    match attribute.prefix.as_deref() {
        Some("xlink") => {
            method(&object, c"prefix", xlink)?;
            method(&object, c"namespaceURI", xlink_uri)?;
        }
        Some("xml") => {
            method(&object, c"prefix", xml)?;
            method(&object, c"namespaceURI", xml_uri)?;
        }
        _ => {
            method(&object, c"prefix", none)?;
            method(&object, c"namespaceURI", none)?;
        }
    }
    Ok(object)
}

fn local_name<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    let this = call.this();
    let name = this.as_object().map(|object| object.get("name"));
    Ok(name.transpose()?.unwrap_or_else(|| call.undefined()))
}

fn none<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    call.string("")
}

fn xlink<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    call.string("xlink")
}

fn xlink_uri<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    call.string("http://www.w3.org/1999/xlink")
}

fn xml<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    call.string("xml")
}

fn xml_uri<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    call.string("http://www.w3.org/XML/1998/namespace")
}
