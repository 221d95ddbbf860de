// differs in log: the place is the same, but the parser has its own words for what is wrong there
export default function () { const = 1; }
