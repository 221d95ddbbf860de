// flags: -e 1X=2
export const options = { iterations: 1 };
export default function () {}
