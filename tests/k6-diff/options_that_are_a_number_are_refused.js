// differs in log: k6 says only which types of Go do not fit; here the message says which option is wrong, and how
export const options = 5;
export default function () {}
