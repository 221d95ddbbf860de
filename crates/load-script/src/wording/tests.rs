//! Tests of the wording.

use super::*;

/// The place in the code is marked by `^`.
fn check(message: &str, code: &str, expected: Option<&str>) {
    let origin = ErrorOrigin {
        native: None,
        place: Some(("file".to_owned(), 1, 1)),
    };
    let (before, after) = code.split_once('^').unwrap_or(("", code));
    let code = Code {
        before: before.to_owned(),
        after: after.to_owned(),
        is_in_namespace: after.starts_with("all."),
    };
    let found = of(message, || origin, |_| Some(code.clone()));
    assert_eq!(found.as_deref(), expected, "{message} {}", code.after);
}

#[test]
fn what_is_no_function_is_named() {
    let message = "not a function";
    check(message, "o.^nope(1)", Some("Object has no member 'nope'"));
    check(message, "o?.^nope (1)", Some("Object has no member 'nope'"));
    check(message, "o.^nope `a`", Some("Object has no member 'nope'"));
    check(message, "^o['a b'](1)", Some("Object has no member 'a b'"));
    check(message, "o.^list[3]()", Some("Object has no member '3'"));
    check(message, "o[^k](1)", None);
    check(message, "new o[^k](1)", Some(UNDEFINED));
    check(message, "o[Symbol.^iterator]()", Some(UNDEFINED));
    check(message, "o.nope(^v)", Some("Object has no member 'nope'"));
    check(
        message,
        "o.nope(v, ^true, 1)",
        Some("Object has no member 'nope'"),
    );
    check(message, "o['a b'](^v)", Some("Object has no member 'a b'"));
    check(
        message,
        "o.nope({ a: [f('(;'), ^v",
        Some("Object has no member 'nope'"),
    );
    check(
        message,
        "o.nope(\n  'x',\n  ^v,\n)",
        Some("Object has no member 'nope'"),
    );
    check(
        message,
        "console.log(o.nope(^v))",
        Some("Object has no member 'nope'"),
    );
    check(
        message,
        "o.nope(JSON.stringify(^v))",
        Some("Object has no member 'nope'"),
    );
    check(
        message,
        "o.nope(f(^v))",
        Some("Object has no member 'nope'"),
    );
    check(
        message,
        "list.forEach(^v)",
        Some("Object has no member 'forEach'"),
    );
    check(message, "list.map(^nope())", Some(UNDEFINED));
    check(message, "console.log(^nope(), v)", Some(UNDEFINED));
    check(message, "a.b(v); nope(^v)", Some(UNDEFINED));
    check(message, "a.b(() => { nope(^v)", Some(UNDEFINED));
    check(message, "if (^v)", Some(UNDEFINED));
    for code in [
        "^nope(1)",
        "nope(^v)",
        "new ^o.nope()",
        "new ^nope",
        "^(a || b)(1)",
        "",
    ] {
        check(message, code, Some(UNDEFINED));
    }
}

#[test]
fn properties_of_nothing_are_named() {
    for (message, code, expected) in [
        (
            "cannot read property 'x' of undefined",
            "u.x;",
            "Cannot read property 'x' of undefined",
        ),
        (
            "cannot read property 'x' of null",
            "u.x (1)",
            "Cannot read property 'x' of undefined or null",
        ),
        (
            "cannot read property 'a b' of undefined",
            "",
            "Cannot read property 'a b' of undefined",
        ),
        (
            "cannot read property 'Symbol.iterator' of undefined",
            "",
            NO_OBJECT,
        ),
        ("cannot set property 'x' of null", "", NO_OBJECT),
    ] {
        check(message, code, Some(expected));
    }
}

#[test]
fn what_cannot_be_assigned_is_named() {
    for (message, code, expected) in [
        (
            "'q' is read-only",
            "q += 2",
            "Assignment to constant variable.",
        ),
        (
            "'q' is read-only",
            "q++",
            "Assignment to constant variable.",
        ),
        (
            "'a' is read-only",
            "a.a = 2",
            "Cannot assign to read only property 'a'",
        ),
        (
            "object is not extensible",
            "f(x).b.c ??= 2",
            "Cannot add property c, object is not extensible",
        ),
        (
            "no setter for property",
            "(x) => { if (x >= 1) f.a = 1",
            "Cannot assign to read only property 'a'",
        ),
        (
            "could not delete property",
            "f.b.c; f.d",
            "Cannot delete property 'c' of [object Object]",
        ),
    ] {
        check(message, code, Some(expected));
    }
    for (code, name) in [
        ("Object.freeze({ a: 1 }).a;", "a"),
        ("f(x.y)[z.k].b, c.d", "b"),
    ] {
        let expected = format!("Cannot delete property '{name}' of [object Object]");
        check("could not delete property", code, Some(&expected));
    }
    check("could not delete property", "a.b[k]", None);
    check("object is not extensible", "f[1] = 2", None);
    check("something else", "", None);
}

#[test]
fn errors_of_the_script_keep_their_message() {
    for code in ["throw new ^TypeError('not a function')", "^super(message)"] {
        check("not a function", code, None);
    }
    check("not a function", "^superb(1)", Some(UNDEFINED));
}

#[test]
fn native_functions_have_messages_of_their_own() {
    for (native, message, expected) in [
        ("map", "not a function", Some(UNDEFINED)),
        (
            "Map",
            "must be called with new",
            Some("Constructor Map requires 'new'"),
        ),
        (
            "Float64Array",
            "invalid offset",
            Some("Start offset of Float64Array should be a multiple of 8"),
        ),
        (
            "Array",
            "invalid array length",
            Some("Invalid array length"),
        ),
        ("set", "invalid array length", Some("Source is too large")),
        ("with", "invalid array index: 5", Some("Invalid index 5")),
        ("f", "something else", None),
    ] {
        let origin = ErrorOrigin {
            native: Some(native.to_owned()),
            place: None,
        };
        let found = of(message, || origin, |_| None);
        assert_eq!(found.as_deref(), expected, "{native}");
    }
}

#[test]
fn refused_changes_name_the_member() {
    let message = "object is not extensible";
    let added = Some("Cannot add property a b, object is not extensible");
    check(message, "^o['a b'] = 1", added);
    check(message, "^o[key] = 1", None);
    check(
        "'x' is read-only",
        "^all.x = 1",
        Some("Cannot add property x, object is not extensible"),
    );
    check(
        "'x' is read-only",
        "^some.x = 1",
        Some("Cannot assign to read only property 'x'"),
    );
    check(NO_OBJECT, "delete ^u.x", Some(NO_OBJECT));
    check(NO_OBJECT, "^u.x", Some("Value is not object coercible"));
}

#[test]
fn what_is_read_to_be_called_may_be_null() {
    let message = "cannot read property 'x' of undefined";
    let called = Some("Cannot read property 'x' of undefined or null");
    let read = Some("Cannot read property 'x' of undefined");
    check(message, "^u.x()", called);
    check(message, "^u.x?.(1)", called);
    check(message, "^u.x, v.x()", read);
    check(message, "new ^u.x()", read);
}
