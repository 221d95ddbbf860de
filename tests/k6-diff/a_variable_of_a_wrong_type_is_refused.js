// env: K6_VUS=many
// differs in log, stdout: the message says which variable is wrong
export default function () {}
