/** Signing in: the token goes to the server once, and stays nowhere in the page. */

import { api } from "../api.js";
import { h } from "../dom.js";

/** Asks for the token; `done` is called when it was right. */
export default async function view(root, done) {
  document.title = "Sign in · mediafm";
  const field = h("input", { class: "input", id: "token", type: "password", autocomplete: "current-password", required: true, "aria-describedby": "token-help token-problem" });
  const wrong = h("p", { class: "problem", id: "token-problem", role: "alert" });
  const button = h("button", { class: "button primary", type: "submit" }, "Sign in");
  const form = h("form", { class: "signin" },
    h("h1", {}, "Sign in"),
    h("p", { class: "quiet", id: "token-help" }, "This catalog is shared with a token. Whoever runs the server knows it."),
    h("label", { for: "token" }, "Token"),
    field, wrong, button);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (button.ariaBusy === "true") return;
    button.ariaBusy = "true";
    wrong.textContent = "";
    try {
      await api.post("/session", { token: field.value });
      done();
    } catch (error) {
      wrong.textContent = error.message;
      field.select();
    } finally {
      button.ariaBusy = null;
    }
  });
  root.append(form);
  field.focus();
}
