/** The colours: the reader's choice, else the system's. Resolved to data-theme before the first paint. */
import { createContext, use, useEffect, useMemo, useState, type ReactNode } from "react";

export type Choice = "auto" | "dark" | "light";
export type Theme = "dark" | "light";

const STORED = "signalbox.theme";
const system = matchMedia("(prefers-color-scheme: dark)");

function resolve(choice: Choice): Theme {
  return choice === "auto" ? (system.matches ? "dark" : "light") : choice;
}

function stored(): Choice {
  const text = localStorage.getItem(STORED);
  return text === "dark" || text === "light" ? text : "auto";
}

/** applyTheme runs before React does, so that the page is never painted in the wrong colours. */
export function applyTheme(choice: Choice = stored()): void {
  document.documentElement.dataset["theme"] = resolve(choice);
}

interface ThemeState {
  choice: Choice;
  theme: Theme;
  choose: (choice: Choice) => void;
}

const Context = createContext<ThemeState | null>(null);

export function ThemeProvider({ children }: { children: ReactNode }) {
  const [choice, setChoice] = useState<Choice>(stored);
  const [theme, setTheme] = useState<Theme>(() => resolve(stored()));
  useEffect(() => {
    const follow = () => {
      applyTheme(choice);
      setTheme(resolve(choice));
    };
    follow();
    system.addEventListener("change", follow);
    return () => system.removeEventListener("change", follow);
  }, [choice]);
  const value = useMemo<ThemeState>(() => {
    const choose = (next: Choice) => {
      localStorage.setItem(STORED, next);
      // At once, so that canvases that draw in this render already read the new colours.
      applyTheme(next);
      setTheme(resolve(next));
      setChoice(next);
    };
    return { choice, theme, choose };
  }, [choice, theme]);
  return <Context value={value}>{children}</Context>;
}

export function useTheme(): ThemeState {
  const value = use(Context);
  if (!value) throw new Error("useTheme outside ThemeProvider");
  return value;
}

/** color reads one of the CSS variables, for what is drawn on a canvas. */
export function color(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}
