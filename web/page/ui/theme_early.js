// Before the first picture, so that it has the colours that were chosen.
try {
  const theme = localStorage.getItem("pvm-wasm.theme");
  if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
} catch {
  // Storage is refused: the system's colours.
}
