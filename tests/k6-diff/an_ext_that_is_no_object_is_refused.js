// differs in log: k6 says only which types of Go do not fit; here the message says which option is wrong
export const options = { iterations: 1, ext: 5 };
export default function () {}
