import { group } from 'k6';
export const options = { iterations: 1 };
export default function () { try { group('a::b', () => {}); } catch (e) { console.log(String(e).includes('::')); } }
