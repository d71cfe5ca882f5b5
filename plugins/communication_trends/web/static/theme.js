// Airflow's UI keeps its theme here (next-themes); read before the first paint, so that dark never flashes light.
(() => {
  const system = matchMedia("(prefers-color-scheme: dark)");
  const apply = () => {
    let chosen = null;
    try {
      chosen = localStorage.getItem("theme");
    } catch {
      // storage is off: the system's choice
    }
    const dark = chosen === "dark" || (chosen !== "light" && system.matches);
    const before = document.documentElement.dataset.theme;
    document.documentElement.dataset.theme = dark ? "dark" : "light";
    if (before && before !== document.documentElement.dataset.theme)
      dispatchEvent(new Event("themechange"));
  };
  apply();
  addEventListener("storage", apply);
  system.addEventListener("change", apply);
})();
