use super::*;

fn check(text: &str, expected: &str) {
    let short = ["C", "N", "K", "M", "P", "D", "H", "Y", "B"]
        .iter()
        .enumerate();
    let names = short.map(|(number, name)| (format!("__many{number}"), *name));
    let found = rewrite(text, true).map_or(text.to_owned(), |many| many.text);
    let found = names.fold(found, |text, (name, short)| text.replace(&name, short));
    assert_eq!(found, expected, "{text}");
}

#[test]
fn calls_with_a_spread_argument_are_rewritten() {
    for (text, expected) in [
        ("f(...a)", "C(void 0,f,[...a])"),
        ("f /* ( */ (1, ...a,)", "C(void 0,f /* ( */ ,[1, ...a,])"),
        ("a.m(...b)", "C(H=a,H.m,[...b],\"m\")"),
        ("a[k] (...b)", "C(H=a,H[Y=(k)] ,[...b],Y)"),
        ("a['k'](...b)", "C(H=a,H['k'],[...b],\"k\")"),
        ("a[0](...b)", "C(H=a,H[0],[...b],\"0\")"),
        (
            "a().b.c(...d).e(...f)",
            "C(H=C(H=a().b,H.c,[...d],\"c\"),H.e,[...f],\"e\")",
        ),
        ("f(...g(...a))", "C(void 0,f,[...C(void 0,g,[...a])])"),
        ("new F(...a)", "N( F,[...a])"),
        ("new F(...a).m(...b)", "C(H=N( F,[...a]),H.m,[...b],\"m\")"),
        ("typeof(f)(...a)", "typeof C(void 0,(f),[...a])"),
        ("(0, a.m)(...b)", "C(void 0,(0, a.m),[...b])"),
        (
            "class A extends B { #p; m() { super.m(...a); this.#p(...a) } constructor() { super(...a) } }",
            "class A extends B {static #B; #p; m() { C(this,super.m,[...a],\"m\"); C(H=this,H.#p,[...a]) } constructor() { H=P([...a],new.target,t=>#B in t),super(...H) } }",
        ),
        ("a?.m(f(...b))", "a?.m(C(void 0,f,[...b]))"),
        (
            "eval(...a); ((a.m))(...b); (a?.m)(...b); f([...a])",
            "eval([...a][0]);   C(H=a,H.m  ,[...b],\"m\"); (a?.m)(...b); f([...a])",
        ),
        (
            "class A extends B { constructor() { const f = () => super(1, ...a); class C {} return (super(...a)) } }",
            "class A extends B {static #B; constructor() { const f = () => (H=P([1, ...a],new.target,t=>#B in t),super(...H)); class C {} return ((H=P([...a],new.target,t=>#B in t),super(...H))) } }",
        ),
        (
            "f(`${g(...a)}`) // h(...b)",
            "f(`${C(void 0,g,[...a])}`) // h(...b)",
        ),
    ] {
        check(text, expected);
    }
}

#[test]
fn calls_of_members_with_a_computed_name_are_rewritten() {
    for (text, expected) in [
        ("a[k](1, 2)", "K(H=a,H[Y=(k)],Y,1, 2)"),
        ("a.b[k, l] ( /* ( */ )", "K(H=a.b,H[Y=(k, l)] ,Y /* ( */ )"),
        (
            "return_[a[b]()](c[d](e))",
            "K(H=return_,H[Y=(K(H=a,H[Y=(b)],Y))],Y,K(H=c,H[Y=(d)],Y,e))",
        ),
        ("a[k](b)[l](c)", "K(H=K(H=a,H[Y=(k)],Y,b),H[Y=(l)],Y,c)"),
        (
            "class A extends B { m() { super[k](1) } }",
            "class A extends B { m() { K(this,super[Y=(k)],Y,1) } }",
        ),
        (
            "typeof[a][0]; a['k'](1); a[0](1)",
            "typeof[a][0]; a['k'](1); a[0](1)",
        ),
        (
            "(a[k])(1); new a[k](1); a[k]`x`; (a?.[k])(1)",
            " K(H=a,H[Y=(k)] ,Y,1); new a[k](1); a[k]`x`; (a?.[k])(1)",
        ),
    ] {
        check(text, expected);
    }
}

