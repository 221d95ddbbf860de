export const x = 1;
export function f() {}
export let y = 2;
