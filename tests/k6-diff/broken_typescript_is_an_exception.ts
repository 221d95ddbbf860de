// differs in log: the line is the same, but the parser has its own message, and counts columns from one
const x: number = ;
export default function (): void {}
