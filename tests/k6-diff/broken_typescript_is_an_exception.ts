const x: number = ;
export default function (): void {}
