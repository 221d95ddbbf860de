//! Expected values are the results of k6 1.1.0 for the same calls.

use std::sync::Arc;

use super::{Document, FormValue, Property, Query, Selection, Walk, property, property_names};

const PAGE: &str = r##"<!doctype html><html lang="en"><head><title>T &amp; t</title></head><body class="x y">
<div id="a" data-foo-bar="12" data-json='{"k":[1]}' data-t="true" data-s="str" data-e="" data-n="1.50" data-null="null" data-hex="0x10"><p class="p1">One <b>bold</b> 'q' "dq" &lt;x&gt;</p><p class="p2">Two</p><!-- c --><p>Three</p>tail</div>
<ul><li>1</li><li class="s">2</li><li>3</li><li class="e">4</li><li>5</li></ul>
<form id="f" action="/go?x=1" method="POST"><input name="i1" value="v1"><input type="checkbox" name="c1" checked><input type="checkbox" name="c2" checked="checked" value="cv"><input type="checkbox" name="c3"><input type="checkbox" name="c4" checked="checked"><input type="radio" name="r" value="1"><input type="radio" name="r" value="2" checked="checked"><textarea name="ta">tx</textarea><select name="s1"><option value="o1">O1</option><option selected>O2</option></select><select name="sm" multiple><option selected>m1</option><option selected value="m2">x</option></select><select name="s0"><option>first</option><option>z</option></select><input name="dis" value="d" disabled><input type="submit" name="sub" value="Go"><button name="bt" value="bv">B</button><input type="file" name="fi"><input name="noval"><input value="noname"></form>
<script>if (a < b && c) {}</script><noscript><p>ns</p></noscript><br><img src="i.png"><table><tr><td>c</td></tr></table>
</body></html>"##;

/// Each selected node as its tag and the beginning of its text.
fn shown(selection: &Selection) -> String {
    let document = selection.document();
    let one = |node: &super::NodeId| {
        let text: String = document.text(*node).chars().take(3).collect();
        format!("{}:{}", document.node_name(*node), text)
    };
    selection
        .nodes()
        .iter()
        .map(one)
        .collect::<Vec<_>>()
        .join("|")
}

fn find(selector: &str) -> Selection {
    Selection::parse(PAGE).find(&Query::selector(selector))
}

#[track_caller]
fn check(selection: &Selection, expected: &str) {
    assert_eq!(shown(selection), expected);
}

#[track_caller]
fn check_sizes(table: &[(&str, usize)]) {
    let page = Selection::parse(PAGE);
    for (selector, size) in table {
        assert_eq!(
            page.find(&Query::selector(selector)).size(),
            *size,
            "{selector}"
        );
    }
}

#[test]
fn css_selectors_match_as_in_cascadia() {
    check_sizes(&[
        ("*", 47),
        ("li", 5),
        ("LI.s", 1),
        ("ul > li + li", 4),
        (".s ~ li", 3),
        ("body div p b", 1),
        ("li:nth-child(2n+1)", 3),
        ("li:nth-child( 2n + 1 )", 3),
        ("li:nth-child(-n+2)", 2),
        ("li:nth-of-type(even)", 2),
        ("li:nth-last-child(1)", 1),
        ("li:first-child, li:last-child", 2),
        ("li:first-of-type", 1),
        ("li:only-of-type", 0),
        (":only-child", 6),
        (":root", 1),
        ("p:empty", 0),
        ("li:not(.s)", 4),
        ("li:not(.s, .e)", 3),
        ("div:has(b)", 1),
        ("#f :not(input):not(option)", 5),
        ("[DATA-S]", 1),
        ("[data-s=\"STR\" i]", 1),
        ("[data-s=\"STR\"i]", 1),
        ("[data-s=\"STR\"]", 0),
        ("[data-s^=\"s\"]", 1),
        ("[data-s^=\"\"]", 1),
        ("[id=a]", 1),
        ("p:lang(en)", 3),
        (":disabled", 1),
        (":enabled", 22),
        (":checked", 7),
        (":link", 0),
        ("a:visited", 0),
        ("p:hover", 0),
        ("noscript p", 0),
    ]);
}

#[test]
fn selectors_beyond_css_work() {
    check_sizes(&[
        ("p:contains(\"Two\")", 1),
        ("p:contains(two)", 1),
        ("p:containsOwn(\"bold\")", 0),
        ("p:matches(T.o)", 1),
        ("p:matchesOwn(\"^T\")", 0),
        ("p:haschild(b)", 1),
        ("div:haschild(b)", 0),
        (":input", 17),
        ("[class!=s]", 46),
        ("li[class!=s]", 4),
        ("[data-s#=(st.)]", 1),
    ]);
}

