// Requests of an integration: no browser, no cookie, one connection each.

import http from 'node:http';

/** The response of a server. */
export interface HttpResponse {
  status: number;
  headers: http.IncomingHttpHeaders;
  body: string;
}

/** Sends one request and reads the response. */
export function send(
  url: string,
  { method = 'GET', headers = {}, body }: { method?: string; headers?: http.OutgoingHttpHeaders; body?: string } = {},
): Promise<HttpResponse> {
  return new Promise((resolve, reject) => {
    const request = http.request(url, { method, headers, agent: false }, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => (text += chunk));
      response.on('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, body: text }));
      response.on('error', reject);
    });
    request.on('error', reject);
    request.end(body);
  });
}

/** Sends `GET /api/v1/whoami` with a secret. */
export function whoami(origin: string, secret: string): Promise<HttpResponse> {
  return send(`${origin}/api/v1/whoami`, { headers: { 'X-API-Key': secret } });
}
