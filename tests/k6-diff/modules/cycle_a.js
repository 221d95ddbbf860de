import "./cycle_b.js"; export const a = "a"; export function fa() { return a; }
