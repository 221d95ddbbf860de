//! Virtual users share an engine's built-ins. None may notice the changes of another one.

use crate::run::run;

/// Half of the VUs break everything, with suspensions in between; the other half check that they see no change,
/// and the breakers that they still see their own.
const TORTURE: &str = r#"
    import http, { expectedStatuses } from 'k6/http';
    import k6, { sleep, check } from 'k6';
    import metrics, { Trend } from 'k6/metrics';
    import { vu } from 'k6/execution';
    import { SharedArray } from 'k6/data';
    export const options = { scenarios: { all: { executor: 'per-vu-iterations', vus: VUS, iterations: 4 } } };
    const trend = new Trend('took');
    const array = new SharedArray('a', () => [1, 2, 3]);
    const state = { count: 0 };
    const pause = () => sleep(Math.abs(Math.sin(vu.idInTest + state.count)) * 0.002);
    // The test's own tools, saved before they are broken.
    const FirstSet = Set, FirstMap = Map;
    const metricPrototype = Object.getPrototypeOf(trend);
    const statusPrototype = Object.getPrototypeOf(expectedStatuses(200));
    function confirm(what, is) { if (!is) { throw new Error(what + ' is wrong in VU ' + vu.idInTest + ', iteration ' + state.count); } }

    // Each entry: the change, the check in the VU that made it, the check in all others.
    const deeds = [
        ['a method is added', () => { Array.prototype.last = function () { return this[this.length - 1]; }; },
            () => [1, 2].last() === 2, () => [].last === undefined],
        ['many methods are added', () => { for (let i = 0; i < 100; i++) { String.prototype['m' + i] = i; } },
            () => 'x'.m0 === 0 && 'x'.m99 === 99, () => ''.m0 === undefined && ''.m99 === undefined],
        ['a method is overwritten', () => { Array.prototype.map = () => 'mine'; },
            () => [1].map((x) => x) === 'mine', () => [1].map((x) => x + 1)[0] === 2],
        ['a function is replaced', () => { Math.max = () => me(); JSON.parse = () => me(); Date.now = () => me(); },
            () => Math.max(1, 5) === me() && JSON.parse('1') === me() && Date.now() === me(),
            () => Math.max(1, 5) === 5 && JSON.parse('[7]')[0] === 7 && Date.now() > 1e12],
        ['a method is deleted', () => { delete String.prototype.trim; delete Math.min; },
            () => ''.trim === undefined && Math.min === undefined, () => ' a '.trim() === 'a' && Math.min(1, 2) === 1],
        ['an accessor is defined', () => { Object.defineProperty(Object.prototype, 'secret', { get() { pause(); return me(); }, configurable: true }); },
            () => ({}).secret === me(), () => ({}).secret === undefined],
        ['flags are changed', () => { Object.defineProperty(Array.prototype, 'filter', { enumerable: true, writable: false }); },
            () => Object.keys(Array.prototype).includes('filter'), () => Object.keys(Array.prototype).length === 0],
        ['an object is frozen', () => { Object.freeze(RegExp.prototype); Object.seal(FirstMap.prototype); Object.preventExtensions(JSON); },
            () => Object.isFrozen(RegExp.prototype) && Object.isSealed(FirstMap.prototype) && !Object.isExtensible(JSON),
            () => !Object.isFrozen(RegExp.prototype) && !Object.isSealed(FirstMap.prototype) && Object.isExtensible(JSON)],
        ['a prototype is changed', () => { Object.setPrototypeOf(FirstSet.prototype, { strange: 1 }); Number.prototype.__proto__ = { odd: 2 }; },
            () => new FirstSet().strange === 1 && (5).odd === 2, () => new FirstSet().strange === undefined && (5).odd === undefined],
        ['items of Array.prototype', () => { Array.prototype[1] = 'hole'; Array.prototype.push.call(Array.prototype, 'x'); },
            () => [0, , 2][1] === 'hole' && Array.prototype.length === 3, () => [0, , 2][1] === undefined && Array.prototype.length === 0],
        ['symbols', () => { Array.prototype[Symbol.iterator] = function* () { yield me(); }; },
            () => [...[1, 2, 3]][0] === me(), () => [...[1, 2, 3]].length === 3],
        ['functions have properties', () => { Array.isArray.mine = me(); parseInt.mine = me(); Object.setPrototypeOf(isNaN, null); },
            () => Array.isArray.mine === me() && parseInt.mine === me() && Object.getPrototypeOf(isNaN) === null,
            () => Array.isArray.mine === undefined && parseInt.mine === undefined && Object.getPrototypeOf(isNaN) === Function.prototype],
        ['globals', () => { globalThis.leaked = me(); globalThis.Map = me(); delete globalThis.Set; globalThis.parseFloat = () => me(); },
            () => leaked === me() && Map === me() && typeof Set === 'undefined' && parseFloat('1') === me(),
            () => typeof leaked === 'undefined' && new Map([[1, 2]]).size === 1 && new Set([1]).size === 1 && parseFloat('1.5') === 1.5],
        ['global functions of k6', () => { console.mine = me(); setTimeout.mine = me(); __ENV.MINE = me(); },
            () => console.mine === me() && setTimeout.mine === me() && __ENV.MINE == me(),
            () => console.mine === undefined && setTimeout.mine === undefined && __ENV.MINE === undefined],
        ['web crypto and text', () => { crypto.subtle.digest = () => me(); crypto.mine = me(); TextEncoder.prototype.encode = () => me(); delete globalThis.TextDecoder; },
            () => crypto.subtle.digest() === me() && crypto.mine === me() && new TextEncoder().encode('a') === me() && typeof TextDecoder === 'undefined',
            () => crypto.subtle.digest.name === 'digest' && crypto.mine === undefined && new TextEncoder().encode('a')[0] === 97 && new TextDecoder().encoding === 'utf-8'],
        ['modules of k6', () => { http.get = () => me(); k6.check.mine = me(); metrics.Trend.prototype.put = () => me(); },
            () => http.get() === me() && k6.check.mine === me() && trend.put(1) === me(),
            () => http.get.length === 0 && typeof http.get === 'function' && http.get !== undefined && check.mine === undefined && trend.put === undefined && trend.add(1) === true],
        ['prototypes of k6 objects', () => { metricPrototype.mine = me(); statusPrototype.mine = me(); Object.getPrototypeOf(array).mine = me(); },
            () => trend.mine === me() && expectedStatuses(200).mine === me() && array.mine === me(),
            () => trend.mine === undefined && expectedStatuses(200).mine === undefined && array.mine === undefined],
        ['errors', () => { Error.prototype.name = 'Mine'; TypeError.prototype.message = 'typed'; Error.stackTraceLimit = me(); },
            () => new Error('x').toString() === 'Mine: x' && new TypeError().message === 'typed' && Error.stackTraceLimit === me(),
            () => new Error('x').toString() === 'Error: x' && new TypeError().message === '' && Error.stackTraceLimit === undefined],
        ['promises', () => { Promise.prototype.mine = me(); Promise.resolve = () => me(); },
            () => Promise.resolve(1) === me() && (async () => 1)().mine === me(),
            () => Promise.resolve(1) instanceof Promise && (async () => 1)().mine === undefined],
        ['prototypes of hidden built-ins', () => { Object.getPrototypeOf([].values()).mine = me(); Object.getPrototypeOf(function* () {}).mine = me(); Object.getPrototypeOf(async () => 1).mine = me(); },
            () => [].values().mine === me() && (function* () {}).mine === me() && (async () => 1).mine === me(),
            () => [].values().mine === undefined && (function* () {}).mine === undefined && (async () => 1).mine === undefined],
        ['Function.prototype', () => { Function.prototype.call2 = () => me(); Function.prototype.toString = () => 'f'; },
            () => pause.call2() === me() && pause.toString() === 'f', () => pause.call2 === undefined && parseInt.toString().includes('native code')],
    ];
    const me = () => vu.idInTest;
    const done = {};
    export default function () {
        const isBreaker = vu.idInTest % 2 === 0;
        for (let round = 0; round < deeds.length; round++) {
            // No destructuring, since iterators are broken, too.
            const next = (round + vu.idInTest) % deeds.length, name = deeds[next][0];
            if (isBreaker && !done[next]) { done[next] = true; deeds[next][1](); }
            if (round % 3 === 0) { pause(); }
            for (let i = 0; i < deeds.length; i++) {
                // A change may be visible to the check of another one, so breakers check only their own.
                if (isBreaker && !done[i]) { continue; }
                const sees = isBreaker ? deeds[i][2] : deeds[i][3];
                let is; try { is = sees(); } catch (e) { is = false; }
                confirm((isBreaker ? 'own: ' : 'others: ') + deeds[i][0] + ' (' + name + ')', is);
            }
        }
        state.count += 1;
        confirm('module state', state.count === vu.iterationInScenario + 1);
    }"#;

