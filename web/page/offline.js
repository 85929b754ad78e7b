/**
 * Keeps the page for use without a network: a service worker. The build writes BUILD and FILES before this text:
 * another build is another worker, with files of its own, so that files of two builds never meet.
 */

const NAME = `pvm-wasm ${BUILD}`;

self.addEventListener("install", () => self.skipWaiting());

self.addEventListener("activate", (event) => {
  const replace = async () => {
    const old = (await caches.keys()).filter((name) => name.startsWith("pvm-wasm ") && name !== NAME);
    for (const name of old) await caches.delete(name);
    await self.clients.claim();
  };
  event.waitUntil(replace());
});

/** Once the page has loaded all that it needs, the rest is fetched; most of it the browser has already. */
self.addEventListener("message", (event) => event.waitUntil(keepAll()));

self.addEventListener("fetch", (event) => {
  const name = nameOf(event.request.url);
  if (event.request.method === "GET" && FILES.includes(name)) event.respondWith(answer(name, event.request));
});

function nameOf(url) {
  const { origin, pathname } = new URL(url);
  const scope = new URL(self.registration.scope);
  if (origin !== scope.origin || !pathname.startsWith(scope.pathname)) return null;
  return pathname.slice(scope.pathname.length) || "index.html";
}

async function answer(name, request) {
  const cache = await caches.open(NAME);
  const known = await cache.match(name);
  if (known) return known;
  const response = await fetch(request);
  if (response.ok) await cache.put(name, response.clone()).catch(() => {}); // no room
  return response;
}

async function keepAll() {
  const cache = await caches.open(NAME);
  for (const name of FILES) {
    if (await cache.match(name)) continue;
    const response = await fetch(name);
    if (!response.ok) return;
    await cache.put(name, response);
  }
}
