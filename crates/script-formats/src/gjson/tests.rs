use proptest::prelude::*;

use super::*;

fn check(path: &str, expected: &str) {
    let document = r#"{"name":{"first":"Tom","last":"Anderson"},"age":37,"children":["Sara","Alex","Jack"],"fav.movie":"Deer Hunter",
        "nested":[[1,2],[3,[4]]],"ids":{"id":[1,2],"n":["a"]},
        "friends":[{"first":"Dale","age":44,"nets":["ig","fb"]},{"first":"Roger","age":68,"nets":["fb"]},{"first":"Jane","age":47,"nets":[]}]}"#;
    let found = get_text(document.as_bytes(), path).map_or_else(String::new, |v| v.to_string());
    assert_eq!(found, expected, "{path}");
}

#[test]
fn paths_find_the_values_of_gjson() {
    check("name.last", "\"Anderson\"");
    check("age", "37");
    check("children.1", "\"Alex\"");
    check("children.#", "3");
    check("child*.2", "\"Jack\"");
    check("c?ildren.0", "\"Sara\"");
    check(r"fav\.movie", "\"Deer Hunter\"");
    check("friends.#.first", r#"["Dale","Roger","Jane"]"#);
    check("friends.1.first", "\"Roger\"");
    check("nothing.at.all", "");
    check("children.9", "");
    check("children.-1", "");
    check("", "");
}

#[test]
fn queries_find_one_or_all() {
    check(r#"friends.#(first=="Roger").age"#, "68");
    check("friends.#(age>45)#.first", r#"["Roger","Jane"]"#);
    check(r#"friends.#(first%"D*").first"#, "\"Dale\"");
    check(r#"friends.#(nets.#(=="fb"))#.first"#, r#"["Dale","Roger"]"#);
    check("friends.#(age<0)#", "[]");
    check("friends.#(age<0)", "");
    check(r#"children.#(%"A*")"#, "\"Alex\"");
    check("friends.#(nothing==~null)#|#", "3");
    check("friends.#(age>40)#|#", "3");
    check("friends.#(age>40)#.#", "[]");
}

#[test]
fn bars_take_the_list_as_a_whole() {
    check("friends.#.nets|0", r#"["ig","fb"]"#);
    check("friends.#.nets.0", r#"["ig","fb"]"#);
    check("children|@reverse|0", "\"Jack\"");
}

#[test]
fn modifiers_change_what_was_found() {
    check("children.@reverse", r#"["Jack","Alex","Sara"]"#);
    check("name.@keys", r#"["first","last"]"#);
    check("nested.@flatten", "[1,2,3,[4]]");
    check(r#"nested.@flatten:{"deep":true}"#, "[1,2,3,4]");
    check(r#"nested.@flatten:{"deep":true}.1"#, "2");
    check("friends.#.nets.@flatten", r#"[["ig","fb"],["fb"],[]]"#);
    check("friends.#.nets|@flatten", r#"["ig","fb","fb"]"#);
    check("ids.@group", r#"[{"id":1,"n":"a"},{"id":2}]"#);
    check("@dig:first", r#"["Tom","Dale","Roger","Jane"]"#);
    check("age.@tostr", "\"37\"");
    check("children.@join", "{}");
    check("name.@nosuch", "");
}

#[test]
fn selections_make_new_values() {
    check("{age,name.first}", r#"{"age":37,"first":"Tom"}"#);
    check(r#"{"years":age,nothing}"#, r#"{"years":37}"#);
    check("[age,children.0]", r#"[37,"Sara"]"#);
    check("[age,children.0].1", "\"Sara\"");
    check("friends.#.{first,age}|0", r#"{"first":"Dale","age":44}"#);
    check(r#"!"static""#, "\"static\"");
}

#[test]
fn json_lines_are_documents_of_one_list() {
    let text = b"{\"a\":1}\n{\"a\":2}\n";
    let found = |path| get_text(text, path).map(|value| value.to_string());
    assert_eq!(found("..1.a").as_deref(), Some("2"));
    assert_eq!(found("..#").as_deref(), Some("2"));
    assert_eq!(found("..#.a").as_deref(), Some("[1,2]"));
}

/// Valid and invalid pieces of paths.
fn paths() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("a"),
        Just("b"),
        Just("."),
        Just("|"),
        Just("#"),
        Just("#("),
        Just(")"),
        Just("#)"),
        Just("{"),
        Just("}"),
        Just("["),
        Just("]"),
        Just(","),
        Just("\""),
        Just("\\"),
        Just("*"),
        Just("?"),
        Just("=="),
        Just("!="),
        Just("<"),
        Just("%"),
        Just("~true"),
        Just("@"),
        Just("@this"),
        Just("@reverse"),
        Just("@flatten:{\"deep\":true}"),
        Just("@dig:a"),
        Just("@group"),
        Just("@join"),
        Just("!"),
        Just("0"),
        Just("1"),
        Just(":"),
        Just("ä"),
        Just(".."),
    ];
    let made = proptest::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat());
    prop_oneof![made, any::<String>()]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(crate::fuzz_cases()))]

    #[test]
    fn no_path_panics_or_hangs(path in paths(), text in any::<Vec<u8>>()) {
        let document = r#"{"a":[1,{"b":"c","a":[[2],{"a":3}]},"x"],"b":{"a":"ä","b":null}}"#;
        let _ = get_text(document.as_bytes(), &path);
        let _ = get_text(&text, &path);
    }
}
