export let n = 1; export function inc() { n++; } export default "live default";
