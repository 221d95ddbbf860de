//! Conversion of an attribute's text to a value.

use super::Property;

/// The conversion of a plain attribute.
#[derive(Debug, Clone, Copy)]
pub(super) enum Reflect {
    Text,
    TextOr(&'static str),
    Present,
    Int(i64),
    /// One of these, else the first.
    Choice(&'static [&'static str]),
    /// One of these, else undefined.
    Optional(&'static [&'static str]),
    /// One of these, else this text.
    ChoiceOr(&'static [&'static str], &'static str),
    Always(&'static str),
}

/// The value of an attribute, or of its absence.
pub(super) fn reflected(value: Option<&str>, reflect: Reflect) -> Property {
    let chosen =
        |choices: &'static [&'static str]| choices.iter().find(|choice| Some(**choice) == value);
    let text = |text: &str| Property::Text(text.to_owned());
    match reflect {
        Reflect::Text => text(value.unwrap_or_default()),
        Reflect::TextOr(default) => text(value.unwrap_or(default)),
        Reflect::Present => Property::Bool(value.is_some()),
        Reflect::Int(default) => {
            let number: i64 = value
                .and_then(|value| value.parse().ok())
                .unwrap_or(default);
            Property::Number(number as f64)
        }
        Reflect::Choice(choices) => text(chosen(choices).unwrap_or(&choices[0])),
        Reflect::ChoiceOr(choices, default) => text(chosen(choices).unwrap_or(&default)),
        Reflect::Optional(choices) => {
            chosen(choices).map_or(Property::Undefined, |choice| text(choice))
        }
        Reflect::Always(value) => text(value),
    }
}
