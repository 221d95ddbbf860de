//! Virtual users share the values of large literals. None may notice the changes of another one.

use crate::run::{load_error, run};

/// Rows of data, large enough to be shared.
fn rows(count: usize) -> String {
    let row = |n| {
        format!(
            "{{ id: {n}, name: 'user {n}', 'tags': ['a{n}', `b`, [{n}.5, -1, null, true]], deep: {{ note: 'lorem ipsum {n}', none: [] }} }}"
        )
    };
    let rows: Vec<String> = (0..count).map(row).collect();
    format!("[\n{}\n]", rows.join(",\n"))
}

/// Half of the VUs change the data in every possible way, with suspensions in between; the others check that it
/// is as written, and so do the changers for the parts that they have not changed.
const TORTURE: &str = r#"
    import { sleep } from 'k6';
    import { vu } from 'k6/execution';
    export const options = { scenarios: { all: { executor: 'per-vu-iterations', vus: VUS, iterations: 3 } } };
    const rows = ROWS;
    const table = { 'rows': ROWS, key: 1 };
    const first = JSON.stringify(rows), whole = JSON.stringify(table);
    const deeds = [
        () => { rows.push({ more: 1 }); },
        () => { rows.pop(); },
        () => { rows.shift(); },
        () => { rows.unshift('new', 'newer'); },
        () => { rows.splice(3, 2, 'in between'); },
        () => { rows.sort((a, b) => (b.id || 0) - (a.id || 0)); },
        () => { rows.reverse(); },
        () => { rows.fill('same', 2, 4); },
        () => { rows.copyWithin(0, 5, 7); },
        () => { rows.length = 9; },
        () => { rows[1] = 'other'; },
        () => { rows[rows.length] = 'appended'; },
        () => { rows[rows.length + 3] = 'far'; },
        () => { delete rows[rows.length - 1]; },
        () => { delete rows[0]; },
        () => { rows.extra = 'property'; },
        () => { Object.freeze(rows); },
        () => { table.rows[0].name = 'changed'; },
        () => { table.rows[1].added = 'property'; },
        () => { delete table.rows[2].name; },
        () => { table.rows[3].tags.push('more'); },
        () => { table.rows[4].tags[2][0] = 'deep'; },
        () => { table.rows[5].deep.none.push('first item'); },
        () => { Object.defineProperty(table.rows[6], 'id', { get() { sleep(0.001); return 'got'; }, enumerable: true }); },
        () => { Object.setPrototypeOf(table.rows[7], { inherited: 1 }); },
        () => { Object.assign(table.rows[8], { a: 1, b: 2, c: 3, d: 4, e: 5, f: 6 }); },
        () => { table.rows[9].self = table.rows[9].deep; table.rows[9].deep.list = [table.rows[9].id]; },
        () => { table.rows.forEach((row) => { row.seen = true; }); },
        () => { table.key += 1; delete table.rows; },
    ];
    const confirm = (what, is) => { if (!is) { throw new Error(what + ' in VU ' + vu.idInTest); } };
    const pause = () => sleep(0.001 * (vu.idInTest % 3));
    let mine = null, done = 0;
    export default function () {
        const isChanger = vu.idInTest % 2 === 0;
        for (let round = 0; round < deeds.length; round++) {
            if (isChanger) {
                // An operation that is no longer possible throws, which changes nothing.
                try { deeds[(round * 7 + vu.idInTest) % deeds.length](); } catch (error) { confirm(error, error instanceof TypeError); }
                done += 1;
                const now = () => { try { return JSON.stringify([rows, table, rows.extra, Object.isFrozen(rows)]); } catch (error) { return String(error); } };
                mine = now();
                pause();
                confirm('what a changer sees is not what it left', now() === mine);
            } else {
                pause();
                confirm('rows are changed', JSON.stringify(rows) === first && rows.extra === undefined && !Object.isFrozen(rows));
                confirm('the table is changed', JSON.stringify(table) === whole && table.rows[7].inherited === undefined);
                confirm('an array is none', Array.isArray(rows) && rows instanceof Array && Object.getPrototypeOf(rows) === Array.prototype);
                const ids = []; for (const row of rows) { ids.push(row.id); }
                confirm('items are lost', ids.length === COUNT && ids.every((id, n) => id === n) && rows.map((row) => row.tags[0])[2] === 'a2');
            }
        }
        if (isChanger) { confirm('nothing was changed', done > 0 && (JSON.stringify(rows) !== first || JSON.stringify(table) !== whole)); }
    }"#;

#[test]
fn changes_to_literal_data_stay_within_a_virtual_user() {
    let vus = std::env::var("ISOLATION_VUS").unwrap_or_else(|_| "16".to_owned());
    let script = TORTURE.replace("ROWS", &rows(40));
    let finished = run(&script.replace("COUNT", "40").replace("VUS", &vus));
    assert_eq!(finished.lines, Vec::<String>::new());
    let count: f64 = vus.parse().expect("a number of VUs");
    assert_eq!(finished.value("iterations", "count"), 3.0 * count);
}

#[test]
fn init_code_may_change_literal_data() {
    // More changes than VUs share: each VU then has its own data.
    let finished = run(&format!(
        r#"
        import {{ sleep }} from 'k6';
        import {{ vu }} from 'k6/execution';
        export const options = {{ scenarios: {{ all: {{ executor: 'per-vu-iterations', vus: 6, iterations: 2 }} }} }};
        const rows = {};
        for (const row of rows) {{ row.owner = __VU; row.tags.push(__VU); }}
        rows.length = 90;
        export default function () {{
            sleep(0.001);
            const fine = rows.length === 90 && rows.every((row) => row.owner === vu.idInTest && row.tags[3] === vu.idInTest);
            if (!fine) {{ console.log('wrong'); }}
        }}"#,
        rows(100)
    ));
    assert_eq!(finished.lines, Vec::<String>::new());
    assert_eq!(finished.value("iterations", "count"), 12.0);
}

#[test]
fn literal_data_of_commonjs_modules_is_isolated_too() {
    let finished = run(&format!(
        r#"
        const {{ sleep }} = require('k6');
        const rows = {}, more = {};
        module.exports.options = {{ scenarios: {{ all: {{ executor: 'per-vu-iterations', vus: 6, iterations: 2 }} }} }};
        module.exports.default = function () {{
            rows[__VU].name = 'mine'; more.pop();
            sleep(0.001);
            const others = rows.filter((row) => row.name === 'mine').length;
            if (others !== 1 || more.length !== 30 - 1 - __ITER) {{ console.log('wrong', others, more.length); }}
        }};"#,
        rows(30),
        rows(30)
    ));
    assert_eq!(finished.lines, Vec::<String>::new());
    assert_eq!(finished.value("iterations", "count"), 12.0);
}

#[test]
fn errors_after_literal_data_have_their_place() {
    let script = format!(
        "const rows = {}; export default function () {{ throw new Error('boom') }}",
        rows(12)
    );
    let finished = run(&script);
    let column = script.lines().last().and_then(|line| line.find("Error("));
    let place = format!("test.js:14:{}", column.map_or(0, |at| at + 1));
    assert!(
        finished.lines[0].contains(&place),
        "{place} {:?}",
        finished.lines
    );
    let error = load_error(&format!("const rows = {};\nlet a = ;", rows(12)));
    assert!(error.contains("Line 15:9 "), "{error}");
}