#[test]
fn changes_to_built_ins_stay_within_a_virtual_user() {
    let vus = std::env::var("ISOLATION_VUS").unwrap_or_else(|_| "24".to_owned());
    let finished = run(&TORTURE.replace("VUS", &vus));
    assert_eq!(finished.lines, Vec::<String>::new());
    let count: f64 = vus.parse().expect("a number of VUs");
    assert_eq!(finished.value("iterations", "count"), 4.0 * count);
}

#[test]
fn init_code_may_change_built_ins() {
    let finished = run(r#"
        import { sleep } from 'k6';
        import { vu } from 'k6/execution';
        export const options = { scenarios: { all: { executor: 'per-vu-iterations', vus: 20, iterations: 5 } } };
        Array.prototype.sum = function () { return this.reduce((a, b) => a + b, 0); };
        if (!String.prototype.shout) { String.prototype.shout = function () { return this.toUpperCase() + '!'; }; }
        Object.defineProperty(Object.prototype, 'tap', { value(f) { f(this); return this; } });
        globalThis.counter = 0;
        class List extends Array { get first() { return this[0]; } }
        Math.seen = [];
        export default function () {
            counter += 1; sleep(0.001); Math.seen.push(vu.idInTest); sleep(0.001);
            const list = List.from([1, 2, 3]);
            const fine = [1, 2, 3].sum() === 6 && 'a'.shout() === 'A!' && ({}).tap(() => 1) && list.first === 1 && list.sum() === 6
                && counter === vu.iterationInScenario + 1 && Math.seen.length === counter && Math.seen.every((id) => id === vu.idInTest);
            if (!fine) { console.log('wrong', vu.idInTest, counter, JSON.stringify(Math.seen)); }
        }"#);
    assert_eq!(finished.lines, Vec::<String>::new());
    assert_eq!(finished.value("iterations", "count"), 100.0);
}

#[test]
fn ordinary_code_may_shadow_names_of_built_ins() {
    let finished = run(r#"
        import { sleep } from 'k6';
        export const options = { scenarios: { all: { executor: 'per-vu-iterations', vus: 6, iterations: 3 } } };
        class Failure extends Error { constructor(text) { super(text); this.name = 'Failure'; } }
        function Old() {} Old.prototype.constructor = Old; Old.prototype.toString = () => 'old'; Old.from = Array.from;
        export default function () {
            const error = new Error('a'); error.name = 'Other'; error.message = 'b'; error.toString = () => 'mine';
            const object = {}; object.toString = () => 'text'; object.valueOf = () => 7; object.constructor = 1; object.hasOwnProperty = 2;
            const array = [3, 1]; array.map = 1; array.length = 1; array.sort = () => 'no';
            const map = new Map(); map.get = () => 'got'; map.size2 = 1;
            sleep(0.001);
            const regex = /a/g; regex.exec = () => null; regex.lastIndex = 3;
            const fine = error + '' === 'mine' && error.name === 'Other' && object + '' === '7' && new Old() + '' === 'old' && array.sort() === 'no'
                && map.get() === 'got' && regex.lastIndex === 3 && new Failure('x').toString() === 'Failure: x' && new Failure('y') instanceof Error
                && [2, 1].sort()[0] === 1 && new Map([[1, 2]]).get(1) === 2 && String({}) === '[object Object]';
            if (!fine) { console.log('wrong'); }
        }"#);
    assert_eq!(finished.lines, Vec::<String>::new());
}
