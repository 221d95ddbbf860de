use super::{TypeScriptError, strip_types};

/// `~` in an expected text stands for a blank where the source had something.
#[track_caller]
fn check(source: &str, expected: &str) {
    assert_eq!(
        strip_types(source).as_deref(),
        Ok(expected.replace('~', " ").as_str())
    );
}

#[test]
fn annotations_become_blanks_of_the_same_length() {
    check("let a: number = 1;", "let a~~~~~~~~ = 1;");
    check("let a!: number;", "let a~~~~~~~~~;");
    check(
        "function f<T>(this: X, a?: T, ...r: T[]): void {}",
        "function f~~~(~~~~~~~~ a~~~~, ...r~~~~~)~~~~~~ {}",
    );
    check(
        "try {} catch (e: unknown) {}",
        "try {} catch (e~~~~~~~~~) {}",
    );
    check(
        "const g = <T,>(x: T): x is T => true;",
        "const g = ~~~~(x~~~)~~~~~~~~ => true;",
    );
}

#[test]
fn assertions_leave_their_expression() {
    check("const a = (b as any).c!.d;", "const a = (b~~~~~~~).c~.d;");
    check(
        "const a = { x: 1 } satisfies X;",
        "const a = { x: 1 }~~~~~~~~~~~~;",
    );
    check("const a = <number>3;", "const a = ~~~~~~~~3;");
    check(
        "const f = () => <X>{ a: 1 };",
        "const f = () => (~~{ a: 1 });",
    );
    check(
        "f<number>(1); new M<string, X<Y>>();",
        "f~~~~~~~~(1); new M~~~~~~~~~~~~~~();",
    );
}

#[test]
fn declarations_without_a_value_vanish_but_their_lines_stay() {
    check(
        "interface A {\n  b: string\n}\nlet c;",
        ";~~~~~~~~~~~~\n~~~~~~~~~~~\n~\nlet c;",
    );
    check("export type A = 1;\nx();", ";~~~~~~~~~~~~~~~~~\nx();");
    check("declare const A: number;", ";~~~~~~~~~~~~~~~~~~~~~~~");
    check("declare function f(): void;", ";~~~~~~~~~~~~~~~~~~~~~~~~~~");
    check(
        "function f(a: 1): void;\nfunction f(a) {}",
        ";~~~~~~~~~~~~~~~~~~~~~~\nfunction f(a) {}",
    );
    check("declare module 'x' { }", ";~~~~~~~~~~~~~~~~~~~~~");
    check(
        "namespace N { export type A = 1 }",
        ";~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~",
    );
}

#[test]
fn classes_lose_modifiers_and_abstract_members() {
    check(
        "abstract class A<T> extends B<T> implements C, D { }",
        "~~~~~~~~ class A~~~ extends B~~~ ~~~~~~~~~~~~~~~ { }",
    );
    check(
        "class A { private static readonly x?: number = 1; y!: string }",
        "class A { ~~~~~~~ static ~~~~~~~~ x~~~~~~~~~ = 1; y~;~~~~~~~ }",
    );
    check(
        "class A { declare q: number; abstract f(): void; [k: string]: any; g() {} }",
        "class A { ~~~~~~~~~~~~~~~~~~ ~~~~~~~~~~~~~~~~~~~ ~~~~~~~~~~~~~~~~~ g() {} }",
    );
    check(
        "export default abstract class A {}",
        "export default ~~~~~~~~ class A {}",
    );
}

#[test]
fn imports_that_only_types_use_vanish() {
    check(
        "import { Options } from 'k6/options';\nlet o: Options;",
        ";~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~\nlet o~~~~~~~~~;",
    );
    check(
        "import http, { A, type B, get } from 'k6/http';\nhttp; get",
        "import http, { ~~ ~~~~~~~ get } from 'k6/http';\nhttp; get",
    );
    check(
        "import type { A } from 'a'; import 'b';",
        ";~~~~~~~~~~~~~~~~~~~~~~~~~~ import 'b';",
    );
    check("import D, { x } from 'a'; x", "import ~~ { x } from 'a'; x");
    check(
        "type T = 1; const v = 1; export { T, v };",
        ";~~~~~~~~~~ const v = 1; export { ~~ v };",
    );
}

