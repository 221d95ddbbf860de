// A script whose browser part is switched off runs without a browser.
import { browser } from 'k6/browser';

export const options = { scenarios: { api: { executor: 'shared-iterations', exec: 'api', iterations: 1 } } };

export function api() {
  console.log('api', typeof browser, typeof browser.newPage);
}

export async function ui() {
  const page = await browser.newPage();
  await page.goto(__ENV.BASE);
}
