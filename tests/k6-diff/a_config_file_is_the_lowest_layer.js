// flags: -c /dev/null
// differs in log: the message says that the file is no JSON in its own words
export const options = { iterations: 1 };
export default function () {}