#[test]
fn a_line_that_loses_its_end_is_not_continued_by_the_next() {
    check("a = b as T\n(c)", "a = b;~~~~\n(c)");
    check("let a: T\n[b] = c", "let a;~~\n[b] = c");
    check("class A { x: T\n['y'] = 1 }", "class A { x;~~\n['y'] = 1 }");
    check("a = b\ninterface X {}\n(c)", "a = b\n;~~~~~~~~~~~~~\n(c)");
}

#[test]
fn an_arrow_stays_on_the_line_of_its_parenthesis() {
    check(
        "const f = (x): {\n a: 1\n} => x",
        "const f = (x ~~~\n~~~~~\n) => x",
    );
    check(
        "const f = async <\nT>(x) => x",
        "const f = async (\n~~~x) => x",
    );
}

#[test]
fn enums_become_objects_on_their_own_lines() {
    check(
        "enum C { A, B = A + 1, S = 's' }",
        "var C;(function(C){ const A=C[\"A\"]=0;typeof C[\"A\"]!==\"string\"&&(C[C[\"A\"]]=\"A\");~ \
         C[\"B\"]=A + 1;typeof C[\"B\"]!==\"string\"&&(C[C[\"B\"]]=\"B\");~ C[\"S\"]='s'; })(C||(C={}));",
    );
    let stripped = strip_types("export const enum C {\n  A = 1,\n  B,\n}\nx").expect("valid");
    assert_eq!(stripped.lines().count(), 5);
    assert!(stripped.starts_with("export var C;"), "{stripped}");
}

#[test]
fn parameter_properties_are_assigned() {
    check(
        "class A { constructor(private a: number, b) { f() } }",
        "class A { constructor(~~~~~~~ a~~~~~~~~, b) {this.a=a; f() } }",
    );
    check(
        "class A extends B { constructor(public a) { super(); } }",
        "class A extends B { constructor(~~~~~~ a) { super();;this.a=a; } }",
    );
}

#[test]
fn namespaces_fill_an_object() {
    check(
        "namespace N { export const x: number = 4; function f() {} export function g() {} }",
        "var N;(function(N){ ~~~~~~~const x~~~~~~~~ = N.x=4; function f() {} ~~~~~~~function g() {};N.g=g; })(N||(N={}));",
    );
}

#[test]
fn commonjs_forms_become_plain_ones() {
    check(
        "import fs = require('fs'); fs",
        "const  fs = require('fs'); fs",
    );
    check(
        "export = { a: 1 as any }",
        "module.exports = { a: 1~~~~~~~ }",
    );
}

#[test]
fn plain_javascript_is_returned_unchanged() {
    let source =
        "import a from 'b';\nexport default () => a?.b ?? `x${a < 1 || b > (2)}`; // as T\n";
    check(source, source);
}

#[test]
fn characters_beyond_ascii_take_one_column() {
    check("let a: 'ä→'; b", "let a~~~~~~; b");
}

#[test]
fn a_syntax_error_has_its_place_in_the_source() {
    let error =
        strip_types("let a: number = 1;\nclass A { x: number = ; }").expect_err("not valid");
    let TypeScriptError::Syntax {
        line: 2,
        column: 23,
        ..
    } = error
    else {
        panic!("{error:?}")
    };
    let error =
        strip_types("x;\nnamespace A.B { export const c = 1 }").expect_err("not possible in place");
    assert_eq!(
        error.to_string(),
        "Line 2:1 a dotted namespace is not supported; write it as plain JavaScript"
    );
}
