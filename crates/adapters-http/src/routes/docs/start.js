// Shows the document; signs requests with the token of `task-api dev`, if the page brings one.
const place = document.getElementById("docs");
// The path below which a proxy serves us; the document does not know it.
const base = new URL("..", document.currentScript.src).pathname.replace(/\/$/, "");
const belowBase = (request) => {
  const url = new URL(request.url, location.href);
  if (!request.loadSpec && url.origin === location.origin) {
    url.pathname = base + url.pathname;
    request.url = url.href;
  }
  return request;
};
// Whose token the page holds (RFC 7519, 3: the claims are the second part).
if (place.dataset.token) {
  const [, claims] = place.dataset.token.split(".");
  const bytes = Uint8Array.from(atob(claims.replace(/-/g, "+").replace(/_/g, "/")), (letter) => letter.charCodeAt(0));
  const { user_id: userId, sub, exp } = JSON.parse(new TextDecoder().decode(bytes));
  const until = new Date(exp * 1000).toLocaleString();
  document.getElementById("token").textContent =
    `Requests carry the development token of the user ${userId ?? sub}, valid until ${until}.`;
}
const ui = SwaggerUIBundle({
  domNode: place,
  url: new URL("../openapi.json", document.currentScript.src).href,
  requestInterceptor: belowBase,
  deepLinking: true,
  displayRequestDuration: true,
  onComplete: () => {
    if (place.dataset.token) {
      ui.preauthorizeApiKey("bearer", place.dataset.token);
    }
  },
});
