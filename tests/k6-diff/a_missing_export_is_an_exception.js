import { nope } from './modules/live.js';
export default function () {}
