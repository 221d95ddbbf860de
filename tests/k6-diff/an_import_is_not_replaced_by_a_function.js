import { check } from 'k6';

export const options = { iterations: 1 };

export function check() {}
export default function () {}
