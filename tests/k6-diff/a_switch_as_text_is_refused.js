// differs in log: k6 names only the Go types that do not match; here the message names the option and the error
export const options = { iterations: 1, noConnectionReuse: 'true' };
export default function () {}
