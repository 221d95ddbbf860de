// differs in log: the parser has its own wording
export default function () { const = 1; }
