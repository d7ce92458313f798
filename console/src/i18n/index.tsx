/** The language: chosen by the reader, else by the browser; kept on this machine; written on <html lang>. */
import { createContext, use, useCallback, useEffect, useMemo, useState, type ReactNode } from "react";
import type { Lang } from "../lib/format";
import { en, type Key } from "./en";
import { ko } from "./ko";

export type { Key } from "./en";

const dictionaries = { en, ko } as const;
const STORED = "signalbox.lang";

export type Translate = (key: Key, values?: Record<string, string | number>) => string;

interface I18n {
  lang: Lang;
  setLang: (lang: Lang) => void;
  t: Translate;
}

const Context = createContext<I18n | null>(null);

/** fill replaces {name} by its value. An unknown name stays as it is, so that a mistake is seen. */
export function fill(text: string, values: Record<string, string | number>): string {
  return text.replace(/\{(\w+)\}/g, (whole, name: string) => (name in values ? String(values[name]) : whole));
}

export function translate(lang: Lang, key: Key, values?: Record<string, string | number>): string {
  const text: string = dictionaries[lang][key];
  return values ? fill(text, values) : text;
}

function firstLang(): Lang {
  const stored = localStorage.getItem(STORED);
  if (stored === "en" || stored === "ko") return stored;
  return navigator.language.toLowerCase().startsWith("ko") ? "ko" : "en";
}

export function I18nProvider({ children }: { children: ReactNode }) {
  const [lang, set] = useState<Lang>(firstLang);
  useEffect(() => {
    document.documentElement.lang = lang;
  }, [lang]);
  const setLang = useCallback((next: Lang) => {
    localStorage.setItem(STORED, next);
    set(next);
  }, []);
  const value = useMemo<I18n>(
    () => ({ lang, setLang, t: (key, values) => translate(lang, key, values) }),
    [lang, setLang],
  );
  return <Context value={value}>{children}</Context>;
}

export function useI18n(): I18n {
  const value = use(Context);
  if (!value) throw new Error("useI18n outside I18nProvider");
  return value;
}
