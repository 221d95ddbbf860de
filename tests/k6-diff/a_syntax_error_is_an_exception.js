// differs in log: the position is the same, but the parser has its own message
export default function () { const = 1; }
