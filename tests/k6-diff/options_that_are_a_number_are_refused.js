// differs in log: k6 names only the Go types that do not match; here the message names the option and the error
export const options = 5;
export default function () {}
