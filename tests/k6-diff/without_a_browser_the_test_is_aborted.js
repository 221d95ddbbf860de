// env: K6_BROWSER_EXECUTABLE_PATH=/nonexistent/chrome
// differs in log: k6 says that it finds no browser to start; here the message says that none is driven, and what to do
import { browser } from 'k6/browser';

export const options = { scenarios: { ui: {
  executor: 'shared-iterations', vus: 1, iterations: 3, options: { browser: { type: 'chromium' } },
} } };

export default async function () {
  try {
    const page = await browser.newPage();
    await page.goto(__ENV.BASE);
  } catch (error) {
    console.log('not reached', error);
  }
}
