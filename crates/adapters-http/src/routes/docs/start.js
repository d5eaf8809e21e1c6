// Shows the document; signs requests with the token of `task-api dev`, if the page brings one.
const place = document.getElementById("docs");
const ui = SwaggerUIBundle({
  domNode: place,
  url: new URL("../openapi.json", document.currentScript.src).href,
  deepLinking: true,
  displayRequestDuration: true,
  onComplete: () => {
    if (place.dataset.token) {
      ui.preauthorizeApiKey("bearer", place.dataset.token);
    }
  },
});
