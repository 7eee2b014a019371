import { useEffect, useState, useSyncExternalStore } from "react";
import { Icon } from "./icons";

type Choice = "auto" | "light" | "dark";
const ORDER: Choice[] = ["auto", "light", "dark"];
const ICONS = { auto: "auto", light: "sun", dark: "moon" } as const;

function stored(): Choice {
  const found = localStorage.getItem("theme");
  return found === "light" || found === "dark" ? found : "auto";
}

export function applyTheme(choice: Choice = stored()): void {
  if (choice === "auto") delete document.documentElement.dataset["theme"];
  else document.documentElement.dataset["theme"] = choice;
}

export function ThemeButton() {
  const [choice, setChoice] = useState<Choice>(stored);
  const turn = () => {
    const next = ORDER[(ORDER.indexOf(choice) + 1) % 3] as Choice;
    if (next === "auto") localStorage.removeItem("theme");
    else localStorage.setItem("theme", next);
    applyTheme(next);
    setChoice(next);
  };
  const words = { auto: "as the system", light: "light", dark: "dark" }[choice];
  return (
    <button type="button" className="button bare" onClick={turn} aria-label={`Colours: ${words}. Change`} title={`Colours: ${words}`}>
      <Icon name={ICONS[choice]} />
    </button>
  );
}

/** Changes whenever the colours may have: what is painted on a canvas must be painted again. */
export function useThemeStamp(): number {
  const [stamp, setStamp] = useState(0);
  useEffect(() => {
    const media = window.matchMedia("(prefers-color-scheme: dark)");
    const changed = () => setStamp((n) => n + 1);
    media.addEventListener("change", changed);
    const observer = new MutationObserver(changed);
    observer.observe(document.documentElement, { attributes: true, attributeFilter: ["data-theme"] });
    return () => {
      media.removeEventListener("change", changed);
      observer.disconnect();
    };
  }, []);
  return stamp;
}

/** Whether the window is narrow, as on a phone. */
export function useNarrow(): boolean {
  return useSyncExternalStore(
    (changed) => {
      const media = window.matchMedia("(max-width: 860px)");
      media.addEventListener("change", changed);
      return () => media.removeEventListener("change", changed);
    },
    () => window.matchMedia("(max-width: 860px)").matches,
  );
}
