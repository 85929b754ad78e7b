// Runs before the first picture, in any browser: the chosen colours, and a word to those that cannot read our modules.
try {
  var theme = localStorage.getItem("pvm-wasm.theme");
  if (theme === "light" || theme === "dark") document.documentElement.setAttribute("data-theme", theme);
} catch (refused) {
  // Without storage: the system's colours.
}
addEventListener("load", function () {
  if (document.body.hasAttribute("data-started")) return;
  var message = document.getElementById("message");
  message.hidden = false;
  message.textContent =
    "This page could not start: its scripts did not load, or this browser is too old. Try a current Chrome or Firefox.";
  document.getElementById("state").textContent = "Cannot run";
});
