export default function () {}
export function teardown() { throw new Error('afterwards'); }
