// differs in log: the message says what is wrong in its own words
export const options = { duration: ' 1s' };
export default function () {}