#[test]
fn an_invalid_selector_selects_nothing() {
    for selector in [
        "",
        "a[b",
        "p >",
        "> p",
        "p|a",
        "p:first",
        "li:eq(1)",
        "p::first-line",
        ":is(p,b)",
        ":where(p)",
        "li:nth-child(odd of .s)",
        "input:text",
        "[id=\"a",
        "li:contains(2)",
        "\\#a",
        ":not(",
        "p:matches([)",
        "a,,b",
    ] {
        assert_eq!(find(selector).size(), 0, "{selector}");
    }
    let deep = ":not(".repeat(100_000);
    assert_eq!(find(&deep).size(), 0);
}

#[test]
fn walks_return_nodes_in_the_order_of_goquery() {
    let (e, dot_e, li) = (
        Query::selector(".e"),
        Query::from(&find(".e")),
        Query::selector("li"),
    );
    let (next, previous, up) = (Walk::NextSiblings, Walk::PreviousSiblings, Walk::Parents);
    check(&find("li").siblings(None), "li:2|li:3|li:4|li:5|li:1");
    check(
        &find(".p2").siblings(Some(&Query::selector(".p1"))),
        "p:One",
    );
    check(&find(".s").step(next, None), "li:3");
    check(&find(".s").step(next, Some(&e)), "");
    check(&find(".s").walk(next, None, Some(&e)), "li:4");
    check(&find(".s").walk(next, Some(&e), None), "li:3");
    check(&find(".s").walk(next, Some(&e), Some(&li)), "li:3");
    assert_eq!(find(".s").walk(next, Some(&dot_e), None).size(), 1);
    check(&find(".e").walk(previous, None, None), "li:3|li:2|li:1");
    check(
        &find("li").walk(previous, None, None),
        "li:1|li:2|li:3|li:4",
    );
    check(&find("b").step(up, None), "p:One");
    check(
        &find("b").walk(up, Some(&Query::selector("body")), None),
        "p:One|div:One",
    );
    assert_eq!(find("b, li").walk(up, None, None).size(), 5);
    check(&find("html").step(up, None), "");
    check(&find("b").closest(&Query::selector("div")), "div:One");
    check(&find("b").closest(&Query::selector("b")), "b:bol");
    check(
        &find("#a").contents(),
        "p:One|p:Two|#comment:|p:Thr|#text:tai",
    );
    check(
        &find("p, ul").children(None),
        "b:bol|li:1|li:2|li:3|li:4|li:5",
    );
}

#[test]
fn a_selection_is_narrowed_cut_and_joined() {
    let li = find("li");
    check(&li.eq(1), "li:2");
    check(&li.eq(-1), "li:5");
    check(&li.eq(99), "");
    check(&li.slice(-2, None), "li:4|li:5");
    check(&li.slice(3, Some(99)), "li:4|li:5");
    check(&li.slice(0, Some(-1)), "li:1|li:2|li:3|li:4");
    check(&li.slice(4, Some(2)), "");
    check(
        &li.slice(i64::MIN, Some(i64::MAX)),
        "li:1|li:2|li:3|li:4|li:5",
    );
    check(&li.filter(&Query::selector(".s")), "li:2");
    check(&li.not(&Query::selector(".s, .e")), "li:1|li:3|li:5");
    check(&find("ul").has(&Query::selector(".s")), "ul:123");
    check(&find(".s").add(&Query::selector("b")), "li:2|b:bol");
    check(&li.eq(1).end(), "li:1|li:2|li:3|li:4|li:5");
    check(&find(".s").end(), &shown(&Selection::parse(PAGE)));
    assert_eq!(Selection::parse(PAGE).end().size(), 0);
    assert!(li.is(&Query::selector(".s")) && !li.is(&Query::selector("p")));
}

#[test]
fn an_index_counts_siblings_or_selected_nodes() {
    let page = Selection::parse(PAGE);
    let li = page.find(&Query::selector("li"));
    let e = li.filter(&Query::selector(".e"));
    assert_eq!(
        (
            li.index(),
            e.index(),
            page.find(&Query::selector("none")).index()
        ),
        (0, 3, -1)
    );
    assert_eq!(li.index_of(&Query::selector(".s")), -1);
    assert_eq!(li.index_of(&Query::from(&e)), 3);
    assert_eq!(e.index_of(&Query::selector("li")), 3);
}

