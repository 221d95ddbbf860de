// differs in log: the engine gives no stack here
import { nope } from './modules/live.js';
export default function () {}
