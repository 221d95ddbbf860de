import { called } from './part.js';

await Promise.resolve();
export const top = open('./named.txt').trim();
export const mapped = ['./named.txt'].map((name) => open(name).trim())[0];
export const viaPart = called();
