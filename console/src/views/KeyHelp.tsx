/** The inbox's keys: one letter each, which whoever dictates or uses a switch can turn off. */
import { useEffect, useRef, useState } from "react";
import { useI18n, type Key } from "../i18n";

const STORED = "signalbox.keys";

const KEYS: readonly [string, Key][] = [
  ["j", "keys.next"], ["k", "keys.previous"], ["Enter", "keys.open"], ["a", "keys.approve"], ["d", "keys.deny"], ["x", "keys.select"], ["?", "keys.help"],
];

/** useShortcuts runs an act for a key, unless something is being written, a dialog is open, or they are turned off. */
export function useShortcuts(on: boolean, acts: Record<string, () => unknown>) {
  const [help, setHelp] = useState(false);
  const [shortcuts, set] = useState(() => localStorage.getItem(STORED) !== "off");
  const latest = useRef(acts);
  useEffect(() => {
    latest.current = acts;
  });
  useEffect(() => {
    if (!on || help || !shortcuts) return;
    const press = (event: KeyboardEvent) => {
      if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || event.isComposing || writes(event)) return;
      const act = event.key === "?" ? () => setHelp(true) : latest.current[event.key];
      if (!act) return;
      event.preventDefault();
      act();
    };
    window.addEventListener("keydown", press);
    return () => window.removeEventListener("keydown", press);
  }, [on, help, shortcuts]);
  const setShortcuts = (next: boolean) => {
    localStorage.setItem(STORED, next ? "on" : "off");
    set(next);
  };
  return { help, setHelp, shortcuts, setShortcuts };
}

function writes(event: KeyboardEvent): boolean {
  const at = event.target as HTMLElement;
  if (at.closest("dialog, select, textarea, [contenteditable]")) return true;
  if (at instanceof HTMLInputElement && at.type !== "checkbox") return true;
  // Enter on a button or a link is theirs.
  return event.key === "Enter" && at.closest("a, button, summary, input") !== null;
}

interface Props {
  open: boolean;
  setOpen: (open: boolean) => void;
  keys: boolean;
  setKeys: (on: boolean) => void;
}

export function KeyHelp({ open, setOpen, keys, setKeys }: Props) {
  const { t } = useI18n();
  return (
    <>
      <button className="button plain" type="button" onClick={() => setOpen(true)}>{t("keys.title")}</button>
      {open && <Help keys={keys} setKeys={setKeys} close={() => setOpen(false)} />}
    </>
  );
}

function Help({ keys, setKeys, close }: { keys: boolean; setKeys: (on: boolean) => void; close: () => void }) {
  const { t } = useI18n();
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    if (dialog.current && !dialog.current.open) dialog.current.showModal();
  }, []);
  return (
    <dialog ref={dialog} className="confirm" aria-labelledby="keys-title" onClose={close}>
      <h2 id="keys-title">{t("keys.title")}</h2>
      <dl className="key-list">
        {KEYS.map(([key, text]) => <div key={key}><dt><kbd>{key}</kbd></dt><dd>{t(text)}</dd></div>)}
      </dl>
      <label className="check"><input type="checkbox" checked={keys} onChange={(e) => setKeys(e.target.checked)} /> {t("keys.on")}</label>
      <div className="confirm-acts"><button className="button" type="button" onClick={close}>{t("keys.close")}</button></div>
    </dialog>
  );
}
