/** Approvals: the live inbox of what waits for somebody, and the history of what was decided. */
import { useQuery } from "@tanstack/react-query";
import { useNavigate, useSearch } from "@tanstack/react-router";
import { useState } from "react";
import { facetsQuery } from "../api/queries";
import { useI18n } from "../i18n";
import type { ApprovalsSearch } from "../router";
import { Segments } from "../ui/parts";
import { ApprovalHistory } from "./ApprovalHistory";
import { Choice, Text } from "./CallFilters";
import { Inbox } from "./Inbox";

const RISKS = ["low", "medium", "high"];
const STATES = ["approved", "denied", "expired", "stale", "withdrawn"] as const;

export function Approvals() {
  const search = useSearch({ from: "/shell/approvals" });
  return search.state ? <ApprovalHistory search={search} /> : <Inbox search={search} />;
}

/** Filters are in the address, for the inbox and for the history. */
export function ApprovalFilters({ search }: { search: ApprovalsSearch }) {
  const { t } = useI18n();
  const navigate = useNavigate({ from: "/approvals" });
  const facets = useQuery(facetsQuery).data?.items;
  const change = (next: ApprovalsSearch) => void navigate({ search: next, replace: true });
  const set = (name: keyof ApprovalsSearch, value: string | undefined) => {
    const { [name]: _, ...rest } = search;
    change(value ? { ...rest, [name]: value } : rest);
  };
  const { state, ...others } = search;
  const [open, setOpen] = useState(false);
  const active = Object.keys(others).length;
  return (
    <section className="approval-filters" aria-label={t("calls.filters")}>
        <Segments
          legend={t("approval.which")} name="which" value={state ? "decided" : "pending"}
          options={[{ value: "pending", text: t("approval.waiting") }, { value: "decided", text: t("approval.decided") }]}
          onChange={(value) => {
            const { risk: _, ...rest } = others;
            change(value === "decided" ? { ...rest, state: "decided" } : others);
          }}
        />
      <button className="button filter-fold" type="button" aria-expanded={open} onClick={() => setOpen(!open)}>{t("calls.filters")} {active > 0 && `(${active})`}</button>
      <form className={"filters" + (open ? " open" : "")} onSubmit={(e) => e.preventDefault()}>
      {state ? (
        <Choice label={t("run.state")} value={state === "decided" ? undefined : state} values={STATES} show={(v) => t(`approval.state.${v as (typeof STATES)[number]}`)} set={(v) => set("state", v ?? "decided")} />
      ) : (
        <Choice label={t("calls.risk")} value={search.risk} values={RISKS} set={(v) => set("risk", v)} />
      )}
      <Choice label={t("calls.tenant")} value={search.tenant} values={facets?.tenant ?? []} set={(v) => set("tenant", v)} />
      <Choice label={t("calls.agent")} value={search.agent} values={facets?.agent ?? []} set={(v) => set("agent", v)} />
      <Choice label={t("calls.tool")} value={search.tool} values={facets?.tool ?? []} set={(v) => set("tool", v)} />
      <Text label={t("calls.run")} value={search.run} set={(v) => set("run", v)} />
      {active > 0 && (
        <button className="button plain" type="button" onClick={() => change(state ? { state } : {})}>{t("calls.clear")}</button>
      )}
      </form>
    </section>
  );
}
