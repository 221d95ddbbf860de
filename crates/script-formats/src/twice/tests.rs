use super::*;

#[test]
fn replaced_functions_get_another_name_of_the_same_length() {
    let text = "export default function f() { return a; }\nfunction f() {}\nfunction longer() {}\nfunction longer() {}\nf();";
    let renamed = check(text, true, &[])
        .expect("no clash")
        .expect("another text");
    let expected = "               function b() { return a; }\nfunction f() {}\nfunction longea() {}\nfunction longer() {}\nf();\nexport { f as default };";
    assert_eq!(renamed, expected);
    assert_eq!(check("function f() {}", true, &[]), Ok(None));
    let of_function = "export default () => { function f() {} function f() {} };";
    assert_eq!(check(of_function, true, &[]), Ok(None));
}

#[test]
fn places_are_counted_as_k6_counts_them() {
    let text = "const a = 'é';\nconst é = 1, é = 2;";
    let clash = check(text, true, &[]).expect_err("it is declared twice");
    assert_eq!(clash.said, "Identifier 'é' has already been declared");
    assert_eq!(place(text, clash.at.expect("a place")), (2, 15));
}

#[test]
fn a_common_module_has_names_of_its_own() {
    let names = ["module", "exports"];
    assert!(check("let exports;", false, &names).is_err());
    assert_eq!(check("var exports; let require;", false, &names), Ok(None));
    assert_eq!(check("{ let exports; }", false, &names), Ok(None));
}

#[test]
fn a_function_with_the_name_of_an_import_is_an_assignment_to_it() {
    for (text, at) in [
        ("import { a } from 'm'; function a() {}", Some(23)),
        ("import * as a from 'm'; export function a() {}", Some(24)),
        (
            "export default function a() {}\nimport a from 'm';",
            Some(0),
        ),
        ("import { a } from 'm'; { function a() {} }", None),
        ("import { a as b } from 'm'; function a() {}", None),
    ] {
        let clash = check(text, true, &[]).err();
        let found = clash.as_ref().and_then(|clash| clash.at);
        assert_eq!(found, at, "{text}");
        assert!(clash.is_none_or(|clash| clash.error == ErrorKind::Type));
    }
    let clash = check("import { a } from 'm'; async function a() {}", true, &[]);
    assert_eq!(clash.map_err(|clash| clash.error), Err(ErrorKind::Syntax));
}
