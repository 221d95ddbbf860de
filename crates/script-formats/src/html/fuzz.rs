//! Pages and selectors from random pieces: nothing panics, and results are nodes of the page.

use proptest::prelude::*;

use super::{Query, Selection, Selector};

const MARKUP: &[&str] = &[
    "<div>",
    "</div>",
    "<p class='a b'>",
    "</p>",
    "<a href=",
    "'x'>",
    "<table><tr>",
    "<td>",
    "</table>",
    "<select><option selected>",
    "<input name=n value=",
    ">",
    "<",
    "</",
    "<!--",
    "-->",
    "<![CDATA[",
    "<script>",
    "</script>",
    "<svg><g/>",
    "<template>",
    "&amp;",
    "&#x",
    "&",
    "text",
    " ",
    "\0",
    "ä",
    "<form id=f>",
    "<textarea>",
    "<br/>",
    "<!doctype html>",
    "<b><i></b></i>",
];
const SELECTORS: &[&str] = &[
    "div",
    "p",
    "*",
    ".a",
    "#f",
    "[href]",
    "[name=n]",
    "[class~='b' i]",
    "[a",
    "]",
    "(",
    ")",
    ":not(",
    ":has(",
    ":nth-child(",
    "2n+1)",
    "-n",
    ":first-child",
    ":contains('t')",
    ":matches(",
    ">",
    "+",
    "~",
    " ",
    ",",
    "\\",
    "\\31 ",
    "'",
    "\"",
    ":",
    "::before",
    "ä",
    "\0",
    ":input",
    ":empty",
];

fn soup(pieces: &'static [&'static str], most: usize) -> impl Strategy<Value = String> {
    let piece = proptest::sample::select(pieces);
    proptest::collection::vec(piece, 0..most).prop_map(|all| all.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(crate::fuzz_cases()))]

    #[test]
    fn no_page_and_no_selector_panics(page in soup(MARKUP, 12), selector in soup(SELECTORS, 8)) {
        let all = Selection::parse(&page);
        let found = all.find(&Query::selector(&selector));
        if Selector::parse(&selector).is_err() {
            prop_assert_eq!(found.size(), 0, "{} in {}", selector, page);
        }
        for node in found.nodes() {
            prop_assert!(found.document().is_element(*node));
        }
        let _ = (found.text(), found.html(), found.children(None).size(), all.html());
    }
}
