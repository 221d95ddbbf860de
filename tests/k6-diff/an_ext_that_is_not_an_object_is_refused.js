// differs in log: k6 names only the Go types that do not match; here the message names the option
export const options = { iterations: 1, ext: 5 };
export default function () {}
