//! Values of form controls, form serialisation, and the requests of `submitForm` and `clickLink`.

use url::Url;
use url::form_urlencoded::Serializer;

use super::document::{Document, NodeId};
use super::selection::{Query, Selection};

/// The value of a control: several for a `<select multiple>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FormValue {
    Text(String),
    List(Vec<String>),
}

/// Errors of following a form or link.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NavigationError {
    #[error("no form found for selector '{selector}' in response '{page}'")]
    NoForm { selector: String, page: String },
    #[error("no element found for selector '{selector}' in response '{page}'")]
    NoLink { selector: String, page: String },
    #[error("no valid href attribute value found on element '{selector}' in response '{page}'")]
    NoTarget { selector: String, page: String },
    #[error("parse \"{target}\": {problem}")]
    BadTarget {
        target: String,
        problem: url::ParseError,
    },
}

/// The request that submits a form. For `GET` the fields replace the query of `url`; for other methods they are
/// the body, urlencoded (as in k6, even if the form has another encoding).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Submission {
    pub method: String,
    pub url: Url,
    pub fields: Vec<(String, FormValue)>,
}

const CONTROLS: &[&str] = &["input", "select", "textarea", "keygen"];
const UNSUBMITTED: &[&str] = &["submit", "button", "reset", "image", "file"];

impl Selection {
    /// `val()` of the first node; `None` if it is not a control.
    #[must_use]
    pub fn value(&self) -> Option<FormValue> {
        value(self.document(), *self.nodes().first()?)
    }

    /// `serializeArray()`: names and values of the controls that are selected or in selected forms. Disabled
    /// ones are included; a checkbox or radio button only with `checked="checked"`.
    #[must_use]
    pub fn fields(&self) -> Vec<(String, FormValue)> {
        let document = self.document();
        let controls = self
            .nodes()
            .iter()
            .flat_map(|node| match document.tag(*node) {
                "form" => document
                    .descendants(*node)
                    .filter(|inner| is_control(document, *inner))
                    .collect(),
                _ if is_control(document, *node) => vec![*node],
                _ => Vec::new(),
            });
        let named = controls.filter_map(|node| {
            let name = document
                .attribute(node, "name")
                .filter(|name| !name.is_empty())?;
            Some((name.to_owned(), value(document, node)?))
        });
        named.collect()
    }

    /// `serialize()`: the fields as a query, sorted by name.
    #[must_use]
    pub fn serialize(&self) -> String {
        let mut fields = self.fields();
        fields.sort_by(|a, b| a.0.cmp(&b.0));
        urlencode(&fields)
    }

    /// The request of `submitForm` for the page at `page_url`: the first form that matches `form`, with the
    /// control that matches `submit` as pressed, without fields of the script.
    ///
    /// # Errors
    /// There is no such form, or its action is not a URL.
    pub fn submission(
        &self,
        page_url: &Url,
        form: &str,
        submit: &str,
    ) -> Result<Submission, NavigationError> {
        // As in k6, the fields are those of all matching forms.
        let all = self.find(&Query::selector(form));
        let found = all.eq(0);
        if found.size() == 0 {
            return Err(NavigationError::NoForm {
                selector: form.to_owned(),
                page: page_url.to_string(),
            });
        }
        let method = found
            .attribute("method")
            .unwrap_or("GET")
            .to_ascii_uppercase();
        let url = resolve(page_url, found.attribute("action").unwrap_or_default())?;
        let mut fields = all.fields();
        let pressed = all.find(&Query::selector(submit)).eq(0);
        if let (Some(name), Some(value)) = (pressed.attribute("name"), pressed.value()) {
            set_field(&mut fields, name, value);
        }
        Ok(Submission {
            method,
            url,
            fields,
        })
    }

    /// The target of `clickLink` from the page at `page_url`.
    ///
    /// # Errors
    /// There is no such link, or its target is not a URL.
    pub fn link_target(&self, page_url: &Url, link: &str) -> Result<Url, NavigationError> {
        let found = self.find(&Query::selector(link)).eq(0);
        let (selector, page) = (link.to_owned(), page_url.to_string());
        if found.size() == 0 {
            return Err(NavigationError::NoLink { selector, page });
        }
        let target = found
            .attribute("href")
            .ok_or(NavigationError::NoTarget { selector, page })?;
        resolve(page_url, target)
    }
}

impl Submission {
    /// Adds or replaces a field, for the `fields` argument of `submitForm`.
    pub fn set(&mut self, name: &str, value: FormValue) {
        set_field(&mut self.fields, name, value);
    }

    /// The URL with the fields as its query, names sorted; lists are joined with commas, as in k6.
    #[must_use]
    pub fn get_url(&self) -> Url {
        let mut fields = self.fields.clone();
        fields.sort_by(|a, b| a.0.cmp(&b.0));
        for (_, value) in &mut fields {
            if let FormValue::List(list) = value {
                *value = FormValue::Text(list.join(","));
            }
        }
        let mut url = self.url.clone();
        let query = urlencode(&fields);
        url.set_query((!query.is_empty()).then_some(&query));
        url
    }
}

fn resolve(page_url: &Url, target: &str) -> Result<Url, NavigationError> {
    page_url
        .join(target)
        .map_err(|problem| NavigationError::BadTarget {
            target: target.to_owned(),
            problem,
        })
}

fn set_field(fields: &mut Vec<(String, FormValue)>, name: &str, value: FormValue) {
    match fields.iter_mut().find(|(known, _)| known == name) {
        Some((_, old)) => *old = value,
        None => fields.push((name.to_owned(), value)),
    }
}

fn urlencode(fields: &[(String, FormValue)]) -> String {
    let mut query = Serializer::new(String::new());
    for (name, value) in fields {
        match value {
            FormValue::Text(text) => {
                query.append_pair(name, text);
            }
            FormValue::List(list) => {
                query.extend_pairs(list.iter().map(|text| (name, text)));
            }
        }
    }
    query.finish()
}

fn is_control(document: &Document, id: NodeId) -> bool {
    let kind = document.attribute(id, "type").unwrap_or_default();
    CONTROLS.contains(&document.tag(id))
        && !UNSUBMITTED.contains(&kind)
        && (!matches!(kind, "checkbox" | "radio")
            || document.attribute(id, "checked") == Some("checked"))
}

pub(super) fn value(document: &Document, id: NodeId) -> Option<FormValue> {
    let own = document.attribute(id, "value");
    let text = match document.tag(id) {
        "input" => {
            let ticks = matches!(document.attribute(id, "type"), Some("checkbox" | "radio"));
            own.unwrap_or(if ticks { "on" } else { "" }).to_owned()
        }
        "button" => own.unwrap_or_default().to_owned(),
        "textarea" => document.inner_html(id),
        "option" => option_value(document, id),
        "select" => return Some(select_value(document, id)),
        _ => return None,
    };
    Some(FormValue::Text(text))
}

fn option_value(document: &Document, id: NodeId) -> String {
    document
        .attribute(id, "value")
        .map_or_else(|| document.inner_html(id), str::to_owned)
}

fn select_value(document: &Document, id: NodeId) -> FormValue {
    let chosen = document.descendants(id).filter(|node| {
        document.tag(*node) == "option" && document.attribute(*node, "selected").is_some()
    });
    let mut values = chosen.map(|node| option_value(document, node));
    if document.attribute(id, "multiple").is_some() {
        FormValue::List(values.collect())
    } else {
        FormValue::Text(values.next().unwrap_or_default())
    }
}
