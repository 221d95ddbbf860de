// differs in log: the parser has its own wording
const x: number = ;
export default function (): void {}
