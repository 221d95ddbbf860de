//! Matching of elements with selectors.

use super::super::document::{Document, NodeData, NodeId};
use super::{AttributeTest, Combinator, Complex, Compound, Simple};

impl Complex {
    pub(super) fn matches(&self, document: &Document, id: NodeId) -> bool {
        all_match(&self.subject, document, id) && context_matches(&self.context, document, id)
    }
}

fn context_matches(context: &[(Combinator, Compound)], document: &Document, id: NodeId) -> bool {
    let Some(((combinator, compound), further)) = context.split_first() else {
        return true;
    };
    let fits = |node: NodeId| {
        document.is_element(node)
            && all_match(compound, document, node)
            && context_matches(further, document, node)
    };
    match combinator {
        Combinator::Child => document.parent(id).is_some_and(fits),
        Combinator::Descendant => document.ancestors(id).any(fits),
        Combinator::NextSibling => document.previous_elements(id).next().is_some_and(fits),
        Combinator::LaterSibling => document.previous_elements(id).any(fits),
    }
}

fn all_match(compound: &Compound, document: &Document, id: NodeId) -> bool {
    compound.iter().all(|simple| simple.matches(document, id))
}

impl Simple {
    fn matches(&self, document: &Document, id: NodeId) -> bool {
        let tag = document.tag(id);
        let has = |name| document.attribute(id, name).is_some();
        match self {
            Self::Tag(name) => tag == name,
            Self::Id(value) => document.attribute(id, "id") == Some(value),
            Self::Class(value) => {
                has_word(document.attribute(id, "class").unwrap_or_default(), value)
            }
            Self::Attribute {
                name,
                test,
                ignore_case,
            } => test.holds(document.attribute(id, name), *ignore_case),
            Self::Not(inner) => !inner.matches(document, id),
            Self::Has(inner) => inner.find(document, id).next().is_some(),
            Self::HasChild(inner) => document
                .children(id)
                .any(|child| inner.matches(document, child)),
            Self::Contains { text, own } => {
                text_of(document, id, *own).to_lowercase().contains(text)
            }
            Self::Matches { regex, own } => regex.is_match(&text_of(document, id, *own)),
            Self::Nth {
                step,
                offset,
                last,
                of_type,
            } => {
                let place = 1 + siblings(document, id, *last, *of_type).count() as i64 - offset;
                if *step == 0 {
                    place == 0
                } else {
                    place % step == 0 && place / step >= 0
                }
            }
            Self::Only { of_type } => {
                let alone = |last| siblings(document, id, last, *of_type).next().is_none();
                alone(false) && alone(true)
            }
            Self::Language(language) => speaks(document, id, language),
            Self::Input => matches!(tag, "input" | "select" | "textarea" | "button"),
            Self::Empty => {
                let fills = |child| {
                    matches!(
                        document.data(child),
                        NodeData::Element(_) | NodeData::Text(_)
                    )
                };
                !document.children(id).any(fills)
            }
            Self::Root => document.parent(id) == Some(document.root()),
            Self::Link => matches!(tag, "a" | "area" | "link") && has("href"),
            Self::Enabled => match tag {
                "a" | "area" | "link" => has("href"),
                "optgroup" | "menuitem" | "fieldset" => !has("disabled"),
                "button" | "input" | "select" | "textarea" | "option" => {
                    !has("disabled") && !in_disabled_fieldset(document, id)
                }
                _ => false,
            },
            Self::Disabled => match tag {
                "optgroup" | "menuitem" | "fieldset" => has("disabled"),
                "button" | "input" | "select" | "textarea" | "option" => {
                    has("disabled") || in_disabled_fieldset(document, id)
                }
                _ => false,
            },
            Self::Checked => match tag {
                "input" => {
                    matches!(document.attribute(id, "type"), Some("checkbox" | "radio"))
                        && has("checked")
                }
                "option" => has("selected"),
                _ => false,
            },
            Self::Never => false,
        }
    }
}

impl AttributeTest {
    fn holds(&self, value: Option<&str>, ignore_case: bool) -> bool {
        let fold = |text: &str| {
            if ignore_case {
                text.to_lowercase()
            } else {
                text.to_owned()
            }
        };
        let Some(value) = value else {
            return matches!(self, Self::IsNot(_));
        };
        let blank = value.trim().is_empty();
        let value = fold(value);
        match self {
            Self::Exists => true,
            Self::Is(wanted) => value == fold(wanted),
            Self::IsNot(wanted) => value != fold(wanted),
            Self::HasWord(wanted) => has_word(&value, &fold(wanted)),
            Self::IsOrBeginsWithDash(wanted) => value
                .strip_prefix(&fold(wanted))
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('-')),
            Self::BeginsWith(wanted) => !blank && value.starts_with(&fold(wanted)),
            Self::EndsWith(wanted) => !blank && value.ends_with(&fold(wanted)),
            Self::Contains(wanted) => !blank && value.contains(&fold(wanted)),
            Self::Matches(regex) => regex.is_match(&value),
        }
    }
}

fn has_word(text: &str, word: &str) -> bool {
    text.split([' ', '\t', '\r', '\n', '\u{c}'])
        .any(|part| !part.is_empty() && part == word)
}

fn text_of(document: &Document, id: NodeId, own: bool) -> String {
    if !own {
        return document.text(id);
    }
    let texts = document
        .children(id)
        .filter_map(|child| match document.data(child) {
            NodeData::Text(text) => Some(text.as_str()),
            _ => None,
        });
    texts.collect()
}

fn siblings(
    document: &Document,
    id: NodeId,
    later: bool,
    of_type: bool,
) -> impl Iterator<Item = NodeId> + '_ {
    let step = move |node: &NodeId| {
        if later {
            document.next(*node)
        } else {
            document.previous(*node)
        }
    };
    let counts = move |node: &NodeId| {
        document.is_element(*node) && (!of_type || document.tag(*node) == document.tag(id))
    };
    std::iter::successors(step(&id), step).filter(counts)
}

fn speaks(document: &Document, id: NodeId, language: &str) -> bool {
    let own = std::iter::once(id)
        .chain(document.ancestors(id))
        .find_map(|node| document.attribute(node, "lang"));
    own.map(str::to_lowercase)
        .and_then(|own| {
            own.strip_prefix(language)
                .map(|rest| rest.is_empty() || rest.starts_with('-'))
        })
        .unwrap_or(false)
}

/// Inside a fieldset that is disabled, other than in its first legend.
fn in_disabled_fieldset(document: &Document, id: NodeId) -> bool {
    let mut child = id;
    for ancestor in document.ancestors(id) {
        if document.tag(ancestor) == "fieldset"
            && document.attribute(ancestor, "disabled").is_some()
        {
            let legend = document
                .child_elements(ancestor)
                .find(|node| document.tag(*node) == "legend");
            if legend != Some(child) {
                return true;
            }
        }
        child = ancestor;
    }
    false
}
