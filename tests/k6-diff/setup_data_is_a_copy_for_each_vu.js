export const options = { scenarios: { a: { executor: 'per-vu-iterations', vus: 1, iterations: 2 } } };
export function setup() { return { number: 1, nothing: undefined, date: new Date(1500) }; }
function show(data) { return Object.keys(data).sort().map((key) => `${key}=${data[key]}`).join(); }
export default function (data) { data.number += 1; console.log(show(data)); }
export function teardown(data) { console.log(show(data)); }