#[test]
fn chains_with_such_calls_are_rewritten() {
    for (text, expected) in [
        (
            "x=a?.m(...b)",
            "x=((H=a)==null?void 0:C(H,H.m,[...b],\"m\"))",
        ),
        ("x=a?.[k](1)", "x=((H=a)==null?void 0:K(H,H[Y=(k)],Y,1))"),
        (
            "x=a?.['k'](...b)",
            "x=((H=a)==null?void 0:C(H,H['k'],[...b],\"k\"))",
        ),
        (
            "x=a?.m(...b)(...c).d",
            "x=((H=a)==null?void 0:C(void 0,C(H,H.m,[...b],\"m\"),[...c]).d)",
        ),
        (
            "x=a.b?.c?.d.m(...e)",
            "x=((H=a.b)==null?void 0:(H=H.c)==null?void 0:C(H=H.d,H.m,[...e],\"m\"))",
        ),
        (
            "x=a.m?.(...b)",
            "x=((H=[H=a,H.m])[1]==null?void 0:C(H[0],H[1],[...b]))",
        ),
        (
            "x=a?.m?.(...b)",
            "x=((H=a)==null?void 0:(H=[H,H.m])[1]==null?void 0:C(H[0],H[1],[...b]))",
        ),
        (
            "x=a[k](1)?.[l](2).m?.(3)",
            "x=((H=K(H=a,H[Y=(k)],Y,1))==null?void 0:(H=[H=K(H,H[Y=(l)],Y,2),H.m])[1]==null?void 0:K(H[0],H[1],void 0,3))",
        ),
        (
            "x=a[k]?.(1)",
            "x=((H=[H=a,H[k]])[1]==null?void 0:K(H[0],H[1],void 0,1))",
        ),
        (
            "f(...a, b?.[k](1)); delete a[b?.[k](1)]",
            "C(void 0,f,[...a, ((H=b)==null?void 0:K(H,H[Y=(k)],Y,1))]); D( a,(((H=b)==null?void 0:K(H,H[Y=(k)],Y,1))))",
        ),
        ("x=f?.(...a)", "x=((H=f)==null?void 0:C(void 0,H,[...a]))"),
        (
            "x=f(...a)?.(1).m(...b)",
            "x=((H=C(void 0,f,[...a]))==null?void 0:C(H=H(1),H.m,[...b],\"m\"))",
        ),
        (
            "x=a /* ?. */ ?. /* ( */ m /* ( */ (...b)",
            "x=((H=a /* ?. */ )==null?void 0:C(H,H. /* ( */ m /* ( */ ,[...b],\"m\"))",
        ),
        (
            "a?.m(...b)\nnew F(...c)?.m(...d)\nx=>a?.[k]()",
            "H,((H=a)==null?void 0:C(H,H.m,[...b],\"m\"))\nH,((H=N( F,[...c]))==null?void 0:C(H,H.m,[...d],\"m\"))\nx=>((H=a)==null?void 0:K(H,H[Y=(k)],Y))",
        ),
        (
            "class A extends B { #p; m() { return super.m?.(...a) || super.n(...b)?.o.#p(...c) || this?.#p(...d) } }",
            "class A extends B { #p; m() { return ((H=[this,super.m])[1]==null?void 0:C(H[0],H[1],[...a])) || ((H=C(this,super.n,[...b],\"n\"))==null?void 0:C(H=H.o,H.#p,[...c])) || ((H=this)==null?void 0:C(H,H.#p,[...d])) } }",
        ),
        (
            "delete a?.[k](1).b; (a?.[k]().m)(2); x=(a.m)?.(...b); x=a?.m(1)",
            "delete a?.[k](1).b; (a?.[k]().m)(2); x=(a.m)?.(...b); x=a?.m(1)",
        ),
        (
            "x={...a?.m(...b)}",
            "x={...M(((H=a)==null?void 0:C(H,H.m,[...b],\"m\")))}",
        ),
        (
            "x=a?.[b?.[c](1)](...d)",
            "x=((H=a)==null?void 0:C(H,H[Y=(((H=b)==null?void 0:K(H,H[Y=(c)],Y,1)))],[...d],Y))",
        ),
    ] {
        check(text, expected);
    }
}

#[test]
fn members_are_deleted_by_a_function() {
    for (text, expected) in [
        ("x;delete a.b", "x;D( a,\"b\")"),
        ("delete a().b /* . */ [ k ]", "D( a().b /* . */ ,( k ))"),
        (
            "delete ((a.b)); delete a['b']",
            "D(   a,\"b\")  ; D( a,('b'))",
        ),
        ("delete a[b[k](1)]", "D( a,(K(H=b,H[Y=(k)],Y,1)))"),
        (
            "delete a?.b; delete a. /* b */ b",
            "delete a?.b; delete a. /* b */ b",
        ),
        (
            "class A extends B { m() { delete super.x; delete f() } }",
            "class A extends B { m() { delete super.x; delete f() } }",
        ),
    ] {
        check(text, expected);
    }
}

#[test]
fn what_may_be_a_text_is_spread_into_an_object_by_its_members() {
    for (text, expected) in [
        (
            "f({ ...a, b: 1, ...'c' })",
            "f({ ...M(a), b: 1, ...M('c') })",
        ),
        (
            "f({ ...(a && { b }), ...(c ? {} : d) })",
            "f({ ...(a && { b }), ...M((c ? {} : d)) })",
        ),
        (
            "f({ ...{ ...a } }, [...b], g(...{ ...c }))",
            "f({ ...{ ...M(a) } }, [...b], C(void 0,g,[...{ ...M(c) }]))",
        ),
        ("f({ ...a[k]() })", "f({ ...M(K(H=a,H[Y=(k)],Y)) })"),
        (
            "const { a, ...b } = c, [...d] = e;",
            "const { a, ...b } = c, [...d] = e;",
        ),
    ] {
        check(text, expected);
    }
}

#[test]
fn names_are_unused_ones_and_are_declared_at_the_end() {
    let many = rewrite("__many(...a)", true).expect("it has such a call");
    assert_eq!(many.text, "__many_0(void 0,__many,[...a])");
    assert_eq!(
        many.names.declaration(),
        "import{call as __many_0,construct as __many_1,named as __many_2,members as __many_3,parent as __many_4,remove as __many_5}from\"\\u0001many\";var __many_6,__many_7;"
    );
}
