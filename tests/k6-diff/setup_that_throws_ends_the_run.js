export function setup() { throw new Error('no way'); }
export default function () {}
export function teardown() { console.log('never'); }
