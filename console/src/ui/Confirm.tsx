/** A question before an act that changes what may be spent: what it means in words, and nothing happens by accident. */
import { useMutation, useQuery } from "@tanstack/react-query";
import { useEffect, useId, useRef, type ReactNode } from "react";
import { sessionQuery } from "../api/queries";
import { useI18n } from "../i18n";
import { ErrorBox } from "./ErrorBox";

/** useMayOperate tells whether the reader may reopen accounts and lift brakes. The server asks again. */
export function useMayOperate(): boolean {
  const role = useQuery(sessionQuery).data?.role;
  return role === "operator" || role === "admin";
}

interface ConfirmProps {
  title: string;
  children: ReactNode;
  /** act is the word on the button that does it. */
  act: string;
  run: () => Promise<unknown>;
  /** close is told whether it was done. */
  close: (done: boolean) => void;
  /** ready is false while something is missing, or nothing is left to do. */
  ready?: boolean;
  /** failed says what went wrong in words of its own; null leaves it to the usual ones. */
  failed?: (error: Error) => ReactNode;
  wide?: boolean;
}

/** Confirm is the browser's own dialog: it keeps the focus inside, closes on Escape and gives the focus back. */
export function Confirm({ title, children, act, run, close, ready = true, failed, wide }: ConfirmProps) {
  const { t } = useI18n();
  const heading = useId();
  const dialog = useRef<HTMLDialogElement>(null);
  const doing = useMutation({ mutationFn: run, onSuccess: () => close(true) });
  useEffect(() => {
    const element = dialog.current;
    if (!element || element.open) return;
    element.showModal();
    // A question that wants an answer in words begins where they are written.
    element.querySelector<HTMLElement>("[data-first]")?.focus();
  }, []);
  const go = () => {
    if (ready && !doing.isPending) doing.mutate();
  };
  return (
    <dialog
      ref={dialog}
      className={"confirm" + (wide ? " wide" : "")}
      aria-labelledby={heading}
      onCancel={(event) => {
        // An act on its way cannot be called back: the dialog stays until it is known what came of it.
        event.preventDefault();
        if (!doing.isPending) close(false);
      }}
      onKeyDown={(event) => {
        if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) go();
      }}
    >
      <h2 id={heading}>{title}</h2>
      {children}
      {doing.error && (failed?.(doing.error) ?? <ErrorBox error={doing.error} />)}
      <div className="confirm-acts">
        <button className="button" type="button" disabled={doing.isPending} onClick={() => close(false)}>
          {t("confirm.cancel")}
        </button>
        <button className="button primary" type="button" disabled={doing.isPending || !ready} onClick={go}>
          {doing.isPending ? t("confirm.busy") : act}
        </button>
      </div>
    </dialog>
  );
}
