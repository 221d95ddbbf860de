// flags: --include-system-env-vars=false -e ONE=1
// env: FROM_SYSTEM=yes
export const options = { iterations: 1 };
export default function () { console.log(__ENV.ONE, __ENV.FROM_SYSTEM); }