#[test]
fn text_and_markup_are_those_of_go() {
    assert_eq!(find("title").text(), "T & t");
    assert_eq!(find("p").text(), "One bold 'q' \"dq\" <x>TwoThree");
    assert_eq!(
        find("p").html(),
        "One <b>bold</b> &#39;q&#39; &#34;dq&#34; &lt;x&gt;"
    );
    assert_eq!(find("noscript").html(), "&lt;p&gt;ns&lt;/p&gt;");
    assert_eq!(find("table").html(), "<tbody><tr><td>c</td></tr></tbody>");
    assert_eq!(find("none").html(), "");
    for (source, html) in [
        ("<p>x", "<html><head></head><body><p>x</p></body></html>"),
        (
            "<a b=\"&amp;&quot;'<>\"  c>t</a>",
            "<html><head></head><body><a b=\"&amp;&#34;&#39;&lt;&gt;\" c=\"\">t</a></body></html>",
        ),
        (
            "<pre>\n\nx</pre><!--c--><?pi?>",
            "<html><head></head><body><pre>\n\nx</pre><!--c--><!--?pi?--></body></html>",
        ),
        (
            "<style>a>b</style><xmp><b></xmp><plaintext>x</b>",
            "<html><head><style>a>b</style></head><body><xmp><b></xmp><plaintext>x</b>",
        ),
        (
            "<template><p>x</p></template>",
            "<html><head><template><p>x</p></template></head><body></body></html>",
        ),
        (
            "<svg viewBox='0'><linearGradient/></svg><br>",
            "<html><head></head><body><svg viewBox=\"0\"><linearGradient></linearGradient></svg><br/></body></html>",
        ),
    ] {
        assert_eq!(Selection::parse(source).html(), html);
    }
}

