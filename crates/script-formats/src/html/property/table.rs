//! The accessors of the elements of each tag.

use super::super::document::{Document, NodeId};
use super::super::href::Href;
use super::Property;
use super::compute::{
    below, control, count, first_child, form_action, form_method, form_of, form_override, has,
    labels, list_of, option_index, option_value, prefixed, progress, row_index, selected,
    selected_index, text_content, url_part, words_of_rel,
};
use super::reflect::Reflect;

/// The source of an accessor's value.
#[derive(Clone, Copy)]
pub(super) enum Read {
    Attribute(&'static str, Reflect),
    /// A URL, relative to that of the page.
    Target(&'static str),
    Computed(fn(&Document, NodeId) -> Property),
}

pub(super) type Entry = (&'static str, Read);

/// The accessors of elements with this tag.
pub(super) fn entries(tag: &str) -> impl Iterator<Item = &'static Entry> {
    let meant = move |tags: &str| tags.split(' ').any(|known| known == tag);
    TABLE_OF_TAGS
        .iter()
        .filter(move |(tags, _)| meant(tags))
        .flat_map(|(_, part)| part.iter())
}

/// Tags, and some accessors of their elements.
const TABLE_OF_TAGS: &[(&str, &[Entry])] = &[
    ("a area", LINK),
    ("audio video", MEDIA),
    ("base", &[target("href", "href"), text("target", "target")]),
    ("button", FORM_FIELD),
    ("button", BUTTON),
    (
        "canvas",
        &[int("height", "height", 150), int("width", "width", 150)],
    ),
    ("col", &[int("span", "span", 1)]),
    ("data", &[text("value", "value")]),
    (
        "datalist",
        &[computed("options", |d, n| below(d, n, &["option"]))],
    ),
    (
        "del ins",
        &[text("cite", "cite"), text("datetime", "datetime")],
    ),
    (
        "embed",
        &[
            text("height", "height"),
            text("src", "src"),
            text("type", "type"),
            text("width", "width"),
        ],
    ),
    ("fieldset", FIELDSET),
    ("form", FORM),
    ("iframe", IFRAME),
    ("img", IMAGE),
    ("input", FORM_FIELD),
    ("input", INPUT),
    ("keygen", KEYGEN),
    (
        "label",
        &[
            computed("control", control),
            computed("form", form_of),
            text("htmlFor", "for"),
        ],
    ),
    (
        "legend",
        &[text("accessKey", "accesskey"), computed("form", form_of)],
    ),
    ("li", LIST_ITEM),
    ("link", STYLE_LINK),
    (
        "map",
        &[
            computed("areas", |d, n| below(d, n, &["area"])),
            computed("images", |_, _| Property::Elements(Vec::new())),
            text("name", "name"),
        ],
    ),
    (
        "meta",
        &[
            text("content", "content"),
            at(
                "httpEquiv",
                "http-equiv",
                Reflect::Choice(&["content-type", "default-style", "refresh"]),
            ),
            text("name", "name"),
        ],
    ),
    ("meter", METER),
    ("object", OBJECT),
    ("ol", ORDERED_LIST),
    (
        "optgroup",
        &[flag("disabled", "disabled"), text("label", "label")],
    ),
    ("option", OPTION),
    ("output", OUTPUT),
    ("param pre", &[text("name", "name"), text("value", "value")]),
    ("progress", PROGRESS),
    ("script", SCRIPT),
    ("select", SELECT),
    ("source", SOURCE),
    (
        "style",
        &[
            text("media", "media"),
            at("type", "type", Reflect::TextOr("text/css")),
        ],
    ),
    ("table", TABLE),
    (
        "tbody tfoot thead",
        &[computed("rows", |d, n| below(d, n, &["tr"]))],
    ),
    ("td", CELL),
    ("textarea", TEXTAREA),
    ("th", CELL),
    ("th", HEADER_CELL),
    ("time", &[text("datetime", "datetime")]),
    ("title", &[computed("text", text_content)]),
    ("tr", ROW),
    ("track", TRACK),
    ("ul", &[text("type", "type")]),
];

const fn at(method: &'static str, attribute: &'static str, reflect: Reflect) -> Entry {
    (method, Read::Attribute(attribute, reflect))
}

const fn text(method: &'static str, attribute: &'static str) -> Entry {
    at(method, attribute, Reflect::Text)
}

const fn target(method: &'static str, attribute: &'static str) -> Entry {
    (method, Read::Target(attribute))
}

const fn flag(method: &'static str, attribute: &'static str) -> Entry {
    at(method, attribute, Reflect::Present)
}

const fn int(method: &'static str, attribute: &'static str, default: i64) -> Entry {
    at(method, attribute, Reflect::Int(default))
}

const fn computed(method: &'static str, read: fn(&Document, NodeId) -> Property) -> Entry {
    (method, Read::Computed(read))
}

const REFERRER: Reflect = Reflect::ChoiceOr(
    &[
        "no-referrer",
        "no-referrer-when-downgrade",
        "origin",
        "origin-when-cross-origin",
        "unsafe-url",
    ],
    "",
);
const CROSS_ORIGIN: Reflect = Reflect::Optional(&["anonymous", "use-credentials"]);
const ENCODING: Reflect = Reflect::Choice(&[
    "application/x-www-form-urlencoded",
    "multipart/form-data",
    "text/plain",
]);
const ON_OFF: Reflect = Reflect::Choice(&["on", "off"]);
const INPUT_TYPE: Reflect = Reflect::Choice(&[
    "text",
    "button",
    "checkbox",
    "color",
    "date",
    "datetime-local",
    "email",
    "file",
    "hidden",
    "image",
    "month",
    "number",
    "password",
    "radio",
    "range",
    "reset",
    "search",
    "submit",
    "tel",
    "time",
    "url",
    "week",
]);

const LINK: &[Entry] = &[
    text("accessKey", "accesskey"),
    text("download", "download"),
    computed("hash", |d, n| {
        url_part(d, n, |href| prefixed("#", &href.fragment))
    }),
    computed("host", |d, n| url_part(d, n, |href| href.host().to_owned())),
    computed("hostname", |d, n| {
        url_part(d, n, |href| href.host_name().to_owned())
    }),
    target("href", "href"),
    text("hrefLang", "hreflang"),
    computed("origin", |d, n| url_part(d, n, Href::origin)),
    computed("password", |d, n| {
        url_part(d, n, |href| href.password.clone())
    }),
    computed("pathname", |d, n| url_part(d, n, Href::full_path)),
    computed("port", |d, n| url_part(d, n, |href| href.port().to_owned())),
    computed("protocol", |d, n| {
        url_part(d, n, |href| {
            if href.scheme.is_empty() {
                ":".to_owned()
            } else {
                href.scheme.clone()
            }
        })
    }),
    at("referrerPolicy", "referrerpolicy", REFERRER),
    text("rel", "rel"),
    computed("relList", words_of_rel),
    computed("search", |d, n| {
        url_part(d, n, |href| prefixed("?", &href.query))
    }),
    text("target", "target"),
    computed("text", text_content),
    text("type", "type"),
    computed("username", |d, n| url_part(d, n, |href| href.user.clone())),
];
const MEDIA: &[Entry] = &[
    flag("autoplay", "autoplay"),
    flag("controls", "controls"),
    at("crossOrigin", "crossorigin", CROSS_ORIGIN),
    text("currentSrc", "src"),
    flag("defaultMuted", "muted"),
    flag("loop", "loop"),
    text("mediaGroup", "mediagroup"),
    flag("muted", "muted"),
    at(
        "preload",
        "preload",
        Reflect::Choice(&["auto", "metadata", "none"]),
    ),
    target("src", "src"),
    computed("textTracks", |d, n| below(d, n, &["track"])),
];
const FORM_FIELD: &[Entry] = &[
    text("accessKey", "accesskey"),
    flag("autofocus", "autofocus"),
    flag("disabled", "disabled"),
    computed("form", form_of),
    computed("formAction", form_action),
    computed("formEnctype", |d, n| {
        form_override(d, n, "formenctype", "enctype", ENCODING)
    }),
    computed("formMethod", form_method),
    flag("formNoValidate", "formnovalidate"),
    computed("formTarget", |d, n| {
        form_override(d, n, "formtarget", "target", Reflect::Text)
    }),
    computed("labels", labels),
    text("name", "name"),
    int("tabIndex", "tabindex", 0),
];
const INPUT: &[Entry] = &[
    text("accept", "accept"),
    text("alt", "alt"),
    at("autocomplete", "autocomplete", ON_OFF),
    flag("checked", "checked"),
    flag("defaultChecked", "checked"),
    text("defaultValue", "value"),
    text("dirName", "dirname"),
    text("height", "height"),
    computed("list", list_of),
    text("max", "max"),
    int("maxLength", "maxlength", -1),
    text("min", "min"),
    flag("multiple", "multiple"),
    text("pattern", "pattern"),
    text("placeholder", "placeholder"),
    flag("readonly", "readonly"),
    flag("required", "required"),
    int("size", "size", 0),
    target("src", "src"),
    text("step", "step"),
    at("type", "type", INPUT_TYPE),
    text("value", "value"),
    text("width", "width"),
];
const BUTTON: &[Entry] = &[
    at(
        "type",
        "type",
        Reflect::Choice(&["submit", "reset", "button", "menu"]),
    ),
    text("value", "value"),
];
const FORM: &[Entry] = &[
    text("acceptCharset", "accept-charset"),
    target("action", "action"),
    at("autocomplete", "autocomplete", ON_OFF),
    computed("elements", |d, n| below(d, n, FORM_ELEMENTS)),
    at("encoding", "enctype", ENCODING),
    at("enctype", "enctype", ENCODING),
    computed("length", |d, n| count(below(d, n, FORM_ELEMENTS))),
    at("method", "method", Reflect::Choice(&["get", "post"])),
    text("name", "name"),
    flag("noValidate", "novalidate"),
    text("target", "target"),
];
const SELECT: &[Entry] = &[
    flag("autofocus", "autofocus"),
    flag("disabled", "disabled"),
    computed("form", form_of),
    computed("labels", labels),
    computed("length", |d, n| count(below(d, n, &["option"]))),
    flag("multiple", "multiple"),
    text("name", "name"),
    computed("options", |d, n| below(d, n, &["option"])),
    flag("required", "required"),
    computed("selectedIndex", selected_index),
    computed("selectedOptions", |d, n| Property::Elements(selected(d, n))),
    int("size", "size", 1),
    int("tabIndex", "tabindex", 0),
    computed("type", |d, n| {
        Property::Text(
            if has(d, n, "multiple") {
                "select-multiple"
            } else {
                "select"
            }
            .to_owned(),
        )
    }),
    computed("value", |d, n| {
        Property::Text(
            selected(d, n)
                .first()
                .map(|option| option_value(d, *option))
                .unwrap_or_default(),
        )
    }),
];
const OPTION: &[Entry] = &[
    flag("defaultSelected", "selected"),
    computed("disabled", |d, n| {
        let group = d.closest_tag(n, "optgroup");
        Property::Bool(
            has(d, n, "disabled") || group.is_some_and(|group| has(d, group, "disabled")),
        )
    }),
    computed("form", form_of),
    computed("index", option_index),
    computed("label", |d, n| {
        Property::Text(
            d.attribute(n, "label")
                .map_or_else(|| d.text(n), str::to_owned),
        )
    }),
    flag("selected", "selected"),
    computed("text", text_content),
    computed("value", |d, n| Property::Text(option_value(d, n))),
];
const TEXTAREA: &[Entry] = &[
    text("accessKey", "accesskey"),
    at(
        "autocapitalize",
        "autocapitalize",
        Reflect::Choice(&["sentences", "none", "off", "characters", "words"]),
    ),
    at("autocomplete", "autocomplete", ON_OFF),
    int("cols", "cols", 0),
    text("defaultValue", "value"),
    computed("form", form_of),
    computed("labels", labels),
    computed("length", |d, n| {
        Property::Number(d.attribute(n, "value").unwrap_or_default().len() as f64)
    }),
    int("maxLength", "maxlength", 0),
    text("placeholder", "placeholder"),
    flag("readOnly", "readonly"),
    flag("required", "required"),
    int("rows", "rows", 0),
    int("tabIndex", "tabindex", 0),
    at("type", "", Reflect::Always("textarea")),
    text("value", "value"),
    at("wrap", "wrap", Reflect::Choice(&["soft", "hard", "off"])),
];
const IMAGE: &[Entry] = &[
    text("alt", "alt"),
    at("crossOrigin", "crossorigin", CROSS_ORIGIN),
    target("currentSrc", "src"),
    int("height", "height", 0),
    flag("isMap", "ismap"),
    text("name", "name"),
    at("referrerPolicy", "referrerpolicy", REFERRER),
    text("sizes", "sizes"),
    target("src", "src"),
    text("srcset", "srcset"),
    text("useMap", "usemap"),
    int("width", "width", 0),
];
const TABLE: &[Entry] = &[
    computed("caption", |d, n| first_child(d, n, "caption")),
    computed("rows", |d, n| below(d, n, &["tr"])),
    flag("sortable", "sortable"),
    computed("tBodies", |d, n| below(d, n, &["tbody"])),
    computed("tFoot", |d, n| first_child(d, n, "tfoot")),
    computed("tHead", |d, n| first_child(d, n, "thead")),
];
const CELL: &[Entry] = &[
    computed("cellIndex", |d, n| {
        Property::Number(d.previous_elements(n).count() as f64)
    }),
    int("colSpan", "colspan", 1),
    text("headers", "headers"),
    int("rowSpan", "rowspan", 1),
];
const HEADER_CELL: &[Entry] = &[
    text("abbr", "abbr"),
    at(
        "scope",
        "scope",
        Reflect::ChoiceOr(&["row", "col", "colgroup", "rowgroup"], ""),
    ),
    flag("sorted", "sorted"),
];
const ROW: &[Entry] = &[
    computed("cells", |d, n| {
        Property::Elements(
            d.child_elements(n)
                .filter(|cell| matches!(d.tag(*cell), "td" | "th"))
                .collect(),
        )
    }),
    computed("rowIndex", row_index),
    computed("sectionRowIndex", |d, n| {
        Property::Number(d.previous_elements(n).count() as f64)
    }),
];
const SCRIPT: &[Entry] = &[
    flag("async", "async"),
    text("charset", "charset"),
    text("crossOrigin", "crossorigin"),
    flag("defer", "defer"),
    flag("noModule", "nomodule"),
    target("src", "src"),
    computed("text", text_content),
    text("type", "type"),
];
const OBJECT: &[Entry] = &[
    target("data", "data"),
    computed("form", form_of),
    text("height", "height"),
    text("name", "name"),
    int("tabIndex", "tabindex", 0),
    text("type", "type"),
    flag("typeMustMatch", "typemustmatch"),
    text("useMap", "usemap"),
    text("width", "width"),
];
const STYLE_LINK: &[Entry] = &[
    at("crossOrigin", "crossorigin", CROSS_ORIGIN),
    target("href", "href"),
    text("hreflang", "hreflang"),
    text("media", "media"),
    at("referrerPolicy", "referrerpolicy", REFERRER),
    text("rel", "rel"),
    computed("relList", words_of_rel),
    text("target", "target"),
    text("type", "type"),
];
const SOURCE: &[Entry] = &[
    text("keySystem", "keysystem"),
    text("media", "media"),
    text("sizes", "sizes"),
    target("src", "src"),
    text("srcset", "srcset"),
    text("type", "type"),
];
const KEYGEN: &[Entry] = &[
    flag("autofocus", "autofocus"),
    text("challenge", "challenge"),
    flag("disabled", "disabled"),
    computed("form", form_of),
    at("keytype", "keytype", Reflect::Choice(&["RSA", "DSA", "EC"])),
    computed("labels", labels),
    text("name", "name"),
    at("type", "", Reflect::Always("keygen")),
];
const OUTPUT: &[Entry] = &[
    computed("defaultValue", text_content),
    computed("form", form_of),
    text("htmlFor", "for"),
    computed("labels", labels),
    text("name", "name"),
    at("type", "", Reflect::Always("output")),
    computed("value", text_content),
];
const FIELDSET: &[Entry] = &[
    flag("disabled", "disabled"),
    computed("elements", |d, n| {
        below(d, n, &["input", "select", "button", "textarea"])
    }),
    computed("form", form_of),
    text("name", "name"),
    at("type", "", Reflect::Always("fieldset")),
    computed("validity", |_, _| Property::Undefined),
];
const IFRAME: &[Entry] = &[
    flag("allowfullscreen", "allowfullscreen"),
    text("height", "height"),
    text("name", "name"),
    at("referrerPolicy", "referrerpolicy", REFERRER),
    target("src", "src"),
    text("width", "width"),
];
const METER: &[Entry] = &[
    int("high", "high", 0),
    computed("labels", labels),
    int("low", "low", 0),
    int("max", "max", 0),
    int("min", "min", 0),
    int("optimum", "optimum", 0),
];
const PROGRESS: &[Entry] = &[
    computed("labels", labels),
    computed("max", |d, n| Property::Number(progress(d, n, "max", 1.0))),
    computed("position", |d, n| {
        let (value, max) = (progress(d, n, "value", -1.0), progress(d, n, "max", 1.0));
        Property::Number(if value < 0.0 { -1.0 } else { value / max })
    }),
    computed("value", |d, n| {
        Property::Number(progress(d, n, "value", 0.0))
    }),
];
const TRACK: &[Entry] = &[
    flag("default", "default"),
    at(
        "kind",
        "kind",
        Reflect::Choice(&[
            "subtitle",
            "subtitles",
            "captions",
            "descriptions",
            "chapters",
            "metadata",
        ]),
    ),
    text("label", "label"),
    target("src", "src"),
    text("srclang", "srclang"),
];
const LIST_ITEM: &[Entry] = &[
    at(
        "type",
        "type",
        Reflect::ChoiceOr(&["1", "a", "A", "i", "I", "disc", "square", "circle"], ""),
    ),
    int("value", "value", 0),
];
const ORDERED_LIST: &[Entry] = &[
    flag("reversed", "reversed"),
    int("start", "start", 0),
    at("type", "type", Reflect::Choice(&["1", "a", "A", "i", "I"])),
];

const FORM_ELEMENTS: &[&str] = &["input", "select", "button", "textarea", "fieldset"];
