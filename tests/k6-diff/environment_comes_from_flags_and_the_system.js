// flags: -e ONE=1 -e TWO=a=b -e EMPTY=
// env: FROM_SYSTEM=yes ONE=system
export const options = { iterations: 1 };
export default function () { console.log(__ENV.ONE, __ENV.TWO, JSON.stringify(__ENV.EMPTY), __ENV.FROM_SYSTEM, __ENV.NOT_THERE); }
