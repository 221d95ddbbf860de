import 'k6/browser';

export const options = {
  iterations: 1,
  thresholds: { browser_web_vital_lcp: ['p(95)<2000'], browser_web_vital_cls: ['avg<1'], browser_http_req_failed: ['rate<0.1'], browser_data_sent: ['count>=0'] },
};

export default function () {}
