import { group } from 'k6';
export const options = { iterations: 1, thresholds: { 'group_duration{group:::a::b}': ['max>=0'], 'group_duration{group:::a}': ['max>=0'] } };
export default function () { group('a', () => { group('b', () => {}); group('b', () => {}); }); }