#[test]
fn data_attributes_become_values() {
    let div = find("#a");
    for (key, expected) in [
        ("foo-bar", Some("12")),
        ("fooBar", Some("12")),
        ("json", Some(r#"{"k":[1]}"#)),
        ("t", Some("true")),
        ("s", Some("\"str\"")),
        ("n", Some("\"1.50\"")),
        ("hex", Some("\"0x10\"")),
        ("e", None),
        ("null", None),
        ("zz", None),
    ] {
        assert_eq!(
            div.data(key).map(|value| value.to_string()).as_deref(),
            expected,
            "{key}"
        );
    }
    assert_eq!(div.all_data().map(|all| all.len()), Some(8));
    assert_eq!(find("none").all_data(), None);
    let odd = Selection::parse(
        r#"<p data-a="-1" data-b="1e3" data-c="01" data-d="[1,2" data-h="0.5" data-j="1.0" data-q='"s"' data-n="123456789012345678" data-m="false">"#,
    );
    let all = odd
        .find(&Query::selector("p"))
        .all_data()
        .expect("one node");
    let text: Vec<String> = all
        .iter()
        .map(|(key, value)| format!("{key}={}", value.as_ref().expect("none is nothing")))
        .collect();
    assert_eq!(
        text.join(" "),
        r#"a=-1 b="1e3" c="01" d="[1,2" h=0.5 j="1.0" q="\"s\"" n="123456789012345678" m=false"#
    );
}

#[test]
fn forms_serialise_as_in_k6() {
    assert_eq!(
        find("#f").serialize(),
        "c2=cv&c4=on&dis=d&i1=v1&noval=&r=2&s0=&s1=O2&sm=m1&sm=m2&ta=tx"
    );
    let fields = find("#f").fields();
    let names: Vec<&str> = fields.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(
        names,
        [
            "i1", "c2", "c4", "r", "ta", "s1", "sm", "s0", "dis", "noval"
        ]
    );
    assert_eq!(find("#f input").fields().len(), 6);
    assert_eq!(find("p").fields(), []);
}

#[test]
fn values_depend_on_the_control() {
    let text = |text: &str| Some(FormValue::Text(text.to_owned()));
    for (selector, expected) in [
        ("input[name=i1]", text("v1")),
        ("textarea", text("tx")),
        ("select[name=s1]", text("O2")),
        ("select[name=s0]", text("")),
        (
            "select[name=sm]",
            Some(FormValue::List(vec!["m1".into(), "m2".into()])),
        ),
        ("option", text("o1")),
        ("button", text("bv")),
        ("input[name=c1]", text("on")),
        ("input[name=noval]", text("")),
        ("p", None),
        ("none", None),
    ] {
        assert_eq!(find(selector).value(), expected, "{selector}");
    }
}

#[test]
fn a_submission_knows_method_url_and_fields() {
    let base = url::Url::parse("http://h/page/x?h=1").expect("valid");
    let inputs = "<input name=a value=1><input name=b value='x y'><input type=submit name=sub value=Go><button name=bt value=bv>";
    for (form, submit, expected) in [
        (
            "<form action='/go?z=1'>",
            "[type=\"submit\"]",
            "GET http://h/go?a=1&b=x+y&sub=Go",
        ),
        (
            "<form>",
            "[type=\"submit\"]",
            "GET http://h/page/x?a=1&b=x+y&sub=Go",
        ),
        (
            "<form action=go method=put>",
            "button",
            "PUT http://h/page/go?a=1&b=x+y&bt=bv",
        ),
    ] {
        let page = Selection::parse(&format!("<base href=/bb/>{form}{inputs}"));
        let submission = page.submission(&base, "form", submit).expect("a form");
        assert_eq!(
            format!("{} {}", submission.method, submission.get_url()),
            expected
        );
    }
    let page = Selection::parse("<p><a>no</a><a href='two'>2</a>");
    let error = page.submission(&base, "form", "x").expect_err("no form");
    assert_eq!(
        error.to_string(),
        "no form found for selector 'form' in response 'http://h/page/x?h=1'"
    );
    assert_eq!(
        page.link_target(&base, "a[href]").expect("a link").as_str(),
        "http://h/page/two"
    );
    let error = page.link_target(&base, "a").expect_err("no target");
    assert_eq!(
        error.to_string(),
        "no valid href attribute value found on element 'a' in response 'http://h/page/x?h=1'"
    );
}

#[track_caller]
fn check_properties(page: &str, table: &[(&str, &str, &str)]) {
    let page = Selection::parse(page);
    let document = page.document();
    for (selector, name, expected) in table {
        let node = document.query(document.root(), selector).expect(selector);
        let name_of = |node: &super::NodeId| {
            format!(
                "{}#{}",
                document.node_name(*node),
                document.attribute(*node, "id").unwrap_or_default()
            )
        };
        let text = match property(document, node, name) {
            None => "none".to_owned(),
            Some(Property::Undefined) => "undefined".to_owned(),
            Some(Property::Text(text)) => text,
            Some(Property::Number(number)) => number.to_string(),
            Some(Property::Bool(value)) => value.to_string(),
            Some(Property::Texts(list)) => list.join(","),
            Some(Property::Element(node)) => name_of(&node),
            Some(Property::Elements(list)) => {
                list.iter().map(name_of).collect::<Vec<_>>().join(",")
            }
        };
        assert_eq!(text, *expected, "{selector} {name}");
    }
}

#[test]
fn attributes_are_read_with_the_defaults_of_their_element() {
    check_properties(
        "<body><a rel='x y' referrerpolicy=same-origin><audio preload=NONE><script crossorigin=x></script><form method=POST enctype=TEXT/PLAIN></form><form method=post class=p></form>\
         <input type=datetime maxlength=x size=3 readonly><ol start=-3><li type=x></ol><canvas width=1.5></canvas><meter max=1.5></meter><progress></progress>",
        &[
            ("a", "relList", "x,y"),
            ("a", "referrerPolicy", ""),
            ("a", "href", ""),
            ("audio", "preload", "auto"),
            ("audio", "crossOrigin", "undefined"),
            ("script", "crossOrigin", "x"),
            ("form", "method", "get"),
            (".p", "method", "post"),
            ("form", "enctype", "application/x-www-form-urlencoded"),
            ("input", "type", "text"),
            ("input", "maxLength", "-1"),
            ("input", "size", "3"),
            ("input", "readonly", "true"),
            ("input", "readOnly", "none"),
            ("input", "form", "undefined"),
            ("ol", "start", "-3"),
            ("ol", "type", "1"),
            ("li", "type", ""),
            ("canvas", "width", "150"),
            ("meter", "max", "0"),
            ("progress", "max", "1"),
            ("progress", "position", "-1"),
        ],
    );
}

#[test]
fn elements_know_their_relations() {
    check_properties(
        "<form id=f><fieldset><label for=i>L</label><label>W<input id=w></label><input id=i list=dl form=g><select id=s><optgroup disabled><option id=o1>a<option id=o2 selected>b</optgroup></select><textarea id=t>hi</textarea><output id=ou>9</output><progress id=p value=3 max=4></progress></fieldset><button formmethod=POST></form><datalist id=dl><option></datalist>\
         <table><caption>c</caption><thead><tr><th>h</thead><tbody><tr id=r1><td>1<td id=c2>2<tr id=r2></tbody></table>",
        &[
            ("#i", "form", "form#f"),
            ("#i", "list", "datalist#dl"),
            ("#i", "labels", "label#"),
            ("#w", "labels", "label#"),
            ("label", "control", "input#i"),
            (
                "fieldset",
                "elements",
                "input#w,input#i,select#s,textarea#t",
            ),
            (
                "form",
                "elements",
                "fieldset#,input#w,input#i,select#s,textarea#t,button#",
            ),
            ("form", "length", "6"),
            ("#s", "value", "b"),
            ("#s", "selectedIndex", "1"),
            ("#s", "selectedOptions", "option#o2"),
            ("#o1", "disabled", "true"),
            ("#o2", "index", "1"),
            ("#o2", "text", "b"),
            ("#t", "value", ""),
            ("#ou", "value", "9"),
            ("#p", "position", "0.75"),
            ("button", "formMethod", "post"),
            ("table", "caption", "caption#"),
            ("table", "rows", "tr#,tr#r1,tr#r2"),
            ("table", "tFoot", "undefined"),
            ("#r2", "rowIndex", "2"),
            ("#r2", "sectionRowIndex", "1"),
            ("#r1", "cells", "td#,td#c2"),
            ("#c2", "cellIndex", "1"),
        ],
    );
}

#[test]
fn links_are_parsed_as_in_go() {
    for (href, expected) in [
        (
            "http://user:pw@Ex.com:8080/p/a?q=1&r=a b#fr%20x",
            "#fr x|Ex.com:8080|Ex.com|http://Ex.com:8080|pw|/p/a|8080|http|?q=1&r=a b|user",
        ),
        ("/rel/x?y#z", "#z|||||/rel/x||:|?y|"),
        ("mailto:a@b", "|||mailto://||||mailto||"),
        ("http://h:80/", "|h|h|http://h:80||/|80|http||"),
        ("//pr.com/x", "|pr.com|pr.com|||/x||:||"),
        ("http://[::1]:8/", "|[::1]:8|::1|http://[::1]:8||/|8|http||"),
        (" http://sp.com ", "|||||||:||"),
        ("ftp://x.y/%zz", "|||||||:||"),
        ("https://u@h:443/?", "|h|h|https://h:443||/|443|https||u"),
    ] {
        let page = Selection::parse(&format!("<a href='{href}'>"));
        let document = page.document();
        let link = document.query(document.root(), "a").expect("a link");
        let parts = [
            "hash", "host", "hostname", "origin", "password", "pathname", "port", "protocol",
            "search", "username",
        ];
        let texts = parts.map(|part| match property(document, link, part) {
            Some(Property::Text(text)) => text,
            other => panic!("{part}: {other:?}"),
        });
        assert_eq!(texts.join("|"), expected, "{href}");
    }
}

#[test]
fn nodes_have_names_types_and_values() {
    let page = Selection::parse(PAGE);
    let document = page.document();
    let node = |selector: &str| document.query(document.root(), selector).expect("selected");
    let div = node("#a");
    let kinds: Vec<String> = document
        .children(div)
        .map(|child| {
            format!(
                "{}{}:{:?}",
                document.node_name(child),
                document.node_type(child),
                document.node_value(child)
            )
        })
        .collect();
    assert_eq!(
        kinds.join(" "),
        r##"p1:None p1:None #comment8:Some("") p1:None #text3:Some("tail")"##
    );
    assert_eq!(
        document.class_list(node("body")).collect::<Vec<_>>(),
        ["x", "y"]
    );
    assert!(document.contains(div, node("b")) && !document.contains(div, div));
    assert!(
        document.is_equal(div, document, div)
            && !document.is_equal(node("li"), document, node(".e"))
    );
    assert!(document.is_matched(div, "div") && !document.is_matched(div, "p"));
    assert_eq!(document.elements_by_class(div, "p1").len(), 1);
    assert_eq!(document.parent_element(node("html")), None);
    assert_eq!(document.namespace_uri(div), "http://www.w3.org/1999/xhtml");
    assert_eq!(property_names("title").collect::<Vec<_>>(), ["text"]);
}

#[test]
fn a_page_nested_beyond_any_stack_is_read() {
    let depth = 3_000;
    let document: Arc<Document> = Document::parse(&"<div>".repeat(depth), None);
    let page = Selection::of(Arc::clone(&document), document.root());
    assert_eq!(page.text(), "");
    assert!(page.html().len() > depth * 11);
}
