export interface Point { x: number; y?: number }
export enum Color { Red, Green = 5 }
export const point: Point = { x: 1 };
export function id<T>(value: T): T { return value as T; }
