import http from 'k6/http';
import { Options } from 'k6/options';
import { Color, Point, id, point } from './modules/types.ts';
type Text = string | undefined;
export const options: Options = { iterations: 1 };
class Counter { private n: number = 0; constructor(public readonly step: number) {} add(): this { this.n += this.step; return this; } get value(): number { return this.n; } }
export default function (): void {
  const text: Text = `${id<number>(point.x)}` as Text;
  console.log(text, Color.Green, Color[0], new Counter(2).add().add().value, http.get(`${__ENV.BASE}/json`)!.status);
  const p: Point = point;
  throw new Error(`typed ${p.x satisfies number}`);
}
